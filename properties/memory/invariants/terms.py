"""Words that the invariants share: where a descriptor stands, whose VMID is current, whom a thread works for."""

from typing import Any

from model.memory.state import ALIVE, DEAD, DYING, NO_SLOT, Core, FrameNumber, MemoryState, Page, Slot, Use, Vm
from model.memory.tables import is_valid, root_word, target, word_in
from spec.words import bit, bits, choose, either, every, implies

DEVICE = 0b0001
"""MemAttr[3:0] of Device memory."""
TABLES = (Use.TABLE, Use.DETACHED)
OWNED = (Use.STRUCTURE, *TABLES, Use.CACHE, Use.RAM)
"""The uses of pages that belong to a VM."""
STANDING = (ALIVE, DYING)
"""The lives of a VM in which its tables stand."""


def first_gfn(table: Page, word: int) -> int:
    """The first gfn that a descriptor translates, by the table that it stands in."""
    index = bits(word, 8, 0)
    offset = choose(table.level == 1, index << 18, choose(table.level == 2, index << 9, index))
    return table.base | offset


def translates_from(table: Page, word: int, gfn: int) -> Any:
    """Whether a descriptor translates pages from this gfn on, by the table that it stands in."""
    index = bits(word, 8, 0)
    first = every(bits(gfn, 51, 27) == bits(table.base, 51, 27), bits(gfn, 26, 18) == index, bits(gfn, 17, 0) == 0)
    second = every(bits(gfn, 51, 18) == bits(table.base, 51, 18), bits(gfn, 17, 9) == index, bits(gfn, 8, 0) == 0)
    third = every(bits(gfn, 51, 9) == bits(table.base, 51, 9), bits(gfn, 8, 0) == index)
    return choose(table.level == 1, first, choose(table.level == 2, second, third))


def descriptors_of(state: MemoryState, vm: Vm, gfn: int) -> tuple[int, int, int]:
    """The descriptors of a gfn in a VM's tables by level, as memory holds them; one below no table is any word."""
    upper = state.memory.get(root_word(vm, gfn))
    middle = state.memory.get(word_in(target(upper), bits(gfn, 17, 9)))
    return upper, middle, state.memory.get(word_in(target(middle), bits(gfn, 8, 0)))


def vmid_of(vttbr: int) -> int:
    """The VMID in a VTTBR."""
    return bits(vttbr, 55, 48)


def is_current(state: MemoryState, vm: Vm) -> Any:
    """Whether the VM has a VMID of the current generation."""
    return every(vm.life != DEAD, vm.generation == state.allocator.generation)


def is_recent(state: MemoryState, vm: Vm) -> Any:
    """Whether the VM's VMID is of the current generation or, while a flush is to come, of the one before."""
    before = every(state.allocator.flushing == 1, vm.generation + 1 == state.allocator.generation)
    return every(vm.life != DEAD, either(vm.generation == state.allocator.generation, before))


def on(core: Core, number: int) -> Any:
    """Whether the processor's thread works on the VM of that number, or its guest is one."""
    return core.vm == number


def covers(slot: Slot, gfn: FrameNumber) -> Any:
    """Whether there is such a slot and it has the page."""
    return every(slot.state != NO_SLOT, gfn >= slot.base, gfn < slot.base + slot.pages)


def is_ram_leaf(state: MemoryState, table: Page, descriptor: int) -> Any:
    """Whether a descriptor maps a page of a VM's memory."""
    return every(table.level == 3, is_valid(descriptor), state.pages.get(target(descriptor)).use == Use.RAM)


def is_device_only(page: Page, descriptor: int) -> Any:
    """Whether a descriptor maps the virtual CPU interface as Device memory, not executed, and no other device."""
    attributes = every(bits(descriptor, 5, 2) == DEVICE, bit(descriptor, 54) == 1)
    return every(page.use != Use.DEVICE, implies(page.use == Use.GICV, attributes))
