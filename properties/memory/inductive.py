"""The property that the proofs about memory rest on: all invariants together."""

from functools import partial
from typing import Any

from model.action import Action
from model.design import Design
from model.memory.actions import MemoryAction, ThreadSteps
from model.state import State
from properties.memory.invariants import INVARIANTS, Invariant
from properties.property import Kind, Property
from spec.words import every


def inductive(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of INDUCTIVE."""
    assert after.memory is not None
    return every(*(invariant(design.memory, after.memory) for invariant in INVARIANTS.values()))


def one(invariant: Invariant, design: Design, before: State, action: Action, after: State) -> Any:
    """One of the invariants as a predicate."""
    assert after.memory is not None
    return invariant(design.memory, after.memory)


def broken(design: Design, before: State, action: Action, after: State) -> str:
    """The invariants that do not hold of a concrete state."""
    assert after.memory is not None
    names = [name for name, invariant in INVARIANTS.items() if not invariant(design.memory, after.memory)]
    return f"broken: {', '.join(names)}"


INDUCTIVE = Property(
    id="memory.inductive",
    statement="Every action keeps the invariants of the memory system that the other proofs about memory rest on.",
    claims=("C11", "C12"),
    question="Why can a table walk never leave a VM's own pages, however many there are?",
    kind=Kind.STATE,
    about=(MemoryAction,),
    holds=inductive,
    interesting=lambda design, before, action, after: isinstance(action, ThreadSteps),
    explain=broken,
    conjuncts=tuple(partial(one, invariant) for invariant in INVARIANTS.values()),
)
