"""The state of interrupts: virtual distributors, what each vCPU's thread keeps, and each processor's virtual interface.

What a processor executes in between is the business of the spine (`model.system`). Here a vCPU is a thread of the host
with a program counter in the run loop, and a processor is the thread on it, its GICH and what interrupts it. Fields
marked "history" exist in no machine: properties speak with them.

Not modelled: the guest's own mask (CPSR.I), so a guest may acknowledge at any time, and which physical interrupt it is
that arrives at a processor: properties of interrupts see more runs than there are, not fewer. The order in which
another processor sees stores, so no property sees a barrier that is missing.
"""

from enum import IntEnum
from typing import Annotated

from attrs import frozen

from spec.gic.state import U10, VirtualInterface
from spec.records import quick
from spec.sparse import Of, Sparse
from spec.words import U1, U2, U3, U4, U6, U8, U12, U16, U32, U64, Width, select

PRIVATE = 32
"""Numbers below it are SGIs and PPIs, of which every vCPU has its own."""
SGIS = 16
END = 1023
"""In the place of an interrupt's number: a loop over interrupts finds none any more."""
IMPLEMENTED = 256
"""VGIC_NR_IRQS: the numbers that the highvisor has room for."""


ListNumber = Annotated[int, Width(7)]
"""A list register of up to 64, plus 1; 0 for none."""


@quick
@frozen
class VirtualIrq:
    """What a virtual distributor keeps of one interrupt, and for SGIs and PPIs of one vCPU."""

    enabled: U1
    """Of SGIs unused: they are always enabled."""
    pending: U1
    """irq_state: an edge that no list register got yet; of level-sensitive interrupts also the line itself."""
    line: U1
    """The level of the device's line, as the device last said; history in Linux 3.12."""
    soft: U1
    """1 while GICD_ISPENDR keeps a level-sensitive interrupt pending; only in designs that tell it from the line."""
    active: U1
    """irq_active: a level-sensitive interrupt is in a list register."""
    edge: U1
    """1 for edge-triggered; of SGIs and PPIs unused, they always are."""
    priority: U8
    target: U3
    """irq_spi_cpu: of SPIs the vCPU of the VM that gets it."""
    sources: U8
    """Of SGIs: bit n while vCPU n of the VM has sent it."""


UNTOUCHED = VirtualIrq(0, 0, 0, 0, 0, 0, 0, 0, 0)
"""An interrupt that nobody has touched."""


@quick
@frozen
class Access:
    """A guest's access to its distributor."""

    offset: U12
    size: U4
    """1, 2 or 4 bytes."""
    value: U32
    """What a store writes; behind a load, what it got."""
    write: U1


FLAGS = tuple(1 << number for number in range(64))


def flag(number: U6) -> U64:
    """The word in which just one bit is set."""
    return select(FLAGS, number)


NO_ACCESS = Access(0, 0, 0, 0)


class Exit(IntEnum):
    """Why a vCPU left the guest, or the run loop backed out."""

    NONE = 0
    """For nothing that concerns interrupts."""
    INTERRUPT = 1
    WAIT = 2
    """WFI."""
    ACCESS = 3
    """An access to the distributor, or to a CPU interface that user space emulates."""
    SIGNAL = 4
    """A signal takes the thread to user space."""
    RESERVED = 5
    """An access to the distributor at an offset that the highvisor leaves to user space."""
    POWER_OFF = 6
    POWER_ON = 7
    STOP = 8
    """The guest stops all its vCPUs."""


@quick
@frozen
class Saved:
    """struct vgic_cpu's copy of the virtual interface."""

    hcr: U32
    vmcr: U32
    misr: U32
    eisr: U64
    elrsr: U64
    apr: U32
    lrs: tuple[U32, ...]


@quick
@frozen
class Vcpu:
    """One vCPU: its thread in the host, and what struct vgic_cpu keeps."""

    vm: U8
    number: U3
    """Which vCPU of its VM."""
    at: U8
    """The thread's program counter: a step of one of the design's routines, the guest, or user space."""
    cpu: U8
    """The processor that its thread runs on or ran on last."""
    mode: U2
    wait: U2
    signal: U1
    pause: U1
    """1 while the vCPU is powered off."""
    requests: U1
    """KVM_REQ_IRQ_PENDING, in designs that have it."""
    exit: U4
    access: Access
    """The access that is being emulated, or was last."""
    left: U32
    """The interrupts of the access that are still to be written, by their place in the register."""
    cursor: U10
    """The first interrupt that the flush has not looked at."""
    overflow: U1
    """1 where the flush found no list register for an interrupt."""
    updated: U1
    """1 where other vCPUs may have to be kicked."""
    noted: U64
    """The ended list registers whose interrupt is pending again, as the sync found them."""
    used: U64
    """lr_used."""
    pins: U2
    """irq_lines: bit 0 for the FIQ, bit 1 for the IRQ, where user space has the interrupt controller."""
    saved: Saved


@quick
@frozen
class Vm:
    """struct vgic_dist of one VM, without its interrupts."""

    enabled: U1
    """GICD_CTLR."""
    lock: U8
    """Who holds the spinlock: 0 nobody, else the number of the processor or agent plus 1."""
    oracle: U8
    """irq_pending_on_cpu: bit n where vCPU n may have something to flush."""
    count: Annotated[int, Width(4, 9)]
    """How many vCPUs the VM has."""


@quick
@frozen
class Core:
    """One processor."""

    busy: U1
    """1 while a vCPU's thread runs here; else the host does something else."""
    vcpu: U8
    """Which; 0 where none does."""
    masked: U1
    """1 while interrupts are masked for the host."""
    ipi: U1
    """1 while a reschedule interrupt is pending."""
    irq: U1
    """1 while any other physical interrupt is pending."""
    pins: U2
    """HCR.VF and HCR.VI."""
    gich: VirtualInterface


@quick
@frozen
class Agent:
    """A thread of the host that drives lines: user space with KVM_IRQ_LINE, or a device in the kernel."""

    at: U8
    vm: U8
    vcpu: U3
    """The vCPU of the VM to which a private interrupt belongs."""
    irq: U16
    level: U1
    updated: U1


Interrupts = Annotated[Sparse[VirtualIrq], Of((Width(8), Width(3), Width(10)), VirtualIrq, UNTOUCHED)]
"""By VM, bank and number: the bank of SGIs and PPIs is the vCPU, that of SPIs 0."""
Stale = Annotated[Sparse[int], Of((Width(8), Width(3), Width(10)), Width(8), 0)]
"""By VM, bank and number: the vCPUs whose pending_percpu or pending_shared is not what would be computed now."""
ListMap = Annotated[Sparse[int], Of((Width(8), Width(10)), Width(7), 0)]
"""vgic_irq_lr_map, by vCPU and number: the list register plus 1, 0 where there is none."""


@quick
@frozen
class VgicState:
    """Everything about interrupts."""

    cores: tuple[Core, ...]
    agents: tuple[Agent, ...]
    vcpus: tuple[Vcpu, ...]
    vms: tuple[Vm, ...]
    irqs: Interrupts
    stale: Stale
    lr_map: ListMap
    crashed: U1
    """History: 1 once the highvisor has used a vCPU or an interrupt that does not exist."""
