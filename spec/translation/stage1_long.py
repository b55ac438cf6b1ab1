"""Stage 1 with TTBCR.EAE = 1: the long-descriptor format of PL1 and PL0.

Not modelled: the NS bits, which Non-secure translation ignores; TTBCR's cacheability and shareability of the walk.
"""

from spec.citations import arm, rule
from spec.sparse import Memory
from spec.translation.descriptors import (
    FirstTable,
    Locate,
    descend,
    leaf_status,
    output_address,
)
from spec.translation.stage1 import Access, Regime, Stage1, never_executed, new_stage1, walk_fault
from spec.words import U1, U2, U3, U32, U64, choose, select


@rule(arm("B3.6.4"), arm("B3.6.5"))
def region(regime: Regime, va: U32) -> tuple[FirstTable, U32]:
    """The first table for an address, which covers nothing where no region has it, and its place in the region."""
    split = regime.regions
    found = choose(va >= split.start, split.high, split.low)
    return found.table, va & found.place


@rule(arm("B3.7.1"), arm("B3.7.2"), arm("B3.6.1"))
def rights(regime: Regime, privileged: U1, descriptor: U64, tables: U64) -> U3:
    """What the descriptor and the hierarchical attributes of the tables above it allow at this privilege."""
    ap, hierarchy = descriptor >> 6 & 3, tables >> 59
    aptable, xn_pxn = hierarchy >> 2 & 3, (descriptor >> 53 | hierarchy) & 3
    user, writable = ap & (aptable ^ 1) & 1, ((ap | aptable) >> 1) ^ 1
    read = privileged | user
    write = read & writable
    never = never_executed(regime, privileged, write, user & writable)
    never = never | (xn_pxn >> 1) | (xn_pxn & privileged)
    return read | (write << 1) | ((read & (never ^ 1)) << 2)


@rule(arm("B3.6.6"), arm("B3.6.1"), arm("B3.13.5"))
def walk(memory: Memory, regime: Regime, va: U32, access: Access, locate: Locate | None) -> Stage1:
    """What the long-descriptor format makes of a virtual address."""
    first, address = region(regime, va)
    level, descriptor, tables, unread = descend(memory, first, address, locate)
    if unread is not None:
        return walk_fault(unread.status, unread.address)
    allows = rights(regime, access.privileged, descriptor, tables)
    return mapped(regime, level, descriptor, address, allows)


@rule(arm("B3.6.1"), arm("B3.6.2"), arm("B4.1.104"), arm("B3.13.5"))
def mapped(regime: Regime, level: U2, descriptor: U64, address: U32, allows: U3) -> Stage1:
    """What the last descriptor makes of an address in its region, for which the rights are known."""
    return new_stage1(
        leaf_status(level, descriptor),
        level,
        0,
        output_address(level, descriptor, address),
        allows,
        select(regime.mair, descriptor >> 2 & 7),
        descriptor >> 8 & 3,
        descriptor >> 11 & 1,
    )
