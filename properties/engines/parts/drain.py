"""Fair drains of the states of an exploration or a search: what becomes of each when nothing new happens, on rows.

The drain has one next step in each state, and nearly always it is one that the exploration takes anyway. So what is
noted of a state is the number of the next one, and the ends are found when all are known. Where a step is none of the
exploration's, the drain goes on by itself until it comes to a state that has a number, or to its end. In a search no
state has a number, and each drain goes on by itself until it comes to where another one has been.
"""

from collections.abc import Callable, Iterable
from functools import partial

from attrs import define, field

from properties.engines.parts.moves import Key, Move, Moves
from properties.engines.parts.rows import Remembered, Row
from properties.property import Property

MOST_STEPS = 5000
"""How many steps of the drain may follow a state; it goes in circles long before."""
Failed = tuple[str, ...]
"""The properties that do not hold in the end of a drain."""


@define(eq=False)
class Drains:
    """What becomes of each state of an exploration or a search."""

    moves: Moves
    properties: tuple[Property, ...]
    number: Callable[[Key], int | None] = lambda key: None
    """The number of a state of the exploration, by its key; none where states have no numbers."""
    row_of: Callable[[int], Row] = lambda state: ()
    circles_fail: bool = False
    """Whether all properties count as failing where a drain goes in circles; for who asks them anew then."""
    of_processor: tuple[Remembered, ...] = field(init=False)
    """For each processor the move that is due in a state, or None; and that where no processor has one."""
    onward: list[int | Failed] = field(factory=list)
    """For each state the next one, or what fails in the end."""
    known: dict[Key, int | Failed] = field(factory=dict)
    """The same for the states that the exploration does not come to."""
    ends: dict[Row, Failed] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        moves, part = self.moves, self.moves.part
        then = moves.remembered(partial(moves.move_by, lambda design, state, cpu: part.due_then(design, state), -1))
        cpus = range(len(moves.possible))
        self.of_processor = (*(moves.remembered(partial(moves.move_by, part.due, cpu)) for cpu in cpus), then)

    def due(self, row: Row) -> Move | None:
        """The move that is due in a state; None where nothing is any more."""
        for of_processor in self.of_processor:
            move: Move | None = of_processor(row)
            if move is not None:
                return move
        return None

    def note(self, value: int | Failed) -> None:
        """Note what becomes of the next state."""
        self.onward.append(value)

    def rest(self, states: Iterable[tuple[Key, Row]]) -> None:
        """Note what becomes of the states that an exploration which has ended early has not got to."""
        for key, row in states:
            self.note(self.alone(key, row))

    def alone(self, key: Key, row: Row) -> int | Failed:
        """What becomes of a state by a step that the exploration does not take: a state that has a number, or the end.

        Its own number is not asked for.
        """
        if key in self.known:
            return self.known[key]
        way: dict[Key, None] = {}
        while True:
            way[key] = None
            move = self.due(row)
            if move is None:
                found: int | Failed = self.end(row, False)
                break
            key, row = self.taken(key, row, move)
            state = self.number(key)
            known = self.known.get(key) if state is None else state
            if known is not None:
                found = known
                break
            if key in way or len(way) > MOST_STEPS:
                found = self.end(row, True)
                break
        for passed in way:
            self.known[passed] = found
        return found

    def taken(self, key: Key, row: Row, move: Move | None) -> tuple[Key, Row]:
        """The state behind a move and those that belong to it."""
        while move is not None:
            effect = move.effect(row)
            row = effect.after(row)
            key = self.moves.key(key, effect, row)
            move = self.moves.follows(row)
        return key, row

    def end(self, row: Row, circles: bool) -> Failed:
        """The properties that do not hold where a drain ends, or goes in circles."""
        known = None if circles else self.ends.get(row)
        if known is not None:
            return known
        if circles and self.circles_fail:
            return tuple([prop.id for prop in self.properties])
        moves = self.moves
        state = moves.part.within(moves.start, moves.layout.state(row))
        asked = ((prop.id, prop.settled) for prop in self.properties)
        failed = tuple(name for name, holds in asked if holds is not None and not holds(moves.design, state, circles))
        if not circles:
            self.ends[row] = failed
        return failed

    def first_failing(self) -> dict[str, int]:
        """For each property that does not hold, the nearest state of which it does not; all states must be noted."""
        found: dict[str, int] = {}
        for state in range(len(self.onward)):
            for prop in self.becomes(state):
                found.setdefault(prop, state)
        return found

    def becomes(self, state: int) -> Failed:
        """What fails in the end of a state's drain; noted for all on the way."""
        way: dict[int, None] = {}
        value = self.onward[state]
        at = state
        while isinstance(value, int):
            way[at] = None
            at = value
            value = self.end(self.row_of(at), True) if at in way else self.onward[at]
        for passed in way:
            self.onward[passed] = value
        return value
