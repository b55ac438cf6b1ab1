"""Threads of vCPUs: where they go on, how they wait and wake, and the kick.

Not modelled: the host may take a processor from a vCPU's thread wherever interrupts are on, and which processor an
interrupt of the software timer, or its work, comes on: properties of time see more runs than there are, not fewer.
"""

from collections.abc import Callable

from model.threads import Wait, given_up, vcpu_of, with_core, with_number, with_vcpu
from model.timer.design import OUT, TimerDesign, Trait, jump_target, place
from model.timer.state import PENDING, Exit, TimeState
from model.timer.timer import fires_saved
from spec.citations import linux, rule
from spec.words import U8, choose, either, every, put, put_all

MAIN = "virt/kvm/kvm_main.c"

Step = Callable[[TimerDesign, TimeState, int], TimeState]
"""A step: the design, the state, and the processor or, of the software timer, the vCPU."""


def thread_put(state: TimeState, cpu: int, names: tuple[str, ...], values: tuple[int, ...]) -> TimeState:
    """The state with fields of the vCPU replaced whose thread runs on the processor; the thread goes on one step."""
    vcpu = put_all(vcpu_of(state, cpu), names, values)
    return with_vcpu(state, cpu, put(vcpu, "at", vcpu.at + 1))


def advanced(state: TimeState, cpu: int) -> TimeState:
    """The thread goes on with the next step."""
    return thread_put(state, cpu, (), ())


def branched(design: TimerDesign, state: TimeState, cpu: int, jumps: bool) -> TimeState:
    """The thread goes on with the next step or, where the condition holds, where this step jumps to."""
    vcpu = vcpu_of(state, cpu)
    at = choose(jumps, jump_target(design, vcpu.at), vcpu.at + 1)
    return with_vcpu(state, cpu, put(vcpu, "at", at))


@rule(linux(MAIN, "kvm_vcpu_kick"))
def kicked(state: TimeState, number: int) -> TimeState:
    """The vCPU's thread is woken, and a processor interrupted on which it is in the guest or close to it."""
    vcpu = state.vcpus[number]
    state = with_number(state, number, put(vcpu, "wait", Wait.NOT))
    for cpu, core in enumerate(state.cores):
        inside = every(core.busy == 1, core.vcpu == number, core.masked == 1)
        state = with_core(state, cpu, put(core, "irq", choose(inside, 1, core.irq)))
    return state


@rule(linux(MAIN, "kvm_vcpu_kick"))
def kick(design: TimerDesign, state: TimeState, number: int) -> TimeState:
    """The vCPU is told that there may be something for it."""
    return kicked(state, number)


@rule(linux("kernel/signal.c", "signal_wake_up_state"))
def signalled(state: TimeState, number: int) -> TimeState:
    """A signal for a vCPU's thread, which wakes it or interrupts its guest."""
    return kicked(with_number(state, number, put(state.vcpus[number], "signal", 1)), number)


@rule(linux(MAIN, "kvm_vcpu_block"))
def prepare_wait(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The thread stands on its wait queue: from now on a kick keeps it from sleeping."""
    return thread_put(state, cpu, ("wait",), (Wait.QUEUED,))


@rule(linux(MAIN, "kvm_vcpu_block"), linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_runnable"))
def check_runnable(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """A vCPU with an interrupt for its guest, or a signal, does not sleep; nor one whose timer fires, if heeded."""
    vcpu = vcpu_of(state, cpu)
    has = every(vcpu.enabled == 1, either(vcpu.pending == 1, vcpu.line == 1))
    timer = every(Trait.TIMER_WAKES in design.traits, fires_saved(state, state.cores[cpu].vcpu))
    return branched(design, state, cpu, either(has, timer, vcpu.listed & PENDING > 0, vcpu.signal == 1))


@rule(linux(MAIN, "kvm_vcpu_block"))
def sleep(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The thread gives its processor away, unless it was woken since it stood on the queue; then it looks again."""
    vcpu = vcpu_of(state, cpu)
    sleeps = vcpu.wait == Wait.QUEUED
    wait = choose(sleeps, Wait.ASLEEP, vcpu.wait)
    state = with_vcpu(state, cpu, put_all(vcpu, ("at", "wait"), (place("block"), wait)))
    return given_up(state, cpu, sleeps)


@rule(linux(MAIN, "kvm_vcpu_block"))
def finish_wait(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The thread is off its wait queue."""
    return thread_put(state, cpu, ("wait",), (Wait.NOT,))


@rule(linux("arch/arm/kvm/handle_exit.c", "handle_exit"))
def handle_exit(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """WFI blocks, what user space has to do ends KVM_RUN, and all else goes round the loop."""
    vcpu = vcpu_of(state, cpu)
    leaves = vcpu.exit == Exit.USER
    at: U8 = choose(leaves, OUT, choose(vcpu.exit == Exit.WAIT, place("block"), place("run")))
    values = (at, Exit.NONE, choose(leaves, 0, vcpu.signal))
    state = with_vcpu(state, cpu, put_all(vcpu, ("at", "exit", "signal"), values))
    return given_up(state, cpu, leaves)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_ioctl_run"))
def check_signal(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """With a signal pending the loop goes to user space, not to the guest."""
    vcpu = vcpu_of(state, cpu)
    leaves = vcpu.signal == 1
    state = with_vcpu(state, cpu, put(vcpu, "exit", choose(leaves, Exit.USER, vcpu.exit)))
    return branched(design, state, cpu, leaves)
