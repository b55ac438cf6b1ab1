"""The counters of the generic timer: the physical one, which nobody can set, and the virtual one, which trails it.

Not modelled: counters of fewer than 64 bits (the architecture asks for 56), and two processors that read the physical
counter at slightly different moments: all see one count.
"""

from spec.citations import arm, rule
from spec.processor import Timer
from spec.words import U64, add, put, sub


@rule(arm("B8.1.1"), arm("B8.1.2"))
def physical_count(timer: Timer) -> U64:
    """CNTPCT."""
    return timer.cntpct


@rule(arm("B8.1.2"))
def count_behind(count: U64, offset: U64) -> U64:
    """What a counter shows that trails the physical count by an offset, modulo 2 ** 64."""
    return sub(count, offset, 64)


@rule(arm("B8.1.2"))
def virtual_count(timer: Timer) -> U64:
    """CNTVCT: the physical count less CNTVOFF, in Hyp mode too."""
    return count_behind(timer.cntpct, timer.cntvoff)


@rule(arm("B8.1.1"))
def passed(timer: Timer, ticks: U64) -> Timer:
    """The timer some ticks later: the physical count has grown, modulo 2 ** 64."""
    return put(timer, "cntpct", add(timer.cntpct, ticks, 64))
