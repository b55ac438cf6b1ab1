"""Translation for PL1 and PL0: stage 1 by the guest's registers, stage 2 by those of Hyp mode, and which fault wins.

A fault of stage 1 beats any fault of stage 2 on the access itself; a stage 2 fault on the read of a stage 1 descriptor
comes where the walk meets it. Every address of an access or of a descriptor goes through stage 2 where that is on.

Not modelled: translation that is UNPREDICTABLE because HCR.DC is set with SCTLR.M or HCR.TGE, which acts as HCR.DC.
"""

from functools import partial

from attrs import frozen

from spec.citations import arm, rule
from spec.controls import HCR
from spec.processor import Processor
from spec.records import maker, quick
from spec.sparse import Memory
from spec.syndrome import FaultStatus
from spec.translation import stage1_long
from spec.translation.attributes import Attributes, combined
from spec.translation.stage1 import A, Access, I, M, Regime, Stage1, own_fault, refused
from spec.translation.stage1_short import walk_short
from spec.translation.stage2 import Stage2, stage2_rights, stage2_table, table_read, translated
from spec.words import U1, U2, U6, U32, U40, bit, choose, clear, every

ALIGNMENT = FaultStatus.ALIGNMENT
NO_EFFECT = 0x4FC
"""The stage 2 descriptor that changes nothing: all accesses, Normal Write-Back memory, Non-shareable."""
UNMAPPED = Stage2(0, 0, 0, 0)
"""Stage 2 of an access that does not come so far."""


@quick
@frozen
class Translation:
    """What an access meets: where it goes, or why it faults."""

    status: U6
    """0 where the access goes to `second.pa`, else the `FaultStatus`."""
    stage: U2
    """The stage that faults, 0 for none."""
    first: Stage1
    second: Stage2

    @property
    def pa(self) -> U40:
        """The physical address, meaningful where the status is 0."""
        return self.second.pa

    @property
    def ipa(self) -> U40:
        """The intermediate physical address that a stage 2 fault is about: the access's, or a descriptor's."""
        return self.first.ipa

    @property
    def walk(self) -> U1:
        """1 for a stage 2 fault on the read of a stage 1 descriptor (S1PTW)."""
        return self.first.walk

    @property
    def level(self) -> U2:
        """The level of the descriptor that faults."""
        on_access = every(self.stage == 2, self.first.walk == 0)
        return choose(on_access, self.second.level, self.first.level)

    @property
    def attributes(self) -> Attributes:
        """The memory attributes of both stages together."""
        return combined(self.first.attributes, self.second.attributes)


new_translation = maker(Translation)


@rule(arm("B3.2.1"), arm("B1.14.1"), arm("B4.1.65"))
def regime(cpu: Processor) -> Regime:
    """What translates for PL1 and PL0: HCR.TGE and DC turn stage 1 off, VM and DC turn stage 2 on."""
    cp15, hcr = cpu.cp15, cpu.hyp.hcr
    dc = bit(hcr, HCR["DC"])
    off = dc | bit(hcr, HCR["TGE"])
    return Regime(
        sctlr=clear(cp15.sctlr, off << M), ttbcr=cp15.ttbcr, ttbr0=cp15.ttbr0, ttbr1=cp15.ttbr1, mair0=cp15.prrr,
        mair1=cp15.nmrr, dacr=cp15.dacr, default_cacheable=dc, stage2=bit(hcr, HCR["VM"]) | dc,
        protected=bit(hcr, HCR["PTW"]), second=stage2_table(cpu.hyp.vttbr, cpu.hyp.vtcr),
    )  # fmt: skip


@rule(arm("B3.2.1"), arm("B4.1.65"))
def flat(regime: Regime, va: U32, access: Access) -> Stage1:
    """Stage 1 where it is off: the address itself, all accesses.

    Memory is Normal Write-Back under HCR.DC; else Strongly-ordered for data, and Normal for instructions, Write-Through
    where SCTLR.I is 1.
    """
    fetched = choose(bit(regime.sctlr, I) == 1, 0xAA, 0x44)
    attr = choose(regime.default_cacheable == 1, 0xFF, choose(access.fetch == 1, fetched, 0x00))
    return Stage1(0, 1, 0, va, 7, attr, 0, 0)


@rule(arm("B3.3.1"), arm("B3.2.1"))
def stage1(memory: Memory, regime: Regime, va: U32, access: Access) -> Stage1:
    """What stage 1 makes of a virtual address, its descriptors read through stage 2 where that is on."""
    if regime.enabled == 0:
        return flat(regime, va, access)
    through = regime.stage2 == 1
    locate = partial(table_read, memory, regime.second, regime.protected) if through else None
    if regime.long == 1:
        return stage1_long.walk(memory, regime, va, access, locate)
    return walk_short(memory, regime, va, access, locate)


@rule(arm("B3.6.6"), arm("B4.1.65"))
def stage2(memory: Memory, regime: Regime, ipa: U40) -> Stage2:
    """What stage 2 makes of an access's intermediate physical address; where it is off, the same address."""
    if regime.stage2 == 1:
        return translated(memory, regime.second, ipa)
    return Stage2(0, 0, ipa, NO_EFFECT)


@rule(arm("B3.12.2"), arm("B3.13.1"), arm("B3.8.3"), arm("A3.2.1"))
def translate(memory: Memory, regime: Regime, va: U32, access: Access) -> Translation:
    """What an access meets: the first of all faults, in the order of the manual, or the physical address."""
    unaligned = access.unaligned == 1
    if unaligned and bit(regime.sctlr, A) == 1:
        return Translation(ALIGNMENT, 1, own_fault(ALIGNMENT, 1), UNMAPPED)
    first = stage1(memory, regime, va, access)
    if first.status != 0:
        return Translation(first.status, choose(first.walk == 1, 2, 1), first, UNMAPPED)
    status = refused(first.allows, first.level, access.needs)
    if unaligned:
        status = choose(first.strict, ALIGNMENT, status)
    if status != 0:
        return Translation(status, 1, first, UNMAPPED)
    second = stage2(memory, regime, first.ipa)
    status = refused(stage2_rights(second.descriptor), second.level, access.needs)
    if unaligned:
        status = choose(second.strict, ALIGNMENT, status)
    status = choose(second.status > 0, second.status, status)
    return new_translation(status, choose(status > 0, 2, 0), first, second)
