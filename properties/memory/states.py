"""When two states of the memory system are the same for every future: what a state leaves behind in its key.

Of generations only matters which is the current one, of sequence numbers only whether they still agree, and of a
processor at rest only what it runs. What a page holds matters while it is a table: that nobody walks any other page is
what `memory.tables_own` and `memory.translations_own` say of the same state.
"""

from collections.abc import Hashable
from functools import partial

from model.design import Design
from model.memory.design import GUEST, IDLE, place
from model.memory.state import FREE, Core, MemoryState, Use, Vm
from properties.engines.parts.part import Aspect

FAULT = place("fault")
WALKED = (Use.TABLE, Use.DETACHED, Use.CACHE)
"""The pages that table walks read, now or after the next steps."""


def aspects(design: Design, state: MemoryState) -> tuple[Aspect, ...]:
    """What is left of the states of a configuration without what no step and no property can tell apart."""
    cores = tuple(partial(core_of, number) for number in range(len(state.cores)))
    vms = tuple(partial(vm_of, number) for number in range(len(state.vms)))
    return (*cores, *vms, stage1, allocator, tables, pages, backing, tlb, stage1_tlb, hyp)


def core_of(number: int, state: MemoryState) -> Hashable:
    """What matters of a processor."""
    return core_key(state.cores[number], state.vms)


def vm_of(number: int, state: MemoryState) -> Hashable:
    """What matters of a VM."""
    return vm_key(state.vms[number], state.allocator.generation)


def stage1(state: MemoryState) -> Hashable:
    """Where the vCPUs map their virtual page."""
    return tuple([vcpu.stage1 for vcpu in state.vcpus])


def allocator(state: MemoryState) -> Hashable:
    """What matters of the VMID allocator."""
    return state.allocator.next, state.allocator.lock, state.allocator.flushing


def pages(state: MemoryState) -> Hashable:
    """Who owns which page."""
    return state.pages.entries


def backing(state: MemoryState) -> Hashable:
    """What user space has at which gfn."""
    return state.backing.entries


def tlb(state: MemoryState) -> Hashable:
    """What TLBs hold of stage 2."""
    return state.tlb.entries


def stage1_tlb(state: MemoryState) -> Hashable:
    """What TLBs hold of stage 1."""
    return state.stage1_tlb.entries


def hyp(state: MemoryState) -> Hashable:
    """What Hyp mode maps."""
    return state.hyp.entries


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
