"""Taking memory away: MMU notifiers, the deletion of a slot, the end of a VM."""

from model.memory.design import MemoryDesign
from model.memory.state import (
    BACKED,
    DEAD,
    EMPTY,
    FREE,
    INVALID_SLOT,
    NO_SLOT,
    PROTECTED,
    MemoryState,
    Page,
    PageNumber,
    Slot,
    Use,
    Vm,
    WordNumber,
)
from model.memory.tables import backed, is_valid, look_up, ram_descriptor
from model.memory.threads import advanced, branched, cleared, drained, repeated, vm_of, with_core, with_vm
from spec.citations import linux, rule
from spec.words import add, bits, choose, every, put, put_all, sub

MMU = "arch/arm/kvm/mmu.c"
MAIN = "virt/kvm/kvm_main.c"


@rule(linux(MAIN, "kvm_mmu_notifier_invalidate_range_start"))
def count_up(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """An invalidation of the VM's memory is under way: no page is mapped until it ends."""
    vm = vm_of(state, cpu)
    return advanced(with_vm(state, cpu, put(vm, "count", add(vm.count, 1, 8))), cpu)


@rule(linux(MAIN, "kvm_mmu_notifier_invalidate_range_end"))
def seq_up(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Whoever read the sequence number before sees that it has changed."""
    vm = vm_of(state, cpu)
    return advanced(with_vm(state, cpu, put(vm, "seq", add(vm.seq, 1, 32))), cpu)


@rule(linux(MAIN, "kvm_mmu_notifier_invalidate_range_end"))
def count_down(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The invalidation has ended."""
    vm = vm_of(state, cpu)
    return advanced(with_vm(state, cpu, put(vm, "count", sub(vm.count, 1, 8))), cpu)


@rule(linux(MMU, "unmap_range"), linux(MMU, "clear_pte_entry"))
def clear_leaf(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The page's descriptor is cleared; where there is none, nothing is left to do under the lock."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    if found.mapped:
        return advanced(cleared(state, cpu, found.third), cpu)
    return branched(design, state, cpu, True)


@rule(linux(MMU, "clear_pmd_entry"), linux(MMU, "page_empty"))
def detach_third(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A last-level table in which no descriptor is valid any more is unlinked."""
    core = state.cores[cpu]
    state = drained(state, cpu)
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    return detached(design, state, cpu, found.has_third, found.second, bits(found.third, 36, 9))


@rule(linux(MMU, "clear_pud_entry"), linux(MMU, "page_empty"))
def detach_second(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A second-level table in which no descriptor is valid any more is unlinked."""
    core = state.cores[cpu]
    state = drained(state, cpu)
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    return detached(design, state, cpu, found.has_second, found.first, bits(found.second, 36, 9))


def detached(
    design: MemoryDesign, state: MemoryState, cpu: int, linked: bool, word: WordNumber, table: PageNumber
) -> MemoryState:
    """The state with a table unlinked, where it is linked and empty; the thread goes on behind what follows if not."""
    empty = state.memory.none_where(lambda at, value: every(bits(at, 36, 9) == table, is_valid(value)))
    if every(linked, empty):
        state = advanced(cleared(state, cpu, word), cpu)
        pages = state.pages.set(table, put(state.pages.get(table), "use", Use.DETACHED))
        return with_core(put(state, "pages", pages), cpu, put(state.cores[cpu], "table", table))
    return branched(design, state, cpu, True)


@rule(linux(MMU, "pte_free_kernel"), linux(MMU, "pmd_free"))
def free_table(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The table that was unlinked goes back to the host's allocator, which may give it to anybody."""
    return advanced(put(state, "pages", state.pages.set(state.cores[cpu].table, FREE)), cpu)


@rule(linux("mm/rmap.c", "try_to_unmap"), linux("mm/memory.c", "zap_pte_range"))
def release_page(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The host takes the page out of user space's tables and frees it."""
    return advanced(given_up(state, cpu, FREE), cpu)


@rule(linux(MAIN, "__kvm_set_memory_region"))
def give_back(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The page is no memory of the VM any more; user space may use it for anything."""
    return advanced(given_up(state, cpu, Page(Use.HOST, 0, 0, 0, 0, 0)), cpu)


def given_up(state: MemoryState, cpu: int, owner: Page) -> MemoryState:
    """The state in which the page in hand does not back its gfn any more, where one did, but belongs to another."""
    core = state.cores[cpu]
    key = (core.vm, core.gfn)
    backing = state.backing.get(key)
    number = bits(backing, 27, 0)
    pages = state.pages.set(number, choose(backed(backing), owner, state.pages.get(number)))
    return put_all(state, ("pages", "backing"), (pages, state.backing.set(key, 0)))


@rule(linux("mm/ksm.c", "replace_page"))
def replace_page(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The host puts another page in the place of one, to be read only, and frees the old one."""
    core = state.cores[cpu]
    key = (core.vm, core.gfn)
    state = given_up(state, cpu, FREE)
    backing = state.backing.set(key, page | BACKED | PROTECTED)
    pages = state.pages.set(page, Page(Use.RAM, core.vm, 0, core.gfn, 0, 0))
    return advanced(put_all(state, ("pages", "backing"), (pages, backing)), cpu)


@rule(linux(MMU, "kvm_set_spte_hva"))
def set_replaced(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """change_pte: the new page is mapped for reads, where a last-level table for it exists."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    state = drained(state, cpu)
    number = bits(state.backing.get((core.vm, core.gfn)), 27, 0)
    old = state.memory.get(found.third)
    value = choose(found.has_third, ram_descriptor(design, number, 0), old)
    state = with_core(state, cpu, put(state.cores[cpu], "table", choose(is_valid(found.leaf), 1, 0)))
    return advanced(put(state, "memory", state.memory.set(found.third, value)), cpu)


def slot_in_hand(state: MemoryState, cpu: int) -> Slot:
    """The slot that the thread works on."""
    vm = vm_of(state, cpu)
    return choose(state.cores[cpu].slot == 0, vm.slots[0], vm.slots[1])


def with_slot(vm: Vm, number: int, slot: Slot) -> Vm:
    """The VM with one slot replaced, by a number that may be a word."""
    first, second = vm.slots
    slots = (choose(number == 0, slot, first), choose(number == 0, second, slot))
    return put(vm, "slots", slots)


@rule(linux(MAIN, "__kvm_set_memory_region"))
def mark_invalid(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The slot finds no page for anybody from now on."""
    number, slot = state.cores[cpu].slot, slot_in_hand(state, cpu)
    vm = with_slot(vm_of(state, cpu), number, put(slot, "state", INVALID_SLOT))
    return advanced(with_vm(state, cpu, vm), cpu)


@rule(linux(MAIN, "install_new_memslots"))
def synchronize(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Every fault handler that may have looked the slot up is done; the first page of the slot comes next."""
    core = put(state.cores[cpu], "gfn", slot_in_hand(state, cpu).base)
    return advanced(with_core(state, cpu, core), cpu)


@rule(linux(MMU, "kvm_arch_flush_shadow_memslot", "3.18"))
def next_page(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The slot's next page follows, if there is one."""
    core, slot = state.cores[cpu], slot_in_hand(state, cpu)
    following = add(core.gfn, 1, 52)
    more = following < slot.base + slot.pages
    return repeated(design, with_core(state, cpu, put(core, "gfn", following)), cpu, more)


@rule(linux(MAIN, "install_new_memslots"))
def remove_slot(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The slot is free for another range."""
    vm = with_slot(vm_of(state, cpu), state.cores[cpu].slot, Slot(NO_SLOT, 0, 0))
    return advanced(with_vm(state, cpu, vm), cpu)


@rule(linux(MMU, "kvm_free_stage2_pgd"))
def clear_all(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Every descriptor of the VM is cleared."""
    owner, pages = state.cores[cpu].vm, state.pages

    def belongs(word: WordNumber, _: int) -> bool:
        table = pages.get(bits(word, 36, 9))
        return every(table.use == Use.TABLE, table.vm == owner)

    state = with_vm(state, cpu, put(vm_of(state, cpu), "life", EMPTY))
    return advanced(put(state, "memory", state.memory.clear_where(belongs)), cpu)


@rule(linux(MMU, "kvm_free_stage2_pgd"))
def free_tables(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Every table of the VM goes back to the host's allocator."""
    owner = state.cores[cpu].vm
    pages = state.pages.clear_where(lambda _, kept: every(kept.use == Use.TABLE, kept.vm == owner))
    return advanced(put(state, "pages", pages), cpu)


@rule(linux("mm/mmap.c", "exit_mmap"))
def free_memory(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """User space's memory goes back to the host's allocator."""
    owner = state.cores[cpu].vm
    pages = state.pages.clear_where(lambda _, kept: every(kept.use == Use.RAM, kept.vm == owner))
    backing = state.backing.clear_where(lambda key, _: key[0] == owner)
    return advanced(put_all(state, ("pages", "backing"), (pages, backing)), cpu)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_destroy_vm"), linux("arch/arm/kvm/arm.c", "kvm_unshare_hyp", "5.12"))
def unmap_structure(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Hyp mode's tables map the VM's structures no longer."""
    return advanced(put(state, "hyp", state.hyp.set(vm_of(state, cpu).structure, 0)), cpu)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_destroy_vm"), linux(MAIN, "kvm_destroy_vm"))
def free_structure(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The VM's structures go back to the host's allocator, and the VM is gone."""
    vm = vm_of(state, cpu)
    pages = state.pages.set(vm.structure, FREE)
    nothing = (Slot(NO_SLOT, 0, 0), Slot(NO_SLOT, 0, 0))
    dead = put_all(vm, ("life", "ready", "slots"), (DEAD, 0, nothing))
    return advanced(with_vm(put(state, "pages", pages), cpu, dead), cpu)
