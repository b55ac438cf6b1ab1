"""Time as a transition system: its actions, when they are possible, and what is afterwards.

Actions of no processor, the passage of time among them, are those of one more, numbered behind the processors.
"""

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from model.action import Action
from model.threads import Wait, given_up, vcpu_of, with_core, with_number, with_vcpu
from model.timer import run, soft, threads
from model.timer.design import GUEST, OUT, Do, TimerDesign, TimerStep, Trait, after, ends, place, step_at
from model.timer.state import ACTIVE, PENDING, Exit, TimeState, Vcpu
from model.timer.threads import Step
from model.timer.timer import interrupts
from spec.citations import arm, gic, linux, paper, rule
from spec.timer.counters import count_behind
from spec.timer.timers import ahead
from spec.words import U1, U2, U32, U64, add, choose, either, every, member, negate, put, put_all, sub


@frozen
class TimeAction(Action):
    """Something that happens to time or with it."""


@frozen
class TimerSteps(TimeAction):
    """A vCPU's thread makes its next step."""


@frozen
class HostResumes(TimeAction):
    """The host's scheduler gives the processor to a vCPU's thread; one from user space calls KVM_RUN."""

    vcpu: int


@frozen
class HostSuspends(TimeAction):
    """The host's scheduler takes the processor from a vCPU's thread."""


@frozen
class HostTakesKick(TimeAction):
    """The host takes the kick that is pending on the processor."""


@frozen
class TimerInterruptTaken(TimeAction):
    """The host takes the physical interrupt 27 of the processor, high or late."""


@frozen
class GuestTakenOut(TimeAction):
    """A physical interrupt takes the processor out of the guest."""


@frozen
class GuestTraps(TimeAction):
    """The guest traps for something that does not concern time; to user space, if so said."""

    to_user: bool = False


@frozen
class GuestIdles(TimeAction):
    """The guest executes WFI with no virtual interrupt signalled, so that it would suspend the processor."""


@frozen
class GuestReadsCount(TimeAction):
    """The guest reads its counter."""


@frozen
class GuestWritesCtl(TimeAction):
    """The guest writes CNTV_CTL."""

    value: U2


@frozen
class GuestWritesCval(TimeAction):
    """The guest writes CNTV_CVAL."""

    value: U64


@frozen
class GuestWritesTval(TimeAction):
    """The guest writes CNTV_TVAL."""

    value: U32


@frozen
class GuestTakes(TimeAction):
    """The guest acknowledges interrupt 27."""


@frozen
class GuestCompletes(TimeAction):
    """The guest ends interrupt 27."""


@frozen
class GuestEnables(TimeAction):
    """The guest enables or disables interrupt 27 in its distributor, an access that traps."""

    value: U1


@frozen
class TimePasses(TimeAction):
    """The physical count grows."""

    ticks: U64


@frozen
class ClockStepped(TimeAction):
    """The host's clock is stepped forward, so that software timers expire that much earlier."""

    ticks: U64


@frozen
class SoftTimerExpires(TimeAction):
    """The software timer of a vCPU has counted to its end."""

    vcpu: int


@frozen
class WorkRuns(TimeAction):
    """A thread of the host does the work that the software timer of a vCPU has queued."""

    vcpu: int


@frozen
class ThreadSignalled(TimeAction):
    """User space sends a signal to a vCPU's thread."""

    vcpu: int


STEPS: Mapping[Do, Step] = MappingProxyType(
    {
        Do.FIRST_RUN: run.first_run,
        Do.CANCEL: run.cancel,
        Do.SAMPLE: run.sample,
        Do.FLUSH: run.flush,
        Do.MASK_IRQS: run.mask_irqs,
        Do.CHECK_SIGNAL: threads.check_signal,
        Do.MARK_ACTIVE: run.mark_active,
        Do.LOAD_CNTHCTL: run.load_cnthctl,
        Do.LOAD_CNTVOFF: run.load_cntvoff,
        Do.LOAD_CVAL: run.load_cval,
        Do.LOAD_CTL: run.load_ctl,
        Do.ENTER: run.enter,
        Do.SAVE_CTL: run.save_ctl,
        Do.STOP: run.stop,
        Do.SAVE_CVAL: run.save_cval,
        Do.CLEAR_CNTVOFF: run.clear_cntvoff,
        Do.RESTORE_CNTHCTL: run.restore_cnthctl,
        Do.UNMASK_IRQS: run.unmask_irqs,
        Do.ARM: run.arm,
        Do.HANDLE_EXIT: threads.handle_exit,
        Do.PREPARE_WAIT: threads.prepare_wait,
        Do.CHECK_RUNNABLE: threads.check_runnable,
        Do.SLEEP: threads.sleep,
        Do.FINISH_WAIT: threads.finish_wait,
        Do.REARM_EARLY: soft.rearm_early,
        Do.QUEUE_WORK: soft.queue_work,
        Do.DISARM: soft.disarm,
        Do.INJECT: soft.inject,
        Do.KICK: threads.kick,
        Do.WARN: run.warn,
        Do.COPY_CTL: run.copy_ctl,
        Do.SILENCE: run.silence,
    }
)
"""The rule of each step."""


def time_guard(design: TimerDesign, state: TimeState, action: TimeAction) -> bool:
    """Whether the action is possible now; may be a formula."""
    cpu = action.cpu
    if cpu >= len(state.cores):
        return apart_guard(state, action)
    core = state.cores[cpu]
    match action:
        case HostResumes(_, vcpu):
            return every(core.busy == 0, core.masked == 0, may_run(state, vcpu))
        case HostTakesKick():
            return every(core.masked == 0, core.irq == 1)
        case TimerInterruptTaken():
            return every(core.masked == 0, run.signals(state, cpu))
        case TimerSteps():
            return every(core.busy == 1, step_at(design, vcpu_of(state, cpu).at) is not None)
        case HostSuspends():
            return every(core.busy == 1, core.masked == 0, negate(vcpu_of(state, cpu).at == GUEST))
    return every(core.busy == 1, vcpu_of(state, cpu).at == GUEST, guest_guard(state, action))


def apart_guard(state: TimeState, action: TimeAction) -> bool:
    """Whether something may happen that is not of one processor."""
    match action:
        case TimePasses(_, ticks) | ClockStepped(_, ticks):
            return every(ticks > 0, ticks < 1 << 63)
        case SoftTimerExpires(_, vcpu):
            return every(state.vcpus[vcpu].running == 1, state.vcpus[vcpu].left == 0)
        case WorkRuns(_, vcpu):
            return state.vcpus[vcpu].queued == 1
    return isinstance(action, ThreadSignalled)


def may_run(state: TimeState, number: int) -> bool:
    """Whether a vCPU's thread is runnable and runs nowhere."""
    runs = (every(core.busy == 1, core.vcpu == number) for core in state.cores)
    return every(negate(either(*runs)), negate(state.vcpus[number].wait == Wait.ASLEEP))


@rule(gic("5.2.1"), arm("B1.8.13"))
def guest_guard(state: TimeState, action: TimeAction) -> bool:
    """Whether a guest that runs may do that, or that may happen to it."""
    vcpu = vcpu_of(state, action.cpu)
    match action:
        case GuestTakenOut():
            core = state.cores[action.cpu]
            return either(core.irq == 1, interrupts(state, core))
        case GuestIdles():
            return vcpu.listed & PENDING == 0
        case GuestTakes():
            return vcpu.listed == PENDING
        case GuestCompletes():
            return vcpu.listed & ACTIVE > 0
        case GuestEnables(_, value):
            return negate(vcpu.enabled == value)
    return True


def time_step(design: TimerDesign, state: TimeState, action: TimeAction) -> TimeState:
    """The state of time after an action whose guard holds."""
    cpu = action.cpu
    match action:
        case TimerSteps():
            return thread_steps(design, state, cpu)
        case HostResumes(_, vcpu):
            return host_runs(state, cpu, vcpu)
        case HostSuspends():
            return given_up(state, cpu, True)
        case HostTakesKick():
            return with_core(state, cpu, put(state.cores[cpu], "irq", 0))
        case TimerInterruptTaken():
            state = performed(design, design.handler, state, cpu)
            return with_core(state, cpu, put(state.cores[cpu], "late", 0))
        case TimePasses(_, ticks):
            return counted(put(state, "now", add(state.now, ticks, 64)), ticks)
        case ClockStepped(_, ticks):
            return counted(state, ticks)
        case SoftTimerExpires(_, vcpu):
            stopped = with_number(state, vcpu, put(state.vcpus[vcpu], "running", 0))
            return performed(design, design.expire, stopped, vcpu)
        case WorkRuns(_, vcpu):
            done = with_number(state, vcpu, put(state.vcpus[vcpu], "queued", 0))
            return performed(design, design.work, done, vcpu)
        case ThreadSignalled(_, vcpu):
            return threads.signalled(state, vcpu)
    return guest_acts(design, state, action)


def performed(design: TimerDesign, steps: tuple[TimerStep, ...], state: TimeState, number: int) -> TimeState:
    """The state after all steps of a routine that is one action; the software timer's ends where it is armed anew."""
    for step in steps:
        state = STEPS[step.do](design, state, number)
    return state


@rule(linux("kernel/hrtimer.c", "hrtimer_interrupt"))
def counted(state: TimeState, ticks: U64) -> TimeState:
    """The software timers that count have so many ticks less to go, to no less than none."""
    vcpus = []
    for vcpu in state.vcpus:
        left = choose(vcpu.left > ticks, sub(vcpu.left, ticks, 64), 0)
        vcpus.append(put(vcpu, "left", choose(vcpu.running == 1, left, vcpu.left)))
    return put(state, "vcpus", tuple(vcpus))


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_load"))
def host_runs(state: TimeState, cpu: int, number: int) -> TimeState:
    """The processor runs the vCPU's thread, where it stood or, from user space, from the start of the run loop."""
    vcpu = state.vcpus[number]
    state = with_number(state, number, put(vcpu, "at", choose(vcpu.at == OUT, place("run"), vcpu.at)))
    return with_core(state, cpu, put_all(state.cores[cpu], ("busy", "vcpu"), (1, number)))


def thread_steps(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The thread makes its next step; behind a routine's last one it is at the start of the run loop."""
    number = state.cores[cpu].vcpu
    step = step_at(design, state.vcpus[number].at)
    assert step is not None
    state = STEPS[step.do](design, state, cpu)
    vcpu = state.vcpus[number]
    return with_number(state, number, put(vcpu, "at", choose(member(vcpu.at, ends(design)), place("run"), vcpu.at)))


@rule(arm("B8.1.5"), paper("3.6"))
def guest_acts(design: TimerDesign, state: TimeState, action: TimeAction) -> TimeState:
    """What a guest does: with its timer and interrupt 27 by itself, with all else by leaving."""
    cpu = action.cpu
    number, core = state.cores[cpu].vcpu, state.cores[cpu]
    vcpu = state.vcpus[number]
    match action:
        case GuestWritesCtl() | GuestWritesCval() | GuestWritesTval():
            return timer_written(design, state, action)
        case GuestTakes():
            return with_number(state, number, put(vcpu, "listed", ACTIVE))
        case GuestCompletes():
            ended = choose(Trait.LINKED in design.traits, 0, core.active)
            state = with_core(state, cpu, put(core, "active", ended))
            state = with_number(state, number, put(vcpu, "listed", vcpu.listed & PENDING))
            return left_for_device(design, state, cpu)
        case GuestReadsCount():
            return left_for_device(design, state, cpu)
        case GuestEnables(_, value):
            return left_guest(design, with_number(state, number, put(vcpu, "enabled", value)), cpu, Exit.NONE)
        case GuestIdles():
            return left_guest(design, state, cpu, Exit.WAIT)
        case GuestTraps(_, to_user):
            return left_guest(design, state, cpu, Exit.USER if to_user else Exit.NONE)
    late = choose(interrupts(state, core), 1, core.late)
    return left_guest(design, with_core(state, cpu, put(core, "late", late)), cpu, Exit.NONE)


def timer_written(design: TimerDesign, state: TimeState, action: TimeAction) -> TimeState:
    """The guest writes a register of its timer: the processor's own, or one that user space emulates."""
    cpu, device = action.cpu, Trait.IN_USER_SPACE in design.traits
    core, number = state.cores[cpu], state.cores[cpu].vcpu
    off = state.vms[state.vcpus[number].vm].off if device else core.off
    name, value = "cval", 0
    match action:
        case GuestWritesCtl(_, written):
            name, value = "ctl", written
        case GuestWritesCval(_, written):
            value = written
        case GuestWritesTval(_, written):
            value = ahead(count_behind(state.now, off), written)
    vcpu: Vcpu = put(state.vcpus[number], f"own_{name}", value)
    if not device:
        return with_number(with_core(state, cpu, put(core, name, value)), number, vcpu)
    state = soft.of_device(design, with_number(state, number, put(vcpu, name, value)), number)
    return left_for_device(design, state, cpu)


@rule(paper("5.2"))
def left_for_device(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The guest is left to user space where that emulates what it uses: counter, timer and interrupt controller."""
    return left_guest(design, state, cpu, Exit.USER) if Trait.IN_USER_SPACE in design.traits else state


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"))
def left_guest(design: TimerDesign, state: TimeState, cpu: int, why: Exit) -> TimeState:
    """The guest is left: the world switch out begins, with interrupts still masked."""
    at = after(design, "run", Do.ENTER)
    return with_vcpu(state, cpu, put_all(vcpu_of(state, cpu), ("at", "exit"), (at, why)))
