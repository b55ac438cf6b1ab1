"""Stage 2: from intermediate physical to physical addresses, under the control of Hyp mode.

`walk` is the whole stage: a `Stage2` either faults (its status is not 0) or maps the address. `permits` then says
whether an access may be made. The stage knows nothing of privilege: PL1 and PL0 have the same rights.

Not modelled: what `spec.translation.descriptors` leaves out; VTCR's cacheability and shareability of the walk itself,
so no property sees a walk that misses what a cache holds.
"""

from attrs import frozen

from spec.citations import arm, rule
from spec.records import maker, quick
from spec.sparse import Memory
from spec.translation.attributes import Attributes, stage2_attributes
from spec.translation.descriptors import (
    PERMISSION,
    U41,
    FirstTable,
    descend,
    first_table,
    is_mapping,
    leaf_status,
    output_address,
)
from spec.translation.stage1 import needed, refused
from spec.words import U1, U2, U3, U6, U32, U40, U64, bit, bits, choose, every, select

SIZES_FROM_1 = (1 << 32, 1 << 31, *(0,) * 6, *(1 << width for width in range(40, 32, -1)))
"""How many addresses stage 2 covers by VTCR.T0SZ where it begins at level 1; 0 for an illegal T0SZ."""
SIZES_FROM_2 = (*(1 << width for width in range(32, 24, -1)), *(0,) * 6, 1 << 34, 1 << 33)
"""The same where it begins at level 2."""


@quick
@frozen
class Stage2:
    """What stage 2 makes of an intermediate physical address."""

    status: U6
    """0 where it is mapped, else the `FaultStatus`."""
    level: U2
    """The level of the last descriptor."""
    pa: U40
    """The physical address, meaningful where the status is 0."""
    descriptor: U64
    """The last descriptor, from which the rest is read; 0 where there is none."""

    @property
    def readable(self) -> U1:
        """HAP[1]: 1 where reads are permitted."""
        return bit(self.descriptor, 6)

    @property
    def writable(self) -> U1:
        """HAP[2]: 1 where writes are permitted."""
        return bit(self.descriptor, 7)

    @property
    def executable(self) -> U1:
        """1 where instructions may be fetched: XN is 0 and reads are permitted."""
        return bit(self.allows, 2)

    @property
    def allows(self) -> U3:
        """What may be done, as READ, WRITE and EXECUTE of `spec.translation.stage1`."""
        return stage2_rights(self.descriptor)

    @property
    def strict(self) -> bool:
        """Whether stage 2 makes the memory Device or Strongly-ordered."""
        return self.descriptor & 0x30 == 0

    @property
    def attributes(self) -> Attributes:
        """What stage 2 says of the memory."""
        return stage2_attributes(bits(self.descriptor, 5, 2), bits(self.descriptor, 9, 8))


new_stage2 = maker(Stage2)


@rule(arm("B3.7.1"), arm("B3.6.2"))
def stage2_rights(descriptor: U64) -> U3:
    """What HAP and XN of a descriptor allow; what may not be read may not be executed."""
    hap, xn = descriptor >> 6 & 3, descriptor >> 52 & 4
    return hap | ((xn ^ 4) & (hap << 2))


@rule(arm("B4.1.159"), arm("B3.6.6"))
def covered(vtcr: U32) -> U41:
    """How many intermediate physical addresses stage 2 covers: 2 ** (32 - T0SZ), with T0SZ from -8 to 7.

    A start level that T0SZ does not allow, a reserved SL0 and an S that is not T0SZ's sign are UNPREDICTABLE: nothing
    is covered.
    """
    t0sz, start = bits(vtcr, 3, 0), bits(vtcr, 7, 6)
    size = choose(start == 1, select(SIZES_FROM_1, t0sz), select(SIZES_FROM_2, t0sz))
    return choose(every(start < 2, bit(vtcr, 4) == bit(vtcr, 3)), size, 0)


@rule(arm("B3.6.6"), arm("B4.1.159"), arm("B4.1.160"))
def stage2_table(vttbr: U64, vtcr: U32) -> FirstTable:
    """Where stage 2 begins: up to sixteen concatenated tables at VTTBR.BADDR, at level 1 or 2 by VTCR.SL0."""
    return first_table(bits(vttbr, 39, 0), covered(vtcr), choose(bits(vtcr, 7, 6) == 1, 1, 2))


@rule(arm("B3.6.6"), arm("B3.6.1"))
def translated(memory: Memory, first: FirstTable, ipa: U40) -> Stage2:
    """What the tables from `first` on make of an address."""
    level, descriptor, _, _ = descend(memory, first, ipa)
    return new_stage2(leaf_status(level, descriptor), level, output_address(level, descriptor, ipa), descriptor)


@rule(arm("B3.6.6"), arm("B3.6.1"))
def walk(memory: Memory, vttbr: U64, vtcr: U32, ipa: U40) -> Stage2:
    """What stage 2 makes of an intermediate physical address."""
    return translated(memory, stage2_table(vttbr, vtcr), ipa)


@rule(arm("B3.7.1"), arm("B3.8.1"), arm("B3.13.5"))
def permits(second: Stage2, write: U1, fetch: U1) -> U6:
    """0 where an access to what stage 2 maps is permitted, else the `FaultStatus` of the permission fault."""
    return refused(stage2_rights(second.descriptor), second.level, needed(write, fetch))


@rule(arm("B3.7.1"), arm("B4.1.65"))
def table_read(memory: Memory, first: FirstTable, protected: U1, ipa: U40) -> tuple[U6, U40]:
    """Where stage 2 has a descriptor of stage 1: 0 and its physical address, or the `FaultStatus` if it refuses a read.

    `protected` is HCR.PTW, under which tables in Device or Strongly-ordered memory are a permission fault.
    """
    level, descriptor, _, _ = descend(memory, first, ipa)
    if not is_mapping(level, descriptor):
        return leaf_status(level, descriptor), 0
    if descriptor & 0x40 == 0 or (protected == 1 and descriptor & 0x30 == 0):
        return PERMISSION | level, 0
    return 0, output_address(level, descriptor, ipa)
