"""Modes, privilege and the fields of CPSR and SPSR."""

from enum import IntEnum

from spec.citations import arm, rule
from spec.words import U1, U4, U5, U8, U32, bit, bits, choose, clear, either, every, member, negate, select


class Mode(IntEnum):
    """CPSR.M encodings that the processor accepts in Non-secure state."""

    USR = 0b10000
    FIQ = 0b10001
    IRQ = 0b10010
    SVC = 0b10011
    ABT = 0b10111
    HYP = 0b11010
    UND = 0b11011
    SYS = 0b11111


PL1_MODES = (Mode.FIQ, Mode.IRQ, Mode.SVC, Mode.ABT, Mode.UND, Mode.SYS)
GUEST_MODES = (Mode.USR, *PL1_MODES)

T_BIT, F_BIT, I_BIT, A_BIT, E_BIT, J_BIT = 5, 6, 7, 8, 9, 24
FIELDS = (
    ("N", 31, 31), ("Z", 30, 30), ("C", 29, 29), ("V", 28, 28), ("Q", 27, 27), ("IT[1:0]", 26, 25), ("J", 24, 24),
    ("GE", 19, 16), ("IT[7:2]", 15, 10), ("E", 9, 9), ("A", 8, 8), ("I", 7, 7), ("F", 6, 6), ("T", 5, 5), ("M", 4, 0),
)  # fmt: skip
RESERVED = 0x00F00000


@rule(arm("B1.3.1"))
def mode(cpsr: U32) -> U5:
    """The mode field M[4:0] of a program status register."""
    return cpsr & 0x1F


@rule(arm("B1.3.1"))
def is_user(cpsr: U32) -> bool:
    """Whether the mode is PL0."""
    return mode(cpsr) == Mode.USR


@rule(arm("B1.3.1"))
def is_hyp(cpsr: U32) -> bool:
    """Whether the mode is Hyp, the only PL2 mode."""
    return mode(cpsr) == Mode.HYP


@rule(arm("B1.3.1"))
def is_pl1(cpsr: U32) -> bool:
    """Whether the mode is one of the Non-secure PL1 modes."""
    return member(mode(cpsr), PL1_MODES)


@rule(arm("B1.3.3"))
def it_state(cpsr: U32) -> U8:
    """The IT[7:0] state, which CPSR holds in two pieces."""
    return ((cpsr >> 8) & 0xFC) | ((cpsr >> 25) & 3)


@rule(arm("B1.3.3"))
def with_it(cpsr: U32, it: U8) -> U32:
    """The program status register with its IT[7:0] state replaced."""
    return clear(cpsr, 0x0600FC00) | ((it & 0xFC) << 8) | ((it & 3) << 25)


@rule(arm("A2.5.2"))
def advance_it(cpsr: U32) -> U32:
    """The program status register after one instruction of an IT block; outside a block it is unchanged."""
    it = it_state(cpsr)
    shifted = (it & 0xE0) | ((it << 1) & 0x1F)
    return with_it(cpsr, choose(bits(it, 2, 0) == 0, 0, shifted))


@rule(arm("A8.3.1"))
def condition_holds(condition: U4, cpsr: U32) -> bool:
    """Whether the condition code passes against the N, Z, C and V flags; 0b1110 and 0b1111 always pass."""
    n, z, c, v = bit(cpsr, 31) == 1, bit(cpsr, 30) == 1, bit(cpsr, 29) == 1, bit(cpsr, 28) == 1
    signed_at_least, different = negate(n ^ v), negate(z)
    kind = condition >> 1
    base = select((z, c, n, v, c & different, signed_at_least, signed_at_least & different, True), kind)
    return choose(kind == 7, True, base ^ (bit(condition, 0) == 1))


@rule(arm("A2.5.2"), arm("A8.3.1"))
def current_condition(condition: U4, cpsr: U32) -> U4:
    """The condition of the instruction: its own field in ARM state, the IT block's in Thumb state."""
    it = it_state(cpsr)
    thumb = choose(it == 0, 0xE, bits(it, 7, 4))
    return choose(bit(cpsr, T_BIT) == 1, thumb, condition)


@rule(arm("B1.3.1"), arm("B1.3.3"))
def is_legal_guest(cpsr: U32) -> bool:
    """Whether a PL1 or PL0 context may hold this CPSR: a Non-secure mode below Hyp, and no IT state in ARM state."""
    return every(
        member(mode(cpsr), GUEST_MODES),
        either(bit(cpsr, T_BIT) == 1, it_state(cpsr) == 0),
        bit(cpsr, J_BIT) == 0,
        cpsr & RESERVED == 0,
    )


@rule(arm("A2.5.1"))
def is_thumb(cpsr: U32) -> U1:
    """The T bit: 1 in Thumb state."""
    return bit(cpsr, T_BIT)
