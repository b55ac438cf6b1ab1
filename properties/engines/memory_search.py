"""Search over the memory system: the shortest counterexample where a thread's run of steps counts as one action.

The length of a run is the number of its choices: consecutive steps of one processor's thread are one, everything else
is one each. States that no future tells apart are visited once.
"""

import time
from collections import deque
from collections.abc import Hashable, Iterable

from attrs import define, frozen

from model.action import Action
from model.design import Design
from model.memory.actions import MemoryAction, ThreadSteps
from model.state import State
from model.system import step
from properties.engines.memory_domain import MemoryDomain
from properties.engines.memory_judge import Judge
from properties.engines.memory_states import key
from properties.engines.search import Run, Violation
from properties.property import Property

MORE_STATES = 3000
"""How many states a search visits behind the length at which it found what was asked for."""
Node = tuple[Hashable, int]
"""A state's key, and the processor whose thread made the last step, or -1."""


@frozen
class MemorySearch:
    """What a search has seen: its violations, states and transitions, and whether nothing was left."""

    found: dict[str, Violation]
    states: int
    transitions: int
    complete: bool
    depth: int
    seconds: float
    kinds: frozenset[type[Action]]


@define
class Seen:
    """The nodes of a search that is under way, and how each was reached."""

    judge: Judge
    parents: dict[Node, tuple[Node, MemoryAction] | None]
    found: dict[str, Violation]
    known: set[Hashable]
    transitions: int = 0

    def note(self, node: Node, before: State, action: MemoryAction, after: State, fresh: bool) -> None:
        """Note what a step violates that no shorter run violates."""
        for prop in self.judge.wrong(before, action, after, fresh):
            explanation = prop.explain(self.judge.design, before, action, after)
            self.found[prop.id] = Violation(prop.id, (*self.way_to(node), action), explanation)

    def way_to(self, node: Node) -> Run:
        """The actions from the initial state to a node."""
        actions: list[Action] = []
        while (parent := self.parents[node]) is not None:
            node, action = parent
            actions.append(action)
        return tuple(reversed(actions))


def memory_search(
    design: Design,
    start: State,
    domain: MemoryDomain,
    properties: Iterable[Property],
    until: str | None = None,
    deadline: float | None = None,
    most_states: int = 1_000_000,
    depth: int | None = None,
    more: int = 0,
) -> MemorySearch:
    """Every run within a domain, those of fewest choices first, and the shortest violation of each property.

    Ends early, `more` choices behind the length at which it was found, with the first violation (`until="first"`) or
    with that of one property (`until` its id) or of the last (`until="all"`); at a deadline of `time.monotonic`; beyond
    a number of states; or at a depth.
    """
    began = time.monotonic()
    assert start.memory is not None
    first: Node = (key(start.memory), -1)
    judge = Judge(design, properties)
    seen = Seen(judge, {first: None}, {}, {first[0]})
    level: list[tuple[Node, State]] = [(first, start)]
    depths, kinds = 0, set[type[Action]]()
    while level and (depth is None or depths < depth):
        if ended(seen, until):
            depth = depths + more if depth is None else min(depth, depths + more)
            most_states = min(most_states, len(seen.parents) + MORE_STATES)
            until = None
            if depths >= depth:
                break
        depths += 1
        following: list[tuple[Node, State]] = []
        for node, state in level:
            if len(seen.parents) > most_states or (deadline is not None and time.monotonic() > deadline):
                return result(seen, False, depths - 1, began, kinds)
            for action in domain.actions(design, state):
                own = isinstance(action, ThreadSteps) and action.cpu == node[1]
                if not own:
                    kinds.add(type(action))
                    advance(seen, node, state, action, following, domain, most_states)
        level = following
    return result(seen, not level, depths, began, kinds)


def advance(
    seen: Seen,
    node: Node,
    state: State,
    action: MemoryAction,
    found: list[tuple[Node, State]],
    domain: MemoryDomain,
    most_states: int,
) -> None:
    """Take an action and, where it is a thread's step, those that follow it at no cost; the new nodes go to `found`."""
    waiting: deque[tuple[Node, State, MemoryAction]] = deque([(node, state, action)])
    while waiting and len(seen.parents) <= most_states:
        node, state, action = waiting.popleft()
        after = step(seen.judge.design, state, action)
        seen.transitions += 1
        assert after.memory is not None
        reached = key(after.memory)
        seen.note(node, state, action, after, reached not in seen.known)
        seen.known.add(reached)
        runs = isinstance(action, ThreadSteps)
        target: Node = (reached, action.cpu if runs else -1)
        if target in seen.parents:
            continue
        seen.parents[target] = (node, action)
        found.append((target, after))
        if runs:
            ways = domain.of_processor(seen.judge.design.memory, after.memory, action.cpu)
            waiting += ((target, after, way) for way in ways if isinstance(way, ThreadSteps))


def ended(seen: Seen, until: str | None) -> bool:
    """Whether what was asked for has been found."""
    if until == "all":
        return len(seen.found) == len(seen.judge.open)
    return until is not None and (until in seen.found or (until == "first" and bool(seen.found)))


def result(seen: Seen, complete: bool, depth: int, began: float, kinds: Iterable[type[Action]]) -> MemorySearch:
    """What a search has seen, in the end."""
    seconds = time.monotonic() - began
    return MemorySearch(
        seen.found, len(seen.known), seen.transitions, complete, depth, seconds, frozenset(kinds)
    )
