"""What holds of every stage 2 table: whose it is, how tables hang together, and what their descriptors lead to."""

from typing import Any

from model.memory.design import GUEST, Fact, MemoryDesign
from model.memory.guards import in_routine, knows
from model.memory.state import DEAD, MemoryState, Page, Use, Vm
from model.memory.tables import ACCESS_FLAG, access_of, backed, is_table, is_valid, protected, target
from properties.memory.invariants.terms import STANDING, TABLES, is_device_only, is_ram_leaf, on, translates_from
from properties.quantify import everywhere
from spec.words import bit, bits, choose, either, every, implies, member, negate


def tables_own(design: MemoryDesign, state: MemoryState) -> Any:
    """A valid descriptor leads to the VM's own next table, to its memory at that gfn, or to the GICV page."""

    def own(word: int, descriptor: int) -> Any:
        table, found = state.pages.get(bits(word, 36, 9)), state.pages.get(target(descriptor))
        placed = translates_from(table, word, found.base)
        hidden = either(*(every(core.pending == 1, core.word == word) for core in state.cores))
        linked = either(found.use == Use.TABLE, every(found.use == Use.DETACHED, hidden))
        below = every(
            linked, found.vm == table.vm, found.level == table.level + 1, placed,
            found.parent == word, table.level < 3, table.use == Use.TABLE,
        )  # fmt: skip
        memory = every(found.use == Use.RAM, found.vm == table.vm, placed)
        page = every(table.level == 3, table.use == Use.TABLE, either(memory, found.use == Use.GICV))
        lead = every(is_table(descriptor), either(below, page))
        ruled = implies(every(member(table.use, TABLES), is_valid(descriptor)), lead)
        return every(ruled, implies(table.use == Use.CACHE, negate(is_valid(descriptor))))

    return everywhere(state.memory, own)


def tables_shaped(design: MemoryDesign, state: MemoryState) -> Any:
    """A table has one of three levels, and begins where tables of its level begin."""

    def shaped(_: int, page: Page) -> Any:
        low = choose(page.level == 1, bits(page.base, 26, 0), choose(page.level == 2, bits(page.base, 17, 0), 0))
        low = choose(page.level == 3, bits(page.base, 8, 0), low)
        return implies(member(page.use, TABLES), every(page.level > 0, low == 0, page.base < 1 << 28))

    return everywhere(state.pages, shaped)


def tables_linked(design: MemoryDesign, state: MemoryState) -> Any:
    """Each table of a living VM but the first-level ones is what its parent's descriptor points to."""
    linked = []
    for number, vm in enumerate(state.vms):

        def below(key: int, page: Page, number: int = number, vm: Vm = vm) -> Any:
            upper = state.pages.get(bits(page.parent, 36, 9))
            descriptor = state.memory.get(page.parent)
            points = every(is_table(descriptor), target(descriptor) == key, upper.use == Use.TABLE, upper.vm == number)
            placed = every(upper.level + 1 == page.level, translates_from(upper, page.parent, page.base))
            own = every(page.use == Use.TABLE, page.vm == number, member(vm.life, STANDING))
            first = either(key == vm.root, key == vm.root | 1)
            return implies(own, choose(page.level == 1, first, every(points, placed)))

        linked.append(everywhere(state.pages, below))
    return every(*linked)


def roots(design: MemoryDesign, state: MemoryState) -> Any:
    """A VM's VTTBR points to its root, and where it lives its two first-level tables are there."""
    found = []
    for number, vm in enumerate(state.vms):
        low, high = state.pages.get(vm.root), state.pages.get(vm.root | 1)
        both = (
            every(page.use == Use.TABLE, page.vm == number, page.level == 1, page.base == base)
            for page, base in ((low, 0), (high, 1 << 27))
        )
        whole = every(bits(vm.vttbr, 47, 0) == vm.root << 12, bits(vm.vttbr, 63, 56) == 0)
        found.append(implies(vm.life != DEAD, either(vm.vttbr == 0, whole)))
        found.append(implies(member(vm.life, STANDING), every(bit(vm.root, 0) == 0, *both)))
    return every(*found)


def leaves_backed(design: MemoryDesign, state: MemoryState) -> Any:
    """A page of memory is mapped only where it is what user space has there, and for writes only if it may be written.

    Main memory holds nothing of its previous owner.
    """

    def covered(word: int, descriptor: int) -> Any:
        table, found = state.pages.get(bits(word, 36, 9)), state.pages.get(target(descriptor))
        backing = state.backing.get((table.vm, found.base))
        same_page = every(backed(backing), bits(backing, 27, 0) == target(descriptor))
        writable = implies(bit(access_of(descriptor), 1) == 1, negate(protected(backing)))
        fresh = found.stale == 0
        mapped = every(table.use == Use.TABLE, is_ram_leaf(state, table, descriptor))
        return implies(mapped, every(same_page, writable, fresh))

    return everywhere(state.memory, covered)


def leaves_accessible(design: MemoryDesign, state: MemoryState) -> Any:
    """A page that is mapped has its access flag set."""

    def accessible(word: int, descriptor: int) -> Any:
        table = state.pages.get(bits(word, 36, 9))
        mapped = every(table.use == Use.TABLE, table.level == 3, is_valid(descriptor))
        return implies(mapped, descriptor & ACCESS_FLAG > 0)

    return everywhere(state.memory, accessible)


def backing_owned(design: MemoryDesign, state: MemoryState) -> Any:
    """What user space has at a gfn is memory of that VM at that gfn."""

    def owned(key: tuple[int, int], backing: int) -> Any:
        page = state.pages.get(bits(backing, 27, 0))
        return implies(backed(backing), every(page.use == Use.RAM, page.vm == key[0], page.base == key[1]))

    return everywhere(state.backing, owned)


def interfaces_mapped(design: MemoryDesign, state: MemoryState) -> Any:
    """The virtual CPU interface is mapped as Device memory; nothing is mapped, and no guest runs, before it is."""
    found = []

    def device(word: int, descriptor: int) -> Any:
        table, page = state.pages.get(bits(word, 36, 9)), state.pages.get(target(descriptor))
        mapped = every(table.use == Use.TABLE, table.level == 3, is_valid(descriptor))
        ready = (implies(table.vm == number, vm.ready == 1) for number, vm in enumerate(state.vms))
        return implies(mapped, every(is_device_only(page, descriptor), *ready))

    for core in state.cores:
        alone = knows(design, core, Fact.FRAMED)
        found.append(implies(alone, state.pages.get(state.gicv).use == Use.GICV))
        for number, vm in enumerate(state.vms):
            runs = either(core.at == GUEST, in_routine(core, "run", "fault"), knows(design, core, Fact.PRESENTED))
            found.append(implies(every(on(core, number), runs), vm.ready == 1))
            to_come = every(in_routine(core, "interface"), negate(knows(design, core, Fact.PRESENTED)))
            found.append(implies(every(on(core, number), to_come), vm.ready == 0))
    return every(everywhere(state.memory, device), *found)


def tables_of_the_living(design: MemoryDesign, state: MemoryState) -> Any:
    """A VM that is gone, or whose tables were freed, has no table."""

    def living(_: int, page: Page) -> Any:
        found = []
        for number, vm in enumerate(state.vms):
            found.append(implies(page.vm == number, vm.life != DEAD))
        for core in state.cores:
            found.append(implies(page.vm == core.vm, negate(knows(design, core, Fact.UNTABLED))))
        return implies(page.use == Use.TABLE, every(*found))

    return everywhere(state.pages, living)
