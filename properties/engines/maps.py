"""Symbolic sparse maps: what the rules of `spec` and `model` run on where they use `spec.sparse.Sparse`.

A symbolic map has a source, which says what it held at first, and the values that were set since. The source is a
default for every key, or arbitrary contents: a function that z3 knows nothing of, applied to keys. Of arbitrary
contents the map remembers which keys were read, so that a proof can assume an invariant for just these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import z3
from attrs import frozen

from properties.engines.branches import NotLiftable
from properties.engines.symbolic import Truth, Word, is_record, record_fields, term_at, unknown
from properties.engines.terms import application, arguments
from spec.registers import declared
from spec.sparse import Of, Sparse, sparse
from spec.words import Width, bits, choose, either, every, implies, negate, same

Key = Any
"""A word, or a tuple of words."""


Cuts = Callable[[str], tuple[int, ...]]
"""For a word's name the bits at which it is cut into pieces, each of which is a solver term by itself.

It changes nothing of what a word can be. But a solver does better with equal pieces than with equal bits of words.
"""


def whole(name: str) -> tuple[int, ...]:
    """No cuts: every word is one piece."""
    return ()


def spans(name: str, width: int, cuts: Cuts) -> list[tuple[int, int]]:
    """The pieces of a word: lowest bit and size of each, from the low end upwards."""
    inside = (place for place in cuts(name) if place < width)
    return [(low, high - low) for low, high in pairwise((0, *inside, width))]


def in_pieces(name: str, width: int, cuts: Cuts, term: Callable[[str, int], Any]) -> Any:
    """The word of that width each of whose pieces is the term that `term` makes of the piece's name and size."""
    pieces = spans(name, width, cuts)
    if len(pieces) == 1:
        return unknown(term(name, width), width)
    word: Any = 0
    for low, size in pieces:
        word = word | unknown(term(f"{name}[{low + size - 1}:{low}]", size), size) << low
    return word


class Default:
    """The source of a map in which every key has the default."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.watched: list[Key] = []
        self.keys: list[Key] = []

    def read(self, key: Key) -> Any:
        """The default."""
        return self.value


class Arbitrary:
    """The source of a map with arbitrary contents: for each piece of a value, a function of the key's pieces.

    `watched` are the keys at which a proof asks what holds, for `none_where`. Where there are `witnesses`, of each
    condition that holds of some key it is known that it holds of one that nothing else is known of: `said` has that.
    """

    def __init__(self, name: str, of: Of, cuts: Cuts = whole) -> None:
        self.name, self.of, self.cuts = name, of, cuts
        self.value = of.default
        self.watched: list[Key] = []
        self.witnesses = False
        self.said: list[Any] = []
        self._known: dict[tuple[int, ...], tuple[Key, Any]] = {}
        self._functions: dict[str, Any] = {}
        self._fresh = 0

    @property
    def words(self) -> list[tuple[str, Width]]:
        """The words of a key: the name by which each is cut, which is that of any such word, and its width."""
        return [(f"{self.name}.any{n}", width) for n, width in enumerate(self.of.keys)]

    @property
    def keys(self) -> list[Key]:
        """Every key that was read."""
        return [key for key, _ in self._known.values()]

    def read(self, key: Key) -> Any:
        """The value of a key, the same for the same key."""
        terms = [
            term_at(bits(word, low + size - 1, low), size)
            for (name, width), word in zip(self.words, words_of(key), strict=True)
            for low, size in spans(name, width.bits, self.cuts)
        ]
        place = tuple(term.get_id() for term in terms)
        known = self._known.get(place)
        if known is None:
            made = partial(self._applied, terms, arguments(terms))
            known = self._known[place] = (key, self._value(self.name, self.of.value, made))
        return known[1]

    def _value(self, name: str, kind: Any, made: Callable[[str, int], Any]) -> Any:
        width = width_of(kind)
        if width is not None:
            return in_pieces(name, width.bits, self.cuts, made)
        parts = declared(kind)
        return kind(**{alias: self._value(f"{name}.{n}", parts[n], made) for n, alias in record_fields(kind)})

    def _applied(self, terms: list[Any], given: Any, name: str, size: int) -> Any:
        function = self._functions.get(name)
        if function is None:
            sorts = [term.sort() for term in terms]
            function = self._functions[name] = z3.Function(name, *sorts, z3.BitVecSort(size))
        return application(function, given)

    def fresh(self) -> Truth:
        """A truth value that nothing is known of."""
        self._fresh += 1
        return Truth(z3.Bool(f"{self.name}.none{self._fresh}"))

    def witness(self) -> Key:
        """A key that nothing is known of, for the truth value that was the last one made."""
        name = f"{self.name}.witness{self._fresh}"
        words = [unknown(z3.BitVec(f"{name}.{n}", width.bits), width.bits) for n, width in enumerate(self.of.keys)]
        return tuple(words) if len(words) > 1 else words[0]

    def restart(self) -> None:
        """Begin to count fresh truth values again, so that a replayed path meets the same ones."""
        self._fresh, self.said = 0, []


class Either:
    """The source of a map that is one of two."""

    def __init__(self, condition: Truth, a: Any, b: Any) -> None:
        self.condition, self.a, self.b = condition, a, b
        self.value = a.default

    @property
    def watched(self) -> list[Key]:
        """Those of either."""
        return apart([*self.a.watched, *self.b.watched])

    @property
    def keys(self) -> list[Key]:
        """Those of either that were read or set."""
        return apart([*self.a.read, *self.b.read])

    def read(self, key: Key) -> Any:
        """The value of a key in the one or the other."""
        return choose(self.condition, self.a.get(key), self.b.get(key))


def apart(keys: list[Key]) -> list[Key]:
    """Keys, each very same one once."""
    return list({tuple(map(id, words_of(key))): key for key in keys}.values())


def words_of(key: Key) -> tuple[Any, ...]:
    """The words of a key."""
    return key if isinstance(key, tuple) else (key,)


def width_of(kind: Any) -> Width | None:
    """The width that a declared type of a value has, if it is a word's."""
    if isinstance(kind, Width):
        return kind
    return next((extra for extra in getattr(kind, "__metadata__", ()) if isinstance(extra, Width)), None)


@frozen
class Set:
    """One value that was set."""

    key: Key
    value: Any


@frozen(eq=False)
class Cleared:
    """Every value of which a condition holds was set back to the default."""

    condition: Callable[[Key, Any], Any]


class Symbolic:
    """A sparse map on symbolic words, with the methods of `spec.sparse.Sparse`."""

    __slots__ = ("source", "updates")

    def __init__(self, source: Any, updates: tuple[Any, ...] = ()) -> None:
        self.source, self.updates = source, updates

    @property
    def default(self) -> Any:
        """The value of every key that none was set for."""
        return self.source.value

    @property
    def watched(self) -> list[Key]:
        """The keys at which it is asked what holds of every key: those of a proof, or all that may have been set."""
        if isinstance(self.source, Arbitrary):
            return self.source.watched
        return apart([*self.source.watched, *(update.key for update in self.updates if isinstance(update, Set))])

    @property
    def read(self) -> list[Key]:
        """The keys that were read or set."""
        return [*self.source.keys, *(update.key for update in self.updates if isinstance(update, Set))]

    def get(self, key: Key) -> Any:
        """The value of a key, merged from what was set and cleared."""
        found = self.source.read(key)
        for update in self.updates:
            if isinstance(update, Set):
                found = choose(same(key, update.key), update.value, found)
            else:
                found = choose(update.condition(key, found), self.default, found)
        return found

    def set(self, key: Key, value: Any) -> Symbolic:
        """The map with one value replaced."""
        return Symbolic(self.source, (*self.updates, Set(key, value)))

    def written(self) -> list[tuple[Key, Any, Any]]:
        """Each value that was set, one after the other: its key, what was there before, and the value."""
        found = []
        if isinstance(self.source, Either):
            raise NotLiftable("what was written, of one of two maps: ask of each path by itself")
        for number, update in enumerate(self.updates):
            if not isinstance(update, Set):
                raise NotLiftable("what was written, of a map that was cleared")
            found.append((update.key, Symbolic(self.source, self.updates[:number]).get(update.key), update.value))
        return found

    def clear_where(self, condition: Callable[[Key, Any], Any]) -> Symbolic:
        """The map with the default for every key of which the condition holds."""
        if not isinstance(self.source, Default):
            return Symbolic(self.source, (*self.updates, Cleared(condition)))
        left = (Set(u.key, choose(condition(u.key, u.value), self.default, u.value)) for u in self.updates)
        return Symbolic(self.source, tuple(left))

    def none_where(self, condition: Callable[[Key, Any], Any]) -> Any:
        """Whether the condition holds of no key that has another value than the default.

        For arbitrary contents all that is known where it is true is that the condition holds of no watched key, and
        where it is false, that it holds of a witness, if there are such: more behaviours than there are, never fewer.
        """
        if isinstance(self.source, Default):
            return every(*(self._spared(number, condition) for number in range(len(self.updates))))
        if not isinstance(self.source, Arbitrary):
            raise NotLiftable("none_where on one of two maps: branch with `if` first")
        seen = [negate(condition(key, self.get(key))) for key in self.source.watched]
        none = every(self.source.fresh(), *seen)
        if self.source.witnesses:
            key = self.source.witness()
            self.source.said.append(either(none, condition(key, self.get(key))))
        return none

    def _spared(self, number: int, condition: Callable[[Key, Any], Any]) -> Any:
        update = self.updates[number]
        hidden = either(*(same(later.key, update.key) for later in self.updates[number + 1 :]))
        unset = same(update.value, self.default)
        return implies(negate(hidden), either(unset, negate(condition(update.key, update.value))))

    def merged(self, condition: Truth, other: Any) -> Symbolic:
        """This map where the condition holds, else the other."""
        return self if other is self else Symbolic(Either(condition, self, other))

    def transformed(self, transform: Callable[[Any], Any]) -> Any:
        """The map with its words replaced; a concrete one where nothing symbolic is left."""
        if not isinstance(self.source, Default):
            return self
        updates = tuple(Set(transform(u.key), transform(u.value)) for u in self.updates)
        if any(is_symbolic(u.key) or is_symbolic(u.value) for u in updates):
            return Symbolic(self.source, updates)
        result: Sparse[Any] = sparse(self.default)
        for update in updates:
            result = result.set(update.key, update.value)
        return result

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: Any) -> bool:
        if other is self:
            return True
        raise NotLiftable("symbolic maps are not compared; compare their values at a key")


def is_symbolic(value: Any) -> bool:
    """Whether a value has a symbolic word in it."""
    if isinstance(value, Word | Truth | Symbolic):
        return True
    if isinstance(value, tuple):
        return any(map(is_symbolic, value))
    return is_record(value) and any(is_symbolic(getattr(value, name)) for name, _ in record_fields(value.__class__))
