"""Judging the steps of one run of a part of the system: each property is asked where its answer may have changed."""

from collections.abc import Iterable
from typing import Any

from attrs import define, field

from model.action import Action
from model.design import Design
from model.state import State
from properties.engines.parts.part import Part
from properties.property import Kind, Predicate, Property


class Reader:
    """A state of a part that notes which of its fields are read."""

    def __init__(self, state: Any, read: dict[str, Any]) -> None:
        self._state, self._read = state, read

    def __getattr__(self, name: str) -> Any:
        value = self._read[name] = getattr(self._state, name)
        return value


@define(eq=False)
class Condition:
    """A condition of a property of states, and what it read where it was found to hold last."""

    prop: Property
    holds: Predicate
    read: dict[str, Any] = field(factory=dict)

    def unchanged(self, state: Any) -> bool:
        """Whether it would read the same of a state."""
        return bool(self.read) and all(getattr(state, name) is value for name, value in self.read.items())


class Judge:
    """Judges steps by the properties that speak about their kind, each until it is violated."""

    def __init__(self, part: Part, design: Design, properties: Iterable[Property]) -> None:
        self.part, self.design, self.open = part, design, tuple(properties)
        self.violated: set[str] = set()
        self.about: dict[type[Action], tuple[Property, ...]] = {}
        self.conditions = {
            prop.id: [Condition(prop, holds) for holds in prop.conjuncts or (prop.holds,)]
            for prop in self.open
            if prop.kind is Kind.STATE
        }

    def speaking(self, kind: type[Action]) -> tuple[Property, ...]:
        """The properties that speak about a kind of action."""
        if kind not in self.about:
            self.about[kind] = tuple(prop for prop in self.open if issubclass(kind, prop.about))
        return self.about[kind]

    def wrong(self, before: State, action: Action, after: State) -> list[Property]:
        """The properties that a step violates first."""
        asked = [prop for prop in self.speaking(type(action)) if prop.id not in self.violated]
        found = [prop for prop in asked if self.breaks(prop, before, action, after)]
        self.violated |= {prop.id for prop in found}
        return found

    def breaks(self, prop: Property, before: State, action: Action, after: State) -> bool:
        """Whether a step violates a property."""
        if prop.kind is not Kind.STATE:
            return not prop.holds(self.design, before, action, after)
        state = self.part.of(after)
        return any(
            not condition.unchanged(state) and self.fails(condition, before, action, after)
            for condition in self.conditions[prop.id]
        )

    def fails(self, condition: Condition, before: State, action: Action, after: State) -> bool:
        """Whether a condition does not hold of a state."""
        condition.read = {}
        noted = self.part.within(after, Reader(self.part.of(after), condition.read))
        failed = not condition.holds(self.design, before, action, noted)
        if failed:
            condition.read = {}
        return failed
