"""States of a part of the system as rows of numbers, and functions of a state remembered by what they read.

A state is divided into components: its fields, and the items of those that are tuples. Equal components have one
number, so a state is a row of numbers. A function is evaluated on a state in which components are hollow, records whose
attributes are not set. Where it reads one it stops, that component gets its content, and the function starts again: its
value depends on the components that have got one, and on nothing else. It may ask whether two components are the very
same object only to spare itself a comparison of equal ones.
"""

from collections.abc import Callable, Iterable, Sequence
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

    def number(self, value: Any) -> int:
        """The number of a value."""
        known = self.numbers.get((type(value), value))
        if known is None:
            inner = [self.number(getattr(value, f.name)) for f in fields(type(value))] if divides(value) else []
            known = self.numbers[type(value), value] = len(self.values)
            self.values.append(value)
            self.attributes.append(tuple(inner) if divides(value) else (known,))
        return known


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
    """The components at one position as a function sees them: those alike in all that it reads have one number."""

    __slots__ = ("cls", "known", "numbers", "read", "records", "setters", "shown")

    def __init__(self, cls: type | None, numbers: Numbers) -> None:
        self.cls, self.numbers = cls, numbers
        self.read = set[int]() if cls is not None else {0}
        """The attributes that are read, by their own positions; of what is given as a whole, 0."""
        self.clear()

    def clear(self) -> None:
        """Forget what was seen, because more is read now."""
        cls, names = self.cls, () if self.whole else field_names(self.cls)
        self.setters = tuple((n, getattr(cls, names[n]).__set__) for n in sorted(self.read)) if names else ()
        self.known: dict[int, int] = {}
        """For each component that was seen the number of its view."""
        self.shown: dict[tuple[int, ...], int] = {}
        """The same by the attributes that are read."""
        self.records: list[Any] = []
        """For each number the component as it is shown."""

    @property
    def whole(self) -> bool:
        """Whether components are given as they are."""
        return self.cls is None or (bool(self.read) and is_map(self.cls))

    def number(self, component: int) -> int:
        """The number of the view of a component."""
        inner = self.numbers.attributes[component]
        place = (component,) if self.whole else tuple([inner[n] for n, _ in self.setters])
        found = self.shown.get(place)
        if found is None:
            found = self.shown[place] = len(self.records)
            self.records.append(self.record(component))
        self.known[component] = found
        return found

    def record(self, component: int) -> Any:
        """A component with the attributes that are read."""
        values = self.numbers.values
        if self.whole:
            return values[component]
        assert self.cls is not None
        shown, inner = hollow(self.cls), self.numbers.attributes[component]
        for n, put_in in self.setters:
            put_in(shown, values[inner[n]])
        return shown


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
    views: tuple[View, ...] = field(init=False)
    order: tuple[tuple[int, dict[int, int], View], ...] = field(init=False)
    """The positions at which something is read, each with what is known of components there."""
    blanks: tuple[Any, ...] = field(init=False)
    """For each position a hollow record; nothing where something is read."""
    found: dict[tuple[int, ...], Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.reads = {(position, 0) for position, cls in enumerate(self.classes) if cls is None}
        self.views = tuple([View(cls, self.numbers) for cls in self.classes])
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
        attribute = 0 if is_map(cls) else field_names(cls).index(error.name)
        if (position, attribute) in self.reads:
            raise error
        self.reads.add((position, attribute))
        self.views[position].read.add(attribute)
        self.views[position].clear()
        self.replan()
        self.found.clear()
        self.grows()

    def replan(self) -> None:
        """Make ready for what is read."""
        self.order = tuple([(n, view.known, view) for n, view in enumerate(self.views) if view.read])
        self.blanks = tuple([None if view.read or view.cls is None else hollow(view.cls) for view in self.views])
