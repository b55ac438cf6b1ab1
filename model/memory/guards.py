"""When an action of the memory system is possible: locks and waits, the host's allocator, and user space's ioctls."""

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
from model.memory.design import GUEST, IDLE, LONGEST, Do, Fact, MemoryDesign, place, places, step_at
from model.memory.state import (
    ALIVE,
    DEAD,
    NO_SLOT,
    VALID_SLOT,
    Core,
    FrameNumber,
    MemoryState,
    PageNumber,
    Use,
    Vm,
)
from model.memory.tables import backed
from model.memory.threads import blocked_by
from spec.citations import linux, rule
from spec.words import bits, either, every, member, negate

ALLOCATES = (Do.CACHE_SECOND, Do.CACHE_THIRD, Do.PIN, Do.REPLACE_PAGE)
"""The steps for which the host's allocator gives a page."""


def knows(design: MemoryDesign, core: Core, fact: Fact) -> bool:
    """Whether the processor's program counter tells that much, as one formula."""
    return member(core.at, places(design, fact))


def in_routine(core: Core, *routines: str) -> bool:
    """Whether the processor executes one of the routines."""
    return either(*(every(core.at >= place(name), core.at < place(name) + LONGEST) for name in routines))


def others(state: MemoryState, cpu: int) -> tuple[Core, ...]:
    """The other processors."""
    return tuple(core for number, core in enumerate(state.cores) if number != cpu)


def waits(design: MemoryDesign, state: MemoryState, cpu: int) -> bool:
    """Whether the thread's next step has to wait for others, as one formula."""
    core = state.cores[cpu]
    step = step_at(design, core.at)
    do = None if step is None else step.do
    match do:
        case Do.AWAIT_KICKS:
            return either(*(other.ipi == 1 for other in others(state, cpu)))
        case Do.SYNCHRONIZE:
            busy = ((other.vm == core.vm, knows(design, other, Fact.HANDLING)) for other in others(state, cpu))
            return either(*(every(*conditions) for conditions in busy))
        case Do.GIVE_BACK:
            return page_locked(state, core.vm, core.gfn)
        case Do.UNREGISTER:
            busy = ((other.vm == core.vm, in_routine(other, "reclaim", "replace")) for other in others(state, cpu))
            return either(*(every(*conditions) for conditions in busy))
    return blocked_by(design, state, cpu)


def page_locked(state: MemoryState, number: int, gfn: FrameNumber) -> bool:
    """Whether the host works on the page of a gfn already: the lock of the page, or of its table entry, is taken."""
    working = (every(c.vm == number, c.gfn == gfn, in_routine(c, "reclaim", "replace")) for c in state.cores)
    return either(*working)


@rule(linux("virt/kvm/kvm_main.c", "kvm_release_pfn_clean"))
def is_free(design: MemoryDesign, state: MemoryState, number: PageNumber) -> bool:
    """Whether the host's allocator may give the page away; page 0 stands for none.

    A page that a fault handler has in hand stays allocated until the handler has done with it.
    """
    pinned = (every(core.page == number, knows(design, core, Fact.PINNED)) for core in state.cores)
    return every(state.pages.get(number).use == Use.FREE, number != 0, negate(either(*pinned)))


def thread_may_step(design: MemoryDesign, state: MemoryState, action: ThreadSteps) -> bool:
    """Whether the thread has a next step that need not wait, and a page to go with it."""
    step = step_at(design, state.cores[action.cpu].at)
    if step is None:
        return False
    given = is_free(design, state, action.page) if step.do in ALLOCATES else action.page == 0
    return every(given, negate(waits(design, state, action.cpu)))


def memory_guard(design: MemoryDesign, state: MemoryState, action: MemoryAction) -> bool:
    """Whether the action is possible now; may be a formula."""
    core = state.cores[action.cpu]
    match action:
        case ThreadSteps():
            return thread_may_step(design, state, action)
        case IpiTaken():
            return every(core.ipi == 1, negate(knows(design, core, Fact.MASKED)))
        case GuestAccesses() | GuestRemaps() | GuestLeft() | Stage1Loads() | TlbLoads():
            return core.at == GUEST
        case StoreDrains():
            return core.pending == 1
    return every(core.at == IDLE, host_guard(design, state, action))


def host_guard(design: MemoryDesign, state: MemoryState, action: MemoryAction) -> bool:
    """Whether the host or user space may begin the action on a processor that has nothing else to do."""
    match action:
        case VcpuRuns(cpu, vcpu):
            vm = state.vms[state.vcpus[vcpu].vm]
            free = every(*(negate(every(busy(design, c), c.vcpu == vcpu)) for c in others(state, cpu)))
            return every(free, vm.life == ALIVE, vm.ready == 1)
        case HostReclaims(_, number, gfn) | HostReplaces(_, number, gfn):
            vm = state.vms[number]
            present = backed(state.backing.get((number, gfn)))
            return every(present, vm.life == ALIVE, slot_has(vm, gfn), negate(page_locked(state, number, gfn)))
        case UserTouches(_, number, gfn, page):
            absent = negate(backed(state.backing.get((number, gfn))))
            vm = state.vms[number]
            return every(absent, slot_has(vm, gfn), is_free(design, state, page), vm.life == ALIVE)
        case UserSetsSlot(_, number, slot):
            vm = state.vms[number]
            return every(vm.life == ALIVE, vm.slots[slot].state == NO_SLOT, quiet(state, number))
        case UserDeletesSlot(_, number, slot):
            vm = state.vms[number]
            return every(vm.life == ALIVE, vm.slots[slot].state == VALID_SLOT, quiet(state, number))
        case InterfaceMapped(_, number):
            vm = state.vms[number]
            mapping = (every(c.vm == number, in_routine(c, "interface")) for c in state.cores)
            return every(vm.life == ALIVE, vm.ready == 0, negate(either(*mapping)), quiet(state, number))
        case UserDestroysVm(_, number):
            running = (every(c.vm == number, either(c.at == GUEST, in_routine(c, "run", "fault"))) for c in state.cores)
            return every(state.vms[number].life == ALIVE, negate(either(*running)), quiet(state, number))
        case UserCreatesVm(_, number, root, structure):
            pages = (root, root | 1, structure)
            free = every(*(is_free(design, state, page) for page in pages), bits(root, 0, 0) == 0, structure != root)
            return every(state.vms[number].life == DEAD, free, structure != root | 1)
    return False


def busy(design: MemoryDesign, core: Core) -> bool:
    """Whether the processor executes a vCPU's thread."""
    return either(core.at == GUEST, in_routine(core, "run", "fault"))


def quiet(state: MemoryState, number: int) -> bool:
    """Whether no ioctl of user space is under way for the VM: slots_lock and the VM's mutex exclude one another."""
    at_it = (every(c.vm == number, in_routine(c, "delete", "destroy", "interface")) for c in state.cores)
    return negate(either(*at_it))


def slot_has(vm: Vm, gfn: FrameNumber) -> bool:
    """Whether any slot of the VM, one that is being deleted too, has the page: an MMU notifier finds it."""
    return either(*(every(s.state != NO_SLOT, gfn >= s.base, gfn < s.base + s.pages) for s in vm.slots))
