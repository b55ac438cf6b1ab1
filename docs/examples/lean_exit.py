"""A design to check: an exit from the guest that leaves VPIDR and VMPIDR as the guest had them."""

from model.design import Variation, vary
from model.designs.catalogue import reference
from model.routines import without
from spec.citations import linux

LEAN_EXIT = Variation(
    "lean-exit",
    "the exit does not restore VPIDR and VMPIDR, because the kernel reads MIDR and MPIDR only while it boots",
    (linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"),),
)

base = reference()
DESIGN = vary(base, LEAN_EXIT, exit=without(without(base.exit, "exit: VPIDR"), "exit: VMPIDR"))
