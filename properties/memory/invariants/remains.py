"""What is left of pages and slots: who holds what was allocated for a VM, and what a slot's deletion has to do yet."""

from functools import cache
from typing import Any

from model.memory.design import Do, Fact, MemoryDesign, place
from model.memory.guards import in_routine, knows
from model.memory.state import DEAD, DYING, EMPTY, INVALID_SLOT, MemoryState, Page, Slot, Use
from properties.memory.invariants.terms import OWNED, covers, is_ram_leaf, on
from properties.quantify import everywhere
from spec.words import bits, choose, either, every, implies, member, negate


def pages_kept(design: MemoryDesign, state: MemoryState) -> Any:
    """Each page that was allocated for a VM is in use, or held by a thread that will use it or give it back; nothing is
    left of a VM that is gone."""
    found = []
    for core in state.cores:
        for spare, kind in zip(core.spare, (Do.CACHE_SECOND, Do.CACHE_THIRD), strict=True):
            found.append(implies(spare != 0, member(core.at, until_given_back(design, kind))))

    def kept(number: int, page: Page) -> Any:
        spare = either(*(every(member(number, core.spare), page.vm == core.vm) for core in state.cores))
        unlinked = either(*(every(core.table == number, knows(design, core, Fact.DETACHING)) for core in state.cores))
        emptied = either(*(every(page.vm == core.vm, knows(design, core, Fact.UNPOPULATED)) for core in state.cores))
        own = []
        for owner, vm in enumerate(state.vms):
            alive = every(vm.life != DEAD, implies(page.use == Use.STRUCTURE, vm.structure == number))
            own.append(implies(every(page.vm == owner, member(page.use, OWNED)), alive))
        return every(
            implies(page.use == Use.CACHE, every(number != 0, spare)),
            implies(page.use == Use.DETACHED, unlinked),
            implies(page.use == Use.RAM, negate(emptied)),
            *own,
        )

    return every(everywhere(state.pages, kept), *found)


def ends_attended(design: MemoryDesign, state: MemoryState) -> Any:
    """Somebody sees to the end of a VM that is to go."""
    found = []
    for number, vm in enumerate(state.vms):
        ends = either(*(every(on(core, number), in_routine(core, "destroy")) for core in state.cores))
        found.append(implies(member(vm.life, (DYING, EMPTY)), ends))
    return every(*found)


@cache
def until_given_back(design: MemoryDesign, kind: Do) -> tuple[int, ...]:
    """The program counters behind a step that allocates a page for a table, until what is left over is given back."""
    found = []
    for routine in ("fault", "interface"):
        steps = [step.do for step in design.steps(routine)]
        if kind in steps and Do.KEEP_SPARES in steps:
            found += [place(routine, n) for n in range(steps.index(kind) + 1, steps.index(Do.KEEP_SPARES) + 1)]
    return tuple(found)


def slots_emptied(design: MemoryDesign, state: MemoryState) -> Any:
    """A page is mapped, or its fault handled, only where a slot has it; the deletion of a slot leaves behind it no page
    that is mapped, and none at all in the end."""
    found = []
    for number, vm in enumerate(state.vms):

        def inside(word: int, descriptor: int, number: int = number, slots: tuple[Slot, ...] = vm.slots) -> Any:
            table = state.pages.get(bits(word, 36, 9))
            ours = every(table.use == Use.TABLE, table.vm == number, is_ram_leaf(state, table, descriptor))
            gfn = table.base | bits(word, 8, 0)
            covered = tuple(covers(slot, gfn) for slot in slots)
            ahead = []
            for core in state.cores:
                deleted = choose(core.slot == 0, *covered)
                deleting = every(on(core, number), knows(design, core, Fact.SYNCHRONIZED), deleted)
                here = every(gfn == core.gfn, knows(design, core, Fact.GIVEN_BACK))
                gone = either(knows(design, core, Fact.EMPTIED_SLOT), gfn < core.gfn, here)
                ahead.append(negate(every(deleting, gone)))
            return implies(ours, every(either(*covered), *ahead))

        found.append(everywhere(state.memory, inside))
        for core in state.cores:
            handled = either(*(covers(each, core.gfn) for each in vm.slots))
            found.append(implies(every(on(core, number), knows(design, core, Fact.HANDLING)), handled))
    return every(*found)


def deletions_attended(design: MemoryDesign, state: MemoryState) -> Any:
    """A slot that is marked invalid is being deleted."""
    found = []
    for number, vm in enumerate(state.vms):
        for position, slot in enumerate(vm.slots):
            deletes = (every(on(c, number), c.slot == position, in_routine(c, "delete")) for c in state.cores)
            found.append(implies(slot.state == INVALID_SLOT, either(*deletes)))
    return every(*found)
