"""The long-descriptor format: what a table's entry says at each level, and the descent through the tables.

One descent serves stage 1, stage 2 and the Hyp regime: they differ in where it begins (`FirstTable`), in how an entry's
address becomes a physical one, and in what the attribute fields of the last descriptor mean.

Not modelled: big-endian walks (SCTLR.EE and HSCTLR.EE count as 0), so nothing is said about guests that use them;
external aborts on a walk; the Contiguous bit, a hint; descriptor bits [47:40], which ARMv7 ignores.
"""

from collections.abc import Callable
from typing import Annotated

from attrs import frozen

from spec.citations import arm, rule
from spec.records import quick
from spec.sparse import Memory
from spec.syndrome import FaultStatus
from spec.words import U1, U2, U4, U6, U40, U64, Width, choose, clear, every, sub

U37 = Annotated[int, Width(37)]
"""The number of a doubleword in physical memory, or in intermediate physical memory: its address divided by 8."""
U41 = Annotated[int, Width(41)]

TABLE_ADDRESS = 0xFFFFFFF000
TRANSLATION, ACCESS_FLAG = FaultStatus.TRANSLATION_1 ^ 1, FaultStatus.ACCESS_FLAG_1 ^ 1
PERMISSION, DOMAIN = FaultStatus.PERMISSION_1 ^ 1, FaultStatus.DOMAIN_1 ^ 1
"""What a level is added to for the status of a fault of each kind."""
LOW = (0, 30, 21, 12)
"""The lowest bit of the input address, by level, that chooses an entry."""


@quick
@frozen
class FirstTable:
    """Where a descent begins."""

    level: U2
    """1 or 2."""
    key: U37
    """The doubleword at which the table, or the concatenated tables, begin."""
    size: U41
    """How many input addresses are covered, a power of two; 0 for none."""


Locate = Callable[[U40], tuple[U6, U40]]
"""Where a table's entry is in physical memory, by its intermediate physical address.

Gives 0 and the physical address, or the `FaultStatus` of the stage 2 fault, whose low two bits are its level.
"""


@frozen
class Unread:
    """A table's entry that could not be read: its address, and the `FaultStatus` that says why."""

    address: U40
    status: U6


@rule(arm("B3.6.5"), arm("B3.6.6"))
def first_table(base: U40, size: U41, level: U2) -> FirstTable:
    """The first table at a base register's address; address bits below the table's own size are ignored."""
    entries = choose(level == 1, size >> 30, size >> 21)
    return FirstTable(level, clear(base >> 3, sub(entries, 1, 37)), size)


@rule(arm("B3.6.6"), arm("B3.6.1"))
def descend(
    memory: Memory, first: FirstTable, address: U40, locate: Locate | None = None
) -> tuple[U2, U64, U64, Unread | None]:
    """The last descriptor of the descent for an input address.

    Gives its level, the descriptor, the disjunction of the table descriptors above it, and the entry that could not be
    read, if so. An address beyond the tables meets an invalid descriptor of level 1, wherever they begin. Where
    `locate` is None the tables are in physical memory.
    """
    if address >= first.size:
        return 1, 0, 0, None
    level, tables = 1 if first.level == 1 else 2, 0
    key = first.key | (address >> LOW[level])
    while True:
        if locate is not None:
            refused, pa = locate(key << 3)
            if refused != 0:
                return level, 0, tables, Unread(key << 3, refused)
            key = pa >> 3
        descriptor = memory.get(key)
        if level == 3 or descriptor & 3 != 3:
            return level, descriptor, tables, None
        tables = tables | descriptor
        level += 1
        key = ((descriptor & TABLE_ADDRESS) >> 3) | ((address >> LOW[level]) & 0x1FF)


@rule(arm("B3.6.1"))
def is_mapping(level: U2, descriptor: U64) -> bool:
    """Whether a descriptor maps something: it is a block or page at its level, and its access flag is set."""
    return descriptor & 0x403 == (0x403 if level == 3 else 0x401)


@rule(arm("B3.6.1"), arm("B3.13.5"))
def leaf_status(level: U2, descriptor: U64) -> U6:
    """0 where the last descriptor maps something, else the `FaultStatus`: Translation, or Access flag."""
    valid = descriptor & 3 == (3 if level == 3 else 1)
    return choose(is_mapping(level, descriptor), 0, choose(valid, ACCESS_FLAG, TRANSLATION) | level)


@rule(arm("B3.6.1"))
def output_address(level: U2, descriptor: U64, address: U40) -> U40:
    """Where a block or page descriptor maps an input address."""
    if level == 3:
        return (descriptor & 0xFFFFFFF000) | (address & 0xFFF)
    if level == 2:
        return (descriptor & 0xFFFFE00000) | (address & 0x1FFFFF)
    return (descriptor & 0xFFC0000000) | (address & 0x3FFFFFFF)


@rule(arm("B3.6.1"))
def is_table(level: U2, descriptor: U64) -> bool:
    """Whether a descriptor at this level points to a table of the next level."""
    return every(level < 3, descriptor & 3 == 3)


@rule(arm("B3.6.1"))
def table_address(descriptor: U64) -> U40:
    """The address of the table that a table descriptor points to."""
    return descriptor & TABLE_ADDRESS


@rule(arm("B3.6.1"))
def table_descriptor(address: U40) -> U64:
    """The descriptor of a table at a page-aligned address, with no hierarchical restriction."""
    return (address & TABLE_ADDRESS) | 3


@rule(arm("B3.6.2"))
def stage2_leaf(level: U2, pa: U40, memattr: U4, hap: U2, sh: U2, af: U1, xn: U1) -> U64:
    """The stage 2 block (levels 1 and 2) or page (level 3) descriptor for an address aligned to what it maps."""
    attributes = (xn << 54) | (af << 10) | (sh << 8) | (hap << 6) | (memattr << 2)
    return pa | attributes | choose(level == 3, 3, 1)
