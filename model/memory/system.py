"""The memory system as a transition system: what is afterwards, for each of its actions."""

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from model.memory import fault, hardware, unmap, vmid
from model.memory.actions import (
    GuestAccesses,
    GuestLeft,
    GuestRemaps,
    HostReclaims,
    HostReplaces,
    InterfaceMapped,
    IpiTaken,
    MemoryAction,
    Stage1Loads,
    StoreDrains,
    ThreadSteps,
    TlbLoads,
    UserCreatesVm,
    UserDeletesSlot,
    UserDestroysVm,
    UserSetsSlot,
    UserTouches,
    VcpuRuns,
)
from model.memory.design import IDLE, ROUTINES, Do, MemoryDesign, SlotCheck, place, step_at
from model.memory.state import (
    ALIVE,
    BACKED,
    DYING,
    NO_SLOT,
    VALID_SLOT,
    Core,
    FrameNumber,
    MemoryState,
    Page,
    PageNumber,
    Slot,
    Use,
    Vm,
)
from model.memory.threads import Step, drained, with_core
from model.memory.unmap import with_slot
from spec.citations import linux, rule
from spec.words import U32, bits, choose, either, every, member, put, put_all, replaced

MAIN = "virt/kvm/kvm_main.c"

STEPS: Mapping[Do, Step] = MappingProxyType(
    {
        Do.LOAD_VCPU: vmid.load_vcpu,
        Do.LOAD_VCPU_ONLY: vmid.load_vcpu_only,
        Do.FLUSH_SIBLING: vmid.flush_sibling,
        Do.CHECK_GENERATION: vmid.check_generation,
        Do.LOCK_VMID: vmid.lock_vmid,
        Do.RECHECK_LOCKED: vmid.recheck_locked,
        Do.ROLL_OVER: vmid.roll_over,
        Do.KICK_ALL: vmid.kick_all,
        Do.AWAIT_KICKS: vmid.passed,
        Do.FLUSH_ALL: vmid.flush_all,
        Do.TAKE_VMID: vmid.take_vmid,
        Do.SET_GENERATION: vmid.set_generation,
        Do.SET_VTTBR: vmid.set_vttbr,
        Do.UNLOCK_VMID: vmid.unlock_vmid,
        Do.MASK_IRQS: vmid.passed,
        Do.RECHECK_GENERATION: vmid.recheck_generation,
        Do.ENTER: vmid.enter,
        Do.DECIDE: fault.decide,
        Do.CACHE_SECOND: fault.cache_second,
        Do.CACHE_THIRD: fault.cache_third,
        Do.READ_SEQ: fault.read_seq,
        Do.PIN: fault.pin,
        Do.CLEAN: fault.clean,
        Do.LOCK_MMU: fault.lock_mmu,
        Do.VALIDATE: fault.validate,
        Do.LINK_SECOND: fault.link_second,
        Do.LINK_THIRD: fault.link_third,
        Do.COMPARE: fault.compare,
        Do.BREAK: fault.break_leaf,
        Do.DRAIN: fault.drain,
        Do.INVALIDATE: fault.invalidate,
        Do.SET_LEAF: fault.set_leaf,
        Do.SET_LEAF_BLOCK: fault.set_leaf_block,
        Do.INVALIDATE_REPLACED: fault.invalidate_replaced,
        Do.UNLOCK_MMU: fault.unlock_mmu,
        Do.KEEP_SPARES: fault.keep_spares,
        Do.COUNT_UP: unmap.count_up,
        Do.CLEAR_LEAF: unmap.clear_leaf,
        Do.DETACH_THIRD: unmap.detach_third,
        Do.DETACH_SECOND: unmap.detach_second,
        Do.FREE_TABLE: unmap.free_table,
        Do.RELEASE_PAGE: unmap.release_page,
        Do.REPLACE_PAGE: unmap.replace_page,
        Do.SET_REPLACED: unmap.set_replaced,
        Do.SEQ_UP: unmap.seq_up,
        Do.COUNT_DOWN: unmap.count_down,
        Do.MARK_INVALID: unmap.mark_invalid,
        Do.SYNCHRONIZE: unmap.synchronize,
        Do.GIVE_BACK: unmap.give_back,
        Do.NEXT_PAGE: unmap.next_page,
        Do.REMOVE_SLOT: unmap.remove_slot,
        Do.UNREGISTER: vmid.passed,
        Do.CLEAR_ALL: unmap.clear_all,
        Do.FREE_TABLES: unmap.free_tables,
        Do.FREE_MEMORY: unmap.free_memory,
        Do.UNMAP_STRUCTURE: unmap.unmap_structure,
        Do.FREE_STRUCTURE: unmap.free_structure,
        Do.CHECK_FRAME: fault.check_frame,
        Do.SET_INTERFACE: fault.set_interface,
    }
)
"""The rule of each step."""


@rule(linux(MAIN, "__kvm_set_memory_region"))
def slot_accepted(design: MemoryDesign, vm: Vm, base: FrameNumber, pages: U32) -> bool:
    """Whether a new slot passes the design's checks; an empty one or one that wraps around never does."""
    checks = [pages != 0, base + pages <= 1 << 52]
    if SlotCheck.OVERLAP in design.slot_checks:
        apart = (either(s.state == NO_SLOT, base + pages <= s.base, s.base + s.pages <= base) for s in vm.slots)
        checks.append(every(*apart))
    if SlotCheck.IPA_LIMIT in design.slot_checks:
        checks.append(base + pages <= 1 << 28)
    return every(*checks)


@frozen
class Started:
    """A routine that an action starts on an idle processor."""

    routine: str
    vm: int
    gfn: FrameNumber = 0
    slot: int = 0
    vcpu: int | None = field(default=None)


def memory_step(design: MemoryDesign, state: MemoryState, action: MemoryAction, resolves: bool) -> MemoryState:
    """The memory system after an action whose guard holds.

    `resolves` says whether the lowvisor finds the address of a permission fault by stage 1, as HPFAR does not give it.
    """
    cpu = action.cpu
    match action:
        case ThreadSteps(_, page):
            return thread_steps(design, state, cpu, page)
        case IpiTaken():
            return hardware.takes_ipi(state, cpu)
        case GuestAccesses(_, access):
            return hardware.guest_accesses(design, state, cpu, access, resolves)
        case GuestRemaps(_, gfn):
            return hardware.guest_remaps(design, state, cpu, gfn)
        case GuestLeft():
            return hardware.guest_leaves(state, cpu)
        case TlbLoads(_, gfn, pointer):
            return hardware.tlb_loads(state, cpu, gfn, pointer)
        case Stage1Loads():
            return hardware.stage1_loads(state, cpu)
        case StoreDrains():
            return drained(state, cpu)
        case UserTouches(_, number, gfn, page):
            pages = state.pages.set(page, Page(Use.RAM, number, 0, gfn, 0, 1))
            return put_all(state, ("pages", "backing"), (pages, state.backing.set((number, gfn), page | BACKED)))
        case UserSetsSlot(_, number, slot, base, pages):
            return slot_set(design, state, number, slot, base, pages)
        case UserCreatesVm(_, number, root, structure):
            return created(state, number, root, structure)
    return started(state, cpu, routine_of(state, action))


def routine_of(state: MemoryState, action: MemoryAction) -> Started:
    """The routine that an action starts."""
    match action:
        case VcpuRuns(_, vcpu):
            return Started("run", state.vcpus[vcpu].vm, vcpu=vcpu)
        case HostReclaims(_, number, gfn):
            return Started("reclaim", number, gfn)
        case HostReplaces(_, number, gfn):
            return Started("replace", number, gfn)
        case UserDeletesSlot(_, number, slot):
            return Started("delete", number, slot=slot)
        case UserDestroysVm(_, number):
            return Started("destroy", number)
        case InterfaceMapped(_, number):
            return Started("interface", number, state.vms[number].interface)
    raise AssertionError(action)


def started(state: MemoryState, cpu: int, begun: Started) -> MemoryState:
    """The state with a routine begun on a processor."""
    core = state.cores[cpu]
    vcpu = core.vcpu if begun.vcpu is None else begun.vcpu
    names = ("at", "vm", "gfn", "slot", "vcpu", "spare", "table")
    values = (place(begun.routine), begun.vm, begun.gfn, begun.slot, vcpu, (0, 0), 0)
    if begun.routine == "destroy":
        dying = put(state.vms[begun.vm], "life", DYING)
        state = put(state, "vms", replaced(state.vms, begun.vm, dying))
    return with_core(state, cpu, put_all(core, names, values))


@rule(linux(MAIN, "__kvm_set_memory_region"))
def slot_set(
    design: MemoryDesign, state: MemoryState, number: int, slot: int, base: FrameNumber, pages: U32
) -> MemoryState:
    """The VM with a new slot, where it passes the checks; else user space gets an error and nothing changes."""
    vm = state.vms[number]
    accepted = slot_accepted(design, vm, base, pages)
    new = choose(accepted, Slot(VALID_SLOT, base, pages), vm.slots[slot])
    return put(state, "vms", replaced(state.vms, number, with_slot(vm, slot, new)))


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_init_vm"), linux("arch/arm/kvm/mmu.c", "kvm_alloc_stage2_pgd"))
def created(state: MemoryState, number: int, root: PageNumber, structure: PageNumber) -> MemoryState:
    """The new VM: two zeroed first-level tables, structures that Hyp mode's tables map, no VMID, no slot."""
    memory = state.memory.clear_where(lambda word, _: bits(word, 36, 10) == bits(root, 27, 1))
    pages = state.pages.set(root, Page(Use.TABLE, number, 1, 0, 0, 0))
    pages = pages.set(root | 1, Page(Use.TABLE, number, 1, 1 << 27, 0, 0))
    pages = pages.set(structure, Page(Use.STRUCTURE, number, 0, 0, 0, 0))
    nothing = (Slot(NO_SLOT, 0, 0), Slot(NO_SLOT, 0, 0))
    old = state.vms[number]
    names = ("life", "ready", "root", "generation", "vttbr", "mmu_lock", "count", "seq", "structure", "slots")
    vm = put_all(old, names, (ALIVE, 0, root, 0, 0, 0, 0, 0, structure, nothing))
    vm = put(vm, "ran_last", (0,) * len(old.ran_last))
    changed = put_all(state, ("memory", "pages"), (memory, pages))
    return put_all(changed, ("hyp", "vms"), (state.hyp.set(structure, 1), replaced(state.vms, number, vm)))


def thread_steps(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The thread makes its next step; behind a routine's last one the processor is idle, or the loop goes on."""
    step = step_at(design, state.cores[cpu].at)
    assert step is not None
    after = STEPS[step.do](design, state, cpu, page)
    core = after.cores[cpu]
    return with_core(after, cpu, put(core, "at", rested(design, core)))


def rested(design: MemoryDesign, core: Core) -> int:
    """The program counter; behind a routine's last step the idle host's, behind the fault path's that of the loop."""
    ends = tuple(place(name, len(design.steps(name))) for name in ROUTINES if name != "fault")
    handled = core.at == place("fault", len(design.fault))
    return choose(handled, place("run"), choose(member(core.at, ends), IDLE, core.at))
