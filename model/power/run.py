"""KVM_RUN as far as power is concerned: what comes before the guest, the world switch in outline, and the exit."""

from model.power.design import PROGRAMS, Do, PowerDesign
from model.power.registers import was_reset
from model.power.state import Exit, Function, PowerState, Vcpu
from model.power.threads import branched
from model.programs import GUEST, OUT
from model.threads import Mode, Wait, advanced, given_up, power_awaited, vcpu_of, with_core, with_vcpu
from spec.citations import linux, paper, psci, rule
from spec.words import choose, either, every, put, put_all

ARM = "arch/arm/kvm/arm.c"
TIMER = "virt/kvm/arm/arch_timer.c"


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def check_initialised(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """KVM_RUN of a vCPU that has no target yet returns at once, with an error."""
    vcpu = vcpu_of(state, cpu)
    back = vcpu.initialised == 0
    state = with_vcpu(state, cpu, put(vcpu, "at", choose(back, OUT, vcpu.at + 1)))
    return given_up(state, cpu, back)


@rule(linux(ARM, "kvm_vcpu_first_run_init"))
def first_run(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The first run of a vCPU that was to be off calls CPU_OFF in its place; later runs do not look any more."""
    vcpu = vcpu_of(state, cpu)
    off = every(vcpu.ran == 0, vcpu.feature == 1)
    registers = put(vcpu.registers, "r0", choose(off, 0, vcpu.registers.r0))
    values = (1, choose(off, 0, vcpu.feature), choose(off, 1, vcpu.pause), registers)
    names = ("ran", "feature", "pause", "registers")
    return advanced(with_vcpu(state, cpu, put_all(vcpu, names, values)), cpu)


@rule(linux(ARM, "vcpu_pause"))
def await_power(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU that is powered off sleeps until it is powered on; a signal gets it as far as the check for signals."""
    return power_awaited(state, cpu)


@rule(linux("virt/kvm/arm/arm.c", "check_vcpu_requests", "5.0"), linux("arch/arm/kvm/reset.c", "kvm_reset_vcpu", "5.0"))
def reset_self(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU that was started resets its own registers, to what the CPU_ON asked that started it."""
    return advanced(with_vcpu(state, cpu, was_reset(design, vcpu_of(state, cpu))), cpu)


@rule(linux(TIMER, "kvm_timer_flush_hwstate"))
def disarm(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The software timer is cancelled: while the guest runs, its own timer does."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "soft", 0)), cpu)


@rule(linux(TIMER, "kvm_timer_sync_hwstate"))
def arm(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The software timer stands in for a timer that the guest has left running."""
    vcpu = vcpu_of(state, cpu)
    return advanced(with_vcpu(state, cpu, put(vcpu, "soft", vcpu.timer)), cpu)


@rule(linux("include/linux/irqflags.h", "local_irq_disable"))
def mask_irqs(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The host masks interrupts on this processor."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "masked", 1)), cpu)


@rule(linux("include/linux/irqflags.h", "local_irq_enable"))
def unmask_irqs(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The host unmasks interrupts, and so takes what forced the guest out."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "masked", 0)), cpu)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def check_signal(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """With a signal pending the loop goes to user space, not to the guest."""
    vcpu = vcpu_of(state, cpu)
    back = vcpu.signal == 1
    return branched(design, with_vcpu(state, cpu, put(vcpu, "exit", choose(back, Exit.SIGNAL, vcpu.exit))), cpu, back)


@rule(linux("virt/kvm/arm/arm.c", "kvm_arch_vcpu_ioctl_run", "4.4"), linux("virt/kvm/arm/arm.c", "vcpu_sleep", "5.0"))
def check_power(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """A vCPU that was powered off, or asked to reset itself, in the meantime does not enter the guest."""
    vcpu = vcpu_of(state, cpu)
    back = either(vcpu.pause == 1, vcpu.request == 1)
    return branched(design, with_vcpu(state, cpu, put(vcpu, "exit", choose(back, Exit.NONE, vcpu.exit))), cpu, back)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def set_mode(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """From now on a kick sends an interrupt, which waits while interrupts are masked and then forces the guest out."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "mode", Mode.IN_GUEST_MODE)), cpu)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def clear_mode(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """From now on a kick sends no interrupt."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "mode", Mode.OUTSIDE_GUEST_MODE)), cpu)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"), paper("3.2"))
def load(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The vCPU's registers are loaded."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "live", vcpu_of(state, cpu).registers)), cpu)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"), paper("3.2"))
def switch_on(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The processor's virtual interface, virtual timer and stage 2 are the vCPU's."""
    core = state.cores[cpu]
    return advanced(with_core(state, cpu, put(core, "holds", core.vcpu + 1)), cpu)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"))
def enter(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The guest runs, and gets what waits for it."""
    return with_vcpu(state, cpu, put_all(vcpu_of(state, cpu), ("at", "fresh", "due"), (GUEST, 0, 0)))


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"), paper("3.2"))
def switch_off(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The virtual interface, the virtual timer and stage 2 are off, and nobody's."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "holds", 0)), cpu)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"), paper("3.2"))
def save(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The vCPU's registers are saved."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "registers", state.cores[cpu].live)), cpu)


@rule(linux("arch/arm/kvm/handle_exit.c", "handle_exit"), linux("arch/arm/kvm/psci.c", "kvm_psci_call"), psci("CPU_ON"))
def handle_exit(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The thread blocks, goes through a call of PSCI, goes to user space, or runs the guest again.

    A call that is unknown goes on like any other trap: what the guest gets is the business of traps.
    """
    vcpu = vcpu_of(state, cpu)
    at = PROGRAMS.place("run")
    for function, routine in ((Function.CPU_OFF, "off"), (Function.CPU_ON, "on"), (Function.SYSTEM_OFF, "stop")):
        called = every(vcpu.exit == Exit.CALL, vcpu.call.function == function)
        at = choose(called, PROGRAMS.place(routine), at) if design.steps(routine) else at
    at = choose(vcpu.exit == Exit.WAIT, PROGRAMS.place("block"), at)
    leaves = vcpu.exit == Exit.SIGNAL
    return with_user_space(with_vcpu(state, cpu, begun(vcpu, choose(leaves, OUT, at))), cpu, leaves)


def begun(vcpu: Vcpu, at: int) -> Vcpu:
    """The vCPU where its thread goes on behind an exit, which is forgotten."""
    return put_all(vcpu, ("at", "exit", "started", "cursor"), (at, Exit.NONE, 0, 0))


def with_user_space(state: PowerState, cpu: int, condition: bool) -> PowerState:
    """The state in which the thread has gone to user space, which takes its signals, where the condition holds."""
    vcpu = vcpu_of(state, cpu)
    values = (choose(condition, OUT, vcpu.at), choose(condition, 0, vcpu.signal))
    return given_up(with_vcpu(state, cpu, put_all(vcpu, ("at", "signal"), values)), cpu, condition)


@rule(linux("virt/kvm/kvm_main.c", "kvm_vcpu_block"))
def block(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The thread sleeps, unless an interrupt or a signal waits."""
    vcpu = vcpu_of(state, cpu)
    sleeps = every(vcpu.signal == 0, vcpu.due == 0)
    values = (vcpu.at + 1, choose(sleeps, Wait.ASLEEP, vcpu.wait))
    return given_up(with_vcpu(state, cpu, put_all(vcpu, ("at", "wait"), values)), cpu, sleeps)


@rule(linux("virt/kvm/kvm_main.c", "kvm_vcpu_block"))
def finish_wait(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The thread is awake, and goes back to the run loop."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "wait", Wait.NOT)), cpu)


RUN_STEPS = {
    Do.CHECK_INITIALISED: check_initialised,
    Do.FIRST_RUN: first_run,
    Do.AWAIT_POWER: await_power,
    Do.RESET_SELF: reset_self,
    Do.DISARM: disarm,
    Do.MASK_IRQS: mask_irqs,
    Do.CHECK_SIGNAL: check_signal,
    Do.SET_MODE: set_mode,
    Do.CHECK_POWER: check_power,
    Do.LOAD: load,
    Do.SWITCH_ON: switch_on,
    Do.ENTER: enter,
    Do.SWITCH_OFF: switch_off,
    Do.SAVE: save,
    Do.CLEAR_MODE: clear_mode,
    Do.UNMASK_IRQS: unmask_irqs,
    Do.ARM: arm,
    Do.HANDLE_EXIT: handle_exit,
    Do.BLOCK: block,
    Do.FINISH_WAIT: finish_wait,
}
"""The rule of each step of the run loop."""
