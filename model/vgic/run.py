"""The run loop of a vCPU around the guest: last checks, the world switch of the virtual interface, and the exit.

Each step of the world switch is one access to GICH, of the list registers all at once. Interrupts are masked for the
host from before the entry until behind the exit.

Not modelled: the other reason to back out, a new generation of VMIDs, which does what a signal does but for going to
user space; the order of stores to a vCPU's mode and requests, so no property sees a barrier that is missing there.
"""

from model.threads import Mode, Wait, advanced, given_up, kicked, vcpu_of, with_core, with_vcpu
from model.vgic.design import GUEST, OUT, VgicDesign, place
from model.vgic.state import Exit, Vcpu, VgicState
from model.vgic.threads import branched, with_saved
from spec.citations import gic, linux, paper, rule
from spec.gic import virtual_interface
from spec.gic.state import U10
from spec.words import choose, every, negate, put, put_all, replaced

ARM = "arch/arm/kvm/arm.c"
HEAD = "arch/arm/kvm/interrupts_head.S"
PSCI = "arch/arm/kvm/psci.c"


@rule(linux(ARM, "check_vcpu_requests", "4.13"))
def clear_requests(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """What a kick asked for is done by the flush that follows."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "requests", 0)), cpu)


@rule(linux("include/linux/irqflags.h", "local_irq_disable"))
def mask_irqs(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The host masks interrupts on this processor."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "masked", 1)), cpu)


@rule(linux("include/linux/irqflags.h", "local_irq_enable"))
def unmask_irqs(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The host unmasks interrupts, and so takes what forced the guest out."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "masked", 0)), cpu)


def backed_out(design: VgicDesign, state: VgicState, cpu: int, why: Exit, condition: bool) -> VgicState:
    """The state in which the loop does not enter the guest, where the condition holds."""
    vcpu = vcpu_of(state, cpu)
    state = with_vcpu(state, cpu, put(vcpu, "exit", choose(condition, why, vcpu.exit)))
    return branched(design, state, cpu, condition)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def check_signal(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """With a signal pending the loop goes to user space, not to the guest."""
    return backed_out(design, state, cpu, Exit.SIGNAL, vcpu_of(state, cpu).signal == 1)


@rule(linux("virt/kvm/arm/arm.c", "kvm_arch_vcpu_ioctl_run", "4.4"))
def check_power(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """A vCPU that was powered off in the meantime does not enter the guest."""
    return backed_out(design, state, cpu, Exit.NONE, vcpu_of(state, cpu).pause == 1)


@rule(linux("virt/kvm/arm/arm.c", "kvm_arch_vcpu_ioctl_run", "4.13"))
def check_requests(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Where a kick came since the requests were last done, the loop begins again."""
    return backed_out(design, state, cpu, Exit.NONE, vcpu_of(state, cpu).requests == 1)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def set_mode(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """From now on a kick sends an interrupt, which waits while interrupts are masked and then forces the guest out."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "mode", Mode.IN_GUEST_MODE)), cpu)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def clear_mode(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """From now on a kick sends no interrupt: the loop will flush before it enters again."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "mode", Mode.OUTSIDE_GUEST_MODE)), cpu)


def loads(state: VgicState, cpu: int, name: str) -> VgicState:
    """The state with one register of GICH loaded from the vCPU."""
    core, saved = state.cores[cpu], vcpu_of(state, cpu).saved
    return advanced(with_core(state, cpu, put(core, "gich", put(core.gich, name, getattr(saved, name)))), cpu)


@rule(linux(HEAD, "restore_vgic_state"))
def load_hcr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_HCR is loaded, which switches the virtual interface on."""
    return loads(state, cpu, "hcr")


@rule(linux(HEAD, "restore_vgic_state"))
def load_vmcr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_VMCR is loaded."""
    return loads(state, cpu, "vmcr")


@rule(linux(HEAD, "restore_vgic_state"))
def load_apr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_APR is loaded."""
    return loads(state, cpu, "apr")


@rule(linux(HEAD, "restore_vgic_state"))
def load_lrs(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The list registers are loaded."""
    return loads(state, cpu, "lrs")


@rule(linux(HEAD, "configure_hyp_role"), paper("3.5"))
def load_pins(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """HCR.VI and HCR.VF are what user space has set the vCPU's pins to."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "pins", vcpu_of(state, cpu).pins)), cpu)


@rule(linux(HEAD, "configure_hyp_role"))
def clear_pins(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """HCR.VI and HCR.VF are clear while the host runs."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "pins", 0)), cpu)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"))
def enter(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The guest runs."""
    return with_vcpu(state, cpu, put(vcpu_of(state, cpu), "at", GUEST))


def saves(state: VgicState, cpu: int, name: str, value: object) -> VgicState:
    """The state with one register of GICH saved for the vCPU."""
    return advanced(with_saved(state, cpu, put(vcpu_of(state, cpu).saved, name, value)), cpu)


@rule(linux(HEAD, "save_vgic_state"))
def save_hcr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_HCR is saved."""
    return saves(state, cpu, "hcr", state.cores[cpu].gich.hcr)


@rule(linux(HEAD, "save_vgic_state"))
def save_vmcr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_VMCR is saved."""
    return saves(state, cpu, "vmcr", state.cores[cpu].gich.vmcr)


@rule(linux(HEAD, "save_vgic_state"), gic("5.3.4"))
def save_misr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_MISR is saved, before GICH_HCR is written."""
    return saves(state, cpu, "misr", virtual_interface.misr(state.cores[cpu].gich))


@rule(linux(HEAD, "save_vgic_state"), gic("5.3.5"))
def save_eisr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_EISR0 and GICH_EISR1 are saved."""
    return saves(state, cpu, "eisr", virtual_interface.eisr(state.cores[cpu].gich))


@rule(linux(HEAD, "save_vgic_state"), gic("5.3.6"))
def save_elrsr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_ELRSR0 and GICH_ELRSR1 are saved."""
    return saves(state, cpu, "elrsr", virtual_interface.elrsr(state.cores[cpu].gich))


@rule(linux(HEAD, "save_vgic_state"))
def save_apr(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_APR is saved."""
    return saves(state, cpu, "apr", state.cores[cpu].gich.apr)


@rule(linux(HEAD, "save_vgic_state"))
def stop(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """GICH_HCR is 0: no virtual interrupt and no maintenance interrupt while the host runs."""
    core = state.cores[cpu]
    return advanced(with_core(state, cpu, put(core, "gich", put(core.gich, "hcr", 0))), cpu)


@rule(linux(HEAD, "save_vgic_state"))
def save_lrs(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The list registers are saved."""
    return saves(state, cpu, "lrs", state.cores[cpu].gich.lrs)


@rule(linux("arch/arm/kvm/handle_exit.c", "handle_exit"), linux(PSCI, "kvm_psci_call"))
def handle_exit(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """WFI blocks, an access is emulated, PSCI calls are done, a signal ends KVM_RUN; all else goes round the loop."""
    vcpu = vcpu_of(state, cpu)
    leaves, off = vcpu.exit == Exit.SIGNAL, vcpu.exit == Exit.POWER_OFF
    at = choose(vcpu.exit == Exit.WAIT, place("block"), choose(vcpu.exit == Exit.ACCESS, place("access"), place("run")))
    values = (choose(leaves, OUT, at), Exit.NONE, choose(leaves, 0, vcpu.signal), choose(off, 1, vcpu.pause))
    state = with_vcpu(state, cpu, put_all(vcpu, ("at", "exit", "signal", "pause"), values))
    if vcpu.exit >= Exit.POWER_ON:
        return others_called(state, cpu, vcpu)
    return given_up(state, cpu, leaves)


def others_called(state: VgicState, cpu: int, caller: Vcpu) -> VgicState:
    """The state in which a PSCI call has powered another vCPU on, or stopped all others."""
    number = state.cores[cpu].vcpu
    for position, other in enumerate(state.vcpus):
        sibling = other.vm == caller.vm
        on = every(caller.exit == Exit.POWER_ON, sibling, other.number == caller.access.value)
        state = powered_on(state, position, on)
        stops = every(caller.exit == Exit.STOP, sibling, negate(number == position))
        state = stopped(state, cpu, position, stops)
    return state


@rule(linux(PSCI, "kvm_psci_vcpu_on"))
def powered_on(state: VgicState, number: int, condition: bool) -> VgicState:
    """A vCPU that is powered on wakes, where the condition holds; one that was on before goes on as it was."""
    vcpu = state.vcpus[number]
    wakes = every(condition, vcpu.pause == 1)
    changed = put_all(vcpu, ("pause", "wait"), (choose(wakes, 0, vcpu.pause), choose(wakes, Wait.NOT, vcpu.wait)))
    return put(state, "vcpus", replaced(state.vcpus, number, changed))


@rule(linux(PSCI, "kvm_prepare_system_event", "3.19"))
def stopped(state: VgicState, cpu: int, number: int, condition: bool) -> VgicState:
    """A vCPU is powered off for the sake of another one, and kicked, where the condition holds."""
    vcpu = state.vcpus[number]
    off = put(vcpu, "pause", choose(condition, 1, vcpu.pause))
    return kicked(put(state, "vcpus", replaced(state.vcpus, number, off)), cpu, number, condition)
