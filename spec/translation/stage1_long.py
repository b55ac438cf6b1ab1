"""Stage 1 with TTBCR.EAE = 1: the long-descriptor format of PL1 and PL0.

Not modelled: the NS bits, which Non-secure translation ignores; TTBCR's cacheability and shareability of the walk.
"""

from attrs import frozen

from spec.citations import arm, rule
from spec.sparse import Memory
from spec.syndrome import FaultStatus
from spec.translation.descriptors import (
    FirstTable,
    Locate,
    descend,
    first_table,
    leaf_status,
    output_address,
)
from spec.translation.stage1 import Access, Regime, Stage1, allowed, never_executed, own_fault, walk_fault
from spec.words import U1, U2, U3, U8, U32, U64, bit, bits, choose, clear, either, every, negate, select

SIZES = tuple(1 << (32 - size) for size in range(8))
"""How many addresses a region covers, by TTBCR.T0SZ or T1SZ."""
ONES = tuple((1 << 32) - size for size in SIZES)
"""The address bits that are all ones in the region of TTBR1, by T1SZ."""
EPD0, EPD1 = 7, 23


@frozen
class Region:
    """The tables that translate a virtual address."""

    present: U1
    """0 where no region holds the address, or walks in its region are disabled."""
    first: FirstTable
    address: U32
    """The address within the region."""


@rule(arm("B3.6.4"), arm("B3.6.5"), arm("B4.1.153"))
def region(regime: Regime, va: U32) -> Region:
    """Which of TTBR0 and TTBR1 translates an address, by TTBCR.T0SZ and T1SZ, and where its tables begin."""
    t0sz, t1sz = bits(regime.ttbcr, 2, 0), bits(regime.ttbcr, 18, 16)
    low, ones = va < select(SIZES, t0sz), select(ONES, t1sz)
    high = every(va >= ones, either(t1sz > 0, negate(low)))
    tsz, base = choose(high, t1sz, t0sz), choose(high, regime.ttbr1, regime.ttbr0)
    disabled = choose(high, bit(regime.ttbcr, EPD1), bit(regime.ttbcr, EPD0))
    present = every(either(low, high), disabled == 0)
    first = first_table(bits(base, 39, 0), select(SIZES, tsz), choose(tsz > 1, 2, 1))
    return Region(choose(present, 1, 0), first, choose(high, clear(va, ones), va))


@rule(arm("B3.7.1"), arm("B3.7.2"), arm("B3.6.1"))
def rights(regime: Regime, privileged: U1, descriptor: U64, tables: U64) -> U3:
    """What the descriptor and the hierarchical attributes of the tables above it allow at this privilege."""
    user = bit(descriptor, 6) & (bit(tables, 61) ^ 1)
    writable = (bit(descriptor, 7) | bit(tables, 62)) ^ 1
    read, write = privileged | user, (privileged | user) & writable
    xn = bit(descriptor, 54) | bit(tables, 60) | (privileged & (bit(descriptor, 53) | bit(tables, 59)))
    xn = xn | never_executed(regime.sctlr, privileged, write, user & writable)
    return allowed(read, write, read & (xn ^ 1))


@rule(arm("B3.8.3"), arm("B4.1.104"))
def memory_attribute(regime: Regime, index: U3) -> U8:
    """The byte of MAIR0 and MAIR1 that AttrIndx[2:0] names."""
    register = choose(index > 3, regime.mair1, regime.mair0)
    low, high = bits(register, 15, 0), bits(register, 31, 16)
    half = choose(bit(index, 1) == 1, high, low)
    return choose(bit(index, 0) == 1, bits(half, 15, 8), bits(half, 7, 0))


@rule(arm("B3.6.6"), arm("B3.6.1"), arm("B3.13.5"))
def walk(memory: Memory, regime: Regime, va: U32, access: Access, locate: Locate | None) -> Stage1:
    """What the long-descriptor format makes of a virtual address."""
    chosen = region(regime, va)
    if chosen.present == 0:
        return own_fault(FaultStatus.TRANSLATION_1, 1)
    level, descriptor, tables, unread = descend(memory, chosen.first, chosen.address, locate)
    if unread is not None:
        return walk_fault(unread.located, unread.address)
    allows = rights(regime, access.privileged, descriptor, tables)
    return mapped(regime, level, descriptor, chosen.address, allows)


@rule(arm("B3.6.1"), arm("B3.13.5"))
def mapped(regime: Regime, level: U2, descriptor: U64, address: U32, allows: U3) -> Stage1:
    """What the last descriptor makes of an address in its region, for which the rights are known."""
    return Stage1(
        leaf_status(level, descriptor),
        level,
        0,
        output_address(level, descriptor, address),
        allows,
        memory_attribute(regime, bits(descriptor, 4, 2)),
        bits(descriptor, 9, 8),
        bit(descriptor, 11),
    )
