"""A run in the making: its state, the actions taken so far, and the properties that each step is judged by."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from attrs import define, field, frozen

from model.action import Action
from model.actions import HighvisorHandles, HypFaults
from model.design import Design
from model.guards import forced, guard
from model.highvisor.exits import MemoryAnswer
from model.state import State
from model.system import step
from properties.catalogue import PROPERTIES
from properties.engines.domain import DEVICE_DATA
from properties.property import Kind, Property
from properties.traces.replay import FUEL

Run = tuple[Action, ...]
COSTLY = frozenset({"world_switch.hyp_fault_contained"})
"""Properties whose predicate runs a whole world switch of its own at every step."""
USUAL: tuple[Property, ...] = tuple(prop for prop in PROPERTIES if prop.id not in COSTLY)
"""Every property that an engine of concrete steps judges by where nobody asks for others."""


def concerned(properties: tuple[Property, ...]) -> Callable[[Any], tuple[Property, ...]]:
    """For each kind of action, those of the properties that speak about it."""

    @cache
    def speaking(kind: Any) -> tuple[Property, ...]:
        return tuple(p for p in properties if p.kind is not Kind.FINITE and issubclass(kind, p.about))

    return speaking


def ways(design: Design, state: State, cpu: int) -> list[Action]:
    """What a processor amid forced steps may do next: its forced action first, and what may happen in place of it.

    Answers of the highvisor that lead to the same state as an earlier one are left out. Empty for a processor at rest.
    """
    way = forced(state, cpu)
    if way is None:
        return []
    if isinstance(way, HighvisorHandles):
        outcomes: list[State] = []
        found: list[Action] = []
        for answer in MemoryAnswer:
            data = DEVICE_DATA if answer == MemoryAnswer.IN_KERNEL else 0
            after = step(design, state, HighvisorHandles(cpu, answer, data))
            if after not in outcomes:
                outcomes.append(after)
                found.append(HighvisorHandles(cpu, answer, data))
        return found
    fault = HypFaults(cpu)
    return [way, fault] if guard(design, state, fault) else [way]


@frozen
class Raised:
    """A rule or a predicate that raised: the actions up to it, the one that it raised at last, and the exception."""

    actions: Run
    problem: str


@define
class Course:
    """One run from a start state; `violated` has, for each property, all actions up to its first violation."""

    design: Design
    properties: tuple[Property, ...]
    start: State
    state: State
    taken: list[Action] = field(factory=list)
    chosen: int = 0
    violated: dict[str, Run] = field(factory=dict)
    raised: Raised | None = None
    kinds: set[type[Action]] = field(factory=set)
    concerned: Callable[[type[Action]], tuple[Property, ...]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.concerned = concerned(self.properties)

    def possible(self, action: Action) -> bool:
        """Whether the action is possible now."""
        return guard(self.design, self.state, action)

    def take(self, action: Action) -> None:
        """One step, judged by every property that speaks about it."""
        before = self.state
        after = step(self.design, before, action)
        self.taken.append(action)
        self.kinds.add(type(action))
        for prop in self.concerned(type(action)):
            if prop.id not in self.violated and not prop.holds(self.design, before, action, after):
                self.violated[prop.id] = tuple(self.taken)
        self.state = after

    def follow(self, action: Action, pick: Callable[[list[Action]], Action]) -> None:
        """A chosen action and the forced steps behind it; `pick` decides where something else may happen instead.

        An exception of a rule or predicate ends up in `raised`.
        """
        self.chosen += 1
        try:
            self.take(action)
            for _ in range(FUEL):
                open_ways = ways(self.design, self.state, action.cpu)
                if not open_ways:
                    break
                action = open_ways[0] if len(open_ways) == 1 else pick(open_ways)
                self.take(action)
        except Exception as problem:
            at = self.taken if self.taken and self.taken[-1] is action else [*self.taken, action]
            self.raised = Raised(tuple(at), f"{type(problem).__name__}: {problem}")


def begin(design: Design, properties: Iterable[Property], start: State) -> Course:
    """A run of which nothing has happened yet."""
    return Course(design, tuple(properties), start, start)
