"""The property that the proofs about time rest on: all invariants together."""

from functools import partial
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.timer.system import TimeAction, TimerSteps
from properties.property import Kind, Property
from properties.time.invariants import INVARIANTS, Invariant
from properties.time.steps import time_of
from spec.words import every


def inductive(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of INDUCTIVE."""
    return every(*(invariant(design.timer, time_of(after)) for invariant in INVARIANTS.values()))


def one(invariant: Invariant, design: Design, before: State, action: Action, after: State) -> Any:
    """One of the invariants as a predicate."""
    return invariant(design.timer, time_of(after))


def broken(design: Design, before: State, action: Action, after: State) -> str:
    """The invariants that do not hold of a concrete state."""
    names = [name for name, invariant in INVARIANTS.items() if not invariant(design.timer, time_of(after))]
    return f"broken: {', '.join(names)}"


INDUCTIVE = Property(
    id="time.inductive",
    statement="Every action keeps the invariants of time that the other proofs about time rest on.",
    claims=("C26", "C28"),
    question="Why is a guest's timer never without somebody who looks after it, whenever it expires?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=inductive,
    interesting=lambda design, before, action, after: isinstance(action, TimerSteps),
    explain=broken,
    conjuncts=tuple(partial(one, invariant) for invariant in INVARIANTS.values()),
)
