"""What a processor does with a guest's access: TLB, walk, fault and its report, and what TLBs load by themselves.

Stage 1 is the guest's own affair: an access comes with any IPA and any syndrome that some tables of the guest could
give it. One virtual page with one ASID shows what vCPUs see of each other's stage 1 translations.

Not modelled: data, other than what a guest stores; accesses that cross a page.
"""

from attrs import frozen

from model.memory.design import GUEST, IDLE, MemoryDesign, place
from model.memory.state import (
    LEAF,
    POINTER,
    Core,
    Entry,
    MemoryState,
    PageNumber,
    Stage1Entry,
)
from model.memory.tables import VTCR, is_table, target, word_in
from model.memory.threads import with_core
from spec.citations import arm, linux, paper, rule
from spec.syndrome import ExceptionClass, FaultStatus, hsr, iss_data_abort, iss_prefetch_abort
from spec.translation.stage2 import Stage2, permits, walk
from spec.words import U1, U6, U32, U64, bit, bits, choose, every, put, put_all, replaced


@frozen
class Access:
    """One access of a guest: where, what for, and what its syndrome would say."""

    gfn: PageNumber
    """The IPA page, unless the access is to the virtual page that all vCPUs use."""
    write: U1
    fetch: U1
    walk: U1
    """1 for the read of a stage 1 descriptor."""
    virtual: U1
    """1 for the virtual page, whose IPA page stage 1 gives."""
    cached: U1
    """1 where the access uses a translation that a TLB holds, if it holds one; else a new walk."""
    uncached: U1
    """1 where the guest's own attributes go past the data cache, to main memory."""
    syndrome: U1
    """ISV: whether the syndrome describes the access."""
    value: U64
    """What a store writes into the first doubleword of the page."""
    unknown: PageNumber
    """What HPFAR holds where it is UNKNOWN."""


@frozen
class Reached:
    """Where an access comes out: a fault status or 0, and the page with its permission."""

    status: U6
    page: PageNumber
    write: U1


@rule(arm("B3.9.1"), arm("B3.10.1"))
def translated_gfn(state: MemoryState, cpu: int, access: Access) -> PageNumber:
    """The IPA page of an access: stage 1 by the TLB's entry where it has one, else by the vCPU's own tables."""
    core = state.cores[cpu]
    entry = state.stage1_tlb.get((cpu, bits(core.vttbr, 55, 48)))
    own = state.vcpus[core.vcpu].stage1
    by_tlb = choose(every(entry.valid == 1, access.cached == 1), entry.gfn, own)
    return choose(access.virtual == 1, by_tlb, access.gfn)


@rule(arm("B3.6.6"), arm("B3.9.1"))
def walked(state: MemoryState, core: Core, gfn: PageNumber, fetch: U1, write: U1) -> tuple[Stage2, U6]:
    """What the tables under VTTBR make of an IPA page, and the fault status of the access."""
    found = walk(state.memory, core.vttbr, VTCR, gfn << 12)
    return found, choose(found.status > 0, found.status, permits(found, write, fetch))


@rule(arm("B3.9.1"), arm("B3.10.1"))
def reached(state: MemoryState, cpu: int, gfn: PageNumber, access: Access) -> Reached:
    """Where an access to an IPA page comes out: by the TLB's entry, by a table that the TLB remembers, or by a walk."""
    core = state.cores[cpu]
    vmid = bits(core.vttbr, 55, 48)
    entry = state.tlb.get((cpu, vmid, gfn, LEAF))
    if every(access.cached == 1, entry.valid == 1):
        denied = every(access.write == 1, entry.write == 0)
        return Reached(choose(denied, FaultStatus.PERMISSION_3, 0), entry.page, entry.write)
    pointer = state.tlb.get((cpu, vmid, gfn, POINTER))
    if every(access.cached == 1, pointer.valid == 1):
        descriptor = state.memory.get(word_in(pointer.page, bits(gfn, 8, 0)))
        leaf = Stage2(choose(is_table(descriptor), 0, FaultStatus.TRANSLATION_3), 3, 0, descriptor)
        status = choose(leaf.status > 0, leaf.status, permits(leaf, access.write, access.fetch))
        return Reached(status, target(descriptor), bit(descriptor, 7))
    found, status = walked(state, core, gfn, access.fetch, access.write)
    return Reached(status, bits(found.pa, 39, 12), bit(found.descriptor, 7))


@rule(arm("B3.13.6"), arm("B3.13.7"))
def reported(access: Access, status: U6) -> U32:
    """HSR of the stage 2 fault of an access."""
    if access.fetch == 1:
        return hsr(ExceptionClass.IABT, 0, iss_prefetch_abort(0, access.walk, status))
    isv = choose(access.walk == 1, 0, access.syndrome)
    return hsr(ExceptionClass.DABT, 1, iss_data_abort(isv, 2, 0, 2, 0, 0, access.walk, access.write, status))


@rule(arm("B3.13.7"), linux("arch/arm/kvm/interrupts.S", "guest_trap"))
def fault_address(access: Access, gfn: PageNumber, now: PageNumber, status: U6, resolves: bool) -> PageNumber:
    """The IPA page that the lowvisor reports: from HPFAR or, where that is UNKNOWN, from stage 1 as it is now.

    HPFAR is UNKNOWN for a permission fault other than on a stage 1 walk; a lowvisor that does not see to it reports
    what HPFAR holds.
    """
    unknown = every(bits(status, 5, 2) == FaultStatus.PERMISSION_1 >> 2, access.walk == 0)
    found = now if resolves else access.unknown
    return choose(unknown, found, gfn)


def guest_accesses(
    design: MemoryDesign, state: MemoryState, cpu: int, access: Access, resolves: bool
) -> MemoryState:
    """A guest's access: a store reaches memory, a fault leaves the guest and starts the highvisor's fault path."""
    core = state.cores[cpu]
    gfn = translated_gfn(state, cpu, access)
    answer = reached(state, cpu, gfn, access)
    if answer.status == 0:
        word = word_in(answer.page, 0)
        value = choose(access.write == 1, access.value, state.memory.get(word))
        return put(state, "memory", state.memory.set(word, value))
    now = choose(access.virtual == 1, state.vcpus[core.vcpu].stage1, gfn)
    address = fault_address(access, gfn, now, answer.status, resolves)
    unknown = every(bits(answer.status, 5, 2) == FaultStatus.PERMISSION_1 >> 2, access.walk == 0)
    true = choose(unknown, now, gfn)
    write = choose(access.fetch == 1, 0, access.write)
    left = put_all(
        core,
        ("at", "vttbr", "hsr", "gfn", "true_gfn", "write"),
        (place("fault"), 0, reported(access, answer.status), address, true, write),
    )
    return with_core(state, cpu, left)


@rule(paper("3.3"), arm("B3.2.1"))
def guest_remaps(design: MemoryDesign, state: MemoryState, cpu: int, gfn: PageNumber) -> MemoryState:
    """The guest changes its own stage 1 tables; a design that protects them leaves it for that, and runs it again."""
    core = state.cores[cpu]
    vcpu = put(state.vcpus[core.vcpu], "stage1", gfn)
    state = put(state, "vcpus", replaced(state.vcpus, core.vcpu, vcpu))
    if not design.stage1_protected:
        return state
    return with_core(state, cpu, put_all(core, ("at", "vttbr"), (place("run"), 0)))


@rule(arm("B3.9.1"), arm("B3.10.1"))
def tlb_loads(state: MemoryState, cpu: int, gfn: PageNumber, pointer: U1) -> MemoryState:
    """The processor's TLB loads a translation of its guest from memory, or the table in which it would look it up."""
    core = state.cores[cpu]
    found, _ = walked(state, core, gfn, 0, 0)
    key = (cpu, bits(core.vttbr, 55, 48), gfn, pointer)
    table = last_table(state, core, gfn)
    leaf = Entry(1, bits(found.pa, 39, 12), bit(found.descriptor, 7), core.vm)
    entry = choose(pointer == POINTER, table, leaf)
    loadable = choose(pointer == POINTER, table.valid == 1, found.status == 0)
    return put(state, "tlb", state.tlb.set(key, choose(loadable, entry, state.tlb.get(key))))


@rule(arm("B3.6.6"), arm("B3.9.1"))
def last_table(state: MemoryState, core: Core, gfn: PageNumber) -> Entry:
    """The last-level table for an IPA page, as a walk from VTTBR reaches it."""
    first = state.memory.get((bits(core.vttbr, 39, 3) & ROOT_BITS) | bits(gfn, 27, 18))
    second = state.memory.get(word_in(target(first), bits(gfn, 17, 9)))
    linked = every(is_table(first), is_table(second))
    return Entry(choose(linked, 1, 0), target(second), 0, core.vm)


ROOT_BITS = ((1 << 37) - 1) ^ 0x3FF
"""VTTBR.BADDR of two concatenated first-level tables, as a doubleword's number."""


@rule(arm("B3.9.1"))
def stage1_loads(state: MemoryState, cpu: int) -> MemoryState:
    """The processor's TLB loads the vCPU's own stage 1 translation."""
    core = state.cores[cpu]
    entry = Stage1Entry(1, state.vcpus[core.vcpu].stage1, core.vcpu)
    return put(state, "stage1_tlb", state.stage1_tlb.set((cpu, bits(core.vttbr, 55, 48)), entry))


@rule(arm("B1.8.4"), linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"))
def guest_leaves(state: MemoryState, cpu: int) -> MemoryState:
    """An interrupt takes the processor out of the guest: VTTBR is the host's, the host does something else."""
    core = put_all(state.cores[cpu], ("at", "vttbr"), (IDLE, 0))
    return with_core(state, cpu, core)


@rule(linux("arch/arm/kernel/smp.c", "handle_IPI"))
def takes_ipi(state: MemoryState, cpu: int) -> MemoryState:
    """The processor takes the interrupt that was sent to it; a guest is left, and its vCPU begins its loop again."""
    core = put(state.cores[cpu], "ipi", 0)
    left = put_all(core, ("at", "vttbr"), (place("run"), 0))
    return with_core(state, cpu, choose(core.at == GUEST, left, core))
