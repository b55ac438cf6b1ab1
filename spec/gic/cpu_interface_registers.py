"""Reads and writes of GICC: any offset, any size, always a defined result.

`ns` is 1 for a Non-secure access to a GIC with Security Extensions: it has its own GICC_CTLR, its GICC_BPR is that of
Group 1, and what is for Secure software only reads as zero.

Not modelled: which bits of GICC_CTLR a GIC without Security Extensions lacks, so no property sees software that finds
out in that way.
"""

from spec.citations import gic, rule
from spec.gic import cpu_interface as gicc
from spec.gic.priorities import (
    LEAST_ABPR,
    LEAST_BPR,
    WRITABLE_PRIORITY,
    from_nonsecure,
    nonsecure_view,
)
from spec.gic.registers import AT, GICC_IIDR, at_least, lanes, reaches, read_lanes, stored, written_lanes
from spec.gic.state import SPURIOUS, U10, Choices, CpuInterface, Distributor
from spec.words import U1, U3, U16, U32, bit, bits, choose, either, every, find, insert, negate, put

CTLR_WRITABLE = 0x7FF
"""The bits of GICC_CTLR."""
ALL = 0xFFFFFFFF


@rule(gic("4.4.1"))
def nonsecure_ctlr(ctlr: U32) -> U32:
    """GICC_CTLR as Non-secure software reads it: EnableGrp1, the bypass bits of Group 1 and EOImodeNS."""
    return bit(ctlr, 1) | (bits(ctlr, 8, 7) << 5) | (bit(ctlr, gicc.EOI_MODE_NS) << 9)


@rule(gic("4.4.1"))
def ctlr_from_nonsecure(ctlr: U32, new: U32) -> U32:
    """GICC_CTLR behind a Non-secure write of it."""
    groups = insert(insert(ctlr, 1, 1, bit(new, 0)), 8, 7, bits(new, 6, 5))
    return insert(groups, gicc.EOI_MODE_NS, gicc.EOI_MODE_NS, bit(new, 9))


@rule(gic("4.4.3"), gic("3.5.2"))
def nonsecure_bpr(interface: CpuInterface) -> U3:
    """GICC_BPR as Non-secure software reads it: Group 1's, or with CBPR one more than Group 0's, but at most 7."""
    shared = choose(interface.bpr == 7, 7, bits(interface.bpr + 1, 2, 0))
    return choose(bit(interface.ctlr, gicc.CBPR) == 1, shared, interface.abpr)


@rule(gic("4.4"))
def read_word(interface: CpuInterface, at: U16, ns: U1) -> U32:
    """A word of GICC that does not depend on the distributor."""
    if ns == 1:
        own = (
            (AT["GICC_CTLR"], nonsecure_ctlr(interface.ctlr)),
            (AT["GICC_PMR"], nonsecure_view(interface.pmr)),
            (AT["GICC_BPR"], nonsecure_bpr(interface)),
            (AT["GICC_APR0"], interface.nsapr >> 16),
        )
    else:
        own = (
            (AT["GICC_CTLR"], interface.ctlr),
            (AT["GICC_PMR"], interface.pmr),
            (AT["GICC_BPR"], interface.bpr),
            (AT["GICC_APR0"], interface.apr),
        )
    secure = ((AT["GICC_ABPR"], interface.abpr), (AT["GICC_NSAPR0"], interface.nsapr))
    hidden = find(secure, at, 0) if ns == 0 else 0
    both = ((AT["GICC_RPR"], gicc.running_priority(interface, ns)), (AT["GICC_IIDR"], GICC_IIDR))
    return find((*own, *both), at, hidden)


@rule(gic("4.4"), gic("4.1.4"))
def gicc_read(
    distributor: Distributor,
    interface: CpuInterface,
    cpu: U3,
    number: U10,
    source: U3,
    offset: U16,
    size: U3,
    ns: U1,
    choices: Choices,
) -> tuple[Distributor, CpuInterface, U32]:
    """A read of GICC: GICC_IAR and GICC_AIAR acknowledge, all else changes nothing.

    `number` is the highest interrupt, 1023 for none, and `source` one that an SGI is pending from.
    """
    at, reached = offset >> 2 << 2, reaches(offset, size, False, choices)
    alias = choose(at >= AT["GICC_AIAR"], 1, 0)
    open_to = either(ns == 0, alias == 0)
    acknowledging = every(reached, either(at == AT["GICC_IAR"], at == AT["GICC_AIAR"]), open_to)
    offered = choose(acknowledging, number, SPURIOUS)
    after, left, taken = gicc.acknowledge(distributor, interface, cpu, offered, source, ns, alias)
    highest = gicc.highest_pending(distributor, interface, cpu, number, source, ns, alias, choices)
    shown = every(either(at == AT["GICC_HPPIR"], at == AT["GICC_AHPPIR"]), open_to)
    word = choose(acknowledging, taken, choose(shown, highest, read_word(interface, at, ns)))
    return after, left, choose(reached, read_lanes(word, offset, size), 0)


@rule(gic("4.4"))
def write_word(interface: CpuInterface, at: U16, new: U32, reached: U32, ns: U1) -> CpuInterface:
    """A CPU interface behind a write of one of the words that are stored; `reached` are the bits the access reaches."""
    pmr, low = bits(stored(interface.pmr, new, reached, WRITABLE_PRIORITY), 7, 0), bits(reached, 2, 0) > 0
    bpr, abpr = at_least(bits(new, 2, 0), LEAST_BPR), at_least(bits(new, 2, 0), LEAST_ABPR)
    if ns == 1:
        view = stored(nonsecure_ctlr(interface.ctlr), new, reached, CTLR_WRITABLE)
        masked = every(bit(interface.pmr, 7) == 1, bits(reached, 7, 0) > 0)
        lower = from_nonsecure(bits(new, 7, 0)) & WRITABLE_PRIORITY
        common = bit(interface.ctlr, gicc.CBPR) == 1
        own_levels = stored(interface.nsapr, new << 16, reached << 16, 0xFFFF0000)
        pairs = (
            (AT["GICC_CTLR"], put(interface, "ctlr", ctlr_from_nonsecure(interface.ctlr, view))),
            (AT["GICC_PMR"], put(interface, "pmr", choose(masked, lower, interface.pmr))),
            (AT["GICC_BPR"], put(interface, "abpr", choose(every(low, negate(common)), abpr, interface.abpr))),
            (AT["GICC_APR0"], put(interface, "nsapr", own_levels)),
        )
        return find(pairs, at, interface)
    stores = (
        (AT["GICC_CTLR"], put(interface, "ctlr", stored(interface.ctlr, new, reached, CTLR_WRITABLE))),
        (AT["GICC_PMR"], put(interface, "pmr", pmr)),
        (AT["GICC_BPR"], put(interface, "bpr", choose(low, bpr, interface.bpr))),
        (AT["GICC_ABPR"], put(interface, "abpr", choose(low, abpr, interface.abpr))),
        (AT["GICC_APR0"], put(interface, "apr", stored(interface.apr, new, reached, ALL))),
        (AT["GICC_NSAPR0"], put(interface, "nsapr", stored(interface.nsapr, new, reached, ALL))),
    )
    return find(stores, at, interface)


@rule(gic("4.4"), gic("4.1.4"))
def gicc_write(
    distributor: Distributor,
    interface: CpuInterface,
    cpu: U3,
    offset: U16,
    size: U3,
    value: U32,
    ns: U1,
    choices: Choices,
) -> tuple[Distributor, CpuInterface]:
    """A write of GICC: an interrupt ends, or a register is stored."""
    at, new = offset >> 2 << 2, written_lanes(value, offset, size)
    reached = choose(reaches(offset, size, False, choices), lanes(offset, size), 0)
    alias = choose(at == AT["GICC_AEOIR"], 1, 0)
    ending = every(reached > 0, either(at == AT["GICC_EOIR"], every(at == AT["GICC_AEOIR"], ns == 0)))
    named = choose(ending, new, SPURIOUS)
    after, left = gicc.end_of_interrupt(distributor, interface, cpu, named, ns, alias, choices)
    apart = choose(every(reached > 0, at == AT["GICC_DIR"]), new, SPURIOUS)
    after = gicc.deactivation(after, interface, cpu, apart, ns, choices)
    return after, choose(ending, left, write_word(interface, at, new, reached, ns))
