"""What user space does to a vCPU that is not in KVM_RUN, and how a VM ends.

Each ioctl about a vCPU takes the vCPU's mutex, as KVM_RUN does, so it is one step.
"""

from functools import partial

from model.power.design import Do, PowerDesign, Trait
from model.power.registers import read, refused, reset, was_reset, written
from model.power.state import NO_CALL, Error, PowerState, Vcpu
from model.power.threads import each, is_reached, looped, spoiled
from model.threads import advanced, agent_of, with_agent, with_number
from spec.citations import linux, rule
from spec.words import U1, U8, U32, choose, either, every, negate, put, put_all

ARM = "arch/arm/kvm/arm.c"
CORTEX_A15 = 0
"""KVM_ARM_TARGET_CORTEX_A15."""


def answered(state: PowerState, cpu: int, error: U8, value: U32 = 0) -> PowerState:
    """The state in which the agent's ioctl has returned."""
    return with_agent(state, cpu, put_all(agent_of(state, cpu), ("error", "value"), (error, value)))


@rule(linux("arch/arm/kvm/guest.c", "kvm_vcpu_set_target"), linux(ARM, "kvm_arch_vcpu_ioctl"))
def init(design: PowerDesign, state: PowerState, cpu: int, number: int, target: U8, off: U1) -> PowerState:
    """KVM_ARM_VCPU_INIT: the vCPU has a target, its registers are those of a reset, and it is on or off."""
    vcpu = state.vcpus[number]
    known = either(target == CORTEX_A15, negate(Trait.TARGET_CHECKED in design.traits))
    return answered(
        with_number(state, number, choose(known, initialised(design, vcpu, off), vcpu)),
        cpu,
        choose(known, Error.OK, Error.EINVAL),
    )


def initialised(design: PowerDesign, vcpu: Vcpu, off: U1) -> Vcpu:
    """The vCPU after its initialisation."""
    at_once = Trait.POWER_AT_INIT in design.traits
    values = {
        "initialised": 1,
        "registers": reset() if Trait.RESET_AT_INIT in design.traits else vcpu.registers,
        "call": NO_CALL,
        "feature": choose(at_once, 0, off),
        "pause": choose(at_once, off, vcpu.pause),
        "request": choose(at_once, 0, vcpu.request),
        "start": choose(at_once, NO_CALL, vcpu.start),
        "off": off,
        "fresh": 0,
        "stopped": 0,
    }
    return put_all(vcpu, tuple(values), tuple(values.values()))


@rule(linux(ARM, "kvm_arch_vcpu_ioctl"), linux("arch/arm/kvm/guest.c", "kvm_arm_get_reg"))
def get(design: PowerDesign, state: PowerState, cpu: int, number: int, reg: U8) -> PowerState:
    """KVM_GET_ONE_REG."""
    vcpu = accessed(design, state.vcpus[number])
    early = uninitialised(vcpu)
    state = spoiled(with_number(state, number, vcpu), every(early, negate(Trait.INIT_CHECKED in design.traits)))
    error = choose(early, Error.ENOEXEC, refused(design, reg, read(vcpu.registers, reg)))
    error = choose(error == Error.EINVAL, Error.OK, error)
    return answered(state, cpu, error, choose(error == Error.OK, read(vcpu.registers, reg), 0))


@rule(linux(ARM, "kvm_arch_vcpu_ioctl"), linux("arch/arm/kvm/guest.c", "kvm_arm_set_reg"))
def set_one(design: PowerDesign, state: PowerState, cpu: int, number: int, reg: U8, value: U32) -> PowerState:
    """KVM_SET_ONE_REG."""
    vcpu = accessed(design, state.vcpus[number])
    early = uninitialised(vcpu)
    state = spoiled(with_number(state, number, vcpu), every(early, negate(Trait.INIT_CHECKED in design.traits)))
    error = choose(early, Error.ENOEXEC, refused(design, reg, value))
    changed = put_all(vcpu, ("registers", "fresh"), (written(vcpu.registers, reg, value), 0))
    return answered(with_number(state, number, choose(error == Error.OK, changed, vcpu)), cpu, error)


def accessed(design: PowerDesign, vcpu: Vcpu) -> Vcpu:
    """The vCPU as user space finds it: reset, where that is due and the design sees to it before an access."""
    found = was_reset(design, vcpu) if Trait.RESET_BEFORE_ACCESS in design.traits else vcpu
    return choose(uninitialised(vcpu), vcpu, found)


def uninitialised(vcpu: Vcpu) -> bool:
    """Whether a vCPU has no target yet, which selects the tables of its registers."""
    return vcpu.initialised == 0


@rule(linux("virt/kvm/arm/arch_timer.c", "kvm_timer_vcpu_terminate"))
def disarm_one(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The software timer of a vCPU of the VM is cancelled for good."""
    reached = partial(is_reached, agent_of(state, cpu))
    return advanced(each(state, reached, lambda vcpu: put(vcpu, "soft", 0)), cpu)


@rule(linux(ARM, "kvm_arch_vcpu_free"))
def free_one(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """That vCPU is freed; then it is the next one's turn, if there is one."""
    reached = partial(is_reached, agent_of(state, cpu))
    return looped(design, each(state, reached, lambda vcpu: put(vcpu, "freed", 1)), cpu, Do.DISARM_ONE)


@rule(linux("virt/kvm/kvm_main.c", "kvm_destroy_vm"), linux(ARM, "kvm_arch_destroy_vm"))
def free_vm(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The VM is freed."""
    agent = agent_of(state, cpu)
    vms = tuple(put(vm, "alive", choose(agent.vm == number, 0, vm.alive)) for number, vm in enumerate(state.vms))
    return advanced(put(state, "vms", vms), cpu)


USER_STEPS = {Do.DISARM_ONE: disarm_one, Do.FREE_ONE: free_one, Do.FREE_VM: free_vm}
"""The rule of each step of a VM's end."""
