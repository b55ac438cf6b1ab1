"""Stage 2 tables as the highvisor builds and walks them: three levels, two first-level pages, entries of 4 KiB."""

from attrs import frozen

from model.memory.design import MemoryDesign
from model.memory.state import (
    BACKED,
    PROTECTED,
    Backed,
    Core,
    FrameNumber,
    Index,
    MemoryState,
    PageNumber,
    Vm,
    WordNumber,
)
from spec.citations import arm, linux, rule
from spec.words import U1, U4, U64, add, bit, bits, choose, every

VALID, TABLE = 1, 3
"""Bits [1:0] of a valid descriptor, and of one that points to a table or, at the last level, to a page."""
ACCESS_FLAG, INNER_SHAREABLE, EXECUTE_NEVER = 1 << 10, 3 << 8, 1 << 54
WRITE_BACK = 0xF
VTCR = 0x3558
"""40 bits of input, from level 1, inner shareable, write-back walks; KVM sets it once on each processor."""


@rule(linux("arch/arm/include/asm/pgtable-3level.h", "pmd_populate"), arm("B3.6.2"))
def table_descriptor(page: PageNumber) -> U64:
    """The descriptor of a next-level table."""
    return (page << 12) | TABLE


@rule(linux("arch/arm/include/asm/pgtable-3level.h", "L_PTE_S2_RDWR"), arm("B3.6.2"))
def ram_descriptor(design: MemoryDesign, page: PageNumber, writable: U1) -> U64:
    """The descriptor of a page of a guest's memory: write-back, shareable, executable."""
    access = choose(writable == 1, design.read_only | design.read_write, design.read_only)
    return (page << 12) | ACCESS_FLAG | INNER_SHAREABLE | (access << 6) | (WRITE_BACK << 2) | TABLE


@rule(linux("arch/arm/kvm/mmu.c", "kvm_phys_addr_ioremap"), arm("B3.6.2"))
def device_descriptor(design: MemoryDesign, page: PageNumber) -> U64:
    """The descriptor of a device's page."""
    attributes = (design.read_write << 6) | (design.device_attributes << 2)
    return (page << 12) | EXECUTE_NEVER | ACCESS_FLAG | INNER_SHAREABLE | attributes | TABLE


@rule(arm("B3.6.2"))
def target(descriptor: U64) -> PageNumber:
    """The page or table that a descriptor names."""
    return bits(descriptor, 39, 12)


@rule(arm("B3.6.2"))
def is_valid(descriptor: U64) -> bool:
    """Whether a table walk may use the descriptor."""
    return bit(descriptor, 0) == 1


@rule(arm("B3.6.2"))
def is_table(descriptor: U64) -> bool:
    """Whether a descriptor of the first or second level points to a table."""
    return bits(descriptor, 1, 0) == TABLE


@rule(arm("B3.6.2"))
def access_of(descriptor: U64) -> U4:
    """HAP: bit 0 permits reads, bit 1 writes."""
    return bits(descriptor, 7, 6)


@rule(arm("B3.6.2"))
def word_in(page: PageNumber, index: Index) -> WordNumber:
    """The descriptor of that index in a table."""
    return (page << 9) | index


@rule(linux("arch/arm/kvm/mmu.c", "stage2_set_pte"), arm("B3.6.5"))
def root_word(vm: Vm, gfn: FrameNumber) -> WordNumber:
    """The first-level descriptor for a gfn, by an index that nothing bounds; the two tables are aligned as one."""
    within = (bits(vm.root, 27, 1) << 10) | bits(gfn, 27, 18)
    return choose(gfn < 1 << 28, within, add(vm.root << 9, bits(gfn, 51, 18), 37))


@rule(linux("arch/arm/include/asm/kvm_mmu.h", "kvm_set_pte"), arm("A3.8.3"))
def read_descriptor(state: MemoryState, core: Core, word: WordNumber) -> U64:
    """A descriptor as its own processor reads it: what it has just cleared it sees cleared."""
    cleared = every(core.pending == 1, core.word == word)
    return choose(cleared, 0, state.memory.get(word))


@frozen
class Found:
    """What a walk by software finds for a gfn: the descriptors on the way, and where each stands."""

    first: WordNumber
    second: WordNumber
    third: WordNumber
    has_second: bool
    has_third: bool
    leaf: U64
    """The last-level descriptor, 0 where there is no table for it."""

    @property
    def mapped(self) -> bool:
        """Whether the page has a valid descriptor."""
        return is_valid(self.leaf)


@rule(linux("arch/arm/kvm/mmu.c", "stage2_set_pte"), linux("arch/arm/kvm/mmu.c", "unmap_range"))
def look_up(state: MemoryState, core: Core, vm: Vm, gfn: FrameNumber) -> Found:
    """The descriptors of a gfn in a VM's tables, as the highvisor on one processor walks them."""
    first = root_word(vm, gfn)
    upper = read_descriptor(state, core, first)
    second = word_in(target(upper), bits(gfn, 17, 9))
    middle = read_descriptor(state, core, second)
    third = word_in(target(middle), bits(gfn, 8, 0))
    has_second = is_table(upper)
    has_third = every(has_second, is_table(middle))
    leaf = choose(has_third, read_descriptor(state, core, third), 0)
    return Found(first, second, third, has_second, has_third, leaf)


@rule(linux("mm/memory.c", "get_user_pages"))
def backed(backing: Backed) -> bool:
    """Whether user space has a page there."""
    return backing & BACKED > 0


@rule(linux("mm/memory.c", "do_wp_page"))
def protected(backing: Backed) -> bool:
    """Whether the host lets its page only be read."""
    return backing & PROTECTED > 0
