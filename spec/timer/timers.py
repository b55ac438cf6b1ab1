"""The timers: when one has fired, what its registers show, and when it signals its interrupt.

CVAL is the 64-bit count at which a timer fires; TVAL is a view of it, the signed 32-bit distance from now. A timer that
has fired goes on firing until its registers change or its counter wraps around: its interrupt is a level.

Not modelled: the Secure copy of CNTP, which is the firmware's.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from spec.citations import arm, rule, trm
from spec.gic.distributor import signal
from spec.gic.state import Distributor
from spec.processor import Timer
from spec.timer.counters import count_behind
from spec.words import U1, U3, U32, U64, add, bit, bits, choose, every, put, sub

ENABLE, IMASK, ISTATUS = 0, 1, 2
"""The bits of CNTP_CTL, CNTV_CTL and CNTHP_CTL: on, interrupt masked, and fired, which is read only."""
WRITABLE = 1 << ENABLE | 1 << IMASK


class GenericTimer(Enum):
    """One of the timers of a processor."""

    CNTP = "the Non-secure physical timer"
    CNTV = "the virtual timer"
    CNTHP = "Hyp mode's physical timer"

    @property
    def ctl(self) -> str:
        """The field of `Timer` with its control register."""
        return f"{self.name.lower()}_ctl"

    @property
    def cval(self) -> str:
        """The field of `Timer` with its compare value."""
        return f"{self.name.lower()}_cval"


PPIS: Mapping[GenericTimer, int] = MappingProxyType(
    {GenericTimer.CNTP: 30, GenericTimer.CNTV: 27, GenericTimer.CNTHP: 26}
)
"""The private peripheral interrupt of each timer on the Cortex-A15."""


@rule(arm("B8.1.5"))
def condition_met(count: U64, cval: U64) -> bool:
    """Whether a timer's compare value is reached: unsigned, so a value behind the counter is reached at once."""
    return count >= cval


@rule(arm("B8.1.5"), arm("B4.1.30"))
def fires(ctl: U32, cval: U64, count: U64) -> bool:
    """Whether a timer signals its interrupt: enabled, not masked, and its compare value reached."""
    return every(bit(ctl, ENABLE) == 1, bit(ctl, IMASK) == 0, condition_met(count, cval))


@rule(arm("B8.1.5"))
def count_of(timer: Timer, which: GenericTimer) -> U64:
    """The counter that a timer compares with."""
    return count_behind(timer.cntpct, timer.cntvoff if which is GenericTimer.CNTV else 0)


@rule(arm("B4.1.30"), arm("B8.1.5"))
def ctl_value(timer: Timer, which: GenericTimer, unknown: U32) -> U32:
    """What a read of CTL gives: ISTATUS tells whether the timer has fired, and is UNKNOWN where it is off."""
    ctl: U32 = getattr(timer, which.ctl)
    met = choose(condition_met(count_of(timer, which), getattr(timer, which.cval)), 1 << ISTATUS, 0)
    status: U32 = choose(bit(ctl, ENABLE) == 1, met, unknown & 1 << ISTATUS)
    return status | ctl & WRITABLE


@rule(arm("B4.1.30"))
def with_ctl(timer: Timer, which: GenericTimer, value: U32) -> Timer:
    """A write to CTL; ISTATUS ignores it."""
    return put(timer, which.ctl, value & WRITABLE)


@rule(arm("B8.1.5"), arm("B4.1.32"))
def distance(count: U64, cval: U64) -> U32:
    """What a read of TVAL gives: how far the compare value is ahead, its low 32 bits; behind the counter, negative."""
    return bits(sub(cval, count, 64), 31, 0)


@rule(arm("B8.1.5"), arm("B4.1.32"))
def ahead(count: U64, tval: U32) -> U64:
    """The compare value that a write to TVAL sets: the counter plus the value, which is signed."""
    extended = tval | choose(bit(tval, 31) == 1, 0xFFFFFFFF00000000, 0)
    return add(count, extended, 64)


@rule(arm("B8.1.5"), arm("B4.1.32"))
def tval(timer: Timer, which: GenericTimer) -> U32:
    """What a read of TVAL gives, whether the timer is enabled or not."""
    return distance(count_of(timer, which), getattr(timer, which.cval))


@rule(arm("B8.1.5"), arm("B4.1.32"))
def with_tval(timer: Timer, which: GenericTimer, value: U32) -> Timer:
    """A write to TVAL."""
    return put(timer, which.cval, ahead(count_of(timer, which), value))


@rule(arm("B8.1.5"))
def output(timer: Timer, which: GenericTimer) -> bool:
    """Whether a timer's interrupt is signalled now: a level."""
    return fires(getattr(timer, which.ctl), getattr(timer, which.cval), count_of(timer, which))


@rule(arm("B8.1.5"), trm("8.2.3"))
def signalled(distributor: Distributor, cpu: U3, timer: Timer) -> Distributor:
    """The distributor with the outputs of a processor's timers on the lines of their private interrupts."""
    for which, number in PPIS.items():
        level: U1 = choose(output(timer, which), 1, 0)
        distributor = signal(distributor, cpu, number, level)
    return distributor
