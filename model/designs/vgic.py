"""Interrupts as Linux 3.12 virtualizes them: the routines step by step, the register map, and what the code heeds."""

from model.vgic.design import Do, Range, Register, Trait, VgicDesign, VgicStep
from spec.citations import linux

ARM = "arch/arm/kvm/arm.c"
HEAD = "arch/arm/kvm/interrupts_head.S"
INTERRUPTS = "arch/arm/kvm/interrupts.S"
MAIN = "virt/kvm/kvm_main.c"
VGIC = "virt/kvm/arm/vgic.c"


def step(name: str, do: Do, function: str, file: str = VGIC, version: str = "3.12") -> VgicStep:
    """A step with the function of the code that it stands for."""
    return VgicStep(name, do, (linux(file, function, version),))


FLUSH = (
    step("flush: lock", Do.LOCK, "kvm_vgic_flush_hwstate"),
    step("flush: check", Do.CHECK_PENDING, "__kvm_vgic_flush_hwstate"),
    step("flush: queue", Do.FLUSH_ONE, "__kvm_vgic_flush_hwstate"),
    step("flush: end", Do.FLUSH_END, "__kvm_vgic_flush_hwstate"),
    step("flush: unlock", Do.UNLOCK, "kvm_vgic_flush_hwstate"),
)
SWITCH_IN = (
    step("enter: GICH_HCR", Do.LOAD_HCR, "restore_vgic_state", HEAD),
    step("enter: GICH_VMCR", Do.LOAD_VMCR, "restore_vgic_state", HEAD),
    step("enter: GICH_APR", Do.LOAD_APR, "restore_vgic_state", HEAD),
    step("enter: list registers", Do.LOAD_LRS, "restore_vgic_state", HEAD),
    step("enter: guest", Do.ENTER, "__kvm_vcpu_run", INTERRUPTS),
)
SWITCH_OUT = (
    step("exit: GICH_HCR", Do.SAVE_HCR, "save_vgic_state", HEAD),
    step("exit: GICH_VMCR", Do.SAVE_VMCR, "save_vgic_state", HEAD),
    step("exit: GICH_MISR", Do.SAVE_MISR, "save_vgic_state", HEAD),
    step("exit: GICH_EISR", Do.SAVE_EISR, "save_vgic_state", HEAD),
    step("exit: GICH_ELRSR", Do.SAVE_ELRSR, "save_vgic_state", HEAD),
    step("exit: GICH_APR", Do.SAVE_APR, "save_vgic_state", HEAD),
    step("exit: stop GICH", Do.STOP, "save_vgic_state", HEAD),
    step("exit: list registers", Do.SAVE_LRS, "save_vgic_state", HEAD),
)
SYNC = (
    step("sync: lock", Do.LOCK, "kvm_vgic_sync_hwstate"),
    step("sync: look at lines", Do.SYNC_SAMPLE, "vgic_process_maintenance"),
    step("sync: ended interrupts", Do.SYNC_ENDED, "vgic_process_maintenance"),
    step("sync: underflow", Do.SYNC_UNDERFLOW, "vgic_process_maintenance"),
    step("sync: free list registers", Do.SYNC_FREE, "__kvm_vgic_sync_hwstate"),
    step("sync: note what is left", Do.SYNC_PENDING, "__kvm_vgic_sync_hwstate"),
    step("sync: unlock", Do.UNLOCK, "kvm_vgic_sync_hwstate"),
)
RUN = (
    step("run: await power", Do.AWAIT_POWER, "vcpu_pause", ARM),
    *FLUSH,
    step("run: mask interrupts", Do.MASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: check signals", Do.CHECK_SIGNAL, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: in guest mode", Do.SET_MODE, "kvm_arch_vcpu_ioctl_run", ARM),
    *SWITCH_IN,
    *SWITCH_OUT,
    step("run: outside guest mode", Do.CLEAR_MODE, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: unmask interrupts", Do.UNMASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    *SYNC,
    step("run: handle the exit", Do.HANDLE_EXIT, "handle_exit", "arch/arm/kvm/handle_exit.c"),
)
BLOCK = (
    step("block: prepare", Do.PREPARE_WAIT, "kvm_vcpu_block", MAIN),
    step("block: check", Do.CHECK_RUNNABLE, "kvm_vcpu_block", MAIN),
    step("block: sleep", Do.SLEEP, "kvm_vcpu_block", MAIN),
    step("block: finish", Do.FINISH_WAIT, "kvm_vcpu_block", MAIN),
)
ACCESS = (
    step("access: decode", Do.DECODE, "vgic_handle_mmio"),
    step("access: lock", Do.LOCK, "vgic_handle_mmio"),
    step("access: perform", Do.PERFORM, "vgic_handle_mmio"),
    step("access: change interrupts", Do.WRITE_ONE, "vgic_reg_access"),
    step("access: retire disabled interrupts", Do.RETIRE, "vgic_retire_disabled_irqs"),
    step("access: update", Do.UPDATE, "vgic_update_state"),
    step("access: unlock", Do.UNLOCK, "vgic_handle_mmio"),
    step("access: kick", Do.KICK, "vgic_kick_vcpus"),
)
INJECT = (
    step("inject: lock", Do.LOCK, "vgic_update_irq_pending"),
    step("inject: line", Do.INJECT, "vgic_update_irq_pending"),
    step("inject: unlock", Do.UNLOCK, "vgic_update_irq_pending"),
    step("inject: kick", Do.KICK, "vgic_kick_vcpus"),
)

REGISTERS = (
    Range(Register.CTLR, 0x000, 4),
    Range(Register.TYPER, 0x004, 4),
    Range(Register.IIDR, 0x008, 4),
    Range(Register.IGROUPR, 0x080, 32),
    Range(Register.ISENABLER, 0x100, 32),
    Range(Register.ICENABLER, 0x180, 32),
    Range(Register.ISPENDR, 0x200, 32),
    Range(Register.ICPENDR, 0x280, 32),
    Range(Register.ISACTIVER, 0x300, 32),
    Range(Register.ICACTIVER, 0x380, 32),
    Range(Register.IPRIORITYR, 0x400, 256),
    Range(Register.ITARGETSR, 0x800, 256),
    Range(Register.ICFGR, 0xC00, 64),
    Range(Register.SGIR, 0xF00, 4),
)
UPDATING = (
    Register.CTLR,
    Register.ISENABLER,
    Register.ICENABLER,
    Register.ISPENDR,
    Register.ICPENDR,
    Register.ITARGETSR,
    Register.SGIR,
)

PINS_RUN = (
    step("run: await power", Do.AWAIT_POWER, "vcpu_pause", ARM),
    step("run: mask interrupts", Do.MASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: check signals", Do.CHECK_SIGNAL, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: in guest mode", Do.SET_MODE, "kvm_arch_vcpu_ioctl_run", ARM),
    step("enter: HCR.VI and HCR.VF", Do.LOAD_PINS, "configure_hyp_role", HEAD),
    step("enter: guest", Do.ENTER, "__kvm_vcpu_run", INTERRUPTS),
    step("exit: HCR.VI and HCR.VF", Do.CLEAR_PINS, "configure_hyp_role", HEAD),
    step("run: outside guest mode", Do.CLEAR_MODE, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: unmask interrupts", Do.UNMASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: handle the exit", Do.HANDLE_EXIT, "handle_exit", "arch/arm/kvm/handle_exit.c"),
)
WITHOUT_VGIC = VgicDesign(
    run=PINS_RUN,
    block=BLOCK,
    access=(step("access: decode", Do.DECODE, "io_mem_abort", "arch/arm/kvm/mmio.c"),),
    inject=(
        step("inject: pin", Do.SET_PIN, "vcpu_interrupt_line", ARM),
        step("inject: kick", Do.KICK_ONE, "vcpu_interrupt_line", ARM),
    ),
    registers=(),
    updating=(),
    traits=frozenset(),
)
"""User space emulates the interrupt controller: each access to it leaves KVM_RUN, and user space sets the pins."""

VGIC_3_12 = VgicDesign(
    run=RUN,
    block=BLOCK,
    access=ACCESS,
    inject=INJECT,
    registers=REGISTERS,
    updating=UPDATING,
    traits=frozenset({Trait.LINE_BOUNDED, Trait.ENDED_FREED, Trait.LEVEL_ONCE}),
)
