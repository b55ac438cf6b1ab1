"""List registers: the words with which a hypervisor hands virtual interrupts to the virtual CPU interface.

A word is taken apart by one function for each field and built by `software` or `hardware`. What a field means that the
other form of list register does not have is for the caller to know: `cpu_id` and `eoi` read bits of `physical_id`.

Not modelled: bits [18:13] and [22:20], which are reserved, are stored as written where a write keeps them at all and
mean nothing, so no property sees software that relies on them.
"""

from enum import IntEnum

from spec.citations import gic, rule
from spec.gic.state import U10
from spec.words import U1, U2, U3, U5, U32, bit, bits, choose, clear, either, every, implies, insert

SGIS, PPIS_END, SPIS_END = 16, 32, 1020
"""The ends of the numbers of SGIs, PPIs and SPIs."""
EOI, GROUP1, HW = 19, 30, 31
"""Single bits of a list register."""
PENDING_BIT, ACTIVE_BIT = 1 << 28, 1 << 29
"""The two bits of the state."""
WRITABLE = 0xFF8FFFFF
"""What a write to a list register stores."""


class ListState(IntEnum):
    """The state of the interrupt in a list register."""

    INVALID = 0
    PENDING = 1
    ACTIVE = 2
    ACTIVE_AND_PENDING = 3


@rule(gic("5.3.8"))
def virtual_id(lr: U32) -> U10:
    """The number that the guest sees."""
    return bits(lr, 9, 0)


@rule(gic("5.3.8"))
def physical_id(lr: U32) -> U10:
    """The physical interrupt that the guest's EOI deactivates; only where `hw` is 1."""
    return bits(lr, 19, 10)


@rule(gic("5.3.8"))
def cpu_id(lr: U32) -> U3:
    """The processor that an SGI came from; only where `hw` is 0 and the number is an SGI's."""
    return bits(lr, 12, 10)


@rule(gic("5.3.8"))
def eoi(lr: U32) -> U1:
    """1 where the end of the interrupt asks for a maintenance interrupt; only where `hw` is 0."""
    return bit(lr, EOI)


@rule(gic("5.3.8"))
def priority(lr: U32) -> U5:
    """The upper five bits of the priority: 0 is the highest."""
    return bits(lr, 27, 23)


@rule(gic("5.3.8"))
def state(lr: U32) -> U2:
    """A `ListState`."""
    return bits(lr, 29, 28)


@rule(gic("5.3.8"))
def group(lr: U32) -> U1:
    """1 for Group 1."""
    return bit(lr, GROUP1)


@rule(gic("5.3.8"))
def hw(lr: U32) -> U1:
    """1 where the virtual interrupt stands for a physical one."""
    return bit(lr, HW)


@rule(gic("5.3.8"))
def software(number: U10, source: U3, at_end: U1, level: U5, status: U2, group1: U1) -> U32:
    """A list register that no physical interrupt is linked to: number, SGI source, EOI, priority, state and group."""
    return number | (source << 10) | (at_end << EOI) | (level << 23) | (status << 28) | (group1 << GROUP1)


@rule(gic("5.3.8"))
def hardware(number: U10, physical: U10, level: U5, status: U2, group1: U1) -> U32:
    """A list register linked to a physical interrupt: number, physical number, priority, state and group."""
    return number | (physical << 10) | (level << 23) | (status << 28) | (group1 << GROUP1) | (1 << HW)


@rule(gic("5.3.8"))
def with_state(lr: U32, status: U2) -> U32:
    """The list register with another state."""
    return insert(lr, 29, 28, status)


@rule(gic("5.3.8"), gic("3.2.4"))
def acknowledged(lr: U32) -> U32:
    """The list register behind an acknowledge: pending becomes active."""
    return clear(lr, PENDING_BIT) | ACTIVE_BIT


@rule(gic("5.3.8"), gic("3.2.4"))
def deactivated(lr: U32) -> U32:
    """The list register behind the end of its interrupt: active becomes invalid, active and pending becomes pending."""
    return clear(lr, ACTIVE_BIT)


@rule(gic("5.3.8"))
def legal(lr: U32) -> bool:
    """Whether the word has a meaning: what it names exists, and a linked one is not active and pending."""
    number, linked = virtual_id(lr), hw(lr) == 1
    named = every(
        number < SPIS_END,
        implies(linked, every(physical_id(lr) >= SGIS, physical_id(lr) < SPIS_END)),
        implies(linked, state(lr) < ListState.ACTIVE_AND_PENDING),
        either(linked, number < SGIS, cpu_id(lr) == 0),
    )
    return either(state(lr) == ListState.INVALID, named)


@rule(gic("5.3.8"), gic("5.5.4"))
def interrupt_id(lr: U32) -> U32:
    """What GICV_IAR shows of the interrupt: its number, and in bits [12:10] the source of an SGI."""
    source = choose(every(hw(lr) == 0, virtual_id(lr) < SGIS), cpu_id(lr), 0)
    return virtual_id(lr) | (source << 10)
