"""Breadth-first search: the shortest counterexample of each property within a stated domain of operations."""

import time
from collections.abc import Iterable

from attrs import define, frozen

from model.action import Action
from model.actions import HypFaults
from model.design import Design
from model.guards import guard
from model.state import State, Where
from model.system import step
from properties.engines.domain import Domain
from properties.property import Property

Run = tuple[Action, ...]


@frozen
class Violation:
    """A property that a run violates: the actions chosen up to it, and what is wrong."""

    property: str
    actions: Run
    explanation: str


@define
class Search:
    """What a search has seen so far, and how far it went."""

    design: Design
    domain: Domain
    properties: tuple[Property, ...]
    found: dict[str, Violation]
    states: int = 0
    transitions: int = 0
    complete: bool = False
    depth: int = 0

    def judge(self, before: State, action: Action, after: State, chosen: Run) -> None:
        """Note the properties that one step violates and that no shorter run has violated."""
        for prop in self.properties:
            if prop.id in self.found or not isinstance(action, prop.about):
                continue
            if not prop.holds(self.design, before, action, after):
                explanation = prop.explain(self.design, before, action, after)
                self.found[prop.id] = Violation(prop.id, chosen, explanation)

    def settled(self, state: State, chosen: Run) -> list[tuple[State, Run]]:
        """The states at rest behind a state: its forced steps made, and each fault that may strike one of them."""
        results: list[tuple[State, Run]] = []
        for _ in range(1000):
            action = self.domain.must(state)
            if action is None:
                break
            fault = HypFaults(action.cpu)
            if state.processors[action.cpu].thread.where is Where.LOWVISOR and guard(self.design, state, fault):
                struck = step(self.design, state, fault)
                self.judge(state, fault, struck, (*chosen, fault))
                results += self.settled(struck, (*chosen, fault)) if len(chosen) < 8 else []
            after = step(self.design, state, action)
            self.transitions += 1
            self.judge(state, action, after, chosen)
            state = after
        return [(state, chosen), *results]


def search(
    design: Design,
    start: State,
    domain: Domain,
    properties: Iterable[Property],
    depth: int,
    until: str | None = None,
    deadline: float | None = None,
    most_states: int = 1_000_000,
) -> Search:
    """Every run of at most `depth` chosen actions, shortest first.

    Ends early at the first violation (`until="first"`), at the violation of one property (`until` its id), at a
    deadline of `time.monotonic`, or when there is nothing new; `complete` then says whether all states were seen.
    """
    result = Search(design, domain, tuple(properties), {})
    frontier: list[tuple[State, Run]] = [(start, ())]
    seen = {start}
    for level in range(1, depth + 1):
        following: list[tuple[State, Run]] = []
        for state, run in frontier:
            for action in domain.actions(design, state):
                chosen = (*run, action)
                after = step(design, state, action)
                result.transitions += 1
                result.judge(state, action, after, chosen)
                for rest, path in result.settled(after, chosen):
                    if rest not in seen:
                        seen.add(rest)
                        following.append((rest, path))
                if until is not None and (until in result.found or (until == "first" and result.found)):
                    return result
            late = deadline is not None and time.monotonic() > deadline
            if late or len(seen) > most_states:
                result.states, result.depth = len(seen), level - 1
                return result
        result.states, result.depth = len(seen), level
        frontier = following
        if not frontier:
            result.complete = True
            return result
    return result
