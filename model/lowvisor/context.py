"""What a lowvisor step can touch: one processor, its Hyp stack, one vCPU's memory image and its VM."""

from attrs import frozen

from spec.processor import Banked, FiqBank, General, Processor, SystemControl, Vfp, VirtualInterface
from spec.words import U1, U32, U64


@frozen
class GuestTimer:
    """The timer registers that the highvisor keeps for a vCPU."""

    cntkctl: U32
    cntv_ctl: U32
    cntv_cval: U64


@frozen
class Image:
    """A vCPU while it does not run: the fields of struct kvm_vcpu that Hyp mode reads and writes.

    A register has the same component and field name here as in `spec.processor.Processor`.
    """

    cpsr: U32
    pc: U32
    general: General
    banked: Banked
    fiq: FiqBank
    cp15: SystemControl
    timer: GuestTimer
    vfp: Vfp
    gich: VirtualInterface
    midr: U32
    mpidr: U32
    actlr: U32
    l2ctlr: U32
    irq_lines: U32
    """HCR.VI and HCR.VF as user space set them, where it emulates the interrupt controller."""
    hsr: U32
    hxfar: U32
    hpfar: U32
    address: U32
    """The address of this structure, which Hyp mode keeps in HTPIDR."""


@frozen
class Vm:
    """The fields of struct kvm that Hyp mode reads."""

    vttbr: U64
    cntvoff: U64
    timer_enabled: U1
    vgic: U1
    """1 where the VM has an in-kernel interrupt controller."""


@frozen
class Context:
    """One processor in Hyp mode with all that its world switch reads and writes."""

    cpu: Processor
    stack: tuple[U32, ...]
    """The Hyp stack, its top last."""
    image: Image
    vm: Vm
    host_vfp: Vfp
    """The memory area of this processor for the host's VFP state."""
    scratch: U32
    """What the lowvisor's own use leaves in the core registers it works with."""
    old_hcptr: U32
    """HCPTR before its last change, which the lowvisor keeps in a core register to decide whether VFP was used."""
