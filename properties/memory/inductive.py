"""What the proofs about memory rest on: the invariants of all of them, and further ones of some properties."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from attrs import evolve, field, frozen

from model.action import Action
from model.design import Design
from model.memory.actions import MemoryAction, ThreadSteps
from model.state import State
from properties.memory import ownership, tables, translations
from properties.memory.invariants import INVARIANTS, OF_FAULTS, OF_PAGES, OF_SLOTS, Invariant
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
    statement="Every action keeps the invariants of the memory system that all other proofs about memory rest on.",
    claims=("C11", "C12"),
    question="Why can a table walk never leave a VM's own pages, however many there are?",
    kind=Kind.STATE,
    about=(MemoryAction,),
    holds=inductive,
    interesting=lambda design, before, action, after: isinstance(action, ThreadSteps),
    explain=broken,
    conjuncts=tuple(partial(one, invariant) for invariant in INVARIANTS.values()),
)


@frozen
class Layer:
    """Invariants that are proved together, under others that are proved without them."""

    name: str
    invariants: Mapping[str, Invariant]
    told: tuple[str, ...]
    """The properties that a case is told of in which one of them fails."""
    under: Mapping[str, Invariant] = field(factory=lambda: MappingProxyType({}))

    @property
    def known(self) -> Mapping[str, Invariant]:
        """All that its proofs know of the state before."""
        return MappingProxyType({**self.under, **self.invariants})

    def without(self, name: str) -> "Layer":
        """The same layer without one of the invariants."""
        kept, under = ({n: f for n, f in each.items() if n != name} for each in (self.invariants, self.under))
        return evolve(self, invariants=kept, under=under)


def further(name: str, invariants: Mapping[str, Invariant], *properties: Property) -> Layer:
    """Invariants that only these properties rest on, and no other invariant."""
    return Layer(name, invariants, tuple(prop.id for prop in properties), INVARIANTS)


BASE = Layer("invariants", INVARIANTS, (INDUCTIVE.id,))
LAYERS = (
    further(
        "faults", OF_FAULTS, translations.TRANSLATIONS_JUSTIFIED, tables.FAULT_ADDRESS_TRUE, tables.NO_CHURN,
        tables.FAULT_RESOLVED, ownership.PRIVATE,
    ),
    further("pages", OF_PAGES, ownership.NOTHING_LOST),
    further("slots", OF_SLOTS, tables.SLOTS_ONLY),
)  # fmt: skip
"""The layers on top of the base. What no property asks for is not asked."""
