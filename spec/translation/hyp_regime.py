"""The translation regime of Hyp mode: one stage, one base register, no ASID, and page tables in a format of its own.

The registers and the walk are those of PL1 and PL0 with long descriptors and no walk from TTBR1: HTCR's two reserved
bits that should be one stand where TTBCR has EAE and EPD1. The descriptors differ, because no less privileged code
runs in this regime. AP[1], which lets PL0 in, should be one; PXN and the hierarchical APTable[0] and PXNTable, which
tell PL1 from PL0, and nG, which needs an ASID, should be zero. So the page tables of a kernel, which keep PL0 out, are
no page tables for Hyp mode, and those of Hyp mode would let PL0 in.

Not modelled: what a processor does where such a bit is not as it should be, other than to ignore it, so a property
that relies on Hyp mode's own mappings has to ask `is_valid_for_hyp` of them; big-endian tables (HSCTLR.EE).
"""

from spec.citations import arm, paper, rule
from spec.processor import Processor
from spec.sparse import Memory
from spec.translation.descriptors import descend
from spec.translation.regions import EPD1, NO_TABLE
from spec.translation.stage1 import EAE, UWXN, Access, Regime, Stage1
from spec.translation.stage1_long import mapped, region, rights
from spec.translation.translate import flat
from spec.words import U1, U2, U3, U32, U40, U64, bit, bits, choose, clear, every

NG, PXN, APTABLE_0, PXNTABLE = 1 << 11, 1 << 53, 1 << 61, 1 << 59
"""The bits of descriptors that Hyp mode ignores; the last two are those of tables."""


@rule(arm("B3.2.1"), arm("B3.6.4"), arm("B3.6.5"))
def hyp_regime(cpu: Processor) -> Regime:
    """What translates for Hyp mode: HSCTLR, HTCR.T0SZ, HTTBR and HMAIR, in the place of PL1's registers."""
    hyp = cpu.hyp
    ttbcr = bits(hyp.htcr, 2, 0) | (1 << EAE) | (1 << EPD1)
    return Regime(
        sctlr=clear(hyp.hsctlr, 1 << UWXN), ttbcr=ttbcr, ttbr0=hyp.httbr, ttbr1=0, mair0=hyp.hmair0, mair1=hyp.hmair1,
        dacr=0, default_cacheable=0, stage2=0, protected=0, second=NO_TABLE,
    )  # fmt: skip


@rule(arm("B3.2.1"), arm("B3.6.6"))
def hyp_stage1(memory: Memory, regime: Regime, va: U32, access: Access) -> Stage1:
    """What the only stage of Hyp mode makes of an address, with `regime` from `hyp_regime`; the result is its PA."""
    if regime.enabled == 0:
        return flat(regime, va, access)
    first, address = region(regime, va)
    level, descriptor, tables, _ = descend(memory, first, address)
    allows = hyp_rights(regime, descriptor, tables)
    return mapped(regime, level, clear(descriptor, NG), address, allows)


@rule(arm("B3.7.1"), arm("B3.7.2"), arm("B3.6.2"))
def hyp_rights(regime: Regime, descriptor: U64, tables: U64) -> U3:
    """What Hyp mode may do by a descriptor and the tables above it: AP[2] and APTable[1], XN and XNTable decide."""
    return rights(regime, 1, clear(descriptor, PXN), clear(tables, PXNTABLE))


@rule(arm("B3.6.2"), arm("B3.7.1"), paper("3.1"))
def is_valid_for_hyp(descriptor: U64, tables: U64) -> bool:
    """Whether a block or page descriptor and the tables above it have what should be one or zero in Hyp mode so."""
    leaf = every(bit(descriptor, 6) == 1, descriptor & (NG | PXN) == 0)
    return every(leaf, tables & (APTABLE_0 | PXNTABLE) == 0)


@rule(arm("B3.6.2"), arm("B3.7.1"))
def hyp_leaf(level: U2, pa: U40, index: U3, read_only: U1, sh: U2, xn: U1) -> U64:
    """Hyp mode's block (levels 1 and 2) or page (level 3) descriptor for an address aligned to what it maps."""
    attributes = (xn << 54) | (1 << 10) | (sh << 8) | (read_only << 7) | (1 << 6) | (index << 2)
    return pa | attributes | choose(level == 3, 3, 1)
