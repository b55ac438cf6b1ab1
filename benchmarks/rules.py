"""Three properties of single rules, stated once, for every engine that is compared."""

from collections.abc import Callable

from attrs import frozen

from spec.psr import advance_it, condition_holds
from spec.words import bits, clear, either, insert

IT_BITS = 0x0600FC00
"""The bits of a program status register that hold IT[7:0]."""


@frozen
class Statement:
    """A predicate that holds of all words below the given widths in bits."""

    name: str
    widths: tuple[int, ...]
    holds: Callable[..., bool]


def inserted_is_read_back(x: int, value: int) -> bool:
    """Whether the field [15:8] reads as what was inserted."""
    return bits(insert(x, 15, 8, value), 15, 8) == value


def only_it_advances(cpsr: int) -> bool:
    """Whether advancing the IT state leaves the other bits alone."""
    return clear(advance_it(cpsr), IT_BITS) == clear(cpsr, IT_BITS)


def opposite_conditions(condition: int, cpsr: int) -> bool:
    """Whether of a condition below 14 and its opposite exactly one holds."""
    return either(condition >= 14, condition_holds(condition, cpsr) != condition_holds(condition ^ 1, cpsr))


STATEMENTS = (
    Statement("insert, then bits", (32, 8), inserted_is_read_back),
    Statement("advance_it leaves the rest", (32,), only_it_advances),
    Statement("opposite conditions", (4, 32), opposite_conditions),
)
