"""Stage 1 of PL1 and PL0: what all its table formats share.

A format's walk is a function of a `Regime`, a virtual address, an `Access` and a `Locate`, which says where a
descriptor is in physical memory; it gives a `Stage1`. Where stage 2 is on, `Locate` is stage 2 itself, so that no
format knows of it.

A `Stage1` with status 0 maps the address: `ipa` is where, `allows` what the access's privilege may do there, `attr` and
`sh` are the memory attributes, whatever the format, as MAIR and SH encode them. With another status it faults. Where
then `walk` is 0, the fault is stage 1's own and `level` the level of its descriptor; where it is 1, stage 2 has refused
to read the descriptor at `ipa`, and status and level are those of stage 2. Permissions are not yet checked: `denied`
does that.
"""

from functools import cached_property

from attrs import frozen

from spec.citations import arm, rule
from spec.records import maker, quick
from spec.translation.attributes import Attributes, mair_attributes
from spec.translation.descriptors import PERMISSION, FirstTable
from spec.translation.regions import Regions, regions
from spec.translation.short_descriptors import (
    ShortRegions,
    domain_fields,
    remapped_bytes,
    remapped_shareabilities,
    short_regions,
)
from spec.words import U1, U2, U3, U6, U8, U32, U40, U64, bit, bits, choose

READ, WRITE, EXECUTE = 1, 2, 4
"""The bits of `Stage1.allows`."""
M, A, I, WXN, UWXN, TRE, AFE = 0, 1, 12, 19, 20, 28, 29  # noqa: E741
"""Bits of SCTLR that concern translation."""
EAE = 31
"""Bit of TTBCR."""


@frozen(slots=False)
class Access:
    """What is asked of an address."""

    write: U1
    fetch: U1
    """1 for an instruction fetch."""
    privileged: U1
    """1 from PL1, 0 from PL0 or by an unprivileged load or store."""
    unaligned: U1
    """1 where only Normal memory permits the access, because its address is not aligned to its size."""

    @cached_property
    def needs(self) -> U3:
        """READ, WRITE or EXECUTE."""
        return needed(self.write, self.fetch)


@frozen(slots=False)
class Regime:
    """The registers that translate for PL1 and PL0, and what does not change while they do not."""

    sctlr: U32
    """SCTLR with M as it acts: 0 where HCR.TGE or HCR.DC turns stage 1 off."""
    ttbcr: U32
    ttbr0: U64
    ttbr1: U64
    mair0: U32
    """MAIR0, or PRRR in the short-descriptor format."""
    mair1: U32
    """MAIR1, or NMRR in the short-descriptor format."""
    dacr: U32
    default_cacheable: U1
    """HCR.DC."""
    stage2: U1
    """1 where stage 2 is on: HCR.VM or HCR.DC."""
    protected: U1
    """HCR.PTW."""
    second: FirstTable
    """Where stage 2 begins."""

    @cached_property
    def regions(self) -> Regions:
        """The regions of TTBR0 and TTBR1 where TTBCR.EAE is 1."""
        return regions(self.ttbcr, self.ttbr0, self.ttbr1)

    @cached_property
    def short_regions(self) -> ShortRegions:
        """The regions of TTBR0 and TTBR1 where TTBCR.EAE is 0."""
        return short_regions(self.ttbcr, self.ttbr0, self.ttbr1)

    @cached_property
    def enabled(self) -> U1:
        """SCTLR.M: stage 1 is on."""
        return bit(self.sctlr, M)

    @cached_property
    def long(self) -> U1:
        """TTBCR.EAE: descriptors are long."""
        return bit(self.ttbcr, EAE)

    @cached_property
    def wxn(self) -> U1:
        """SCTLR.WXN: what may be written is never executed."""
        return bit(self.sctlr, WXN)

    @cached_property
    def uwxn(self) -> U1:
        """SCTLR.UWXN: what PL0 may write is never executed at PL1."""
        return bit(self.sctlr, UWXN)

    @cached_property
    def tre(self) -> U1:
        """SCTLR.TRE: PRRR and NMRR say what memory short descriptors mean."""
        return bit(self.sctlr, TRE)

    @cached_property
    def afe(self) -> U1:
        """SCTLR.AFE: AP[0] of short descriptors is the access flag."""
        return bit(self.sctlr, AFE)

    @cached_property
    def mair(self) -> tuple[U8, ...]:
        """The bytes of MAIR0 and MAIR1, by number."""
        return tuple(bits(word, low + 7, low) for word in (self.mair0, self.mair1) for low in (0, 8, 16, 24))

    @cached_property
    def remapped(self) -> tuple[U8, ...]:
        """The bytes of MAIR that PRRR and NMRR stand for, by region."""
        return remapped_bytes(self.mair0, self.mair1)

    @cached_property
    def shared(self) -> tuple[U2, ...]:
        """What PRRR makes of the S bit, by region and S."""
        return remapped_shareabilities(self.mair0)

    @cached_property
    def domains(self) -> tuple[U2, ...]:
        """The fields of DACR, by domain."""
        return domain_fields(self.dacr)


@quick
@frozen
class Stage1:
    """What stage 1 makes of a virtual address, see the text above."""

    status: U6
    level: U2
    walk: U1
    ipa: U40
    allows: U3
    """READ, WRITE and EXECUTE, for the privilege of the access."""
    attr: U8
    sh: U2
    non_global: U1
    """1 where the translation is of the current ASID only."""
    supersection: U1 = 0
    """1 for a short-descriptor supersection, whose address has 40 bits; PAR reports which it is."""

    @property
    def strict(self) -> bool:
        """Whether stage 1 makes the memory Device or Strongly-ordered."""
        return self.attr < 0x10

    @property
    def attributes(self) -> Attributes:
        """What stage 1 says of the memory."""
        return mair_attributes(self.attr, self.sh)


new_stage1 = maker(Stage1)


@rule(arm("B3.13.3"))
def own_fault(status: U6, level: U2) -> Stage1:
    """A fault of stage 1 itself."""
    return Stage1(status, level, 0, 0, 0, 0, 0, 0)


@rule(arm("B3.13.3"))
def walk_fault(status: U6, ipa: U40) -> Stage1:
    """A stage 2 fault on the read of the descriptor at `ipa`; the low two bits of its status are its level."""
    return Stage1(status, bits(status, 1, 0), 1, ipa, 0, 0, 0, 0)


@rule(arm("B3.7.1"))
def allowed(read: U1, write: U1, execute: U1) -> U3:
    """What an access may do, in the bits of `Stage1.allows`."""
    return read | (write << 1) | (execute << 2)


@rule(arm("B3.7.2"), arm("B4.1.130"))
def never_executed(regime: Regime, privileged: U1, writable: U1, user_writable: U1) -> U1:
    """1 where SCTLR forbids to execute what may be written: WXN at this privilege, UWXN at PL1 what PL0 may write."""
    return (regime.wxn & writable) | (regime.uwxn & privileged & user_writable)


@rule(arm("B3.7.1"), arm("B3.13.5"))
def denied(first: Stage1, access: Access) -> U6:
    """0 where what stage 1 maps may be accessed so, else the `FaultStatus` of its permission fault."""
    return refused(first.allows, first.level, access.needs)


@rule(arm("B3.7.1"))
def needed(write: U1, fetch: U1) -> U3:
    """What an access needs, in the bits of `Stage1.allows`."""
    return choose(fetch == 1, EXECUTE, choose(write == 1, WRITE, READ))


@rule(arm("B3.7.1"), arm("B3.13.5"))
def refused(allows: U3, level: U2, needs: U3) -> U6:
    """0 where what a descriptor of this level allows includes the access, else the permission fault of the level."""
    return choose(allows & needs > 0, 0, PERMISSION | level)
