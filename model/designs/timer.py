"""Time in Linux 3.12, as the tables of its routines, and the design without virtual timers."""

from model.timer.design import Do, TimerDesign, TimerStep, Trait
from spec.citations import linux, paper

TIMER = "arch/arm/kvm/arch_timer.c"
ARM = "arch/arm/kvm/arm.c"
HEAD = "arch/arm/kvm/interrupts_head.S"
MAIN = "virt/kvm/kvm_main.c"
VGIC = "virt/kvm/arm/vgic.c"
INTERRUPTS = "arch/arm/kvm/interrupts.S"


def step(name: str, do: Do, function: str, file: str = TIMER, version: str = "3.12") -> TimerStep:
    """A step with its source."""
    return TimerStep(name, do, (linux(file, function, version),))


RUN = (
    step("run: first run", Do.FIRST_RUN, "kvm_timer_init"),
    step("flush: interrupt 27", Do.FLUSH, "kvm_vgic_flush_hwstate", VGIC),
    step("flush: cancel the software timer", Do.CANCEL, "kvm_timer_flush_hwstate"),
    step("run: mask interrupts", Do.MASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: check signals", Do.CHECK_SIGNAL, "kvm_arch_vcpu_ioctl_run", ARM),
    step("enter: CNTHCTL", Do.LOAD_CNTHCTL, "restore_timer_state", HEAD),
    step("enter: CNTVOFF", Do.LOAD_CNTVOFF, "restore_timer_state", HEAD),
    step("enter: CNTV_CVAL", Do.LOAD_CVAL, "restore_timer_state", HEAD),
    step("enter: CNTV_CTL", Do.LOAD_CTL, "restore_timer_state", HEAD),
    step("enter: guest", Do.ENTER, "__kvm_vcpu_run", INTERRUPTS),
    step("exit: save CNTV_CTL", Do.SAVE_CTL, "save_timer_state", HEAD),
    step("exit: stop CNTV", Do.STOP, "save_timer_state", HEAD),
    step("exit: save CNTV_CVAL", Do.SAVE_CVAL, "save_timer_state", HEAD),
    step("exit: CNTVOFF", Do.CLEAR_CNTVOFF, "save_timer_state", HEAD),
    step("exit: CNTHCTL", Do.RESTORE_CNTHCTL, "save_timer_state", HEAD),
    step("run: unmask interrupts", Do.UNMASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("sync: sample the timer", Do.SAMPLE, "kvm_timer_sync_hwstate"),
    step("sync: arm the software timer", Do.ARM, "kvm_timer_sync_hwstate"),
    step("run: handle the exit", Do.HANDLE_EXIT, "handle_exit", "arch/arm/kvm/handle_exit.c"),
)
BLOCK = (
    step("block: prepare", Do.PREPARE_WAIT, "kvm_vcpu_block", MAIN),
    step("block: check", Do.CHECK_RUNNABLE, "kvm_vcpu_block", MAIN),
    step("block: sleep", Do.SLEEP, "kvm_vcpu_block", MAIN),
    step("block: finish", Do.FINISH_WAIT, "kvm_vcpu_block", MAIN),
)
EXPIRE = (step("expire: queue the work", Do.QUEUE_WORK, "kvm_timer_expire"),)
WORK = (
    step("work: disarm", Do.DISARM, "kvm_timer_inject_irq_work"),
    step("work: inject", Do.INJECT, "kvm_timer_inject_irq"),
    step("work: kick", Do.KICK, "kvm_vgic_inject_irq", VGIC),
)
HANDLER = (step("handler: warn", Do.WARN, "kvm_arch_timer_handler"),)

TIMER_3_12 = TimerDesign(
    run=RUN,
    block=BLOCK,
    expire=EXPIRE,
    work=WORK,
    handler=HANDLER,
    traits=frozenset({Trait.MASKS, Trait.KEPT_OFF, Trait.OFFSET_ONCE}),
)

WITHOUT_VTIMER = TimerDesign(
    run=(
        step("run: mask interrupts", Do.MASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
        step("run: check signals", Do.CHECK_SIGNAL, "kvm_arch_vcpu_ioctl_run", ARM),
        step("enter: interrupt 27", Do.FLUSH, "configure_hyp_role", HEAD),
        step("enter: CNTHCTL", Do.LOAD_CNTHCTL, "restore_timer_state", HEAD),
        step("enter: guest", Do.ENTER, "__kvm_vcpu_run", INTERRUPTS),
        step("exit: CNTHCTL", Do.RESTORE_CNTHCTL, "save_timer_state", HEAD),
        step("run: unmask interrupts", Do.UNMASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
        step("run: handle the exit", Do.HANDLE_EXIT, "handle_exit", "arch/arm/kvm/handle_exit.c"),
    ),
    block=BLOCK,
    expire=(
        TimerStep("expire: early", Do.REARM_EARLY, (paper("5.2"),)),
        TimerStep("expire: disarm", Do.DISARM, (paper("5.2"),)),
        TimerStep("expire: raise the line", Do.INJECT, (paper("5.2"),)),
        step("expire: kick", Do.KICK, "vcpu_interrupt_line", ARM),
    ),
    work=(),
    handler=HANDLER,
    traits=frozenset({Trait.LEVEL, Trait.OFFSET_ONCE, Trait.IN_USER_SPACE}),
)
"""User space emulates counter and timer: each use of them leaves KVM_RUN, and user space raises the line."""
