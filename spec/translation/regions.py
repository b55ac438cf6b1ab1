"""The two regions of virtual addresses with long descriptors: which addresses TTBR0 and TTBR1 translate, by TTBCR.

A region is described once for a setting of the registers, because software sets them far more rarely than it walks.
"""

from typing import Annotated

from attrs import frozen

from spec.citations import arm, rule
from spec.translation.descriptors import FirstTable, first_table
from spec.words import U1, U3, U32, U64, Width, bit, bits, choose, inv, mask, select

U33 = Annotated[int, Width(33)]

SIZES = tuple(1 << (32 - size) for size in range(8))
"""How many addresses a region covers, by TTBCR.T0SZ or T1SZ."""
ONES = tuple((1 << 32) - size for size in SIZES)
"""The address bits that are all ones in the region of TTBR1, by T1SZ."""
EPD0, EPD1 = 7, 23
NO_TABLE = FirstTable(1, 0, 0)
"""What covers no address."""


@frozen
class Region:
    """The addresses of one base register."""

    place: U32
    """The bits of an address that are its place in the region."""
    table: FirstTable
    """The first table, which covers nothing where walks are disabled, and never more than the region."""


@frozen
class Regions:
    """The regions of TTBR0 and TTBR1; an address of neither is one that TTBR0's table does not cover."""

    start: U33
    """The first address of TTBR1's region."""
    low: Region
    high: Region


@rule(arm("B3.6.4"), arm("B3.6.5"), arm("B4.1.153"))
def regions(ttbcr: U32, ttbr0: U64, ttbr1: U64) -> Regions:
    """The regions by TTBCR.T0SZ and T1SZ; TTBR1 has what TTBR0 has not where T1SZ is 0, and what both could have."""
    t0sz, t1sz = bits(ttbcr, 2, 0), bits(ttbcr, 18, 16)
    ones = select(ONES, t1sz)
    return Regions(
        start=choose(t1sz == 0, select(SIZES, t0sz), ones),
        low=Region(mask(32), tables(ttbr0, t0sz, bit(ttbcr, EPD0))),
        high=Region(inv(ones, 32), tables(ttbr1, t1sz, bit(ttbcr, EPD1))),
    )


@rule(arm("B3.6.4"), arm("B3.6.5"))
def tables(ttbr: U64, tsz: U3, disabled: U1) -> FirstTable:
    """The first table of a region: with 2 ** 30 addresses or fewer the descent begins at level 2."""
    first = first_table(bits(ttbr, 39, 0), select(SIZES, tsz), choose(tsz > 1, 2, 1))
    return choose(disabled == 1, NO_TABLE, first)
