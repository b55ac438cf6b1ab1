"""PSCI: CPU_ON, CPU_OFF and SYSTEM_OFF, one access to what others read at a time.

Not modelled: CPU_SUSPEND, AFFINITY_INFO and MIGRATE, which Linux 3.12 does not implement, and SYSTEM_RESET, which does
what SYSTEM_OFF does; so `power.on_decided` says nothing of them.
"""

from model.power.design import PROGRAMS, Do, PowerDesign
from model.power.registers import entered, reset
from model.power.run import with_user_space
from model.power.state import Answer, PowerState, Vcpu
from model.power.threads import (
    advanced,
    at_of,
    branched,
    kicked,
    moved,
    spoiled,
    vcpu_of,
    with_number,
    with_vcpu,
    woken,
)
from model.vgic.state import Wait
from spec.citations import linux, psci, rule
from spec.words import choose, either, every, negate, put, put_all

PSCI = "arch/arm/kvm/psci.c"


@rule(linux(PSCI, "kvm_psci_vcpu_off"), psci("CPU_OFF"))
def pause_self(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The vCPU is powered off; its thread will sleep when it gets to the run loop again."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "pause", 1)), cpu)


def is_target(state: PowerState, cpu: int, vcpu: Vcpu) -> bool:
    """Whether a vCPU is the one that the caller's CPU_ON names."""
    caller = vcpu_of(state, cpu)
    return every(vcpu.vm == caller.vm, vcpu.number == caller.call.target)


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
    there = either(*(is_target(state, cpu, vcpu) for vcpu in state.vcpus))
    return refuses(design, state, cpu, Answer.INVALID_PARAMETERS, negate(there))


@rule(linux(PSCI, "kvm_psci_vcpu_on"))
def check_asleep(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU whose thread does not sleep is refused, for whatever reason it sleeps."""
    awake = either(
        *(every(is_target(state, cpu, vcpu), negate(vcpu.wait == Wait.ASLEEP)) for vcpu in state.vcpus)
    )
    return refuses(design, state, cpu, Answer.INVALID_PARAMETERS, awake)


@rule(linux(PSCI, "kvm_psci_vcpu_on", "3.14"), linux(PSCI, "kvm_psci_vcpu_on", "3.16"), psci("CPU_ON"))
def check_off(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU that is on is refused."""
    on = either(*(every(is_target(state, cpu, vcpu), vcpu.pause == 0) for vcpu in state.vcpus))
    return refuses(design, state, cpu, Answer.ALREADY_ON, on)


@rule(linux(PSCI, "kvm_psci_vcpu_on"), linux("arch/arm/kvm/reset.c", "kvm_reset_vcpu"))
def reset_target(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The caller's thread resets the target's registers."""
    for number, vcpu in enumerate(state.vcpus):
        registers = choose(is_target(state, cpu, vcpu), reset(), vcpu.registers)
        state = with_number(state, number, put(vcpu, "registers", registers))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on"), psci("CPU_ON"))
def set_entry(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The caller's thread sets the target's registers as the call asks."""
    call = vcpu_of(state, cpu).call
    for number, vcpu in enumerate(state.vcpus):
        registers = choose(is_target(state, cpu, vcpu), entered(design, vcpu.registers, call), vcpu.registers)
        state = with_number(state, number, put(vcpu, "registers", registers))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on", "5.0"), psci("CPU_ON"))
def record(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """What the call asks for is kept for the target, which will reset itself."""
    call = vcpu_of(state, cpu).call
    for number, vcpu in enumerate(state.vcpus):
        state = with_number(state, number, put(vcpu, "start", choose(is_target(state, cpu, vcpu), call, vcpu.start)))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on", "5.0"))
def request(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The target is asked to reset itself before it runs."""
    for number, vcpu in enumerate(state.vcpus):
        asked = choose(is_target(state, cpu, vcpu), 1, vcpu.request)
        state = with_number(state, number, put(vcpu, "request", asked))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on"), psci("CPU_ON"))
def clear_pause(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The target is powered on."""
    caller = vcpu_of(state, cpu)
    names = ("pause", "off", "fresh", "asked", "stopped")
    for number, vcpu in enumerate(state.vcpus):
        found = is_target(state, cpu, vcpu)
        values = (0, 0, 1, caller.call, choose(caller.stopped == 1, vcpu.stopped, 0))
        kept = (vcpu.pause, vcpu.off, vcpu.fresh, vcpu.asked, vcpu.stopped)
        chosen = tuple(choose(found, new, old) for new, old in zip(values, kept, strict=True))
        state = with_number(state, number, put_all(vcpu, names, chosen))
    there = either(*(is_target(state, cpu, vcpu) for vcpu in state.vcpus))
    state = spoiled(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "started", choose(there, 1, 0))), negate(there))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_vcpu_on"))
def wake(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The target's thread is woken."""
    for number, vcpu in enumerate(state.vcpus):
        state = woken(state, number, is_target(state, cpu, vcpu))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_psci_call"))
def result(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The guest finds the result in r0."""
    vcpu = vcpu_of(state, cpu)
    return advanced(with_vcpu(state, cpu, put(vcpu, "registers", put(vcpu.registers, "r0", vcpu.result))), cpu)


def is_reached(state: PowerState, cpu: int, vcpu: Vcpu) -> bool:
    """Whether a loop over the vCPUs of the VM has reached this one."""
    own = vcpu_of(state, cpu)
    return every(vcpu.vm == own.vm, vcpu.number == own.cursor)


@rule(linux(PSCI, "kvm_prepare_system_event", "3.19"), psci("SYSTEM_OFF"))
def pause_one(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU of the VM is powered off."""
    for number, vcpu in enumerate(state.vcpus):
        reached = is_reached(state, cpu, vcpu)
        values = (choose(reached, 1, vcpu.pause), choose(reached, 1, vcpu.off))
        state = with_number(state, number, put_all(vcpu, ("pause", "off"), values))
    return advanced(state, cpu)


@rule(linux(PSCI, "kvm_prepare_system_event", "3.19"))
def kick_one(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """That vCPU is woken or interrupted; then it is the next one's turn, if there is one."""
    for number, vcpu in enumerate(state.vcpus):
        state = kicked(state, cpu, number, is_reached(state, cpu, vcpu))
    own, at = vcpu_of(state, cpu), at_of(state, cpu)
    more = either(*(every(vcpu.vm == own.vm, vcpu.number == own.cursor + 1) for vcpu in state.vcpus))
    state = with_vcpu(state, cpu, put(own, "cursor", choose(more, own.cursor + 1, 0)))
    return moved(state, cpu, choose(more, PROGRAMS.before(design, at, Do.PAUSE_ONE), at + 1))


@rule(linux(PSCI, "kvm_prepare_system_event", "3.16"), psci("SYSTEM_OFF"))
def leave(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """User space is told that the machine is off."""
    own = vcpu_of(state, cpu)
    for number, vcpu in enumerate(state.vcpus):
        same = vcpu.vm == own.vm
        values = (choose(same, 1, vcpu.stopped), choose(same, 1, vcpu.off))
        state = with_number(state, number, put_all(vcpu, ("stopped", "off"), values))
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
