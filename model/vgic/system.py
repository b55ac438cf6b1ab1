"""Interrupts as a transition system: its actions, when they are possible, and what is afterwards."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from attrs import frozen

from model.action import Action
from model.threads import (
    Wait,
    agent_of,
    at_of,
    given_up,
    is_agent,
    signalled,
    vcpu_of,
    with_agent,
    with_core,
    with_vcpu,
)
from model.vgic import distributor, injection, lists, run, threads
from model.vgic.design import GUEST, OUT, Do, Trait, VgicDesign, after, ends, place, step_at
from model.vgic.guest import GuestUse, guest_step
from model.vgic.state import NO_ACCESS, Access, Agent, Exit, VgicState
from model.vgic.threads import Step
from spec.citations import gic, linux, paper, rule
from spec.gic.state import U10, Choices
from spec.gic.virtual_cpu_interface import virtual_signals
from spec.gic.virtual_interface import maintenance
from spec.words import U1, U3, U16, choose, either, every, member, negate, put, put_all, replaced


@frozen
class VgicAction(Action):
    """Something that happens to interrupts; agents are numbered behind the processors."""


@frozen
class VgicSteps(VgicAction):
    """A vCPU's thread or an agent makes its next step; `irq` is the interrupt that a loop takes next, or END."""

    irq: U10 = 0


@frozen
class HostRuns(VgicAction):
    """The host's scheduler gives the processor to a vCPU's thread; one from user space calls KVM_RUN."""

    vcpu: int


@frozen
class HostPreempts(VgicAction):
    """The host's scheduler takes the processor from a vCPU's thread."""


@frozen
class InterruptArrives(VgicAction):
    """A physical interrupt other than a reschedule interrupt is signalled to the processor."""


@frozen
class HostTakesInterrupts(VgicAction):
    """The host takes all the physical interrupts that are pending on the processor."""


@frozen
class GuestInterrupted(VgicAction):
    """A physical interrupt, the maintenance interrupt too, takes the processor out of the guest."""


@frozen
class GuestExits(VgicAction):
    """The guest traps for something that does not concern interrupts."""


@frozen
class GuestActs(VgicAction):
    """The guest uses its virtual CPU interface; where it has none, the access traps, and user space emulates one."""

    use: GuestUse


@frozen
class GuestWaits(VgicAction):
    """The guest executes WFI with no virtual interrupt signalled, so that it would suspend the processor."""


@frozen
class GuestAccessesDistributor(VgicAction):
    """The guest accesses its distributor."""

    access: Access


@frozen
class GuestPowersOff(VgicAction):
    """The guest powers its vCPU off (PSCI CPU_OFF)."""


@frozen
class GuestPowersOn(VgicAction):
    """The guest powers a vCPU on (PSCI CPU_ON), by its number in the VM."""

    vcpu: int


@frozen
class GuestStops(VgicAction):
    """The guest stops the machine (PSCI SYSTEM_OFF), in designs where that stops the other vCPUs."""


@frozen
class LineChanges(VgicAction):
    """An agent begins to tell the distributor of a VM that a line has a level; `vcpu` matters for a private one."""

    vm: int
    vcpu: U3
    irq: U16
    level: U1


@frozen
class UserSignals(VgicAction):
    """An agent sends a signal to a vCPU's thread."""

    vcpu: int = 0


STEPS: Mapping[Do, Step] = MappingProxyType(
    {
        Do.CLEAR_REQUESTS: run.clear_requests,
        Do.AWAIT_POWER: threads.await_power,
        Do.LOCK: threads.lock,
        Do.PRUNE: lists.prune,
        Do.CHECK_PENDING: lists.check_pending,
        Do.FLUSH_ONE: lists.flush_one,
        Do.FLUSH_END: lists.flush_end,
        Do.UNLOCK: threads.unlock,
        Do.KICK: threads.kick,
        Do.MASK_IRQS: run.mask_irqs,
        Do.CHECK_SIGNAL: run.check_signal,
        Do.CHECK_POWER: run.check_power,
        Do.SET_MODE: run.set_mode,
        Do.CHECK_REQUESTS: run.check_requests,
        Do.LOAD_HCR: run.load_hcr,
        Do.LOAD_VMCR: run.load_vmcr,
        Do.LOAD_APR: run.load_apr,
        Do.LOAD_LRS: run.load_lrs,
        Do.LOAD_PINS: run.load_pins,
        Do.CLEAR_PINS: run.clear_pins,
        Do.ENTER: run.enter,
        Do.SAVE_HCR: run.save_hcr,
        Do.SAVE_VMCR: run.save_vmcr,
        Do.SAVE_MISR: run.save_misr,
        Do.SAVE_EISR: run.save_eisr,
        Do.SAVE_ELRSR: run.save_elrsr,
        Do.SAVE_APR: run.save_apr,
        Do.STOP: run.stop,
        Do.SAVE_LRS: run.save_lrs,
        Do.CLEAR_MODE: run.clear_mode,
        Do.UNMASK_IRQS: run.unmask_irqs,
        Do.SYNC_SAMPLE: lists.sync_sample,
        Do.SYNC_ENDED: lists.sync_ended,
        Do.SYNC_UNDERFLOW: lists.sync_underflow,
        Do.SYNC_FREE: lists.sync_free,
        Do.SYNC_PENDING: lists.sync_pending,
        Do.HANDLE_EXIT: run.handle_exit,
        Do.PREPARE_WAIT: threads.prepare_wait,
        Do.CHECK_RUNNABLE: threads.check_runnable,
        Do.SLEEP: threads.sleep,
        Do.FINISH_WAIT: threads.finish_wait,
        Do.DECODE: distributor.decode,
        Do.PERFORM: distributor.perform,
        Do.WRITE_ONE: distributor.write_one,
        Do.RETIRE: lists.retire,
        Do.UPDATE: distributor.update,
        Do.INJECT: injection.inject,
        Do.SET_PIN: threads.set_pin,
        Do.KICK_ONE: threads.kick_one,
    }
)
"""The rule of each step."""


def vgic_guard(design: VgicDesign, state: VgicState, action: VgicAction) -> bool:
    """Whether the action is possible now; may be a formula."""
    cpu = action.cpu
    if is_agent(state, cpu):
        return agent_guard(design, state, action)
    core = state.cores[cpu]
    match action:
        case HostRuns(_, vcpu):
            return every(core.busy == 0, core.masked == 0, may_run(state, vcpu))
        case InterruptArrives():
            return core.irq == 0
        case HostTakesInterrupts():
            return every(core.masked == 0, either(core.irq == 1, core.ipi == 1))
        case VgicSteps():
            return every(core.busy == 1, thread_may_step(design, state, action))
        case HostPreempts():
            return every(core.busy == 1, threads.preemptible(state, cpu))
    return every(core.busy == 1, vcpu_of(state, cpu).at == GUEST, guest_guard(design, state, action))


def agent_guard(design: VgicDesign, state: VgicState, action: VgicAction) -> bool:
    """Whether an agent may do that."""
    match action:
        case VgicSteps():
            return thread_may_step(design, state, action)
        case LineChanges() | UserSignals():
            return agent_of(state, action.cpu).at == OUT
    return False


def may_run(state: VgicState, number: int) -> bool:
    """Whether a vCPU's thread is runnable and runs nowhere."""
    runs = (every(core.busy == 1, core.vcpu == number) for core in state.cores)
    return every(negate(either(*runs)), negate(state.vcpus[number].wait == Wait.ASLEEP))


def thread_may_step(design: VgicDesign, state: VgicState, action: VgicSteps) -> bool:
    """Whether the thread has a next step that need not wait, on the interrupt that it is to take."""
    step = step_at(design, at_of(state, action.cpu))
    if step is None:
        return False
    match step.do:
        case Do.FLUSH_ONE:
            return lists.may_visit(design, state, action.cpu, action.irq)
        case Do.LOCK:
            return every(action.irq == 0, threads.locks_free(state, action.cpu))
    return action.irq == 0


@rule(gic("5.2.1"), paper("3.5"))
def guest_guard(design: VgicDesign, state: VgicState, action: VgicAction) -> bool:
    """Whether a guest that runs may do that, or that may happen to it."""
    core = state.cores[action.cpu]
    match action:
        case GuestInterrupted():
            return either(core.irq == 1, core.ipi == 1, maintenance(core.gich) == 1)
        case GuestWaits():
            return negate(signals(state, action.cpu))
        case GuestStops():
            return Trait.SIBLINGS_STOPPED in design.traits
    return True


def signals(state: VgicState, cpu: int) -> bool:
    """Whether a virtual interrupt is signalled to the processor."""
    core = state.cores[cpu]
    virtual_irq, virtual_fiq = virtual_signals(core.gich, Choices())
    return either(virtual_irq == 1, virtual_fiq == 1, core.pins > 0)


@cache
def has_interface(design: VgicDesign) -> bool:
    """Whether the guest has a virtual CPU interface; else its accesses to one are left to user space."""
    return any(step.do in (Do.LOAD_HCR, Do.LOAD_LRS) for step in design.run)


def vgic_step(design: VgicDesign, state: VgicState, action: VgicAction) -> VgicState:
    """The state of interrupts after an action whose guard holds."""
    cpu = action.cpu
    match action:
        case VgicSteps(_, irq):
            return thread_steps(design, state, cpu, irq)
        case HostRuns(_, vcpu):
            return host_runs(state, cpu, vcpu)
        case HostPreempts():
            return given_up(state, cpu, True)
        case InterruptArrives():
            return with_core(state, cpu, put(state.cores[cpu], "irq", 1))
        case HostTakesInterrupts():
            return with_core(state, cpu, put_all(state.cores[cpu], ("irq", "ipi"), (0, 0)))
        case GuestActs(_, use) if has_interface(design):
            core = state.cores[cpu]
            return with_core(state, cpu, put(core, "gich", guest_step(core.gich, use)))
        case LineChanges(_, vm, vcpu, irq, level):
            told = (place("inject"), vm, vcpu, irq, level, 0)
            names = ("at", "vm", "vcpu", "irq", "level", "updated")
            return with_agent(state, cpu, put_all(agent_of(state, cpu), names, told))
        case UserSignals(_, vcpu):
            return signalled(state, vcpu)
    why, access = exit_of(action)
    return left_guest(design, state, cpu, why, access)


def exit_of(action: VgicAction) -> tuple[Exit, Access]:
    """Why an action takes the guest out, and the access that goes with it."""
    match action:
        case GuestInterrupted():
            return Exit.INTERRUPT, NO_ACCESS
        case GuestExits():
            return Exit.NONE, NO_ACCESS
        case GuestWaits():
            return Exit.WAIT, NO_ACCESS
        case GuestAccessesDistributor(_, access):
            return Exit.ACCESS, access
        case GuestActs():
            return Exit.ACCESS, NO_ACCESS
        case GuestPowersOff():
            return Exit.POWER_OFF, NO_ACCESS
        case GuestPowersOn(_, vcpu):
            return Exit.POWER_ON, Access(0, 0, vcpu, 1)
        case GuestStops():
            return Exit.STOP, NO_ACCESS
    raise AssertionError(action)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"), paper("3.5"))
def left_guest(design: VgicDesign, state: VgicState, cpu: int, why: Exit, access: Access) -> VgicState:
    """The guest is left: the world switch out begins, with interrupts still masked."""
    at = after(design, "run", Do.ENTER)
    return with_vcpu(state, cpu, put_all(vcpu_of(state, cpu), ("at", "exit", "access"), (at, why, access)))


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_load"))
def host_runs(state: VgicState, cpu: int, number: int) -> VgicState:
    """The processor runs the vCPU's thread, where it stood or, from user space, from the start of the run loop."""
    vcpu = state.vcpus[number]
    at = choose(vcpu.at == OUT, place("run"), vcpu.at)
    state = put(state, "vcpus", replaced(state.vcpus, number, put_all(vcpu, ("cpu", "at"), (cpu, at))))
    return with_core(state, cpu, put_all(state.cores[cpu], ("busy", "vcpu"), (1, number)))


def thread_steps(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The thread makes its next step; behind an agent's last one it has nothing to do, behind a vCPU's it loops."""
    step = step_at(design, at_of(state, cpu))
    assert step is not None
    state = STEPS[step.do](design, state, cpu, irq)
    if not is_agent(state, cpu) and state.cores[cpu].busy == 0:
        return state
    ended = member(at_of(state, cpu), ends(design))
    return finished(state, cpu) if ended else state


def finished(state: VgicState, cpu: int) -> VgicState:
    """The thread behind a routine's last step: an agent with nothing to do, a vCPU at the start of its run loop."""
    if is_agent(state, cpu):
        idle = Agent(OUT, 0, 0, 0, 0, 0)
        return with_agent(state, cpu, idle)
    return with_vcpu(state, cpu, put_all(vcpu_of(state, cpu), ("at", "access"), (place("run"), NO_ACCESS)))
