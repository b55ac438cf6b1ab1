"""The state of an interrupt controller: what its distributor and its interfaces remember between two accesses.

What registers show and no access stores (pending status, GICH_MISR, GICH_EISR, GICH_ELRSR, running priorities) is not
here: the rules derive it.

Not modelled: power management and the interrupt bypass (GICC_CTLR stores its bits without effect), so no property sees
an interrupt that reaches a processor around the GIC; GICD_NSACR, so that Non-secure software never owns a Group 0
interrupt; more than one register of active priorities, so an interface has at most 32 preemption levels.
"""

from typing import Annotated

from attrs import frozen

from spec.records import quick
from spec.sparse import Of, Sparse
from spec.words import U1, U3, U6, U8, U32, Width

U10 = Annotated[int, Width(10)]
"""An interrupt's number, the INTID: 0-15 SGIs, 16-31 PPIs, 32-1019 SPIs, the rest special."""

SPURIOUS, OTHER_GROUP = 1023, 1022
"""What an acknowledge gives where there is nothing to take, and where the other group's register would take it."""


@quick
@frozen
class VirtualInterface:
    """The virtual interface of one processor: what GICH controls and the guest uses through GICV."""

    hcr: U32
    """GICH_HCR."""
    vmcr: U32
    """GICH_VMCR: the guest's GICV_CTLR, PMR, BPR and ABPR in one word."""
    apr: U32
    """GICH_APR: bit n is set while a virtual interrupt with preemption level n is active."""
    lrs: tuple[U32, ...]
    """GICH_LRn, 1 to 64 of them: `spec.gic.list_registers` says what their fields are."""


@quick
@frozen
class CpuInterface:
    """The physical CPU interface of one processor, GICC, as Secure accesses see it."""

    ctlr: U32
    pmr: U8
    """An interrupt is signalled only if its priority value is lower than this."""
    bpr: U3
    """The binary point of Group 0."""
    abpr: U3
    """The binary point of Group 1: GICC_ABPR, and GICC_BPR of Non-secure accesses."""
    apr: U32
    """GICC_APR0: bit n is set while a Group 0 interrupt with preemption level n is active."""
    nsapr: U32
    """GICC_NSAPR0: the same of Group 1."""


@quick
@frozen
class Choices:
    """What the architecture leaves to the implementation, or to chance, in one access to a CPU interface."""

    tie: U6 = 0
    """The list register that wins among pending ones of the same priority; where it is none of them, the first does."""
    hides: U1 = 0
    """1 where the highest priority of a disabled group hides the interrupts of the other one."""
    masks: U1 = 1
    """1 where the highest pending interrupt is not shown if the priority mask holds it back."""
    mismatch: U1 = 0
    """1 where an end of interrupt that does not fit what is active is obeyed, 0 where it is ignored."""
    deactivates: U1 = 0
    """1 where a deactivation apart from the priority drop is obeyed though it is not enabled, 0 where it is ignored."""
    lanes: U1 = 0
    """1 where an access narrower than its register reads or writes these bytes of it, 0 where it reads as zero."""


@quick
@frozen
class Irq:
    """What the distributor keeps of one interrupt, and for SGIs and PPIs of one processor."""

    enabled: U1
    """Unused for SGIs, which always are."""
    group: U1
    latch: U1
    """1 where an edge, or a write to GICD_ISPENDR, made it pending and nothing took that back; unused for SGIs."""
    line: U1
    """The level of its signal; unused for SGIs."""
    active: U1
    edge: U1
    """1 for edge-triggered, 0 for level-sensitive."""
    priority: U8
    targets: U8
    """Bit n for CPU interface n; of SPIs."""
    sources: U8
    """Bit n while an SGI of processor n is pending; of SGIs."""


UNUSED = Irq(0, 0, 0, 0, 0, 0, 0, 0, 0)
"""An interrupt that nobody has touched."""

Interrupts = Annotated[Sparse[Irq], Of((Width(3), Width(10)), Irq, UNUSED)]
"""Interrupts by bank and number: the bank of numbers below 32 is the processor, that of all others 0."""


@quick
@frozen
class Distributor:
    """The distributor, GICD."""

    ctlr: U32
    """EnableGrp0 and EnableGrp1."""
    typer: U32
    """GICD_TYPER, a constant: how many interrupts and processors there are."""
    irqs: Interrupts
