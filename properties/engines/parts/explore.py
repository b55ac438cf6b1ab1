"""The engine `explore` for a part of the system: every reachable state of small, stated configurations, nearest first.

Every interleaving of what the domain says may happen is followed, at the grain that the part states (`Part.grain`): an
action is one transition with those that belong to it (`Domain.follows`), and the states between them are judged and not
kept. States that no future tells apart (`Part.aspects`) count once.
"""

import gc
import time
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from struct import Struct

from attrs import define, field, frozen

from model.action import Action
from model.design import Design
from model.topology import TOPOLOGIES, initial
from properties.engines.parts.drain import Drains
from properties.engines.parts.moves import Effect, Failing, Key, Move, Moves
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


NOTHING: Failing = frozenset()


@define(eq=False)
class Seen:
    """The states of an exploration that is under way, and how each was reached."""

    moves: Moves
    packing: Struct = field(init=False)
    alike: int = field(init=False)
    """How many of a key's numbers, the first ones, may change places."""
    numbers: dict[bytes, int] = field(init=False)
    """The number of each state, by its key in few bytes."""
    waiting: deque[tuple[Key, Row]] = field(init=False)
    """The states whose moves are still to be taken, in the order of their numbers."""
    failing: dict[int, Failing] = field(init=False)
    """The conditions that do not hold of a state, where there are any."""
    origins: "array[int]" = field(factory=lambda: array("l", (-1,)))
    """For each state the one before it."""
    ways: list[Move | None] = field(factory=lambda: [None])
    """For each state the move between them."""
    transitions: int = 0
    violations: dict[str, Run] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        moves = self.moves
        first = moves.first_key()
        self.packing = Struct(f"{len(first)}I")
        self.alike = moves.part.alike(moves.design, moves.part.of(moves.start), moves.domain)
        self.numbers, self.waiting = {self.packed(first): 0}, deque([(first, moves.first)])
        failing = self.moves.first_failing()
        self.failing = {0: failing} if failing else {}

    def packed(self, key: Key) -> bytes:
        """A key in few bytes, the same for states in which processors that are alike have changed places."""
        if self.alike:
            return self.packing.pack(*sorted(key[: self.alike]), *key[self.alike :])
        return self.packing.pack(*key)

    def number(self, key: Key) -> int | None:
        """The number of a state, by its key."""
        return self.numbers.get(self.packed(key))

    def take(self, here: int, key: Key, row: Row, move: Move) -> int:
        """Take a move and those that belong to it, and judge them; the number of the state behind them."""
        moves, effects = self.moves, list[Effect]()
        self.transitions += 1
        following: Move | None = move
        while following is not None:
            effect = following.effect(row)
            effects.append(effect)
            after = effect.after(row)
            key = moves.key(key, effect, after)
            if effect.met or effect.unmet:
                moves.meet(effect, row)
            if effect.violated or effect.undecided:
                self.violated(moves.wrong_step(effect, row), here, move, len(effects))
            row, following = after, moves.follows(after)
        packed = self.packed(key)
        there = self.numbers.get(packed)
        if there is None:
            there = self.numbers[packed] = len(self.origins)
            self.origins.append(here)
            self.ways.append(move)
            self.waiting.append((key, row))
            before = self.failing.get(here, NOTHING)
            failing = moves.failing_behind(before, effects, row)
            if failing:
                self.failing[there] = failing
                self.violated(moves.wrong_state(effects[-1].action, failing), here, move, len(effects))
        elif self.failing and there in self.failing:
            self.violated(moves.wrong_state(effects[-1].action, self.failing[there]), here, move, len(effects))
        return there

    def violated(self, properties: Iterable[Property], here: int, move: Move, steps: int) -> None:
        """Note what is violated after so many steps of a move."""
        for prop in properties:
            self.violations[prop.id] = self.way_to(here, move, steps)

    def way_to(self, state: int, move: Move | None = None, steps: int = 0) -> Run:
        """The actions from the initial state to a state, and so many of those of a move behind it."""
        actions, row = self.replayed(state)
        while move is not None and steps > 0:
            actions.append(move.action)
            row, steps = move.effect(row).after(row), steps - 1
            move = self.moves.follows(row)
        return tuple(actions)

    def row_of(self, state: int) -> Row:
        """The row of a state, as it was reached first."""
        return self.replayed(state)[1]

    def replayed(self, state: int) -> tuple[list[Action], Row]:
        """The actions from the initial state to a state, and its row."""
        way: list[Move] = []
        while (move := self.ways[state]) is not None:
            state = self.origins[state]
            way.append(move)
        row, actions = self.moves.first, list[Action]()
        for chosen in reversed(way):
            following: Move | None = chosen
            while following is not None:
                actions.append(following.action)
                row = following.effect(row).after(row)
                following = self.moves.follows(row)
        return actions, row


@contextmanager
def uncollected() -> Iterator[None]:
    """What is kept makes no cycles, and the collector of cycles would look through all of it again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@uncollected()
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
    properties = tuple(properties)
    in_the_end = tuple(prop for prop in properties if prop.settled is not None)
    start = initial(TOPOLOGIES[topology], design)
    moves = Moves(part, design, properties, domain, start, in_the_end)
    seen = Seen(moves)
    drains = Drains(moves, in_the_end, seen.number, seen.row_of) if in_the_end else None
    here = -1
    while seen.waiting:
        if len(seen.ways) > most_states or (deadline is not None and time.monotonic() > deadline):
            break
        key, row = seen.waiting.popleft()
        here, onward = here + 1, None
        due = None if drains is None else drains.due(row)
        for possible in moves.possible:
            for move in possible(row):
                there = seen.take(here, key, row, move)
                onward = there if move is due else onward
        if drains is not None:
            drains.note(drains.alone(key, row) if onward is None else onward)
    complete = not seen.waiting
    if drains is not None:
        drains.rest(seen.waiting)
        for prop, state in drains.first_failing().items():
            seen.violations[prop] = seen.way_to(state)
    seconds = time.monotonic() - began
    kinds, met = frozenset(moves.kinds), frozenset(moves.met)
    return Explored(len(seen.ways), seen.transitions, seconds, complete, seen.violations, kinds, met)
