"""Hyp mode's set-up as a transition system: what may happen, when it is possible, and what it does."""

from attrs import frozen

from model.action import Action
from model.hyp.design import PROGRAMS, Do, HypDesign
from model.hyp.registers import hsctlr_of_stub
from model.hyp.setup import STEPS, all_set_up, at_of, is_agent, moved, reached, with_core
from model.hyp.state import U20, Core, HypState, Tables, Use, Vectors
from model.programs import GUEST, OUT
from spec.citations import linux, paper, rule
from spec.words import choose, either, every, member, put, put_all


class HypAction(Action):
    """Something that happens to Hyp mode's set-up."""


@frozen
class HypSteps(HypAction):
    """A processor's set-up makes its next step, or the thread that starts KVM does."""


@frozen
class KvmStarts(HypAction):
    """The host starts KVM."""


@frozen
class CallTaken(HypAction):
    """A processor takes the interrupt that has it set its Hyp mode up."""


@frozen
class CpuComesOnline(HypAction):
    """A processor is started, by the host's kernel at its beginning."""


@frozen
class CpuGoesOffline(HypAction):
    """A processor is stopped."""


@frozen
class CpuLosesPower(HypAction):
    """A processor sleeps without power, and resumes."""


@frozen
class HostCallsHyp(HypAction):
    """The host runs a vCPU: an HVC that calls the lowvisor."""


@frozen
class GuestReturns(HypAction):
    """The guest on a processor is left."""


@frozen
class UserCreatesObject(HypAction):
    """User space makes a VM or a vCPU, whose page is mapped for Hyp mode."""

    page: U20


def hyp_guard(design: HypDesign, state: HypState, action: HypAction) -> bool:
    """Whether the action is possible now; may be a formula."""
    cpu = action.cpu
    match action:
        case HypSteps():
            return may_step(design, state, cpu)
        case KvmStarts():
            return is_agent(state, cpu) and every(at_of(state, cpu) == OUT, state.ready == 0)
        case UserCreatesObject(_, page):
            return is_agent(state, cpu) and every(at_of(state, cpu) == OUT, state.ready == 1, allocated(state, page))
    if is_agent(state, cpu):
        return False
    core = state.cores[cpu]
    idle = every(core.online == 1, core.at == OUT)
    match action:
        case CallTaken():
            return every(idle, core.called == 1)
        case CpuComesOnline():
            return every(core.online == 0, state.hotplug == 0)
        case CpuGoesOffline():
            return every(idle, core.called == 0, state.hotplug == 0)
        case CpuLosesPower():
            return every(idle, core.called == 0)
        case HostCallsHyp():
            return every(idle, core.called == 0, state.ready == 1)
        case GuestReturns():
            return core.at == GUEST
    return False


def allocated(state: HypState, page: U20) -> bool:
    """Whether the host may give a page to an object: its allocator knows what KVM has of its memory, and no more."""
    use = state.runtime.get(page)
    return either(use == Use.NOTHING, every(use == Use.INIT_CODE, page == state.init_page))


def may_step(design: HypDesign, state: HypState, cpu: int) -> bool:
    """Whether there is a next step that need not wait."""
    step = PROGRAMS.step_at(design, at_of(state, cpu))
    if step is None:
        return False
    match step.do:
        case Do.AWAIT_ALL:
            return all_set_up(state)
        case Do.LOCK_HOTPLUG:
            return state.hotplug == 0
    return True


def hyp_step(design: HypDesign, state: HypState, action: HypAction) -> HypState:
    """The state of Hyp mode's set-up after an action whose guard holds."""
    cpu = action.cpu
    match action:
        case HypSteps():
            return stepped(design, state, cpu)
        case KvmStarts():
            return moved(state, cpu, PROGRAMS.place("init"))
        case CallTaken():
            return moved(state, cpu, PROGRAMS.place("cpu"))
        case CpuComesOnline():
            return come_online(state, cpu)
        case CpuGoesOffline():
            return with_core(state, cpu, put(state.cores[cpu], "online", 0))
        case CpuLosesPower():
            return resumed(state, cpu)
        case HostCallsHyp():
            return called(state, cpu)
        case GuestReturns():
            return moved(state, cpu, OUT)
        case UserCreatesObject(_, page):
            return created(state, page)
    raise AssertionError(action)


def powered(state: HypState, core: Core) -> Core:
    """A processor behind a reset: the stub's vectors, where the kernel has Hyp mode, and nothing else of Hyp mode."""
    there = state.hyp == 1
    names = ("hvbar", "httbr", "hsctlr", "stack", "page", "stale")
    hvbar = choose(there, Vectors.STUB, Vectors.NONE)
    return put_all(core, names, (hvbar, Tables.NONE, choose(there, hsctlr_of_stub(), core.hsctlr), 0, 0, 0))


STUB = linux("arch/arm/kernel/hyp-stub.S", "__hyp_stub_install_secondary")


@rule(STUB, linux("arch/arm/kvm/arm.c", "hyp_init_cpu_notify"))
def come_online(state: HypState, cpu: int) -> HypState:
    """A processor starts with the stub's vectors; where KVM has asked for that, it sets its Hyp mode up first."""
    at = choose(state.notifier == 1, PROGRAMS.place("cpu"), OUT)
    core = powered(state, state.cores[cpu])
    return with_core(state, cpu, put_all(core, ("online", "at"), (1, at)))


@rule(linux("arch/arm/kernel/sleep.S", "cpu_resume"), linux("arch/arm/kvm/arm.c", "hyp_init_cpu_pm_notifier", "3.14"))
def resumed(state: HypState, cpu: int) -> HypState:
    """A processor resumes with the stub's vectors; where KVM has asked for that, it sets its Hyp mode up."""
    at = choose(state.resumer == 1, PROGRAMS.place("cpu"), OUT)
    return with_core(state, cpu, put(powered(state, state.cores[cpu]), "at", at))


@rule(linux("arch/arm/kvm/init.S", "kvm_call_hyp"), paper("3.1"))
def called(state: HypState, cpu: int) -> HypState:
    """The lowvisor runs the guest, where KVM's own vectors take the call; else the call does something else."""
    found = state.cores[cpu].hvbar == Vectors.RUNTIME
    return moved(reached(state, cpu, found), cpu, choose(found, GUEST, OUT))


@rule(linux("arch/arm/kvm/mmu.c", "create_hyp_mappings"))
def created(state: HypState, page: U20) -> HypState:
    """A VM's or a vCPU's page is mapped for Hyp mode, at the kernel's own address."""
    state = put(state, "objects", state.objects.set(page, 1))
    return put(state, "runtime", state.runtime.set(page, Use.OBJECT))


def stepped(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The next step; behind the last one a processor or the thread has nothing to do."""
    step = PROGRAMS.step_at(design, at_of(state, cpu))
    assert step is not None
    state = STEPS[step.do](design, state, cpu)
    ended = member(at_of(state, cpu), PROGRAMS.ends(design))
    state = moved(state, cpu, choose(ended, OUT, at_of(state, cpu)))
    if is_agent(state, cpu):
        return state
    core = state.cores[cpu]
    return with_core(state, cpu, put(core, "called", choose(ended, 0, core.called)))


