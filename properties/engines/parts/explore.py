"""The engine `explore` for a part of the system: every reachable state of small, stated configurations, nearest first.

Every interleaving of what the domain says may happen is followed, at the grain that the part states (`Part.grain`).
States that no future tells apart (`Part.aspects`) count once.
"""

import time
from collections import deque
from collections.abc import Iterable

from attrs import frozen

from model.action import Action
from model.design import Design
from model.topology import TOPOLOGIES, initial
from properties.engines.parts.moves import Failing, Key, Moves
from properties.engines.parts.part import Domain, Part
from properties.engines.parts.rows import Row
from properties.engines.search import Run
from properties.property import Property


@frozen
class Explored:
    """What an exploration saw: states, transitions, and the first violation of each property."""

    states: int
    transitions: int
    seconds: float
    complete: bool
    violations: dict[str, Run]
    kinds: frozenset[type[Action]]
    met: frozenset[str]
    """The properties that had something to say about: a step that is interesting to them occurred."""


Parents = list[tuple[int, Action] | None]
"""For each state, by its number, the one before it and the action between them."""


def explore_part(
    part: Part,
    design: Design,
    properties: Iterable[Property],
    topology: str,
    domain: Domain,
    deadline: float | None = None,
    most_states: int = 2_000_000,
) -> Explored:
    """Every state that is reachable within a domain; ends early at a deadline or beyond a number of states."""
    began = time.monotonic()
    moves = Moves(part, design, tuple(properties), domain, initial(TOPOLOGIES[topology], design))
    first = moves.first_key()
    numbers: dict[Key, int] = {first: 0}
    parents: Parents = [None]
    failing: list[Failing] = [moves.first_failing()]
    waiting: deque[tuple[int, Key, Row]] = deque([(0, first, moves.first)])
    violations: dict[str, Run] = {}
    transitions, complete = 0, True
    while waiting:
        here, before, row = waiting.popleft()
        if len(parents) > most_states or (deadline is not None and time.monotonic() > deadline):
            complete = False
            break
        for possible in moves.possible:
            for move in possible(row):
                effect = move.effect(row)
                after = effect.after(row)
                transitions += 1
                key = moves.key(before, effect, after)
                there = numbers.get(key)
                if there is None:
                    there = numbers[key] = len(parents)
                    parents.append((here, move.action))
                    failing.append(moves.failing(failing[here], effect, after))
                    waiting.append((there, key, after))
                if effect.met or effect.unmet:
                    moves.meet(effect, row)
                for prop in moves.wrong(effect, row, failing[there]):
                    violations[prop.id] = (*way_to(parents, here), move.action)
    seconds = time.monotonic() - began
    return Explored(
        len(parents), transitions, seconds, complete, violations, frozenset(moves.kinds), frozenset(moves.met)
    )


def way_to(parents: Parents, state: int) -> Run:
    """The actions from the initial state to a state, by their numbers."""
    actions: list[Action] = []
    while (parent := parents[state]) is not None:
        state, action = parent
        actions.append(action)
    return tuple(reversed(actions))
