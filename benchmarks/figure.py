"""A measured figure, and how it is measured."""

from collections.abc import Callable
from time import process_time

from attrs import frozen


@frozen
class Figure:
    """One figure: its value is None where what it measures is not there, and `over` then says why."""

    name: str
    value: float | None
    unit: str
    over: str
    """What it was measured over: the mix, the configuration, the domain of operands, the number of samples."""


@frozen
class Effort:
    """How long to measure: seconds for a rate, samples for a median, and whether the longest are measured at all."""

    seconds: float
    samples: int
    long: bool
    patience: float
    """The seconds after which CrossHair gives a statement up."""


WINDOWS = 5


def rate(work: Callable[[], int], seconds: float) -> float:
    """Units of work a second of one processor's time; one call returns how many units it did.

    The best of several windows, together at least `seconds` long: what else the machine does only ever slows it down.
    """
    work()
    return max(_rate(work, seconds / WINDOWS) for _ in range(WINDOWS))


def _rate(work: Callable[[], int], seconds: float) -> float:
    done, start = 0, process_time()
    while (elapsed := process_time() - start) < seconds:
        done += work()
    return done / elapsed
