"""States of a part of the system as rows of numbers, and functions of a state remembered by what they read.

A state is divided into components: its fields, and the items of those that are tuples. Equal components have one
number, so a state is a row of numbers. A function is evaluated on a state in which components are hollow, records whose
attributes are not set. Where it reads one it stops, that component gets its content, and the function starts again: its
value depends on the components that have got one, and on nothing else. It may ask whether two components are the very
same object only to spare itself a comparison of equal ones.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from attrs import define, field, fields, has

from spec.sparse import Sparse
from spec.words import field_names

Row = tuple[int, ...]
"""A state: the number of each component, in the order of `Layout`."""
Read = tuple[int, int]
"""An attribute that was read: the position of its component, and its own in it; of a map, 0."""
MISSING: Any = object()
"""Stands for what is not remembered."""


@define
class Numbers:
    """Numbers for values, equal for equal ones; those of a record's attributes are kept with it."""

    numbers: dict[Any, int] = field(factory=dict)
    values: list[Any] = field(factory=list)
    attributes: list[tuple[int, ...]] = field(factory=list)
    """For each value, the numbers of its attributes; of one that is no record, its own number."""
    views: dict[tuple[int, type | None, frozenset[int]], "View"] = field(factory=dict)
    """What is seen of the components of a class at a position by functions that read the same attributes of them."""

    def number(self, value: Any) -> int:
        """The number of a value."""
        known = self.numbers.get((type(value), value))
        if known is None:
            inner = [self.number(getattr(value, f.name)) for f in fields(type(value))] if divides(value) else []
            known = self.numbers[type(value), value] = len(self.values)
            self.values.append(value)
            self.attributes.append(tuple(inner) if divides(value) else (known,))
        return known

    def view(self, position: int, cls: type | None, read: frozenset[int]) -> "View":
        """The view of a position by functions that read these attributes there."""
        found = self.views.get((position, cls, read))
        if found is None:
            found = self.views[position, cls, read] = View(self, cls, read)
        return found


def divides(value: Any) -> bool:
    """Whether the attributes of a component are told apart: those of a record, but not those of a map."""
    return has(type(value)) and not is_map(type(value))


def is_map(cls: type) -> bool:
    """Whether the components of a class are maps."""
    return issubclass(cls, Sparse)


@define
class Layout:
    """How the states of one configuration divide into components."""

    start: Any
    """A state of the configuration: all have as many items in each tuple."""
    numbers: Numbers = field(factory=Numbers)
    spans: tuple[tuple[str, int, int, bool], ...] = field(init=False)
    """For each field of a state its name, its first component, the one behind its last, and whether it is a tuple."""
    classes: tuple[type | None, ...] = field(init=False)
    """For each component its class; nothing where it is no record."""
    blanks: tuple[Any, ...] = field(init=False)
    """For each component a hollow record; nothing where it is no record and therefore always read."""
    plain: tuple[int, ...] = field(init=False)
    """The positions of components that are no records."""
    places: dict[int, int] = field(init=False)
    """The position of each hollow record, by its identity."""

    def __attrs_post_init__(self) -> None:
        spans, blanks, position = [], list[Any](), 0
        for each in fields(type(self.start)):
            value = getattr(self.start, each.name)
            items = value if isinstance(value, tuple) else (value,)
            spans.append((each.name, position, position + len(items), isinstance(value, tuple)))
            blanks += [hollow(type(item)) if has(type(item)) else None for item in items]
            position += len(items)
        self.spans, self.blanks = tuple(spans), tuple(blanks)
        self.classes = tuple(None if blank is None else type(blank) for blank in blanks)
        self.places = {id(blank): n for n, blank in enumerate(blanks) if blank is not None}
        self.plain = tuple(n for n, blank in enumerate(blanks) if blank is None)

    def components(self, state: Any) -> list[Any]:
        """The components of a state."""
        found: list[Any] = []
        for name, _, _, many in self.spans:
            found += getattr(state, name) if many else (getattr(state, name),)
        return found

    def row(self, state: Any) -> Row:
        """A state as a row."""
        return tuple([self.numbers.number(component) for component in self.components(state)])

    def state(self, row: Row) -> Any:
        """The state of a row."""
        values = self.numbers.values
        return self.built([values[number] for number in row])

    def built(self, components: Sequence[Any]) -> Any:
        """A state of these components."""
        spans = self.spans
        parts = [tuple(components[a:b]) if many else components[a] for _, a, b, many in spans]
        return type(self.start)(*parts)

    def filled(self, row: Row, read: Iterable[int]) -> list[Any]:
        """The components of a row, hollow but for those at the positions that may be read."""
        found = list(self.blanks)
        for position in read:
            found[position] = self.numbers.values[row[position]]
        return found

    def missed(self, error: AttributeError, read: Iterable[int]) -> int:
        """The position of the hollow component at which a function stopped; another error is raised again."""
        position = self.places.get(id(error.obj))
        if position is None or position in read:
            raise error
        return position

    def changes(self, before: Sequence[Any], after: Any) -> list[tuple[int, Any]]:
        """The components that differ from those before, with their positions."""
        pairs = zip(before, self.components(after), strict=True)
        return [(position, new) for position, (old, new) in enumerate(pairs) if new is not old]


def hollow(cls: type) -> Any:
    """A record of a class whose attributes are not set: it may be passed on, and reading it raises AttributeError."""
    return object.__new__(cls)


class Node:
    """A place in what is remembered of a function: the component that it reads next, and what follows for each one."""

    __slots__ = ("position", "ways")

    def __init__(self, position: int) -> None:
        self.position, self.ways = position, dict[int, Any]()


@define
class Remembered:
    """A function of a row, remembered by the components that it reads, in the order in which it reads them."""

    layout: Layout
    function: Callable[[Row, list[int]], Any]
    """Gets a row, and the positions that may be read; positions that it adds count as read too."""
    root: Any = field(default=MISSING)
    reads: set[int] = field(factory=set)
    """All positions that were ever read."""
    grows: Callable[[], None] = field(default=lambda: None)
    """Called when there are more."""

    def __call__(self, row: Row) -> Any:
        """The function's value."""
        at = self.root
        while type(at) is Node:
            at = at.ways.get(row[at.position], MISSING)
        return self.learned(row) if at is MISSING else at

    def learned(self, row: Row) -> Any:
        """The function's value, evaluated and kept."""
        read: list[int] = []
        hang: Callable[[Any], None] = self.hang_root
        at = self.root
        while type(at) is Node:
            read.append(at.position)
            hang = _way(at, row)
            at = at.ways.get(row[at.position], MISSING)
        known = len(read)
        read += [position for position in self.layout.plain if position not in read]
        while True:
            try:
                found = self.function(row, read)
                break
            except AttributeError as error:
                read.append(self.layout.missed(error, read))
        if not self.reads.issuperset(read):
            self.reads.update(read)
            self.grows()
        for position in read[known:]:
            node = Node(position)
            hang(node)
            hang = _way(node, row)
        hang(found)
        return found

    def hang_root(self, value: Any) -> None:
        """Make a value the root."""
        self.root = value


def _way(node: Node, row: Row) -> Callable[[Any], None]:
    """What hangs a value behind a node, on the row's way."""
    return lambda value: node.ways.__setitem__(row[node.position], value)


class View:
    """The components at one position as functions see them that read some attributes: those alike in them count as one.

    Each position has records of its own, which tell it where a function stops at one.
    """

    __slots__ = ("known", "numbers", "records", "setters", "shown")

    def __init__(self, numbers: "Numbers", cls: type | None, read: Iterable[int]) -> None:
        self.numbers = numbers
        self.setters: tuple[tuple[int, Callable[[Any, Any], None]], ...] | None = None
        """For each attribute that is read its position and its setter; None where components are given as wholes."""
        if cls is not None and not is_map(cls):
            names: Any = field_names(cls)
            self.setters = tuple([(n, getattr(cls, names[n]).__set__) for n in sorted(read)])
        self.known = dict[int, int]()
        """For each component that was seen the number of what is seen of it."""
        self.shown = dict[tuple[int, ...], int]()
        """The same by the numbers of the attributes that are read."""
        self.records = list[Any]()
        """For each number the component as it is seen."""

    def number(self, component: int) -> int:
        """The number of what is seen of a component."""
        value, inner = self.numbers.values[component], self.numbers.attributes[component]
        place = (component,) if self.setters is None else tuple([inner[n] for n, _ in self.setters])
        found = self.shown.get(place)
        if found is None:
            found = self.shown[place] = len(self.records)
            self.records.append(value if self.setters is None else self.record(type(value), inner))
        self.known[component] = found
        return found

    def record(self, cls: type, inner: Sequence[int]) -> Any:
        """A record with the attributes that are read."""
        found = hollow(cls)
        for n, put_in in self.setters or ():
            put_in(found, self.numbers.values[inner[n]])
        return found


@define
class Projected:
    """A function of the components of a row, or of several rows, remembered by the attributes that it ever read."""

    numbers: Numbers
    classes: tuple[type | None, ...]
    """The class of each component; none for one that is no record."""
    function: Callable[[list[Any]], Any]
    """Gets the components, and may add to the list."""
    grows: Callable[[], None] = field(default=lambda: None)
    """Called when it reads more than before."""
    reads: set[Read] = field(init=False)
    order: tuple[tuple[int, dict[int, int], View], ...] = field(init=False)
    """The positions at which something is read, each with its view and with what is known of components there."""
    blanks: tuple[Any, ...] = field(init=False)
    """For each position a hollow record; nothing where there is no record and the component is always read."""
    found: dict[tuple[int, ...], Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.reads = {(position, 0) for position, cls in enumerate(self.classes) if cls is None}
        self.blanks = blanks(self.classes)
        self.replan()

    def __call__(self, row: Row) -> Any:
        """The function's value."""
        try:
            place = tuple([known[row[p]] for p, known, _ in self.order])
        except KeyError:
            place = self.place(row)
        found = self.found.get(place, MISSING)
        return self.learned(row, place) if found is MISSING else found

    def place(self, row: Row) -> tuple[int, ...]:
        """All that the function sees of a row."""
        return tuple([known[row[p]] if row[p] in known else view.number(row[p]) for p, known, view in self.order])

    def learned(self, row: Row, place: tuple[int, ...]) -> Any:
        """The function's value, evaluated and kept."""
        while True:
            parts = list(self.blanks)
            for (position, _, view), number in zip(self.order, place, strict=True):
                parts[position] = view.records[number]
            given = tuple(parts)
            try:
                found = self.found[place] = self.function(parts)
                return found
            except AttributeError as error:
                self.add(error, given)
                place = self.place(row)

    def add(self, error: AttributeError, given: tuple[Any, ...]) -> None:
        """One more attribute that is read; what was remembered without it is not known to be complete."""
        position = next((n for n, record in enumerate(given) if record is error.obj), None)
        cls = None if position is None else self.classes[position]
        if position is None or cls is None:
            raise error
        read = (position, 0 if is_map(cls) else field_names(cls).index(error.name))
        if read in self.reads:
            raise error
        self.reads.add(read)
        self.replan()
        self.found.clear()
        self.grows()

    def replan(self) -> None:
        """Take the views of what is read."""
        read: dict[int, set[int]] = {}
        for position, attribute in self.reads:
            read.setdefault(position, set()).add(attribute)
        views = ((n, self.numbers.view(n, self.classes[n], frozenset(read[n]))) for n in sorted(read))
        self.order = tuple([(n, view.known, view) for n, view in views])


@cache
def blanks(classes: tuple[type | None, ...]) -> tuple[Any, ...]:
    """A hollow record of each of these classes, another one for each position."""
    return tuple([None if cls is None else hollow(cls) for cls in classes])
