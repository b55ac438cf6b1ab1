"""Power as Linux 3.12 has it: the run loop as far as it matters, PSCI 0.1 step by step, and what the code heeds."""

from model.power.design import Do, PowerDesign, PowerStep, Trait
from spec.citations import linux

ARM = "arch/arm/kvm/arm.c"
INTERRUPTS = "arch/arm/kvm/interrupts.S"
MAIN = "virt/kvm/kvm_main.c"
PSCI = "arch/arm/kvm/psci.c"
TIMER = "virt/kvm/arm/arch_timer.c"


def step(name: str, do: Do, function: str, file: str = PSCI, version: str = "3.12") -> PowerStep:
    """A step with the function of the code that it stands for."""
    return PowerStep(name, do, (linux(file, function, version),))


RUN = (
    step("run: check initialised", Do.CHECK_INITIALISED, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: first run", Do.FIRST_RUN, "kvm_vcpu_first_run_init", ARM),
    step("run: await power", Do.AWAIT_POWER, "vcpu_pause", ARM),
    step("run: cancel the timer", Do.DISARM, "kvm_timer_flush_hwstate", TIMER),
    step("run: mask interrupts", Do.MASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: check signals", Do.CHECK_SIGNAL, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: in guest mode", Do.SET_MODE, "kvm_arch_vcpu_ioctl_run", ARM),
    step("enter: registers", Do.LOAD, "__kvm_vcpu_run", INTERRUPTS),
    step("enter: interface, timer, stage 2", Do.SWITCH_ON, "__kvm_vcpu_run", INTERRUPTS),
    step("enter: guest", Do.ENTER, "__kvm_vcpu_run", INTERRUPTS),
    step("exit: interface, timer, stage 2", Do.SWITCH_OFF, "__kvm_vcpu_return", INTERRUPTS),
    step("exit: registers", Do.SAVE, "__kvm_vcpu_return", INTERRUPTS),
    step("run: outside guest mode", Do.CLEAR_MODE, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: unmask interrupts", Do.UNMASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: arm the timer", Do.ARM, "kvm_timer_sync_hwstate", TIMER),
    step("run: handle the exit", Do.HANDLE_EXIT, "handle_exit", "arch/arm/kvm/handle_exit.c"),
)
BLOCK = (
    step("block: sleep", Do.BLOCK, "kvm_vcpu_block", MAIN),
    step("block: finish", Do.FINISH_WAIT, "kvm_vcpu_block", MAIN),
)
OFF = (
    step("off: power off", Do.PAUSE_SELF, "kvm_psci_vcpu_off"),
    step("off: result", Do.RESULT, "kvm_psci_call"),
)
ON = (
    step("on: find the target", Do.FIND_TARGET, "kvm_psci_vcpu_on"),
    step("on: check that it sleeps", Do.CHECK_ASLEEP, "kvm_psci_vcpu_on"),
    step("on: reset the target", Do.RESET_TARGET, "kvm_psci_vcpu_on"),
    step("on: set the entry point", Do.SET_ENTRY, "kvm_psci_vcpu_on"),
    step("on: power on", Do.CLEAR_PAUSE, "kvm_psci_vcpu_on"),
    step("on: wake", Do.WAKE, "kvm_psci_vcpu_on"),
    step("on: result", Do.RESULT, "kvm_psci_call"),
)
DESTROY = (
    step("destroy: cancel the timer", Do.DISARM_ONE, "kvm_timer_vcpu_terminate", TIMER),
    step("destroy: free the vCPU", Do.FREE_ONE, "kvm_arch_vcpu_free", ARM),
    step("destroy: free the VM", Do.FREE_VM, "kvm_arch_destroy_vm", ARM),
)

POWER_3_12 = PowerDesign(
    run=RUN,
    block=BLOCK,
    off=OFF,
    on=ON,
    stop=(),
    destroy=DESTROY,
    traits=frozenset(
        {
            Trait.THUMB_PASSED,
            Trait.TARGET_CHECKED,
            Trait.RESET_AT_INIT,
            Trait.INIT_CHECKED,
            Trait.MODES_CHECKED,
            Trait.INVARIANTS_CHECKED,
        }
    ),
)
