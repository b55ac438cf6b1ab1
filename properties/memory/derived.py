"""What follows from the invariants of the memory system, in any state: proved once, then known in every proof.

The invariants say of a table which descriptor points to it. What a walk from the root finds is the same thing from the
other end, and needs the invariants of up to three tables at once.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from model.memory.design import MemoryDesign
from model.memory.state import MemoryState, Page, Use, Vm
from model.memory.tables import is_table, root_word, target, word_in
from properties.memory.invariants import Invariant
from properties.memory.invariants.terms import STANDING
from properties.quantify import everywhere
from spec.words import bits, choose, every, implies, member


def tables_found(design: MemoryDesign, state: MemoryState) -> Any:
    """Each table of a living VM is the one that a walk from its root meets on the way to the table's first gfn."""
    found = []
    for number, vm in enumerate(state.vms):

        def met(key: int, page: Page, number: int = number, vm: Vm = vm) -> Any:
            first = root_word(vm, page.base)
            upper = state.memory.get(first)
            second = word_in(target(upper), bits(page.base, 17, 9))
            own = every(page.use == Use.TABLE, page.vm == number, member(vm.life, STANDING))
            third = every(is_table(upper), page.parent == second)
            root = bits(first, 36, 9) == key
            return implies(own, choose(page.level == 1, root, choose(page.level == 2, page.parent == first, third)))

        found.append(everywhere(state.pages, met))
    return every(*found)


DERIVED: Mapping[str, Invariant] = MappingProxyType({"tables_found": tables_found})
"""Every such statement by its name."""
