"""Preemption levels: which interrupt may preempt which, and what the registers of active priorities remember.

A level is a group priority in units of 8: its number is bits [7:3] of a priority with the bits below the binary point
clear. Level 0 is the highest, and bit n of an active priorities register stands for level n.

Not modelled: interfaces with other than 5 bits of preemption, so no property depends on coarser or finer levels.
"""

from spec.citations import gic, rule
from spec.words import U1, U3, U5, U8, U32, bit, bits, choose, either, member, select, sub

IDLE = 0xFF
"""The running priority while nothing is active."""
LEVEL_BITS = tuple(1 << level for level in range(32))
GROUP0_LEVELS = (31, 31, 31, 30, 28, 24, 16, 0)
"""By binary point: what is left of bits [7:3] of a priority with GICC_BPR, which takes bits [7:b+1]."""
GROUP1_LEVELS = (31, 31, 31, 31, 30, 28, 24, 16)
"""By binary point: the same with GICC_ABPR, which takes bits [7:b]."""
WRITABLE_PRIORITY = 0xF8
"""The bits of a priority that the Cortex-A15 has."""
LEAST_BPR, LEAST_ABPR = 2, 3
"""The smallest binary points: those with which all five bits count."""


@rule(gic("3.3.3"), gic("3.5.2"))
def level(upper: U5, group1: U1, bpr: U3, abpr: U3, common: U1) -> U5:
    """The preemption level of a priority's bits [7:3]; `common` is CBPR, which lends BPR to Group 1."""
    own = choose(group1 & (common ^ 1) == 1, select(GROUP1_LEVELS, abpr), select(GROUP0_LEVELS, bpr))
    return upper & own


@rule(gic("4.4.12"))
def level_bit(number: U5) -> U32:
    """The bit of an active priorities register that stands for a level."""
    return select(LEVEL_BITS, number)


@rule(gic("4.4.12"))
def highest(active: U32) -> U32:
    """The bit of the highest active level, 0 where none is active."""
    return active & sub(0, active, 32)


@rule(gic("4.4.5"))
def dropped(active: U32) -> U32:
    """The active levels behind a priority drop: all but the highest."""
    return active ^ highest(active)


@rule(gic("3.3.3"))
def preempts(number: U5, active: U32) -> bool:
    """Whether an interrupt of a level is signalled while others are active."""
    return either(active == 0, level_bit(number) < highest(active))


@rule(gic("4.4.6"))
def running(active: U32) -> U8:
    """The running priority: that of the highest active level, IDLE where none is active."""
    found = IDLE
    for number in reversed(range(32)):
        found = choose(active & (1 << number) > 0, number << 3, found)
    return found


@rule(gic("4.4.5"), gic("3.3.3"))
def is_running(upper: U5, active: U32) -> bool:
    """Whether an interrupt's priority may be the highest active one, with whatever binary point it was acknowledged."""
    return member(highest(active), (level_bit(upper & kept) for kept in dict.fromkeys(GROUP0_LEVELS)))


@rule(gic("3.5.1"))
def nonsecure_view(priority: U8) -> U8:
    """A priority mask or running priority as Non-secure software reads it: one of the upper half is hidden as 0."""
    return choose(bit(priority, 7) == 1, nonsecure_priority(priority), 0)


@rule(gic("3.5.1"), gic("4.3.11"))
def nonsecure_priority(priority: U8) -> U8:
    """A priority of Group 1 as Non-secure software reads it."""
    return bits(priority, 6, 0) << 1


@rule(gic("3.5.1"), gic("4.3.11"))
def from_nonsecure(priority: U8) -> U8:
    """The priority that a Non-secure write stands for: one of the lower half."""
    return 0x80 | (priority >> 1)
