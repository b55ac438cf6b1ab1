"""Shapes: the values of a type as words and truth values in a frame, or as alternatives of such frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import product
from random import Random
from typing import Any

from attrs import frozen
from hypothesis import strategies

from properties.engines.formulas import proposition, variable
from properties.engines.maps import Default, Set, Symbolic
from spec.sparse import sparse
from spec.words import Width

Strategy = strategies.SearchStrategy[Any]


class NotDerivable(Exception):
    """A declared type does not say which values it has: give it a width, or a stated domain."""


@frozen(eq=False, slots=False)
class Shape:
    """The values of a type: words in a frame, or alternatives of such."""

    @property
    def label(self) -> str:
        """What distinguishes this shape from its alternatives, empty where nothing does."""
        return ""

    def alternatives(self) -> Iterator[Shape]:
        """The shapes of one frame each, in the order of their declaration."""
        yield self

    def symbolic(self, prefix: str) -> Any:
        """A value whose words are free variables, named by their path below `prefix`; only for a single frame."""
        raise NotImplementedError

    def draw(self, random: Random) -> Any:
        """A concrete value, with a bias towards 0, 1, all ones and single bits."""
        raise NotImplementedError

    def strategy(self) -> Strategy:
        """A Hypothesis strategy of concrete values."""
        raise NotImplementedError


@frozen(eq=False, slots=False)
class Words(Shape):
    """All words of a width, below its limit where it has one."""

    width: Width

    @cached_property
    def top(self) -> int:
        return self.width.limit or 1 << self.width.bits

    @cached_property
    def corners(self) -> tuple[int, ...]:
        top, size = self.top, self.width.bits
        single = [1 << n for n in range(size)]
        holes = [(1 << size) - 1 - n for n in single]
        return tuple(dict.fromkeys(n for n in (0, 1, top - 1, top - 2, *single, *holes) if 0 <= n < top))

    def symbolic(self, prefix: str) -> Any:
        return variable(prefix, self.width.bits)

    def draw(self, random: Random) -> int:
        chance = random.getrandbits(3)
        if chance < 5:
            return random.getrandbits(self.width.bits) % self.top
        corners = self.corners
        return corners[int(random.random() * (min(4, len(corners)) if chance == 5 else len(corners)))]

    def strategy(self) -> Strategy:
        return strategies.one_of(strategies.integers(0, self.top - 1), strategies.sampled_from(self.corners))


@frozen(eq=False, slots=False)
class Members(Shape):
    """A word that is one of a few numbers, such as the members of an enumeration."""

    values: tuple[int, ...]

    def symbolic(self, prefix: str) -> Any:
        return variable(prefix, max(self.values).bit_length())

    def draw(self, random: Random) -> int:
        return random.choice(self.values)

    def strategy(self) -> Strategy:
        return strategies.sampled_from(self.values)


@frozen(eq=False, slots=False)
class Truths(Shape):
    """Both truth values."""

    def symbolic(self, prefix: str) -> Any:
        return proposition(prefix)

    def draw(self, random: Random) -> bool:
        return random.getrandbits(1) == 1

    def strategy(self) -> Strategy:
        return strategies.booleans()


@frozen(eq=False, slots=False)
class Constant(Shape):
    """One value."""

    value: Any

    @property
    def label(self) -> str:
        name = getattr(self.value, "name", getattr(self.value, "id", None))
        return name if isinstance(name, str) else self.value if isinstance(self.value, str) else ""

    def symbolic(self, prefix: str) -> Any:
        return self.value

    def draw(self, random: Random) -> Any:
        return self.value

    def strategy(self) -> Strategy:
        return strategies.just(self.value)


@frozen(eq=False, slots=False)
class Record(Shape):
    """A record or, where `cls` is `tuple`, a tuple, of shapes by field name."""

    cls: Callable[..., Any]
    parts: tuple[tuple[str, Shape], ...]
    holds: Callable[[Any], Any] | None = None
    """A requirement that connects the fields."""
    named: bool = False
    """Whether the class is itself a choice among several."""

    @property
    def label(self) -> str:
        words = [self.cls.__name__] if self.named else []
        return " ".join(words + [shape.label for _, shape in self.parts if shape.label])

    def built(self, values: Iterable[Any]) -> Any:
        if self.cls is tuple:
            return tuple(values)
        return self.cls(**dict(zip((name for name, _ in self.parts), values, strict=True)))

    def alternatives(self) -> Iterator[Shape]:
        expanded = [list(shape.alternatives()) for _, shape in self.parts]
        if all(len(options) == 1 for options in expanded):
            yield self
            return
        for choice in product(*expanded):
            parts = tuple((name, shape) for (name, _), shape in zip(self.parts, choice, strict=True))
            yield Record(self.cls, parts, self.holds, self.named)

    @lru_cache(maxsize=256)  # noqa: B019 - shapes live as long as the types they come from
    def symbolic(self, prefix: str) -> Any:
        return self.built([shape.symbolic(f"{prefix}.{name}") for name, shape in self.parts])

    def draw(self, random: Random) -> Any:
        for _ in range(1000):
            value = self.built([shape.draw(random) for _, shape in self.parts])
            if self.holds is None or self.holds(value):
                return value
        raise NotDerivable(f"{self.cls.__name__}: no value drawn satisfies what connects its fields")

    def strategy(self) -> Strategy:
        values = strategies.tuples(*(shape.strategy() for _, shape in self.parts)).map(self.built)
        return values if self.holds is None else values.filter(self.holds)


@frozen(eq=False, slots=False)
class Maps(Shape):
    """Sparse maps with a few values that are not the default."""

    key: Record
    value: Shape
    default: Any
    size: int = 4

    def symbolic(self, prefix: str) -> Any:
        numbers = range(self.size)
        keys = (self.plain(self.key.symbolic(f"{prefix}.key{number}")) for number in numbers)
        values = (self.value.symbolic(f"{prefix}.value{number}") for number in numbers)
        return Symbolic(Default(self.default), tuple(map(Set, keys, values)))

    def plain(self, key: tuple[Any, ...]) -> Any:
        """The key as maps take it: a single word by itself."""
        return key[0] if len(key) == 1 else key

    def draw(self, random: Random) -> Any:
        pairs = [(self.plain(self.key.draw(random)), self.value.draw(random)) for _ in range(self.size)]
        return sparse(self.default, pairs)

    def strategy(self) -> Strategy:
        pair = strategies.tuples(self.key.strategy().map(self.plain), self.value.strategy())
        return strategies.lists(pair, max_size=self.size).map(lambda pairs: sparse(self.default, pairs))


@frozen(eq=False, slots=False)
class OneOf(Shape):
    """One of several shapes."""

    options: tuple[Shape, ...]

    def alternatives(self) -> Iterator[Shape]:
        for option in self.options:
            yield from option.alternatives()

    def symbolic(self, prefix: str) -> Any:
        raise NotDerivable(f"{prefix}: the type has several shapes; take one of shapes(...)")

    def draw(self, random: Random) -> Any:
        return random.choice(self.options).draw(random)

    def strategy(self) -> Strategy:
        return strategies.one_of(*(option.strategy() for option in self.options))


def one_of(options: Iterable[Shape]) -> Shape:
    """The choice among shapes, or the one there is."""
    listed = tuple(options)
    return listed[0] if len(listed) == 1 else OneOf(listed)


def among(values: Iterable[Any]) -> Shape:
    """The choice among concrete values, each a frame of its own."""
    return one_of(Constant(value) for value in values)
