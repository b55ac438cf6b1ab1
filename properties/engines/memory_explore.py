"""The engine `explore` for the memory system: every reachable state of small, stated configurations, nearest first.

Every interleaving at the grain of the routines' steps is followed; no step is merged with another one. States that no
future tells apart (`properties.engines.memory_states`) count once.
"""

import time
from collections import deque
from collections.abc import Hashable, Iterable

from attrs import frozen

from model.design import Design
from model.memory.system import MemoryAction
from model.state import State
from model.system import Action, step
from model.topology import TOPOLOGIES, initial
from properties.engines.memory_domain import MemoryDomain
from properties.engines.memory_states import key
from properties.engines.search import Run
from properties.property import Kind, Property


@frozen
class Explored:
    """What an exploration saw: states, transitions, and the first violation of each property."""

    states: int
    transitions: int
    seconds: float
    complete: bool
    violations: dict[str, Run]
    kinds: frozenset[type[Action]]


Parents = dict[Hashable, tuple[Hashable, MemoryAction] | None]


def explore_memory(
    design: Design,
    properties: Iterable[Property],
    topology: str,
    domain: MemoryDomain,
    deadline: float | None = None,
    most_states: int = 2_000_000,
) -> Explored:
    """Every state that is reachable within a domain; ends early at a deadline or beyond a number of states."""
    began = time.monotonic()
    start = initial(TOPOLOGIES[topology], design)
    assert start.memory is not None
    judge = Judge(design, properties)
    first = key(start.memory)
    parents: Parents = {first: None}
    waiting: deque[tuple[Hashable, State]] = deque([(first, start)])
    transitions, complete = 0, True
    while waiting:
        here, state = waiting.popleft()
        if len(parents) > most_states or (deadline is not None and time.monotonic() > deadline):
            complete = False
            break
        for action in domain.actions(design, state):
            after = step(design, state, action)
            transitions += 1
            assert after.memory is not None
            reached = key(after.memory)
            fresh = reached not in parents
            if fresh:
                parents[reached] = (here, action)
                waiting.append((reached, after))
            for prop in judge.violated(state, action, after, fresh):
                judge.violations[prop] = (*way_to(parents, here), action)
    seconds = time.monotonic() - began
    return Explored(len(parents), transitions, seconds, complete, judge.violations, frozenset(judge.kinds))


class Judge:
    """Judges steps by the properties that speak about their kind, each until it is violated."""

    def __init__(self, design: Design, properties: Iterable[Property]) -> None:
        self.design, self.properties = design, tuple(properties)
        self.violations: dict[str, Run] = {}
        self.kinds: dict[type[Action], tuple[tuple[Property, ...], tuple[Property, ...]]] = {}

    def violated(self, before: State, action: MemoryAction, after: State, fresh: bool) -> list[str]:
        """The properties that a step violates and that no step has violated before; of states only new ones count."""
        kind = type(action)
        if kind not in self.kinds:
            about = tuple(prop for prop in self.properties if issubclass(kind, prop.about))
            self.kinds[kind] = about, tuple(prop for prop in about if prop.kind is not Kind.STATE)
        asked = self.kinds[kind][0 if fresh else 1]
        return [
            prop.id
            for prop in asked
            if prop.id not in self.violations and not prop.holds(self.design, before, action, after)
        ]


def way_to(parents: Parents, state: Hashable) -> Run:
    """The actions from the initial state to a state, by their keys."""
    actions: list[Action] = []
    while (parent := parents[state]) is not None:
        state, action = parent
        actions.append(action)
    return tuple(reversed(actions))
