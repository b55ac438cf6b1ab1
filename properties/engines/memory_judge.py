"""Judging steps of the memory system: each property is asked where its answer may have changed."""

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from model.action import Action
from model.design import Design
from model.memory.actions import MemoryAction
from model.memory.state import MemoryState
from model.state import State
from properties.property import Kind, Property


class Reader:
    """A state of the memory system that notes which of its parts are read."""

    def __init__(self, state: MemoryState, read: set[str]) -> None:
        self._state, self._read = state, read

    def __getattr__(self, name: str) -> Any:
        self._read.add(name)
        return getattr(self._state, name)


class Judge:
    """Judges steps by the properties that speak about their kind, each until it is violated.

    A property of states is not asked again where no part has changed that its predicate has ever read: of the state
    before it was true, and the predicate would read the same of the state after.
    """

    def __init__(self, design: Design, properties: Iterable[Property]) -> None:
        self.design, self.open = design, tuple(properties)
        self.violated: set[str] = set()
        self.met: set[str] = set()
        self.unmet = list(self.open)
        self.read: dict[str, set[str]] = {prop.id: set() for prop in self.open}
        self.kinds: dict[type[Action], tuple[tuple[Property, ...], tuple[Property, ...]]] = {}

    def about(self, kind: type[Action]) -> tuple[tuple[Property, ...], tuple[Property, ...]]:
        """The properties that speak about a kind of action: of states, and of steps."""
        if kind not in self.kinds:
            about = [prop for prop in self.open if issubclass(kind, prop.about)]
            states = tuple(prop for prop in about if prop.kind is Kind.STATE)
            self.kinds[kind] = states, tuple(prop for prop in about if prop.kind is not Kind.STATE)
        return self.kinds[kind]

    def meet(self, before: State, action: MemoryAction, after: State) -> None:
        """Note the properties to which a step is interesting."""
        for prop in self.unmet:
            if isinstance(action, prop.about) and prop.interesting(self.design, before, action, after):
                self.met.add(prop.id)
        if len(self.met) + len(self.unmet) > len(self.open):
            self.unmet = [prop for prop in self.unmet if prop.id not in self.met]

    def wrong(self, before: State, action: MemoryAction, after: State, fresh: bool) -> list[Property]:
        """The properties that a step violates first; those of states are asked of new states only."""
        of_states, of_steps = self.about(type(action))
        found = [
            prop
            for prop in of_steps
            if prop.id not in self.violated and not prop.holds(self.design, before, action, after)
        ]
        if fresh:
            asked = (prop for prop in of_states if prop.id not in self.violated)
            found += [prop for prop in asked if self.breaks(prop, before, action, after)]
        self.violated |= {prop.id for prop in found}
        return found

    def breaks(self, prop: Property, before: State, action: MemoryAction, after: State) -> bool:
        """Whether a state violates a property of states."""
        read = self.read[prop.id]
        old, new = before.memory, after.memory
        if read and all(getattr(old, name) is getattr(new, name) for name in read):
            return False
        assert new is not None
        noted: Any = Reader(new, read)
        return not prop.holds(self.design, before, action, evolve(after, memory=noted))
