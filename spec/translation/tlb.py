"""What TLBs may hold, and which of it each maintenance operation removes.

A TLB is the set of translations that *may* be cached. Any processor may at any time load any translation that the
tables state now and that does not fault; it stays until an operation removes it, whatever happens to the tables. A map
from tags to what is cached is given `invalidates` for `clear_where`.

An entry is of one page: that of a block is any number of entries, so that more may stay than a real TLB would keep. A
translation that holds for one privilege is an entry of that privilege.

Not modelled: the abort on conflicting entries, and memory attributes of entries, so no property sees an attribute
change without break-before-make; separate instruction and data TLBs, whose operations count as those of a unified one;
caches of single table descriptors, whose stale use shows as that of whole translations.
"""

from enum import IntEnum

from attrs import frozen

from spec.citations import arm, rule
from spec.controls import HCR
from spec.exceptions import U28
from spec.sparse import Memory
from spec.translation.stage1 import EAE, Access, Regime, Stage1
from spec.translation.stage2 import Stage2
from spec.translation.translate import stage1, stage2
from spec.words import U1, U2, U3, U4, U8, U32, U64, bit, bits, choose, either, every, find, negate

FB = HCR["FB"]
A1 = 22
"""Bit of TTBCR: the ASID is that of TTBR1."""


class Held(IntEnum):
    """What an entry translates."""

    BOTH_STAGES = 0
    """A virtual address of PL1 and PL0 to a physical one; also where only one stage is on."""
    STAGE2 = 1
    """An intermediate physical address to a physical one."""
    HYP = 2
    """A virtual address of Hyp mode to a physical one."""


class TlbOperation(IntEnum):
    """The maintenance operations, whether local, broadcast, of instructions, of data, or of both."""

    TLBIALL = 0
    TLBIMVA = 1
    TLBIASID = 2
    TLBIMVAA = 3
    TLBIALLH = 4
    TLBIMVAH = 5
    TLBIALLNSNH = 6


@frozen
class Tag:
    """What finds an entry."""

    cpu: U8
    """The processor whose TLB it is."""
    held: U2
    """A `Held`."""
    vmid: U8
    """VTTBR.VMID at the load; Hyp mode's entries have none."""
    asid: U8
    """Of no meaning where `non_global` is 0."""
    non_global: U1
    privileged: U1
    """1 for accesses of PL1."""
    page: U28
    """Bits [39:12] of the input address."""


@frozen
class Cached:
    """What an entry holds, or that there is none."""

    present: U1
    page: U28
    """Bits [39:12] of the physical address."""
    allows: U3
    """READ, WRITE and EXECUTE of `spec.translation.stage1`."""


NOTHING = Cached(0, 0, 0)


@frozen
class Issuer:
    """Who executes an operation."""

    cpu: U8
    hyp: U1
    """1 for Hyp mode."""
    vmid: U8
    """VTTBR.VMID at that time."""


@rule(arm("B4.2.2"), arm("B3.10.5"))
def tlb_operation(opc1: U3, opc2: U3) -> TlbOperation:
    """The operation of an allocated encoding of CP15 c8."""
    hyp = find(((0, TlbOperation.TLBIALLH), (1, TlbOperation.TLBIMVAH)), opc2, TlbOperation.TLBIALLNSNH)
    others = ((0, TlbOperation.TLBIALL), (1, TlbOperation.TLBIMVA), (2, TlbOperation.TLBIASID))
    return choose(opc1 == 4, hyp, find(others, opc2, TlbOperation.TLBIMVAA))


@rule(arm("B4.2.2"), arm("B4.1.65"))
def broadcast(crm: U4, hcr: U32, hyp: U1) -> U1:
    """1 where the operation reaches all processors: the Inner Shareable forms, and under HCR.FB all forms from PL1."""
    return choose(crm == 3, 1, bit(hcr, FB) & (hyp ^ 1))


@rule(arm("B4.2.2"), arm("B3.10.5"))
def invalidates(operation: TlbOperation, everywhere: U1, issuer: Issuer, operand: U32, tag: Tag) -> bool:
    """Whether an operation removes an entry; `everywhere` is from `broadcast`, the operand holds a VA and an ASID.

    No operation takes an intermediate physical address: what stage 2 says is removed for a whole VMID from Hyp mode, or
    for all of them.
    """
    reached = either(everywhere == 1, tag.cpu == issuer.cpu)
    guest, combined = negate(tag.held == Held.HYP), tag.held == Held.BOTH_STAGES
    own = every(guest, tag.vmid == issuer.vmid)
    page, asid = bits(operand, 31, 12) == tag.page, bits(operand, 7, 0) == tag.asid
    removed = find(
        (
            (TlbOperation.TLBIALL, every(own, either(combined, issuer.hyp == 1))),
            (TlbOperation.TLBIMVA, every(own, combined, page, either(asid, tag.non_global == 0))),
            (TlbOperation.TLBIASID, every(own, combined, asid, tag.non_global == 1)),
            (TlbOperation.TLBIMVAA, every(own, combined, page)),
            (TlbOperation.TLBIALLH, negate(guest)),
            (TlbOperation.TLBIMVAH, every(negate(guest), page)),
        ),
        operation,
        guest,
    )
    return every(reached, removed)


@rule(arm("B3.10.1"), arm("B4.1.153"), arm("B4.1.36"))
def current_asid(ttbcr: U32, ttbr0: U64, ttbr1: U64, contextidr: U32) -> U8:
    """The ASID: CONTEXTIDR's, or with long descriptors that of the base register that TTBCR.A1 names."""
    long = choose(bit(ttbcr, A1) == 1, bits(ttbr1, 55, 48), bits(ttbr0, 55, 48))
    return choose(bit(ttbcr, EAE) == 1, long, bits(contextidr, 7, 0))


@rule(arm("B3.10.1"), arm("B3.7.1"))
def both_stages_cached(first: Stage1, second: Stage2) -> Cached:
    """What may be loaded of a translation through both stages: nothing where one of them faults."""
    found = Cached(1, bits(second.pa, 39, 12), first.allows & second.allows)
    return choose(every(first.status == 0, second.status == 0), found, NOTHING)


@rule(arm("B3.10.1"))
def stage2_cached(second: Stage2) -> Cached:
    """What may be loaded of a translation of stage 2: nothing where it faults."""
    return choose(second.status == 0, Cached(1, bits(second.pa, 39, 12), second.allows), NOTHING)


@rule(arm("B3.10.1"))
def hyp_cached(first: Stage1) -> Cached:
    """What may be loaded of a translation of Hyp mode: nothing where it faults."""
    return choose(first.status == 0, Cached(1, bits(first.ipa, 39, 12), first.allows), NOTHING)


@rule(arm("B3.10.1"))
def loaded(memory: Memory, regime: Regime, cpu: U8, vmid: U8, asid: U8, va: U32, privileged: U1) -> tuple[Tag, Cached]:
    """The entry that a processor may load for a virtual address of PL1 and PL0, with the tables as they are."""
    first = stage1(memory, regime, va, Access(0, 0, privileged, 0))
    tag = Tag(cpu, Held.BOTH_STAGES, vmid, asid, first.non_global, privileged, bits(va, 31, 12))
    if first.status != 0:
        return tag, NOTHING
    return tag, both_stages_cached(first, stage2(memory, regime, first.ipa))
