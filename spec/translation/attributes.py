"""Memory attributes: type, cacheability and shareability, as each stage states them, and as two stages combine.

An UNPREDICTABLE encoding takes a stated meaning and is marked, so that a property can ask that none is ever used.

Not modelled: the transient hint, an IMPLEMENTATION DEFINED reading of MAIR that changes only how long a line is cached,
and AMAIR, which the Cortex-A15 ignores; no property depends on them.
"""

from enum import IntEnum

from attrs import frozen

from spec.citations import arm, rule
from spec.words import U1, U2, U4, U8, bit, bits, choose, either, every, member, negate


class MemoryType(IntEnum):
    """The memory types, strictest first."""

    STRONGLY_ORDERED = 0
    DEVICE = 1
    NORMAL = 2


class Cacheability(IntEnum):
    """How Normal memory may be cached, least first, encoded as in stage 2 descriptors; 0 for any other type."""

    NONE = 0
    NON_CACHEABLE = 1
    WRITE_THROUGH = 2
    WRITE_BACK = 3


class Shareability(IntEnum):
    """The observers for which accesses are coherent, encoded as in descriptors; 1 is UNPREDICTABLE."""

    NON_SHAREABLE = 0
    OUTER_SHAREABLE = 2
    INNER_SHAREABLE = 3


@frozen
class Attributes:
    """The attributes of a location: a `MemoryType`, two `Cacheability` with their hints, a `Shareability`."""

    type: U2
    outer: U2
    outer_hints: U2
    """Allocation on reads (bit 1) and on writes (bit 0)."""
    inner: U2
    inner_hints: U2
    shareability: U2
    unpredictable: U1
    """1 where the encoding is UNPREDICTABLE and this is the meaning that was taken."""


@rule(arm("B3.6.2"), arm("B3.8.3"))
def stage2_attributes(memattr: U4, sh: U2) -> Attributes:
    """What MemAttr[3:0] and SH[1:0] of a stage 2 block or page state; stage 2 has no allocation hints.

    The UNPREDICTABLE encodings are taken as Strongly-ordered, Non-cacheable and Outer Shareable.
    """
    outer, inner = bits(memattr, 3, 2), bits(memattr, 1, 0)
    normal = outer > 0
    kind = choose(normal, MemoryType.NORMAL, choose(inner == 1, MemoryType.DEVICE, MemoryType.STRONGLY_ORDERED))
    cached = choose(normal, choose(inner == 0, Cacheability.NON_CACHEABLE, inner), Cacheability.NONE)
    unpredictable = either(every(normal, inner == 0), every(negate(normal), inner > 1), sh == 1)
    return Attributes(kind, outer, 0, cached, 0, _shared(kind, outer, cached, sh), choose(unpredictable, 1, 0))


@rule(arm("B4.1.104"), arm("B3.8.3"))
def mair_attributes(attr: U8, sh: U2) -> Attributes:
    """What a byte of MAIR or HMAIR and SH[1:0] state; UNPREDICTABLE encodings are taken as in `stage2_attributes`."""
    high, low = bits(attr, 7, 4), bits(attr, 3, 0)
    normal = high > 0
    kind = choose(normal, MemoryType.NORMAL, choose(low == 4, MemoryType.DEVICE, MemoryType.STRONGLY_ORDERED))
    outer, inner = (choose(normal, mair_cacheability(nibble), Cacheability.NONE) for nibble in (high, low))
    outer_hints, inner_hints = (choose(every(normal, nibble > 4), bits(nibble, 1, 0), 0) for nibble in (high, low))
    unpredictable = either(every(normal, low == 0), every(negate(normal), negate(member(low, (0, 4)))), sh == 1)
    shared = _shared(kind, outer, inner, sh)
    return Attributes(kind, outer, outer_hints, inner, inner_hints, shared, choose(unpredictable, 1, 0))


@rule(arm("B4.1.104"))
def mair_cacheability(nibble: U4) -> U2:
    """The `Cacheability` that one half of a MAIR byte states for Normal memory; the transient forms count as others."""
    cached = choose(bit(nibble, 2) == 1, Cacheability.WRITE_BACK, Cacheability.WRITE_THROUGH)
    return choose(member(nibble, (0, 4)), Cacheability.NON_CACHEABLE, cached)


@rule(arm("B4.1.104"), arm("B4.1.112"))
def mair_byte(attributes: Attributes) -> U8:
    """The attributes' type and cacheability encoded as in MAIR, which is how PAR reports them."""
    high = _mair_half(attributes.outer, attributes.outer_hints)
    low = _mair_half(attributes.inner, attributes.inner_hints)
    device = choose(attributes.type == MemoryType.DEVICE, 4, 0)
    return choose(attributes.type == MemoryType.NORMAL, (high << 4) | low, device)


def _mair_half(cacheability: U2, hints: U2) -> U4:
    cached = choose(cacheability == Cacheability.WRITE_BACK, 0b1100, 0b1000) | hints
    return choose(cacheability == Cacheability.NON_CACHEABLE, 0b0100, cached)


@rule(arm("B3.8.3"), arm("B3.6.7"))
def combined(first: Attributes, second: Attributes) -> Attributes:
    """The attributes of a location that both stages map: of each the stricter, with the hints of stage 1."""
    kind, outer = _least(first.type, second.type), _least(first.outer, second.outer)
    inner = _least(first.inner, second.inner)
    # Of two shareabilities Outer is the widest, then Inner; their encodings are 2 and 3.
    wide = either(first.shareability == 2, second.shareability == 2)
    sh = choose(wide, Shareability.OUTER_SHAREABLE, first.shareability | second.shareability)
    outer_hints = choose(outer > Cacheability.NON_CACHEABLE, first.outer_hints, 0)
    inner_hints = choose(inner > Cacheability.NON_CACHEABLE, first.inner_hints, 0)
    unpredictable = first.unpredictable | second.unpredictable
    return Attributes(kind, outer, outer_hints, inner, inner_hints, _shared(kind, outer, inner, sh), unpredictable)


def _least(a: U2, b: U2) -> U2:
    return choose(a < b, a, b)


def _shared(kind: U2, outer: U2, inner: U2, sh: U2) -> U2:
    """Uncached memory is Outer Shareable, whatever the descriptor says."""
    cached = either(outer > Cacheability.NON_CACHEABLE, inner > Cacheability.NON_CACHEABLE)
    stated = every(kind == MemoryType.NORMAL, cached, negate(sh == 1))
    return choose(stated, sh, Shareability.OUTER_SHAREABLE)
