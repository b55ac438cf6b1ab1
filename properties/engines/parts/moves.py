"""The moves of a part of the system on rows: what is possible, what it leads to, and which properties it violates."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from attrs import define, field

from model.action import Action
from model.design import Design
from model.state import State
from model.system import step
from properties.engines.parts.part import Aspect, Domain, Part
from properties.engines.parts.rows import Layout, Projected, Read, Remembered, Row, hollow
from properties.property import Kind, Predicate, Property

Key = tuple[int, ...]
"""The number of each aspect of a state: states with one key have the same future."""
NOTHING: Any = hollow(State)
"""Stands for what a property of states has no business to read: the state before, and the action."""
Failing = frozenset["Condition"]


@define(eq=False)
class Condition:
    """A condition of a property of states, one of those that have to hold together."""

    prop: Property
    holds: Projected


@define(eq=False)
class Effect:
    """What an action does to every row that has the components it is remembered by."""

    action: Action
    changes: tuple[tuple[int, int], ...]
    """The positions that change, and their new numbers."""
    numbers: Row
    """The new numbers alone."""
    touched: frozenset[Read]
    """The attributes that change."""
    violated: tuple[Property, ...]
    """The properties of steps that do not hold of it."""
    undecided: list[tuple[Property, Projected]]
    """Those whose predicates read more than the step did."""
    met: tuple[Property, ...]
    """The properties to which it is interesting."""
    unmet: list[tuple[Property, Projected]]
    """Those that read more to tell."""
    seen_to: int = -1
    """The version of `conditions` and `aspects`."""
    conditions: tuple[Condition, ...] = ()
    """The conditions that may hold of a state before it and not of the one after it, or the other way round."""
    aspects: tuple[int, ...] = ()
    """The aspects that may change."""

    def after(self, row: Row) -> Row:
        """The row after the action."""
        changed = list(row)
        for position, number in self.changes:
            changed[position] = number
        return tuple(changed)


@define(eq=False)
class Move:
    """An action that may be possible, and what it does."""

    action: Action
    effect: Remembered


@define(eq=False)
class Moves:
    """The moves of a design within a domain, in the configuration of a start state."""

    part: Part
    design: Design
    properties: tuple[Property, ...]
    domain: Domain
    start: State
    unasked: tuple[Property, ...] = ()
    """Those of the properties of states that somebody else asks."""
    witnessed: bool = True
    """Whether anybody asks which steps are interesting to the properties."""
    layout: Layout = field(default=None)
    """How states are rows; that of other moves of the same configuration where they are to be compared."""
    first: Row = field(init=False)
    possible: tuple[Remembered, ...] = field(init=False)
    """For each processor, what it may do."""
    following: tuple[Remembered, ...] = field(init=False)
    """For each processor its move that belongs to the one before, or None."""
    aspects: tuple[Remembered, ...] = field(init=False)
    conditions: tuple[Condition, ...] = field(init=False)
    known: dict[Action, Move] = field(factory=dict)
    asked: dict[Any, Projected] = field(factory=dict)
    kinds: set[type[Action]] = field(factory=set)
    """The kinds of action that were taken."""
    violated: set[str] = field(factory=set)
    met: set[str] = field(factory=set)
    """The properties to which some step was interesting."""
    version: int = 0

    def __attrs_post_init__(self) -> None:
        first = self.part.of(self.start)
        self.layout = self.layout or Layout(first)
        self.first = self.layout.row(first)
        cpus = range(self.part.processors(first))
        self.possible = tuple(self.remembered(partial(self.moves_of, cpu)) for cpu in cpus)
        self.following = tuple(self.remembered(partial(self.move_by, self.domain.follows, cpu)) for cpu in cpus)
        self.aspects = tuple(
            self.remembered(partial(self.numbered, aspect)) for aspect in self.part.aspects(self.design, first)
        )
        self.conditions = tuple(
            Condition(prop, self.projected(predicate))
            for prop in self.properties
            if prop.kind is Kind.STATE and prop not in self.unasked
            for predicate in (prop.conjuncts or (prop.holds,))
        )

    def grows(self) -> None:
        """Note that some condition or aspect reads more than before."""
        self.version += 1

    def remembered(self, function: Callable[[Any], Any]) -> Remembered:
        """A function of a state of the part as one of rows."""
        layout = self.layout
        return Remembered(layout, lambda row, read: function(layout.built(layout.filled(row, read))), grows=self.grows)

    def numbered(self, aspect: Aspect, state: Any) -> int:
        """The number of an aspect of a state."""
        return self.layout.numbers.number(aspect(state))

    def projected(self, predicate: Predicate) -> Projected:
        """A condition on states as a function of their components."""
        return Projected(self.layout.numbers, self.layout.classes, partial(self.judged, predicate), self.grows)

    def moves_of(self, cpu: int, state: Any) -> tuple[Move, ...]:
        """What a processor may do in a state."""
        return tuple([self.move(action) for action in self.domain.of_processor(self.design, state, cpu)])

    def move_by(self, choice: Callable[[Design, Any, int], Action | None], cpu: int, state: Any) -> Move | None:
        """The move of a processor that is chosen in a state, where one is."""
        action = choice(self.design, state, cpu)
        return None if action is None else self.move(action)

    def follows(self, row: Row) -> Move | None:
        """The move that belongs to the one before, where there is one."""
        for of_processor in self.following:
            move: Move | None = of_processor(row)
            if move is not None:
                return move
        return None

    def ways(self, row: Row) -> list[Move]:
        """What may happen next: the move that belongs to the one before alone, where there is one."""
        follows = self.follows(row)
        return [move for possible in self.possible for move in possible(row)] if follows is None else [follows]

    def move(self, action: Action) -> Move:
        """The move that takes an action."""
        known = self.known.get(action)
        if known is None:
            known = self.known[action] = Move(action, Remembered(self.layout, partial(self.effect, action)))
        return known

    def judged(self, predicate: Predicate, parts: list[Any]) -> bool:
        """Whether a condition holds of a state with these components."""
        after = self.part.within(self.start, self.layout.built(parts))
        return bool(predicate(self.design, NOTHING, NOTHING, after))

    def effect(self, action: Action, row: Row, read: list[int]) -> Effect:
        """What an action does to a row of which it may read so much."""
        layout, kind = self.layout, type(action)
        parts = layout.filled(row, read)
        before = self.part.within(self.start, layout.built(parts))
        after = self.part.of(step(self.design, before, action))
        changed = layout.changes(parts, after)
        moved = next((new for _, new in changed if id(new) in layout.places), None)
        if moved is not None:
            raise AttributeError("one component became another", obj=moved)
        changes = tuple([(position, layout.numbers.number(new)) for position, new in changed])
        read += [position for position, _ in changes if position not in read]
        attributes = layout.numbers.attributes
        touched = [
            (position, n)
            for position, number in changes
            for n, (old, new) in enumerate(zip(attributes[row[position]], attributes[number], strict=True))
            if old != new
        ]
        self.kinds.add(kind)
        found = Effect(action, changes, tuple([new for _, new in changes]), frozenset(touched), (), [], (), [])
        fixed = frozenset(read)
        about = [prop for prop in self.properties if issubclass(kind, prop.about)]
        of_steps = [prop for prop in about if prop.kind is not Kind.STATE]
        holds, found.undecided = self.sorted_out(found, row, fixed, [(prop, prop.holds) for prop in of_steps])
        unmet = [(prop, prop.interesting) for prop in about if self.witnessed and prop.id not in self.met]
        met, found.unmet = self.sorted_out(found, row, fixed, unmet)
        found.violated = tuple(prop for prop, value in holds if not value)
        found.met = tuple(prop for prop, value in met if value)
        return found

    def sorted_out(
        self, effect: Effect, row: Row, fixed: frozenset[int], asked: Iterable[tuple[Property, Predicate]]
    ) -> tuple[list[tuple[Property, bool]], list[tuple[Property, Projected]]]:
        """What predicates say of an effect, and those that read more than the positions that are fixed for it."""
        decided, undecided = [], []
        changed = tuple([position for position, _ in effect.changes])
        for prop, predicate in asked:
            asking = self.asking(predicate, effect.action, changed)
            value = asking(row + effect.numbers)
            if all(position in fixed or position >= len(row) for position, _ in asking.reads):
                decided.append((prop, value))
            else:
                undecided.append((prop, asking))
        return decided, undecided

    def asking(self, predicate: Predicate, action: Action, changed: tuple[int, ...]) -> Projected:
        """A predicate of steps that take an action and change these positions.

        As a function of the components before it, followed by the new ones.
        """
        place = (predicate, action, changed)
        known = self.asked.get(place)
        if known is None:
            classes = (*self.layout.classes, *(self.layout.classes[position] for position in changed))
            function = partial(self.of_step, predicate, action, changed)
            known = self.asked[place] = Projected(self.layout.numbers, classes, function)
        return known

    def of_step(self, predicate: Predicate, action: Action, changed: tuple[int, ...], parts: list[Any]) -> bool:
        """What a predicate says of a step between states with these components."""
        size = len(self.layout.classes)
        new, parts = parts[size:], parts[:size]
        before = self.layout.built(parts)
        for position, component in zip(changed, new, strict=True):
            parts[position] = component
        whole = partial(self.part.within, self.start)
        return bool(predicate(self.design, whole(before), action, whole(self.layout.built(parts))))

    def see_to(self, effect: Effect) -> None:
        """Bring up to date what an effect says of conditions and aspects."""
        touched = effect.touched
        positions = {position for position, _ in effect.changes}
        open_ = [condition for condition in self.conditions if condition.prop.id not in self.violated]
        effect.conditions = tuple([each for each in open_ if not touched.isdisjoint(each.holds.reads)])
        aspects = enumerate(self.aspects)
        effect.aspects = tuple([n for n, aspect in aspects if not positions.isdisjoint(aspect.reads)])
        effect.seen_to = self.version

    def first_key(self) -> Key:
        """The key of the first row."""
        return tuple([aspect(self.first) for aspect in self.aspects])

    def key(self, before: Key, effect: Effect, row: Row) -> Key:
        """The key of the row after an effect, given that before it."""
        if effect.seen_to != self.version:
            self.see_to(effect)
        changed = list(before)
        for number in effect.aspects:
            changed[number] = self.aspects[number](row)
        return tuple(changed)

    def first_failing(self) -> Failing:
        """The conditions that do not hold of the first row."""
        return frozenset([condition for condition in self.conditions if not condition.holds(self.first)])

    def failing(self, before: Failing, effect: Effect, row: Row) -> Failing:
        """The conditions that do not hold of the row after an effect, given those that did not before it."""
        if effect.seen_to != self.version:
            self.see_to(effect)
        found = [condition for condition in effect.conditions if not condition.holds(row)]
        if not found and not before:
            return before
        return before.difference(effect.conditions).union(found)

    def failing_behind(self, before: Failing, effects: Sequence[Effect], row: Row) -> Failing:
        """The conditions that do not hold of the row after several effects, given those that did not before them."""
        if len(effects) == 1:
            return self.failing(before, effects[0], row)
        for effect in effects:
            if effect.seen_to != self.version:
                self.see_to(effect)
        asked = set().union(*[effect.conditions for effect in effects])
        found = [condition for condition in asked if not condition.holds(row)]
        if not found and not before:
            return before
        return before.difference(asked).union(found)

    def wrong(self, effect: Effect, row: Row, failing: Failing) -> list[Property]:
        """The properties that a step is the first to violate, given the conditions that fail after it."""
        return [*self.wrong_step(effect, row), *self.wrong_state(effect.action, failing)]

    def wrong_step(self, effect: Effect, row: Row) -> list[Property]:
        """The properties of steps that a step is the first to violate."""
        if not (effect.violated or effect.undecided):
            return []
        found = [prop for prop in effect.violated if prop.id not in self.violated]
        both = row + effect.numbers
        found += [prop for prop, holds in effect.undecided if prop.id not in self.violated and not holds(both)]
        return self.noted(found)

    def wrong_state(self, action: Action, failing: Failing) -> list[Property]:
        """The properties of states that a step is the first to violate, given the conditions that fail after it."""
        broken = (condition.prop for condition in failing)
        return self.noted({prop: None for prop in broken if isinstance(action, prop.about)})

    def noted(self, broken: Iterable[Property]) -> list[Property]:
        """Those of the properties that have not been violated before."""
        found = [prop for prop in broken if prop.id not in self.violated]
        if found:
            self.violated |= {prop.id for prop in found}
            self.version += 1
        return found

    def meet(self, effect: Effect, row: Row) -> None:
        """Note the properties to which a step is interesting."""
        if effect.met:
            self.met |= {prop.id for prop in effect.met}
            effect.met = ()
        if effect.unmet:
            both = row + effect.numbers
            self.met |= {prop.id for prop, tells in effect.unmet if prop.id not in self.met and tells(both)}
            effect.unmet = [pair for pair in effect.unmet if pair[0].id not in self.met]
