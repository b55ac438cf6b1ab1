"""The event stream: events, as SEV would send, that a counter generates and that end a WFE.

CNTKCTL describes one stream, of the virtual counter; CNTHCTL another one, of the physical counter.
"""

from spec.citations import arm, rule
from spec.processor import Timer
from spec.timer.access import event_bit
from spec.timer.counters import passed, virtual_count
from spec.words import U32, U64, bit, choose, either, every, select

BITS = 16
"""How many bits of a counter a stream may follow: the lowest ones."""


@rule(arm("B8.1.4"))
def generates(control: U32, before: U64, after: U64) -> bool:
    """Whether a counter's step generates an event: the bit EVNTI rises, or falls where EVNTDIR is set."""
    number = event_bit(control)
    was, now = (select(tuple(bit(count, n) for n in range(BITS)), number) for count in (before, after))
    falls = bit(control, 3) == 1
    return every(bit(control, 2) == 1, choose(falls, every(was == 1, now == 0), every(was == 0, now == 1)))


@rule(arm("B8.1.4"), arm("B1.8.13"))
def event(timer: Timer) -> bool:
    """Whether the next tick of the counters generates an event for the processor."""
    later = passed(timer, 1)
    return either(
        generates(timer.cntkctl, virtual_count(timer), virtual_count(later)),
        generates(timer.cnthctl, timer.cntpct, later.cntpct),
    )
