"""Sparse maps: memory, TLBs and page ownership, each a map from words to values with one default.

A map is read and replaced key by key, and cleared by a condition on keys and values; a rule never iterates over it. The
concrete map is a persistent one; the symbolic one of the proofs has the same methods.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, TypeVar

from attrs import field, frozen
from immutables import Map

from spec.words import U64, Width

V = TypeVar("V")
Condition = Callable[[Any, Any], Any]
"""A condition on a key and the value kept for it."""


@frozen
class Of:
    """The declared type of a sparse map: the widths of its keys' words, and the type of its values."""

    keys: tuple[Width, ...]
    value: Any
    default: Any = 0


@frozen
class Sparse(Generic[V]):
    """A persistent map in which every key has a value, the default where none was set."""

    default: V
    entries: Map[Any, V] = field(factory=Map)

    def get(self, key: Any) -> V:
        """The value of a key: a word, or a tuple of words."""
        # Most keys that are asked for are there, and a Map finds them in half the time where it is subscripted.
        try:
            return self.entries[key]
        except KeyError:
            return self.default

    def set(self, key: Any, value: V) -> "Sparse[V]":
        """The map with one value replaced."""
        if value == self.default:
            return Sparse(self.default, self.entries.delete(key)) if key in self.entries else self
        return self if self.entries.get(key) == value else Sparse(self.default, self.entries.set(key, value))

    def clear_where(self, condition: Condition) -> "Sparse[V]":
        """The map with the default for every key of which the condition holds."""
        gone = [key for key, value in self.entries.items() if condition(key, value)]
        if not gone:
            return self
        changed = self.entries.mutate()
        for key in gone:
            del changed[key]
        return Sparse(self.default, changed.finish())

    def none_where(self, condition: Condition) -> bool:
        """Whether the condition holds of no key that has another value than the default."""
        return not any(condition(key, value) for key, value in self.entries.items())


def sparse(default: V, entries: Iterable[tuple[Any, V]] = ()) -> Sparse[V]:
    """A map with a default and the given values."""
    return Sparse(default, Map([pair for pair in entries if pair[1] != default]))


Memory = Annotated[Sparse[int], Of((Width(37),), U64, 0)]
"""Physical memory as aligned doublewords: the key is the physical address divided by 8."""
