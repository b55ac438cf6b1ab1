"""When two states of the memory system are the same for every future: what a state leaves behind in its key.

Of generations only matters which is the current one, of sequence numbers only whether they still agree, and of a
processor at rest only what it runs. What a page holds matters while it is a table: that nobody walks any other page is
what `memory.tables_own` and `memory.translations_own` say of the same state.
"""

from collections.abc import Hashable

from model.memory.design import GUEST, IDLE, place
from model.memory.state import FREE, Core, MemoryState, Use, Vm

FAULT = place("fault")
WALKED = (Use.TABLE, Use.DETACHED, Use.CACHE)
"""The pages that table walks read, now or after the next steps."""


def key(state: MemoryState) -> Hashable:
    """What is left of a state without what no step and no property can tell apart."""
    vms = state.vms
    generation = state.allocator.generation
    allocator = state.allocator
    return (
        tuple([core_key(core, vms) for core in state.cores]),
        tuple([vcpu.stage1 for vcpu in state.vcpus]),
        tuple([vm_key(vm, generation) for vm in vms]),
        (allocator.next, allocator.lock, allocator.flushing),
        tables(state),
        state.pages.entries,
        state.backing.entries,
        state.tlb.entries,
        state.stage1_tlb.entries,
        state.hyp.entries,
    )


def tables(state: MemoryState) -> Hashable:
    """What the tables hold: of other pages only who owns them matters to anybody who has no way into them."""
    owners = state.pages.entries
    return frozenset(
        [item for item in state.memory.entries.items() if owners.get(item[0] >> 9, FREE).use in WALKED]
    )


def core_key(core: Core, vms: tuple[Vm, ...]) -> Hashable:
    """What matters of a processor where it stands."""
    at = core.at
    if at == IDLE:
        return at, core.ipi, core.pending, core.word if core.pending else 0
    here = (at, core.vcpu, core.vm, core.vttbr, core.ipi, core.pending, core.word if core.pending else 0, core.spare)
    if at == GUEST:
        return here
    if at < FAULT:
        return here, core.vmid
    return (
        here, core.hsr, core.gfn, core.write, core.true_gfn, core.page, core.read_only,
        core.seq == vms[core.vm].seq, core.table, core.slot,
    )  # fmt: skip


def vm_key(vm: Vm, generation: int) -> Hashable:
    """What matters of a VM."""
    current = vm.generation == generation
    return vm.life, vm.ready, vm.root, current, vm.vttbr, vm.mmu_lock, vm.count, vm.structure, vm.slots, vm.ran_last
