"""The memory system as a transition system: its actions, when they are possible, and what is afterwards."""

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from model.action import Action
from model.memory import fault, hardware, unmap, vmid
from model.memory.design import (
    GUEST,
    IDLE,
    LONGEST,
    ROUTINES,
    Do,
    Fact,
    MemoryDesign,
    SlotCheck,
    place,
    places,
    step_at,
)
from model.memory.hardware import Access
from model.memory.state import (
    ALIVE,
    BACKED,
    DEAD,
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
from model.memory.tables import backed
from model.memory.threads import Step, blocked_by, drained, with_core
from model.memory.unmap import with_slot
from spec.citations import linux, rule
from spec.words import U32, bits, choose, either, every, member, negate, put, put_all, replaced

MAIN = "virt/kvm/kvm_main.c"


@frozen
class MemoryAction(Action):
    """Something that happens in the memory system."""


@frozen
class VcpuRuns(MemoryAction):
    """The host's scheduler runs a vCPU's thread: its run loop starts."""

    vcpu: int


@frozen
class ThreadSteps(MemoryAction):
    """The highvisor's thread makes its next step; `page` is what the host's allocator gives where it allocates."""

    page: PageNumber = 0


@frozen
class IpiTaken(MemoryAction):
    """The processor takes the interrupt that forces guests out."""


@frozen
class GuestAccesses(MemoryAction):
    """The guest makes one access."""

    access: Access


@frozen
class GuestRemaps(MemoryAction):
    """The guest changes its own stage 1 tables: the virtual page of its vCPU now is another IPA page."""

    gfn: PageNumber


@frozen
class GuestLeft(MemoryAction):
    """A physical interrupt takes the processor out of the guest."""


@frozen
class TlbLoads(MemoryAction):
    """The processor's TLB loads a stage 2 translation of its guest, or a pointer to a table."""

    gfn: PageNumber
    pointer: int


@frozen
class Stage1Loads(MemoryAction):
    """The processor's TLB loads a stage 1 translation of its guest."""


@frozen
class StoreDrains(MemoryAction):
    """The processor's cleared descriptor reaches memory."""


@frozen
class HostReclaims(MemoryAction):
    """The host takes the page of a gfn away: swapping, MADV_DONTNEED, munmap."""

    vm: int
    gfn: FrameNumber


@frozen
class HostReplaces(MemoryAction):
    """The host puts another page, read-only, in the place of a gfn's: KSM."""

    vm: int
    gfn: FrameNumber


@frozen
class UserTouches(MemoryAction):
    """User space touches its memory of a gfn, so that the host allocates a page for it."""

    vm: int
    gfn: FrameNumber
    page: PageNumber


@frozen
class UserSetsSlot(MemoryAction):
    """User space registers a memory slot."""

    vm: int
    slot: int
    base: FrameNumber
    pages: U32


@frozen
class UserDeletesSlot(MemoryAction):
    """User space deletes a memory slot."""

    vm: int
    slot: int


@frozen
class UserCreatesVm(MemoryAction):
    """User space creates a VM; the host allocates its first-level tables and its structures."""

    vm: int
    root: PageNumber
    structure: PageNumber


@frozen
class UserDestroysVm(MemoryAction):
    """User space closes the last file descriptor of a VM."""

    vm: int


@frozen
class InterfaceMapped(MemoryAction):
    """The first run of a VM sees to its virtual CPU interface."""

    vm: int


STEPS: Mapping[Do, Step] = MappingProxyType(
    {
        Do.LOAD_VCPU: vmid.load_vcpu,
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


def is_free(state: MemoryState, number: PageNumber) -> bool:
    """Whether the host's allocator may give the page away; page 0 stands for none."""
    return every(state.pages.get(number).use == Use.FREE, number != 0)


def thread_may_step(design: MemoryDesign, state: MemoryState, action: ThreadSteps) -> bool:
    """Whether the thread has a next step that need not wait, and a page to go with it."""
    step = step_at(design, state.cores[action.cpu].at)
    if step is None:
        return False
    given = is_free(state, action.page) if step.do in ALLOCATES else action.page == 0
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
            return every(absent, slot_has(vm, gfn), is_free(state, page), vm.life == ALIVE)
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
            free = every(*(is_free(state, page) for page in pages), bits(root, 0, 0) == 0, structure != root)
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
            vcpu = state.cores[cpu].vcpu
            return put(state, "vcpus", replaced(state.vcpus, vcpu, put(state.vcpus[vcpu], "stage1", gfn)))
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
