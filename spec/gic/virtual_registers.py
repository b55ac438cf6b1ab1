"""Reads and writes of GICH and GICV: any offset, any size, always a defined result.

Not modelled: GICH of another processor at its own offset (here an access reaches the processor's own), so no property
speaks of one processor that changes the virtual interface of another.
"""

from collections.abc import Callable
from itertools import chain

from attrs import frozen

from spec.citations import gic, rule, trm
from spec.gic import virtual_cpu_interface as gicv
from spec.gic.list_registers import WRITABLE
from spec.gic.priorities import LEAST_ABPR, LEAST_BPR
from spec.gic.registers import AT, GICC_IIDR, at_least, lanes, reaches, read_lanes, stored, written_lanes
from spec.gic.state import U10, Choices, VirtualInterface
from spec.gic.virtual_interface import HCR_WRITABLE, VMCR_WRITABLE, eisr, elrsr, misr, vtr
from spec.words import U3, U16, U32, bits, choose, either, every, find, insert, put_all

ALL = 0xFFFFFFFF

GICH_READS: tuple[tuple[int, Callable[[VirtualInterface], int]], ...] = (
    (AT["GICH_HCR"], lambda interface: interface.hcr),
    (AT["GICH_VTR"], vtr),
    (AT["GICH_VMCR"], lambda interface: interface.vmcr),
    (AT["GICH_MISR"], misr),
    (AT["GICH_EISRn"], lambda interface: bits(eisr(interface), 31, 0)),
    (AT["GICH_EISRn"] + 4, lambda interface: bits(eisr(interface), 63, 32)),
    (AT["GICH_ELRSRn"], lambda interface: bits(elrsr(interface), 31, 0)),
    (AT["GICH_ELRSRn"] + 4, lambda interface: bits(elrsr(interface), 63, 32)),
    (AT["GICH_APR"], lambda interface: interface.apr),
)
"""What each word of GICH reads as, by its offset; the list registers follow."""
GICV_READS: tuple[tuple[int, Callable[[VirtualInterface, Choices], int]], ...] = (
    (AT["GICV_RPR"], lambda interface, choices: gicv.running_priority(interface)),
    (AT["GICV_HPPIR"], lambda interface, choices: gicv.highest_pending(interface, 0, choices)),
    (AT["GICV_AHPPIR"], lambda interface, choices: gicv.highest_pending(interface, 1, choices)),
    (AT["GICV_APR0"], lambda interface, choices: interface.apr),
    (AT["GICV_IIDR"], lambda interface, choices: GICC_IIDR),
)
"""What each word of GICV reads as, by its offset, where reading it changes nothing; the fields of GICH_VMCR follow."""


@frozen
class VmcrField:
    """A register of GICV that is a part of GICH_VMCR."""

    offset: int
    high: int
    """Its highest bit in GICH_VMCR."""
    low: int
    """Its lowest bit in GICH_VMCR."""
    shift: int
    """The place of that bit in the register of GICV."""
    least: int
    """The lowest value it takes."""
    writable: int
    """Which bits of the register of GICV can be written; all others read as zero."""


VMCR_FIELDS = (
    VmcrField(AT["GICV_CTLR"], 9, 0, 0, 0, 0x21F),
    VmcrField(AT["GICV_PMR"], 31, 27, 3, 0, 0xF8),
    VmcrField(AT["GICV_BPR"], 23, 21, 0, LEAST_BPR, 7),
    VmcrField(AT["GICV_ABPR"], 20, 18, 0, LEAST_ABPR, 7),
)
"""GICV_CTLR, GICV_PMR, GICV_BPR and GICV_ABPR."""


def _shown(field: VmcrField, vmcr: U32) -> U32:
    return (bits(vmcr, field.high, field.low) << field.shift) & field.writable


def _stored(field: VmcrField, vmcr: U32, new: U32, reached: U32) -> U32:
    word = stored(bits(vmcr, field.high, field.low) << field.shift, new, reached, field.writable)
    kept = bits(word >> field.shift, field.high, 0)
    return insert(vmcr, field.high, field.low, choose(kept < field.least, field.least, kept))


@rule(gic("5.3.3"), gic("5.5.3"), trm("8.3.2"))
def legal_vmcr(vmcr: U32) -> U32:
    """GICH_VMCR as it is stored: neither binary point is below the implementation's lowest."""
    raised = insert(vmcr, 23, 21, at_least(bits(vmcr, 23, 21), LEAST_BPR))
    return insert(raised, 20, 18, at_least(bits(vmcr, 20, 18), LEAST_ABPR))


@rule(gic("5.3"))
def gich_read(interface: VirtualInterface, offset: U16, size: U3, choices: Choices) -> U32:
    """A read of GICH: it changes nothing."""
    at = offset >> 2 << 2
    lists = tuple((AT["GICH_LRn"] + (place << 2), lr) for place, lr in enumerate(interface.lrs))
    word = find(chain(lists, ((where, read(interface)) for where, read in GICH_READS)), at, 0)
    return choose(reaches(offset, size, False, choices), read_lanes(word, offset, size), 0)


@rule(gic("5.3"))
def gich_write(interface: VirtualInterface, offset: U16, size: U3, value: U32, choices: Choices) -> VirtualInterface:
    """A write of GICH: the control registers, the active priorities and the list registers are stored."""
    reached = choose(reaches(offset, size, False, choices), lanes(offset, size), 0)
    at, new = offset >> 2 << 2, written_lanes(value, offset, size)

    def after(where: int, old: U32, writable: U32) -> U32:
        return choose(at == where, stored(old, new, reached, writable), old)

    written = every(at == AT["GICH_VMCR"], reached > 0)
    vmcr = choose(written, legal_vmcr(after(AT["GICH_VMCR"], interface.vmcr, VMCR_WRITABLE)), interface.vmcr)
    lrs = tuple(after(AT["GICH_LRn"] + (place << 2), lr, WRITABLE) for place, lr in enumerate(interface.lrs))
    hcr, apr = after(AT["GICH_HCR"], interface.hcr, HCR_WRITABLE), after(AT["GICH_APR"], interface.apr, ALL)
    return put_all(interface, ("hcr", "vmcr", "apr", "lrs"), (hcr, vmcr, apr, lrs))


@rule(gic("5.5"))
def gicv_read(interface: VirtualInterface, offset: U16, size: U3, choices: Choices) -> tuple[VirtualInterface, U32]:
    """A read of GICV: of GICV_IAR and GICV_AIAR it acknowledges, of all else it changes nothing."""
    at, reached = offset >> 2 << 2, reaches(offset, size, False, choices)
    acknowledging = every(reached, either(at == AT["GICV_IAR"], at == AT["GICV_AIAR"]))
    taken, number = gicv.acknowledge(interface, choose(at == AT["GICV_AIAR"], 1, 0), choices)
    field = find(((each.offset, _shown(each, interface.vmcr)) for each in VMCR_FIELDS), at, 0)
    plain = find(((where, read(interface, choices)) for where, read in GICV_READS), at, field)
    word = choose(acknowledging, number, plain)
    return choose(acknowledging, taken, interface), choose(reached, read_lanes(word, offset, size), 0)


@rule(gic("5.5"))
def gicv_write(
    interface: VirtualInterface, offset: U16, size: U3, value: U32, choices: Choices
) -> tuple[VirtualInterface, U10]:
    """A write of GICV: interrupts end, or what GICH_VMCR and GICH_APR keep for the guest is stored.

    Returns the physical interrupt to deactivate, or NONE.
    """
    reached = choose(reaches(offset, size, False, choices), lanes(offset, size), 0)
    at, new = offset >> 2 << 2, written_lanes(value, offset, size)
    vmcr = interface.vmcr
    fields = ((each.offset, _stored(each, vmcr, new, reached)) for each in VMCR_FIELDS)
    apr = choose(at == AT["GICV_APR0"], stored(interface.apr, new, reached, ALL), interface.apr)
    kept = put_all(interface, ("vmcr", "apr"), (find(fields, at, vmcr), apr))
    ended = gicv.end_of_interrupt(interface, new, choose(at == AT["GICV_AEOIR"], 1, 0), choices)
    commands = (
        (AT["GICV_EOIR"], ended),
        (AT["GICV_AEOIR"], ended),
        (AT["GICV_DIR"], gicv.deactivation(interface, new, choices)),
    )
    return choose(reached > 0, find(commands, at, (kept, gicv.NONE)), (interface, gicv.NONE))
