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
    order: tuple[Read, ...] = field(init=False)
    plan: tuple[tuple[int, type, tuple[tuple[Callable[[Any, Any], None], int], ...]], ...] = field(init=False)
    """How to fill records: the position of each, its class, and for each attribute that is read a setter."""
    found: dict[tuple[int, ...], Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.reads = {(position, 0) for position, cls in enumerate(self.classes) if cls is None}
        self.replan()

    def __call__(self, row: Row) -> Any:
        """The function's value."""
        attributes = self.numbers.attributes
        found = self.found.get(tuple([attributes[row[p]][n] for p, n in self.order]), MISSING)
        return self.learned(row) if found is MISSING else found

    def learned(self, row: Row) -> Any:
        """The function's value, evaluated and kept."""
        attributes, values = self.numbers.attributes, self.numbers.values
        while True:
            parts: list[Any] = []
            for position, cls, filled in self.plan:
                if cls is WHOLE:
                    parts.append(values[row[position]])
                    continue
                record: Any = object.__new__(cls)
                inner = attributes[row[position]]
                for put_in, n in filled:
                    put_in(record, values[inner[n]])
                parts.append(record)
            given = tuple(parts)
            try:
                found = self.function(parts)
                break
            except AttributeError as error:
                self.add(error, given)
        self.found[tuple([attributes[row[p]][n] for p, n in self.order])] = found
        return found

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
        """Make the plan, from what is read."""
        self.order = tuple(sorted(self.reads))
        plan: list[Any] = []
        for position, cls in enumerate(self.classes):
            inner = [n for p, n in self.order if p == position]
            if cls is None or (inner and is_map(cls)):
                plan.append((position, WHOLE, ()))
            else:
                names: Any = field_names(cls)
                plan.append((position, cls, tuple((getattr(cls, names[n]).__set__, n) for n in inner)))
        self.plan = tuple(plan)


class WHOLE:
    """Stands for the class of a component that is given as a whole."""
