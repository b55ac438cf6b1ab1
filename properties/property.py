"""What a property is, what an engine answers, and what a counterexample is made of."""

from collections.abc import Callable
from enum import Enum

from attrs import field, frozen

from model.action import Action
from model.design import Design
from model.state import State

Predicate = Callable[[Design, State, Action, State], bool]
"""Over the state before an action, the action, and the state after it; on symbolic states it gives a formula."""


class Kind(Enum):
    """What a property speaks about; one of states reads nothing but the state after an action."""

    STATE = "every reachable state"
    STEP = "every step"
    COMPOSITE = "a whole stay in the guest: entry, whatever the guest may do, exit"
    NON_INTERFERENCE = "pairs of runs that differ only in what an observer must not see"
    FINITE = "every element of a finite table"


class Verdict(Enum):
    """What an engine may say; `UNKNOWN` never counts as holding."""

    PROVED = "proved"
    EXPLORED = "explored"
    TESTED = "tested"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@frozen
class Enumeration:
    """What going through a finite table found: how many elements there are, and those of which the property fails."""

    domain: str
    size: int
    failures: tuple[str, ...]


@frozen
class Property:
    """One thing that must hold.

    `holds` is the predicate over one step; the engines evaluate it on concrete and on symbolic states alike.
    `interesting` says of a concrete step that the situation the property is about has occurred: its witness.
    """

    id: str
    statement: str
    claims: tuple[str, ...]
    """The paper's claims that it checks, C1 to C31."""
    question: str
    """The question, of the slides or of a reader, that it answers."""
    kind: Kind
    about: tuple[type[Action], ...]
    """The kinds of action whose steps it speaks about; it holds trivially of every other."""
    holds: Predicate
    interesting: Predicate
    explain: Callable[[Design, State, Action, State], str] = field(default=lambda *_: "")
    """What is wrong about a step that violates it, in one line with the names and values concerned."""
    assumes: tuple[str, ...] = ()
    """The properties that its proof takes for granted of the state before a step, by id."""
    conjuncts: tuple[Predicate, ...] = ()
    """Predicates that hold together exactly where `holds` does, for engines that ask each where it may have changed."""
    settled: Callable[[Design, State, bool], bool] | None = field(default=None)
    """For a property of what becomes of a state in a fair drain, as `holds` asks it: what must hold in the end.

    Of a drain that goes in circles, of any state of the circle, with True; for engines that drain by themselves.
    """
    enumerate: Callable[[Design], "Enumeration"] | None = field(default=None)
    """For a property of a finite table: goes through all of it."""


@frozen
class Trace:
    """A run of the system: everything that is needed to make it again."""

    design: str
    """A named design, or the path of a user's design file."""
    fault: str | None
    """The fault planted into the design."""
    topology: str
    property: str
    actions: tuple[Action, ...]
    explanation: str = ""


@frozen
class Result:
    """What one engine found out about one property of one design."""

    design: str
    property: str
    engine: str
    verdict: Verdict
    covers: str
    """What the verdict covers, in words and numbers."""
    seconds: float
    trace: Trace | None = None
    deviations: tuple[str, ...] = ()
    asked: int = 0
    """How many questions a proof has asked; 0 where that is not told."""
    unproved: str = ""
    """Why it is not proved, where it might have been."""
    also: "Result | None" = None
    """What another engine has found out of the same design besides."""

    def told(self) -> str:
        """All that the verdict covers, in one line."""
        return self.covered(lambda text: text)

    def covered(self, shown: Callable[[str], str]) -> str:
        """The same with every text of what an engine covers as it is to be shown."""
        asked = f": {self.asked} questions" if self.asked else ""
        unproved = f"; not proved: {self.unproved}" if self.unproved else ""
        also = f"; and {self.also.verdict.value}: {self.also.covered(shown)}" if self.also else ""
        return f"{shown(self.covers)}{asked}{unproved}{also}"
