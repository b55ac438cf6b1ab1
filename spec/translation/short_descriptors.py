"""The short-descriptor format: 32-bit entries of two levels, and what they say.

The first level maps sections (1 MB) and supersections (16 MB, to 40-bit addresses) or points to a table of the second,
which maps large (64 KB) and small (4 KB) pages. All four are read into one record, `ShortLeaf`. Memory attributes are
stated as in MAIR, so that one rule reads both formats.

Not modelled: the NS bits, which Non-secure translation ignores; big-endian tables; the hardware-managed access flag,
which the Cortex-A15 lacks. Nothing is said about guests that use them.
"""

from attrs import frozen

from spec.citations import arm, rule
from spec.records import maker, quick
from spec.translation.attributes import Shareability
from spec.translation.descriptors import ACCESS_FLAG, TRANSLATION
from spec.words import U1, U2, U3, U4, U5, U6, U8, U32, U40, U64, bit, bits, choose, clear, fields, select

REGIONS = tuple(((1 << n) - 1) << (32 - n) for n in range(8))
"""By TTBCR.N, the bits of an address that are zero where TTBR0 translates it."""
BASES = tuple(0x100000000 - (1 << (14 - n)) for n in range(8))
"""By TTBCR.N, the bits of TTBR0 that are the address of the first-level table."""
INDEXES = tuple((1 << (14 - n)) - 4 for n in range(8))
"""By TTBCR.N, the bits of a first-level entry's address that come from the input address."""
PD0, PD1 = 4, 5
"""Bits of TTBCR that forbid walks by TTBR0 and TTBR1."""

INVALID, TABLE, LARGE_PAGE = 0, 1, 1
"""Bits [1:0] of descriptors: 0 is invalid at both levels, 1 a table at the first and a large page at the second.

Where bit 1 is set, the entry is a section or a small page, and bit 0 forbids execution.
"""
SECTION = fields("15,11:10", "14:12,3:2", "16", "17", "4", "0", "8:5")
"""AP[2:0], TEX:C:B, S, nG, XN, PXN and the domain of a section."""
SMALL = fields("9,5:4", "8:6,3:2", "10", "11", "0")
"""AP[2:0], TEX:C:B, S, nG and XN of a small page."""
LARGE = fields("9,5:4", "14:12,3:2", "10", "11", "15")
"""The same of a large page."""

HALVES = (0b0100, 0b1111, 0b1010, 0b1110)
"""How a half of a MAIR byte states Non-cacheable, Write-Back allocating, Write-Through, and Write-Back memory."""
CLIENT, MANAGER = 1, 3
"""Fields of DACR: permissions are checked, or not; any other value gives no access."""
STRONGLY_ORDERED, DEVICE, RESERVED = 0x00, 0x04, 0x01
"""Bytes of MAIR; the last is UNPREDICTABLE there as well."""
DEFAULT_BYTES = (
    STRONGLY_ORDERED, DEVICE, 0xAA, 0xEE,
    0x44, RESERVED, RESERVED, 0xFF,
    DEVICE, RESERVED, RESERVED, RESERVED,
    RESERVED, RESERVED, RESERVED, RESERVED,
    *((outer << 4) | inner for outer in HALVES for inner in HALVES),
)  # fmt: skip
"""The memory that TEX:C:B states without TEX remap, as a byte of MAIR.

A reserved or IMPLEMENTATION DEFINED encoding is taken as Strongly-ordered, and marked by an UNPREDICTABLE byte.
"""


@quick
@frozen
class ShortLeaf:
    """What a section, supersection, large or small page says."""

    pa: U40
    """The output address, with the offset of the input address."""
    ap: U3
    texcb: U5
    """TEX[2:0], C, B."""
    s: U1
    ng: U1
    xn: U1
    pxn: U1
    domain: U4


new_leaf = maker(ShortLeaf)


@frozen
class FirstLevel:
    """A first-level table."""

    base: U32
    index: U32
    """The bits of an entry's address that come from the input address."""
    disabled: U1
    """1 where TTBCR forbids the walk."""


@frozen
class ShortRegions:
    """Which addresses TTBR0 and TTBR1 translate, for a setting of the registers."""

    ones: U32
    """The bits of an address that are zero where TTBR0 translates it."""
    low: FirstLevel
    high: FirstLevel


@rule(arm("B3.5.4"), arm("B4.1.153"), arm("B4.1.154"), arm("B4.1.155"))
def short_regions(ttbcr: U32, ttbr0: U64, ttbr1: U64) -> ShortRegions:
    """The regions by TTBCR.N: TTBR0's shrinks with its table, and a table of TTBR1 always has 4096 entries."""
    n = bits(ttbcr, 2, 0)
    return ShortRegions(
        ones=select(REGIONS, n),
        low=FirstLevel(ttbr0 & select(BASES, n), select(INDEXES, n), bit(ttbcr, PD0)),
        high=FirstLevel(ttbr1 & BASES[0], INDEXES[0], bit(ttbcr, PD1)),
    )


@rule(arm("B3.5.4"), arm("B4.1.153"))
def first_level(regions: ShortRegions, va: U32) -> FirstLevel:
    """The table for an address: TTBR1's where TTBCR.N is not 0, and neither are the top N bits of the address."""
    return choose(va & regions.ones > 0, regions.high, regions.low)


@rule(arm("B3.5.5"))
def first_entry(table: FirstLevel, va: U32) -> U32:
    """The address of the first-level descriptor."""
    return table.base | (va >> 18 & table.index)


@rule(arm("B3.5.5"))
def second_entry(first: U32, va: U32) -> U32:
    """The address of the second-level descriptor below a table descriptor."""
    return clear(first, 0x3FF) | (bits(va, 19, 12) << 2)


@rule(arm("A3.2.1"))
def word_at(doubleword: U64, address: U40) -> U32:
    """The 32-bit word at a word-aligned address, out of the doubleword that contains it."""
    return choose(address & 4 > 0, doubleword >> 32, doubleword & 0xFFFFFFFF)


@rule(arm("B3.5.1"))
def section(first: U32, va: U32) -> ShortLeaf:
    """What a section or supersection descriptor says; a supersection is of domain 0 and has a 40-bit address."""
    ap, texcb, s, ng, xn, pxn, domain = SECTION(first)
    pa = (first & 0xFFF00000) | (va & 0xFFFFF)
    if bit(first, 18) == 1:
        high = (bits(first, 23, 20) << 32) | (domain << 36)
        pa, domain = high | (first & 0xFF000000) | (va & 0xFFFFFF), 0
    return new_leaf(pa, ap, texcb, s, ng, xn, pxn, domain)


@rule(arm("B3.5.1"))
def page(first: U32, second: U32, va: U32) -> ShortLeaf:
    """What a large or small page descriptor says below its table descriptor, which holds PXN and the domain."""
    pa, described = (second & 0xFFFFF000) | (va & 0xFFF), SMALL
    if second & 3 == LARGE_PAGE:
        pa, described = (second & 0xFFFF0000) | (va & 0xFFFF), LARGE
    ap, texcb, s, ng, xn = described(second)
    return new_leaf(pa, ap, texcb, s, ng, xn, pxn=bit(first, 2), domain=bits(first, 8, 5))


@rule(arm("B3.8.2"))
def default_shareability(s: U1) -> U2:
    """The `Shareability` that the S bit states for Normal memory without TEX remap."""
    return choose(s == 1, Shareability.OUTER_SHAREABLE, Shareability.NON_SHAREABLE)


@rule(arm("B3.8.3"), arm("B4.1.127"), arm("B4.1.110"))
def remapped_bytes(prrr: U32, nmrr: U32) -> tuple[U8, ...]:
    """The memory of the regions 0 to 7 under TEX remap, as bytes of MAIR; a region is TEX[0], C, B."""
    found = []
    for n in range(8):
        inner = select(HALVES, bits(nmrr, 2 * n + 1, 2 * n))
        outer = select(HALVES, bits(nmrr, 2 * n + 17, 2 * n + 16))
        kinds = (STRONGLY_ORDERED, DEVICE, (outer << 4) | inner, RESERVED)
        found.append(select(kinds, bits(prrr, 2 * n + 1, 2 * n)))
    return tuple(found)


@rule(arm("B3.8.3"), arm("B4.1.127"))
def remapped_shareabilities(prrr: U32) -> tuple[U2, ...]:
    """The `Shareability` of Normal memory under TEX remap, of region n without the S bit at 2n and with it at 2n + 1.

    PRRR.NS0 and NS1 say by the S bit whether memory is shared, and NOSn whether region n is then Inner Shareable.
    """
    shared = (bit(prrr, 18) << 1, bit(prrr, 19) << 1)
    return tuple(two | ((two >> 1) & bit(prrr, 24 + n)) for n in range(8) for two in shared)


@rule(arm("B3.7.3"), arm("B4.1.43"))
def domain_fields(dacr: U32) -> tuple[U2, ...]:
    """The fields of DACR by domain: `CLIENT`, `MANAGER`, or no access, as which the reserved value 2 is taken."""
    return tuple(bits(dacr, 2 * n + 1, 2 * n) for n in range(16))


@rule(arm("B3.5.1"), arm("B3.7.1"), arm("B3.13.5"))
def short_leaf_status(level: U2, descriptor: U32, ap: U3, access_flag: U1) -> U6:
    """0 where the last descriptor maps something, else the `FaultStatus`: Translation, or Access flag.

    `access_flag` is SCTLR.AFE, under which AP[0] is the access flag.
    """
    unused = choose(access_flag & (ap ^ 1) == 1, ACCESS_FLAG | level, 0)
    return choose(descriptor & 3 == INVALID, TRANSLATION | level, unused)
