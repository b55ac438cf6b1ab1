"""How a command ends."""

from collections.abc import Iterable
from enum import IntEnum


class Status(IntEnum):
    """The exit status of every command."""

    HOLDS = 0
    """All that was asked for holds; of `why` and `trace`: the counterexample was found."""
    VIOLATED = 1
    """Something is violated; of `why` and `trace`: there is no counterexample."""
    USAGE = 2
    """The command or a file that it was given cannot be used."""
    UNDECIDED = 3
    """Nothing is violated as far as is known, but something is not known."""
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class BadInput(Exception):
    """What the user gave cannot be used: one line that says what and why."""


def of_verdicts(verdicts: Iterable[str]) -> Status:
    """The status of a check with these verdict words; without any, nothing was decided."""
    found = set(verdicts)
    if "violated" in found:
        return Status.VIOLATED
    return Status.HOLDS if found and found <= HOLDING else Status.UNDECIDED


HOLDING = {"proved", "explored", "tested"}
OUTCOMES = {"caught": Status.HOLDS, "equivalent": Status.VIOLATED, "excused": Status.VIOLATED}


def of_outcome(outcome: str) -> Status:
    """The status of a search for a fault's counterexample."""
    return OUTCOMES.get(outcome, Status.UNDECIDED)
