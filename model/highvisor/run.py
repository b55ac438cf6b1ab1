"""KVM_RUN as user space sees it: what the kernel does before it enters the guest, and what user space can write."""

from attrs import evolve

from model.design import Design, Skipping
from model.highvisor import emulate, mmio
from model.highvisor.mmio import ExitReason
from model.state import Standing, Vcpu
from spec.citations import linux, rule
from spec.words import U64, put

ARM = "arch/arm/kvm/arm.c"


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def kvm_run(design: Design, vcpu: Vcpu, interrupted: bool) -> Vcpu:
    """The vCPU behind the start of KVM_RUN: an access completed first, then in the run loop.

    Where a signal is pending (`interrupted`), KVM_RUN returns without having run the guest; where the completion is
    refused, at once. An access that is not completed now is lost.
    """
    if mmio.completes(design, vcpu.run, vcpu.mmio):
        refused = mmio.refused(design, vcpu.run)
        vcpu = completed(design, vcpu)
        if refused:
            return vcpu
    vcpu = put(vcpu, "mmio", mmio.answered(vcpu.mmio))
    if not interrupted:
        return evolve(vcpu, run=put(vcpu.run, "exit_reason", ExitReason.UNKNOWN), standing=Standing.READY)
    if design.mmio.signal_clears_reason:
        return put(vcpu, "run", put(vcpu.run, "exit_reason", ExitReason.INTR))
    return vcpu


@rule(linux(mmio.MMIO, "kvm_handle_mmio_return"))
def completed(design: Design, vcpu: Vcpu) -> Vcpu:
    """The vCPU whose access user space has answered."""
    image = mmio.handle_mmio_return(design, vcpu.image, vcpu.run, vcpu.mmio)
    if design.mmio.skips is Skipping.AT_COMPLETION:
        image = emulate.skip_instruction(image, design.skip.advances_it)
    return evolve(vcpu, image=image, mmio=mmio.answered(vcpu.mmio))


@rule(linux("include/uapi/linux/kvm.h", "kvm_run"))
def answer(vcpu: Vcpu, value: U64) -> Vcpu:
    """The vCPU whose device has put its answer where KVM_RUN looks for it."""
    return put(vcpu, "run", put(vcpu.run, "data", value))
