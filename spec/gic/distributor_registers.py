"""Reads and writes of GICD: any offset, any size, always a defined result.

`ns` is 1 for a Non-secure access. Where the GIC has Security Extensions such an access sees nothing of Group 0, and the
lower half of the priorities as all there are.

Not modelled: GICD_NSACR and the registers of an implementation's own between 0xD00 and 0xEFF, which read as zero, so no
property sees software that uses them.
"""

from collections.abc import Callable
from itertools import chain

from spec.citations import gic, rule, trm
from spec.gic.distributor import (
    CPU_BITS,
    SECURITY,
    enabled,
    implemented,
    key,
    pending,
    processors,
    send_sgi,
)
from spec.gic.list_registers import PPIS_END, SGIS
from spec.gic.priorities import WRITABLE_PRIORITY, from_nonsecure, nonsecure_priority
from spec.gic.registers import AT, GICD_IIDR, IDENTIFICATION, lanes, reaches, read_lanes, stored, written_lanes
from spec.gic.state import U10, Choices, Distributor, Irq
from spec.words import (
    U1,
    U2,
    U3,
    U8,
    U16,
    U32,
    bit,
    bits,
    choose,
    clear,
    either,
    every,
    find,
    negate,
    put,
    select,
)

EDGE_FIELD = 2
"""The bit of a field of GICD_ICFGR that says edge-triggered; the other one is reserved."""
SGI_TRIGGER = EDGE_FIELD
"""SGIs are edge-triggered."""

ReadBit = Callable[[Irq, int], int]
WriteBit = Callable[[Irq, int], Irq]


def _truth(condition: bool) -> U1:
    return choose(condition, 1, 0)


def _latched(irq: Irq, number: U10, latch: U1) -> Irq:
    return choose(number < SGIS, irq, put(irq, "latch", latch))


BIT_REGISTERS: tuple[tuple[int, ReadBit, WriteBit], ...] = (
    (
        AT["GICD_ISENABLERn"],
        lambda irq, number: _truth(enabled(irq, number)),
        lambda irq, number: put(irq, "enabled", 1),
    ),
    (
        AT["GICD_ICENABLERn"],
        lambda irq, number: _truth(enabled(irq, number)),
        lambda irq, number: put(irq, "enabled", 0),
    ),
    (
        AT["GICD_ISPENDRn"],
        lambda irq, number: _truth(pending(irq, number)),
        lambda irq, number: _latched(irq, number, 1),
    ),
    (
        AT["GICD_ICPENDRn"],
        lambda irq, number: _truth(pending(irq, number)),
        lambda irq, number: _latched(irq, number, 0),
    ),
    (AT["GICD_ISACTIVERn"], lambda irq, number: irq.active, lambda irq, number: put(irq, "active", 1)),
    (AT["GICD_ICACTIVERn"], lambda irq, number: irq.active, lambda irq, number: put(irq, "active", 0)),
)
"""The registers with one bit for each interrupt that set or clear: the first offset, what a bit reads as, and what
writing 1 does. Writing 0 does nothing."""


@rule(gic("3.5.2"), gic("4.1.4"), gic("4.3.4"))
def visible(distributor: Distributor, irq: Irq, register: U16, ns: U1) -> bool:
    """Whether an access sees an interrupt's field: a Non-secure one nothing of Group 0, and never the group."""
    return either(
        every(irq.group == 1, negate(register == AT["GICD_IGROUPRn"])), ns & bit(distributor.typer, SECURITY) == 0
    )


@rule(gic("4.3.4"), gic("4.3.5"), gic("4.3.7"), gic("4.3.9"))
def read_bit(register: U16, irq: Irq, number: U10) -> U1:
    """The bit of an interrupt in the register, of those with one bit for each, that begins at an offset."""
    others = choose(register == AT["GICD_IGROUPRn"], irq.group, 0)
    return find(((at, read(irq, number)) for at, read, _ in BIT_REGISTERS), register, others)


@rule(gic("4.3.4"), gic("4.3.5"), gic("4.3.7"), gic("4.3.9"))
def write_bit(register: U16, irq: Irq, number: U10, value: U1) -> Irq:
    """An interrupt behind a write of its bit in that register."""
    grouped = choose(register == AT["GICD_IGROUPRn"], put(irq, "group", value), irq)
    written = find(((at, write(irq, number)) for at, _, write in BIT_REGISTERS), register, irq)
    return choose(register == AT["GICD_IGROUPRn"], grouped, choose(value == 1, written, irq))


@rule(gic("4.3.11"), gic("4.3.12"), gic("4.3.16"))
def read_byte(distributor: Distributor, register: U16, irq: Irq, number: U10, cpu: U3, ns: U1) -> U8:
    """The byte of an interrupt in GICD_IPRIORITYR, ITARGETSR, CPENDSGIR or SPENDSGIR, by that register's offset."""
    hidden = ns & bit(distributor.typer, SECURITY)
    several = bits(distributor.typer, 7, 5) > 0
    targets = choose(several, choose(number < PPIS_END, select(CPU_BITS, cpu), irq.targets), 0)
    priority = choose(hidden == 1, nonsecure_priority(irq.priority), irq.priority)
    return find(((AT["GICD_IPRIORITYRn"], priority), (AT["GICD_ITARGETSRn"], targets)), register, irq.sources)


@rule(gic("4.3.11"), gic("4.3.12"), gic("4.3.16"), gic("4.3.17"))
def write_byte(distributor: Distributor, register: U16, irq: Irq, number: U10, value: U8, ns: U1) -> Irq:
    """An interrupt behind a write of its byte in one of those registers."""
    hidden = ns & bit(distributor.typer, SECURITY)
    several = every(bits(distributor.typer, 7, 5) > 0, number >= PPIS_END)
    priority = choose(hidden == 1, from_nonsecure(value), value) & WRITABLE_PRIORITY
    return find(
        (
            (AT["GICD_IPRIORITYRn"], put(irq, "priority", priority)),
            (AT["GICD_ITARGETSRn"], put(irq, "targets", choose(several, value & processors(distributor), irq.targets))),
            (AT["GICD_CPENDSGIRn"], put(irq, "sources", clear(irq.sources, value))),
        ),
        register,
        put(irq, "sources", irq.sources | (value & processors(distributor))),
    )


@rule(gic("4.3.13"), trm("8.3.1"))
def read_trigger(irq: Irq, number: U10) -> U2:
    """The field of an interrupt in GICD_ICFGR: 2 for edge-triggered."""
    return choose(number < SGIS, SGI_TRIGGER, irq.edge << 1)


@rule(gic("4.3.13"), trm("8.3.1"))
def write_trigger(irq: Irq, number: U10, value: U2) -> Irq:
    """An interrupt behind a write of its field in GICD_ICFGR: only SPIs have one that can be written."""
    return choose(number < PPIS_END, irq, put(irq, "edge", bit(value, 1)))


def _fields(at: U16) -> tuple[int, U16, U10]:
    """Of a word with fields of interrupts: the bits of a field, the first offset of its register, the first interrupt.

    No bits where the word has no such fields.
    """
    if either(at < 0x80, every(at >= 0xD00, at < 0xF10), at >= 0xF30):
        return 0, 0, 0
    if at < 0x400:
        return 1, bits(at, 9, 7) << 7, bits(at, 6, 2) << 5
    if at < 0xC00:
        return 8, bits(at, 11, 10) << 10, bits(at, 9, 2) << 2
    if at < 0xD00:
        return 2, 0xC00, bits(at, 7, 2) << 4
    return 8, bits(at, 11, 4) << 4, bits(at, 3, 2) << 2


@rule(gic("4.3.1"), gic("4.3.2"), gic("4.3.3"), gic("4.3.18"))
def read_control(distributor: Distributor, at: U16, ns: U1) -> U32:
    """A word of GICD that has no fields of interrupts: a Non-secure read of GICD_CTLR sees EnableGrp1 in bit 0."""
    hidden = ns & bit(distributor.typer, SECURITY)
    ctlr = choose(hidden == 1, bit(distributor.ctlr, 1), distributor.ctlr & 3)
    named = ((AT["GICD identification"] + (place << 2), value) for place, value in enumerate(IDENTIFICATION))
    return find(
        chain(((AT["GICD_CTLR"], ctlr), (AT["GICD_TYPER"], distributor.typer), (AT["GICD_IIDR"], GICD_IIDR)), named),
        at,
        0,
    )


@rule(gic("4.3"), gic("4.1.4"))
def gicd_read(distributor: Distributor, cpu: U3, offset: U16, size: U3, ns: U1, choices: Choices) -> U32:
    """A read of GICD by a processor: it changes nothing."""
    width, register, first = _fields(offset >> 2 << 2)
    word = 0 if width else read_control(distributor, offset >> 2 << 2, ns)
    for place in range(32 // width if width else 0):
        number = first | place
        irq = distributor.irqs.get(key(cpu, number))
        if width == 1:
            value = read_bit(register, irq, number)
        elif width == 2:
            value = read_trigger(irq, number)
        else:
            value = read_byte(distributor, register, irq, number, cpu, ns)
        seen = every(implemented(distributor, number), visible(distributor, irq, register, ns))
        word = word | (choose(seen, value, 0) << (place * width))
    return choose(reaches(offset, size, width == 8, choices), read_lanes(word, offset, size), 0)


@rule(gic("4.3.1"), gic("4.3.15"))
def write_control(distributor: Distributor, cpu: U3, at: U16, new: U32, reached: U32, ns: U1) -> Distributor:
    """A write of a word of GICD that has no fields of interrupts; `reached` are the bits that the access reaches."""
    if at == AT["GICD_SGIR"]:
        return send_sgi(distributor, cpu, new & reached, ns)
    hidden = ns & bit(distributor.typer, SECURITY)
    seen = stored(distributor.ctlr, new << 1, reached << 1, 2)
    ctlr = choose(hidden == 1, seen, stored(distributor.ctlr, new, reached, 3))
    return put(distributor, "ctlr", choose(at == AT["GICD_CTLR"], ctlr, distributor.ctlr))


@rule(gic("4.3"), gic("4.1.4"))
def gicd_write(
    distributor: Distributor, cpu: U3, offset: U16, size: U3, value: U32, ns: U1, choices: Choices
) -> Distributor:
    """A write of GICD by a processor: it changes the interrupts whose fields it reaches and sees."""
    width, register, first = _fields(offset >> 2 << 2)
    reached = choose(reaches(offset, size, width == 8, choices), lanes(offset, size), 0)
    new = written_lanes(value, offset, size)
    if width == 0:
        return write_control(distributor, cpu, offset >> 2 << 2, new, reached, ns)
    irqs = distributor.irqs
    for place in range(32 // width):
        number, low = first | place, place * width
        irq, field = distributor.irqs.get(key(cpu, number)), bits(new, low + width - 1, low)
        if width == 1:
            after = write_bit(register, irq, number, field)
        elif width == 2:
            after = write_trigger(irq, number, field)
        else:
            after = write_byte(distributor, register, irq, number, field, ns)
        seen = every(implemented(distributor, number), visible(distributor, irq, register, ns))
        irqs = irqs.set(key(cpu, number), choose(every(seen, bit(reached, low) == 1), after, irq))
    return put(distributor, "irqs", irqs)
