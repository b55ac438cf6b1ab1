"""Search over a part of the system: the shortest counterexample where a thread's run of steps counts as one action.

The length of a run is the number of its choices: consecutive steps of one processor's thread are one, everything else
is one each. States that no future tells apart are visited once.
"""

import time
from collections import deque
from collections.abc import Iterable

from attrs import define, field, frozen

from model.action import Action
from model.design import Design
from model.state import State
from properties.engines.parts.drain import Drains
from properties.engines.parts.moves import NOTHING, Effect, Failing, Key, Move, Moves
from properties.engines.parts.part import Domain, Part
from properties.engines.parts.rows import Row
from properties.engines.search import Run, Violation
from properties.property import Property

MORE_STATES = 3000
"""How many states a search visits behind the length at which it found what was asked for."""
Node = tuple[Key, int]
"""A state's key, and the processor whose thread made the last step, or -1."""


@frozen
class Searched:
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

    moves: Moves
    drains: Drains
    parents: dict[Node, tuple[Node, Action] | None]
    failing: dict[Key, Failing]
    """For each state the conditions that do not hold of it."""
    found: dict[str, Violation]
    lost: dict[Key, tuple[Property, ...]] = field(factory=dict)
    """The properties of what becomes of a state that do not hold, of those states where a drain has made doubtful."""
    transitions: int = 0

    def judge(self, before: Node, effect: Effect, key: Key, row: Row) -> None:
        """Note what does not hold of a state that is reached for the first time.

        A drain that ends well is trusted. Where it ends badly or goes in circles, the properties are asked themselves:
        the trace has to violate them where it is run again.
        """
        moves = self.moves
        self.failing[key] = moves.failing(self.failing[before[0]], effect, row)
        asked = [prop for prop in self.drains.properties if prop.id not in moves.violated]
        if asked and moves.follows(row) is None and self.drains.alone(key, row):
            state = moves.part.within(moves.start, moves.layout.state(row))
            self.lost[key] = tuple([p for p in asked if not p.holds(moves.design, NOTHING, NOTHING, state)])

    def wrong(self, effect: Effect, row: Row, key: Key) -> list[Property]:
        """The properties that a step is the first to violate, given the state behind it."""
        found = self.moves.wrong(effect, row, self.failing[key])
        lost = [prop for prop in self.lost.get(key, ()) if isinstance(effect.action, prop.about)]
        return [*found, *self.moves.noted(lost)]

    def note(self, node: Node, row: Row, action: Action, after: Row, wrong: Iterable[Property]) -> None:
        """Note what a step violates that no shorter run violates."""
        moves, part = self.moves, self.moves.part
        for prop in wrong:
            states = (part.within(moves.start, moves.layout.state(each)) for each in (row, after))
            before, reached = states
            explanation = prop.explain(moves.design, before, action, reached)
            self.found[prop.id] = Violation(prop.id, (*self.way_to(node), action), explanation)

    def way_to(self, node: Node) -> Run:
        """The actions from the initial state to a node."""
        actions: list[Action] = []
        while (parent := self.parents[node]) is not None:
            node, action = parent
            actions.append(action)
        return tuple(reversed(actions))


def search_part(
    part: Part,
    design: Design,
    start: State,
    domain: Domain,
    properties: Iterable[Property],
    until: str | None = None,
    deadline: float | None = None,
    most_states: int = 1_000_000,
    depth: int | None = None,
    more: int = 0,
) -> Searched:
    """Every run within a domain, those of fewest choices first, and the shortest violation of each property.

    Ends early, `more` choices behind the length at which it was found, with the first violation (`until="first"`) or
    with that of one property (`until` its id) or of the last (`until="all"`); at a deadline of `time.monotonic`; beyond
    a number of states; or at a depth.
    """
    began = time.monotonic()
    properties = tuple(properties)
    in_the_end = tuple(prop for prop in properties if prop.settled is not None)
    moves = Moves(part, design, properties, domain, start, in_the_end, witnessed=False)
    first: Node = (moves.first_key(), -1)
    drains = Drains(moves, in_the_end, circles_fail=True)
    seen = Seen(moves, drains, {first: None}, {first[0]: moves.first_failing()}, {})
    level: list[tuple[Node, Row]] = [(first, moves.first)]
    depths = 0
    while level and (depth is None or depths < depth):
        if ended(seen, until):
            depth = depths + more if depth is None else min(depth, depths + more)
            most_states = min(most_states, len(seen.parents) + MORE_STATES)
            until = None
            if depths >= depth:
                break
        depths += 1
        following: list[tuple[Node, Row]] = []
        for node, row in level:
            if len(seen.parents) > most_states or (deadline is not None and time.monotonic() > deadline):
                return result(seen, False, depths - 1, began)
            for move in moves.ways(row):
                if not (part.runs_on(move.action) and move.action.cpu == node[1]):
                    advance(seen, node, row, move, following, most_states)
        level = following
    return result(seen, not level, depths, began)


def advance(seen: Seen, node: Node, row: Row, move: Move, found: list[tuple[Node, Row]], most_states: int) -> None:
    """Take an action and, where it is a thread's step, those that follow it at no cost; the new nodes go to `found`."""
    moves = seen.moves
    waiting: deque[tuple[Node, Row, Move]] = deque([(node, row, move)])
    while waiting and len(seen.parents) <= most_states:
        node, row, move = waiting.popleft()
        effect, action = move.effect(row), move.action
        after = effect.after(row)
        seen.transitions += 1
        key = moves.key(node[0], effect, after)
        if key not in seen.failing:
            seen.judge(node, effect, key, after)
        seen.note(node, row, action, after, seen.wrong(effect, row, key))
        runs = moves.part.runs_on(action)
        target: Node = (key, action.cpu if runs else -1)
        if target in seen.parents:
            continue
        seen.parents[target] = (node, action)
        found.append((target, after))
        if runs:
            own = (way for way in moves.ways(after) if way.action.cpu == action.cpu)
            waiting += ((target, after, way) for way in own if moves.part.runs_on(way.action))


def ended(seen: Seen, until: str | None) -> bool:
    """Whether what was asked for has been found."""
    if until == "all":
        return len(seen.found) == len(seen.moves.properties)
    return until is not None and (until in seen.found or (until == "first" and bool(seen.found)))


def result(seen: Seen, complete: bool, depth: int, began: float) -> Searched:
    """What a search has seen, in the end."""
    seconds, kinds = time.monotonic() - began, frozenset(seen.moves.kinds)
    return Searched(seen.found, len(seen.failing), seen.transitions, complete, depth, seconds, kinds)
