"""Words in pieces: rows of known bits and slices of solver terms, which masks and shifts move without a solver term."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from properties.engines.terms import complement, concatenation, extract, is_same_term, numeral


class Atom:
    """A solver term with its size; `choice` is (condition, a, b) where the term chooses between two numbers."""

    __slots__ = ("choice", "equations", "name", "size", "slices", "term")

    def __init__(self, term: Any, size: int, choice: tuple[Any, int, int] | None = None, name: str = "") -> None:
        self.term, self.size, self.choice = term, size, choice
        self.name = name
        """The variable's name, where the term is one."""
        self.slices: dict[tuple[int, int], Any] = {}
        self.equations: dict[tuple[int, int, int], Any] = {}
        """Comparisons with numbers that were asked for before, by lowest bit, size and number."""

    def slice(self, low: int, size: int) -> Any:
        """The term's bits from `low` upwards, as a term; asked for again, the same object."""
        if size == self.size:
            return self.term
        found = self.slices.get((low, size))
        if found is None:
            found = self.slices[low, size] = extract(self.term, low, size)
        return found


Slice = tuple[Atom, int, bool]
"""Bits of an atom from a lowest bit upwards, inverted or not."""
Part = tuple[int, int, Atom, int, bool]
"""A slice in its place: lowest bit in the word, size, then the slice."""


Row = tuple[int, Sequence[Part]]
"""A word: its known bits, and its parts in ascending order."""


def position(part: Part) -> int:
    """The lowest bit of a part, by which parts are sorted."""
    return part[0]


def support(parts: Sequence[Part]) -> int:
    """The bits that parts occupy, as a mask."""
    result = 0
    for at, size, *_ in parts:
        result |= ((1 << size) - 1) << at
    return result


def restrict(parts: Sequence[Part], mask: int) -> list[Part]:
    """The parts cut down to the bits of a mask (negative where infinitely many high bits are ones)."""
    result: list[Part] = []
    for part in parts:
        at, size, atom, low, inverse = part
        hit = (mask >> at) & ((1 << size) - 1)
        if hit == (1 << size) - 1:
            result.append(part)
            continue
        while hit:
            start = (hit & -hit).bit_length() - 1
            run = hit >> start
            length = (~run & (run + 1)).bit_length() - 1
            result.append((at + start, length, atom, low + start, inverse))
            hit &= ~(((1 << length) - 1) << start)
    return result


def joined(parts: list[Part]) -> list[Part]:
    """The parts with neighbours that are neighbours in the same atom made one."""
    result: list[Part] = []
    for part in parts:
        if result:
            at, size, atom, low, inverse = result[-1]
            if part[2] is atom and part[0] == at + size and part[3] == low + size and part[4] == inverse:
                result[-1] = (at, size + part[1], atom, low, inverse)
                continue
        result.append(part)
    return result


def _between(const: int, parts: Sequence[Part], cuts: list[int]) -> Iterator[Any]:
    """The word between each two cuts: an `int` where it is known, a slice where it is not."""
    position = 0
    for start, end in pairwise(cuts):
        while position < len(parts) and parts[position][0] + parts[position][1] <= start:
            position += 1
        if position < len(parts) and parts[position][0] <= start:
            at, _, atom, low, inverse = parts[position]
            yield atom, low + start - at, inverse
        else:
            yield (const >> start) & ((1 << (end - start)) - 1)


def aligned(a: Row, b: Row) -> list[tuple[int, int, Any, Any]]:
    """Both words cut at the same places: (lowest bit, size, piece of a, piece of b), from the low end upwards."""
    marks = {0}
    for _, parts in (a, b):
        for at, size, *_ in parts:
            marks.add(at)
            marks.add(at + size)
    marks.add(max(*marks, a[0].bit_length(), b[0].bit_length()))
    cuts = sorted(marks)
    sizes = [end - start for start, end in pairwise(cuts)]
    return list(zip(cuts, sizes, _between(*a, cuts), _between(*b, cuts), strict=False))


def is_same_slice(a: Any, b: Any) -> bool:
    """Whether two pieces are the same bits of the same atom, inverted or not."""
    if isinstance(a, int) or isinstance(b, int) or a[1] != b[1]:
        return False
    return a[0] is b[0] or (a[0].size == b[0].size and is_same_term(a[0].term, b[0].term))


def piece_term(piece: Any, size: int) -> Any:
    """A piece as a term of its size."""
    if isinstance(piece, int):
        return numeral(piece, size)
    atom, low, inverse = piece
    term = atom.slice(low, size)
    return complement(term) if inverse else term


def row_term(const: int, parts: Sequence[Part], width: int) -> Any:
    """A word as one z3 bit-vector of that many bits, which must hold it."""
    if not parts:
        return numeral(const, width)
    terms: list[Any] = []
    reached = 0
    for at, size, atom, low, inverse in parts:
        if at > reached:
            terms.append(numeral((const >> reached) & ((1 << (at - reached)) - 1), at - reached))
        terms.append(piece_term((atom, low, inverse), size))
        reached = at + size
    if width > reached:
        terms.append(numeral(const >> reached, width - reached))
    result = terms[0]
    for term in terms[1:]:
        result = concatenation(term, result)
    return result
