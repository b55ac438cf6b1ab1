"""The stage 2 fault path of the highvisor: from the reported address to a page in the tables, and the interface's map.

Which answer a fault gets is `model.highvisor.mmio`'s rule; here is what follows where a memory slot has the page.
"""

from model.highvisor.mmio import Decision, abort_decision
from model.memory.design import IDLE, MemoryDesign
from model.memory.state import (
    BACKED,
    PROTECTED,
    VALID_SLOT,
    FrameNumber,
    MemoryState,
    Page,
    PageNumber,
    Use,
    Vm,
    WordNumber,
)
from model.memory.tables import (
    backed,
    device_descriptor,
    look_up,
    protected,
    ram_descriptor,
    table_descriptor,
)
from model.memory.threads import advanced, branched, cleared, drained, vm_of, with_core, with_vm
from spec.citations import arm, linux, rule
from spec.words import bits, choose, clear, either, every, member, put, put_all

MMU = "arch/arm/kvm/mmu.c"


@rule(linux("virt/kvm/kvm_main.c", "gfn_to_memslot"))
def in_slot(vm: Vm, gfn: FrameNumber) -> bool:
    """Whether a valid slot of the VM has the page."""
    return either(
        *(
            every(slot.state == VALID_SLOT, gfn >= slot.base, gfn < slot.base + slot.pages)
            for slot in vm.slots
        )
    )


@rule(linux(MMU, "kvm_handle_guest_abort"))
def decide(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A fault on a page of a slot is handled; any other leaves the vCPU to device emulation, or gives it an abort."""
    core = state.cores[cpu]
    decision = abort_decision(core.hsr, choose(in_slot(vm_of(state, cpu), core.gfn), 1, 0))
    return with_core(state, cpu, put(core, "at", core.at + 1 if decision is Decision.MAP else IDLE))


@rule(linux(MMU, "mmu_topup_memory_cache"))
def cache_second(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The vCPU's cache gets a zeroed page for a second-level table."""
    return cached(state, cpu, page, (page, state.cores[cpu].spare[1]))


@rule(linux(MMU, "mmu_topup_memory_cache"))
def cache_third(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The vCPU's cache gets a zeroed page for a third-level table."""
    return cached(state, cpu, page, (state.cores[cpu].spare[0], page))


def cached(
    state: MemoryState, cpu: int, page: PageNumber, spare: tuple[PageNumber, PageNumber]
) -> MemoryState:
    """The state with a page allocated, zeroed and kept."""
    memory = state.memory.clear_where(lambda word, _: bits(word, 36, 9) == page)
    pages = state.pages.set(page, Page(Use.CACHE, state.cores[cpu].vm, 0, 0, 0, 0))
    state = put_all(state, ("memory", "pages"), (memory, pages))
    return advanced(with_core(state, cpu, put(state.cores[cpu], "spare", spare)), cpu)


@rule(linux(MMU, "user_mem_abort"))
def read_seq(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The handler reads mmu_notifier_seq, behind which a barrier stands."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "seq", vm_of(state, cpu).seq)), cpu)


@rule(linux(MMU, "user_mem_abort"), linux("virt/kvm/kvm_main.c", "gfn_to_pfn_prot"))
def pin(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The handler finds the host's page; the host allocates and zeroes one where there is none.

    For a store the host makes a page writable that it had protected.
    """
    core = state.cores[cpu]
    key = (core.vm, core.gfn)
    backing = state.backing.get(key)
    allocated = backed(backing) ^ True
    found = choose(allocated, page | BACKED, choose(core.write == 1, clear(backing, PROTECTED), backing))
    number = bits(found, 27, 0)
    fresh = Page(Use.RAM, core.vm, 0, core.gfn, 0, 1)
    pages = state.pages.set(number, choose(allocated, fresh, state.pages.get(number)))
    changed = put_all(state, ("backing", "pages"), (state.backing.set(key, found), pages))
    pinned = put_all(core, ("page", "read_only"), (number, choose(protected(found), 1, 0)))
    return advanced(with_core(changed, cpu, pinned), cpu)


@rule(linux("arch/arm/include/asm/kvm_mmu.h", "coherent_cache_guest_page", "3.15"), arm("B2.2.7"))
def clean(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The page is cleaned to the point of coherency: main memory holds what the host wrote, not what was there."""
    number = state.cores[cpu].page
    return advanced(put(state, "pages", state.pages.set(number, put(state.pages.get(number), "stale", 0))), cpu)


@rule(linux(MMU, "user_mem_abort"))
def lock_mmu(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The thread takes the VM's mmu_lock."""
    return advanced(with_vm(state, cpu, put(vm_of(state, cpu), "mmu_lock", cpu + 1)), cpu)


@rule(linux("include/linux/kvm_host.h", "mmu_notifier_retry"))
def validate(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Where an invalidation is under way, or has ended since the sequence number was read, the guest tries again."""
    vm = vm_of(state, cpu)
    return branched(design, state, cpu, either(vm.count != 0, vm.seq != state.cores[cpu].seq))


@rule(linux(MMU, "stage2_set_pte"))
def link_second(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Where the first level has no table for the page, one from the vCPU's cache is linked."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    if found.has_second:
        return advanced(state, cpu)
    table = Page(Use.TABLE, core.vm, 2, bits(core.gfn, 27, 18) << 18, found.first, 0)
    state = linked(state, cpu, found.first, core.spare[0], table)
    return advanced(with_core(state, cpu, put(state.cores[cpu], "spare", (0, core.spare[1]))), cpu)


@rule(linux(MMU, "stage2_set_pte"))
def link_third(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Where the second level has no table for the page, one from the vCPU's cache is linked."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    if found.has_third:
        return advanced(state, cpu)
    table = Page(Use.TABLE, core.vm, 3, bits(core.gfn, 27, 9) << 9, found.second, 0)
    state = linked(state, cpu, found.second, core.spare[1], table)
    return advanced(with_core(state, cpu, put(state.cores[cpu], "spare", (core.spare[0], 0))), cpu)


def linked(state: MemoryState, cpu: int, word: WordNumber, number: PageNumber, table: Page) -> MemoryState:
    """The state with a table linked."""
    state = drained(state, cpu)
    memory = state.memory.set(word, table_descriptor(number))
    return put_all(state, ("memory", "pages"), (memory, state.pages.set(number, table)))


def wanted(design: MemoryDesign, state: MemoryState, cpu: int) -> int:
    """The descriptor that the handler is about to write."""
    core = state.cores[cpu]
    return ram_descriptor(design, core.page, core.read_only ^ 1)


@rule(linux("virt/kvm/arm/mmu.c", "stage2_set_pte", "4.19"))
def compare(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Where a sibling has written the very descriptor already, nothing is left to do."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    return branched(design, state, cpu, found.leaf == wanted(design, state, cpu))


@rule(linux("arch/arm/kvm/mmu.c", "stage2_set_pte", "4.7"), arm("B3.10.1"))
def break_leaf(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A valid descriptor is cleared before another one takes its place: break before make."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    if found.mapped:
        return advanced(cleared(state, cpu, found.third), cpu)
    return branched(design, state, cpu, True)


@rule(linux(MMU, "stage2_set_pte"))
def set_leaf(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The page is mapped, for reads and, where the host lets it be written, for writes."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    state = drained(state, cpu)
    state = with_core(state, cpu, put(state.cores[cpu], "table", choose(found.mapped, 1, 0)))
    return advanced(put(state, "memory", state.memory.set(found.third, wanted(design, state, cpu))), cpu)


@rule(linux(MMU, "user_mem_abort", "3.13"), arm("B3.6.2"))
def set_leaf_block(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """One block of 2 MiB is mapped at the second level, whatever else is in it."""
    core = state.cores[cpu]
    found = look_up(state, core, vm_of(state, cpu), core.gfn)
    block = clear(ram_descriptor(design, clear(core.page, 0x1FF), core.read_only ^ 1), 2)
    return advanced(put(state, "memory", state.memory.set(found.second, block)), cpu)


@rule(linux(MMU, "stage2_set_pte"), linux("arch/arm/kvm/interrupts.S", "__kvm_tlb_flush_vmid_ipa"))
def invalidate_replaced(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Where the descriptor took the place of a valid one, the VM's translations go, on all processors."""
    replaced_one = state.cores[cpu].table == 1
    return advanced(flushed(state, cpu, replaced_one), cpu)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_tlb_flush_vmid_ipa"), arm("B3.10.5"))
def invalidate(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """TLBIALLIS with the VM's VTTBR in force: no processor has a translation with the VM's VMID left."""
    return advanced(flushed(state, cpu, True), cpu)


def flushed(state: MemoryState, cpu: int, condition: bool) -> MemoryState:
    """The state without translations under the VMID of the thread's VM, where the condition holds."""
    vmid = bits(vm_of(state, cpu).vttbr, 55, 48)
    tlb = state.tlb.clear_where(lambda key, _: every(condition, key[1] == vmid))
    stage1 = state.stage1_tlb.clear_where(lambda key, _: every(condition, key[1] == vmid))
    return put_all(state, ("tlb", "stage1_tlb"), (tlb, stage1))


@rule(arm("A3.8.3"), linux("arch/arm/kvm/interrupts.S", "__kvm_tlb_flush_vmid_ipa"))
def drain(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """DSB ISHST: what the processor stored is seen by every observer."""
    return advanced(drained(state, cpu), cpu)


@rule(linux(MMU, "user_mem_abort"), arm("A3.8.3"))
def unlock_mmu(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The thread releases the VM's mmu_lock, behind which its stores are seen."""
    state = drained(state, cpu)
    return advanced(with_vm(state, cpu, put(vm_of(state, cpu), "mmu_lock", 0)), cpu)


@rule(linux(MMU, "mmu_free_memory_cache"))
def keep_spares(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Pages that were not needed go back to the host's allocator."""
    core = state.cores[cpu]
    pages = state.pages.clear_where(
        lambda number, kept: every(kept.use == Use.CACHE, member(number, core.spare), number != 0)
    )
    return advanced(with_core(put(state, "pages", pages), cpu, put(core, "spare", (0, 0))), cpu)


@rule(linux("virt/kvm/arm/vgic.c", "kvm_vgic_hyp_init", "3.17"))
def check_frame(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A frame that shares its pages with another device is not mapped."""
    core = state.cores[cpu]
    alone = state.pages.get(state.gicv).use == Use.GICV
    return with_core(state, cpu, put(core, "at", choose(alone, core.at + 1, IDLE)))


@rule(linux("virt/kvm/arm/vgic.c", "kvm_vgic_init"), linux(MMU, "kvm_phys_addr_ioremap"))
def set_interface(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The virtual CPU interface is mapped where the guest looks for its CPU interface, and vCPUs may run."""
    core = state.cores[cpu]
    vm = vm_of(state, cpu)
    found = look_up(state, core, vm, core.gfn)
    state = drained(state, cpu)
    memory = state.memory.set(found.third, device_descriptor(design, state.gicv))
    return advanced(with_vm(put(state, "memory", memory), cpu, put(vm, "ready", 1)), cpu)
