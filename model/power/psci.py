"""PSCI: CPU_ON, CPU_OFF and SYSTEM_OFF, one access to what others read at a time.

Not modelled: CPU_SUSPEND, AFFINITY_INFO and MIGRATE, which Linux 3.12 does not implement, and SYSTEM_RESET, which does
what SYSTEM_OFF does; so `power.on_decided` says nothing of them.
"""

from collections.abc import Callable
from functools import partial

from model.power.design import Do, PowerDesign
from model.power.registers import entered, reset
from model.power.run import with_user_space
from model.power.state import Answer, PowerState, Vcpu
from model.power.threads import branched, each, is_reached, looped, some, spoiled, woken
from model.threads import Wait, advanced, kicked, vcpu_of, with_vcpu
from spec.citations import linux, psci, rule
from spec.words import choose, every, negate, put, put_all

PSCI = "arch/arm/kvm/psci.c"


@rule(linux(PSCI, "kvm_psci_vcpu_off"), psci("CPU_OFF"))
def pause_self(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The vCPU is powered off; its thread will sleep when it gets to the run loop again."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "pause", 1)), cpu)


def target(state: PowerState, cpu: int) -> Callable[[Vcpu], bool]:
    """Whether a vCPU is the one that the caller's CPU_ON names."""
    caller = vcpu_of(state, cpu)
    return lambda vcpu: every(vcpu.vm == caller.vm, vcpu.number == caller.call.target)


def refuses(design: PowerDesign, state: PowerState, cpu: int, answer: Answer, condition: bool) -> PowerState:
    """The state in which the call has failed, where the condition holds; it is going to succeed else."""
    caller = vcpu_of(state, cpu)
    state = with_vcpu(state, cpu, put(caller, "result", choose(condition, answer, Answer.SUCCESS)))
    return branched(design, state, cpu, condition)


@rule(psci("SYSTEM_OFF"))
def check_caller(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The call of a vCPU that another one has powered off meanwhile does nothing any more."""
    return refuses(design, state, cpu, Answer.INVALID_PARAMETERS, vcpu_of(state, cpu).pause == 1)


@rule(linux(PSCI, "kvm_psci_vcpu_on"), psci("CPU_ON"))
def find_target(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU that there is not is refused."""
    return refuses(design, state, cpu, Answer.INVALID_PARAMETERS, negate(some(state, target(state, cpu))))


@rule(linux(PSCI, "kvm_psci_vcpu_on"))
def check_asleep(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU whose thread does not sleep is refused, for whatever reason it sleeps."""
    named = target(state, cpu)
    awake = some(state, lambda vcpu: every(named(vcpu), negate(vcpu.wait == Wait.ASLEEP)))
    return refuses(design, state, cpu, Answer.INVALID_PARAMETERS, awake)


@rule(linux(PSCI, "kvm_psci_vcpu_on", "3.14"), linux(PSCI, "kvm_psci_vcpu_on", "3.16"), psci("CPU_ON"))
def check_off(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU that is on is refused."""
    named = target(state, cpu)
    on = some(state, lambda vcpu: every(named(vcpu), vcpu.pause == 0))
    return refuses(design, state, cpu, Answer.ALREADY_ON, on)


@rule(linux(PSCI, "kvm_psci_vcpu_on"), linux("arch/arm/kvm/reset.c", "kvm_reset_vcpu"))
def reset_target(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The caller's thread resets the target's registers."""
    return advanced(each(state, target(state, cpu), lambda vcpu: put(vcpu, "registers", reset())), cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on"), psci("CPU_ON"))
def set_entry(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The caller's thread sets the target's registers as the call asks."""
    call = vcpu_of(state, cpu).call
    state = each(
        state, target(state, cpu), lambda vcpu: put(vcpu, "registers", entered(design, vcpu.registers, call))
    )
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on", "5.0"), psci("CPU_ON"))
def record(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """What the call asks for is kept for the target, which will reset itself."""
    call = vcpu_of(state, cpu).call
    return advanced(each(state, target(state, cpu), lambda vcpu: put(vcpu, "start", call)), cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on", "5.0"))
def request(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The target is asked to reset itself before it runs."""
    return advanced(each(state, target(state, cpu), lambda vcpu: put(vcpu, "request", 1)), cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on"), psci("CPU_ON"))
def clear_pause(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The target is powered on."""
    caller, named = vcpu_of(state, cpu), target(state, cpu)
    there = some(state, named)

    def started(vcpu: Vcpu) -> Vcpu:
        stopped = choose(caller.stopped == 1, vcpu.stopped, 0)
        return put_all(vcpu, ("pause", "off", "fresh", "asked", "stopped"), (0, 0, 1, caller.call, stopped))

    state = each(state, named, started)
    state = with_vcpu(state, cpu, put(vcpu_of(state, cpu), "started", choose(there, 1, 0)))
    return advanced(spoiled(state, negate(there)), cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on"))
def wake(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The target's thread is woken."""
    named = target(state, cpu)
    for number, vcpu in enumerate(state.vcpus):
        state = woken(state, number, named(vcpu))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_call"))
def result(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The guest finds the result in r0."""
    vcpu = vcpu_of(state, cpu)
    return advanced(with_vcpu(state, cpu, put(vcpu, "registers", put(vcpu.registers, "r0", vcpu.result))), cpu)


@rule(linux(PSCI, "kvm_prepare_system_event", "3.19"), psci("SYSTEM_OFF"))
def pause_one(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU of the VM is powered off."""
    reached = partial(is_reached, vcpu_of(state, cpu))
    return advanced(each(state, reached, lambda vcpu: put_all(vcpu, ("pause", "off"), (1, 1))), cpu)


@rule(linux(PSCI, "kvm_prepare_system_event", "3.19"))
def kick_one(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """That vCPU is woken or interrupted; then it is the next one's turn, if there is one."""
    own = vcpu_of(state, cpu)
    for number, vcpu in enumerate(state.vcpus):
        state = kicked(state, cpu, number, is_reached(own, vcpu))
    return looped(design, state, cpu, Do.PAUSE_ONE)


@rule(linux(PSCI, "kvm_prepare_system_event", "3.16"), psci("SYSTEM_OFF"))
def leave(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """User space is told that the machine is off."""
    vm = vcpu_of(state, cpu).vm
    state = each(state, lambda vcpu: vcpu.vm == vm, lambda vcpu: put_all(vcpu, ("stopped", "off"), (1, 1)))
    return with_user_space(state, cpu, True)


PSCI_STEPS = {
    Do.PAUSE_SELF: pause_self,
    Do.CHECK_CALLER: check_caller,
    Do.FIND_TARGET: find_target,
    Do.CHECK_ASLEEP: check_asleep,
    Do.CHECK_OFF: check_off,
    Do.RESET_TARGET: reset_target,
    Do.SET_ENTRY: set_entry,
    Do.RECORD: record,
    Do.REQUEST: request,
    Do.CLEAR_PAUSE: clear_pause,
    Do.WAKE: wake,
    Do.RESULT: result,
    Do.PAUSE_ONE: pause_one,
    Do.KICK_ONE: kick_one,
    Do.LEAVE: leave,
}
"""The rule of each step of a call."""
