"""Translation tables in memory: built entry by entry, or arbitrary for proofs."""

from collections.abc import Callable
from typing import Any, get_args

import z3

from properties.engines.explorer import Exploration, Path, explore
from properties.engines.formulas import formula
from properties.engines.maps import Arbitrary, Symbolic
from spec.sparse import Memory, Sparse, sparse
from spec.translation.descriptors import stage2_leaf, table_descriptor

VTCR = 0x58
"""Stage 2 as KVM/ARM sets it up: 40 bits (T0SZ -8, S), the descent begins at level 1."""
NORMAL, DEVICE, READ_WRITE, INNER = 0b1111, 0b0001, 0b11, 0b11


def memory(entries: dict[int, int]) -> Sparse[int]:
    """Memory with doublewords at the given physical addresses, zero elsewhere."""
    return sparse(0, [(address >> 3, value) for address, value in entries.items()])


def page(pa: int, hap: int = READ_WRITE, memattr: int = NORMAL, af: int = 1, xn: int = 0) -> int:
    """The stage 2 descriptor of a page."""
    return stage2_leaf(3, pa, memattr, hap, INNER, af, xn)


def three_levels(root: int, ipa: int, leaf: int, spare: int) -> dict[int, int]:
    """The entries of a 40-bit stage 2 that map one page: tables at `root` (8 KiB), `spare` and the page behind it."""
    return {
        root + ((ipa >> 30) << 3): table_descriptor(spare),
        spare + ((ipa >> 21 & 0x1FF) << 3): table_descriptor(spare + 0x1000),
        spare + 0x1000 + ((ipa >> 12 & 0x1FF) << 3): leaf,
    }


class Recorder:
    """Memory with arbitrary contents that keeps, in order, each doubleword that was read and what it held."""

    def __init__(self) -> None:
        self.contents: Any = Symbolic(Arbitrary("memory", get_args(Memory)[1]))
        self.reads: list[tuple[Any, Any]] = []

    def fresh(self) -> "Recorder":
        """The same memory with nothing read yet."""
        self.reads.clear()
        return self

    def get(self, key: Any) -> Any:
        """The value of a key, kept."""
        self.reads.append((key, self.contents.get(key)))
        return self.reads[-1][1]


def solver() -> Any:
    """A solver for words and the functions that arbitrary memory is made of."""
    return z3.SolverFor("QF_UFBV")


def explored(thunk: Callable[[], Any], *assumptions: Any) -> Exploration:
    """Every path of a rule on arbitrary memory."""
    exploration = explore(thunk, assumptions, solver=solver)
    assert not exploration.vacuous and not exploration.undecided and not exploration.failures
    return exploration


def valid(exploration: Exploration, path: Path, condition: Any) -> bool:
    """Whether a condition holds wherever the path is taken."""
    question = solver()
    question.add(*exploration.assumptions, *path.condition, z3.Not(formula(condition)))
    return bool(question.check() == z3.unsat)
