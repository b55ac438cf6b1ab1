"""Symbolic words and truth values: what the rules of `spec` and `model` run on when z3 reads them.

A `Word` is an exact natural number: it has as many bits as its value can need, so it never wraps around where Python's
integers do not. It is kept as a row of pieces, each a run of known bits or a slice of a solver term; masks, shifts and
field updates move pieces and build no solver term, and a word whose bits are all known is a plain `int` again.
What a rule may not do on words is refused with `NotLiftable`, which names what to write instead.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import attrs
import z3

from properties.engines.branches import NotLiftable, decide, refusal
from properties.engines.pieces import (
    Atom,
    Part,
    Row,
    aligned,
    is_same_slice,
    joined,
    piece_term,
    position,
    restrict,
    row_term,
    support,
)
from properties.engines.terms import (
    bitwise,
    chosen_truth,
    chosen_word,
    conjunction,
    difference,
    disjunction,
    equation,
    is_below,
    is_same_term,
    negation,
    numeral,
    total,
)


class Truth:
    """A symbolic truth value: combined by `&`, `|`, `^`, `==`, merged by `choose`; its `bool()` forks the path."""

    __slots__ = ("_negation", "term")

    def __init__(self, term: Any) -> None:
        self.term = term
        self._negation: Truth | None = None

    def negation(self) -> Truth:
        """The truth value that holds exactly where this one does not."""
        if self._negation is None:
            self._negation = Truth(negation(self.term))
            self._negation._negation = self
        return self._negation

    def __and__(self, other: Any) -> Truth | bool:
        if isinstance(other, bool):
            return self if other else False
        other = self._operand(other, "&")
        if other is self or is_same_term(other.term, self.term):
            return self
        if other is self._negation:
            return False
        return Truth(conjunction(self.term, other.term))

    def __or__(self, other: Any) -> Truth | bool:
        if isinstance(other, bool):
            return True if other else self
        other = self._operand(other, "|")
        if other is self or is_same_term(other.term, self.term):
            return self
        if other is self._negation:
            return True
        return Truth(disjunction(self.term, other.term))

    def __xor__(self, other: Any) -> Truth | bool:
        if isinstance(other, bool):
            return self.negation() if other else self
        other = self._operand(other, "^")
        if other is self or is_same_term(other.term, self.term):
            return False
        if other is self._negation:
            return True
        return Truth(difference(self.term, other.term))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, (int, Truth, Word)):
            difference = self ^ other
            return difference.negation() if isinstance(difference, Truth) else not difference
        return NotImplemented

    def __ne__(self, other: Any) -> Any:
        return self ^ other if isinstance(other, (int, Truth, Word)) else NotImplemented

    def _operand(self, other: Any, sign: str) -> Truth:
        if isinstance(other, Truth):
            return other
        raise NotLiftable(f"Truth {sign} {described(other)}: no number; use choose(condition, 1, 0)")

    def __bool__(self) -> bool:
        return decide(self.term)

    def choose(self, a: Any, b: Any) -> Any:
        """`a` where this holds and `b` elsewhere, as one value; words, truth values, records and tuples are merged."""
        if a is b:
            return a
        if isinstance(a, (bool, Truth)) and isinstance(b, (bool, Truth)):
            return self._choose_truth(a, b)
        if is_number(a) and is_number(b):
            return a if isinstance(a, int) and isinstance(b, int) and a == b else self._choose_word(a, b)
        if type(a) is type(b):
            if isinstance(a, tuple) and len(a) == len(b):
                return rebuilt(a, [self.choose(x, y) for x, y in zip(a, b, strict=True)])
            if is_record(a):
                names = record_fields(a.__class__)
                left, right = [getattr(a, name) for name, _ in names], [getattr(b, name) for name, _ in names]
                merged = [x if x is y else self.choose(x, y) for x, y in zip(left, right, strict=True)]
                if all(map(operator.is_, merged, left)):
                    return a
                return type(a)(**{alias: value for (_, alias), value in zip(names, merged, strict=True)})
            if hasattr(a, "merged"):
                return a.merged(self, b)
            if not isinstance(a, (tuple, Word, Truth)) and a == b:
                return a
        raise NotLiftable(f"choose: {described(a)} and {described(b)} do not merge; branch with `if`")

    def _choose_truth(self, a: Any, b: Any) -> Any:
        if isinstance(a, bool):
            return self | b if a else self.negation() & b
        if isinstance(b, bool):
            return self.negation() | a if b else self & a
        if is_same_term(a.term, b.term):
            return a
        return Truth(chosen_truth(self.term, a.term, b.term))

    def _choose_word(self, a: Any, b: Any) -> Any:
        const, parts = 0, []
        for at, size, left, right in aligned(_row(a), _row(b)):
            if isinstance(left, int) and isinstance(right, int):
                low = ((left ^ right) & ~(left ^ right) + 1).bit_length() - 1
                if left == right:
                    const |= left << at
                    continue
                size = (left ^ right).bit_length() - low
                ones = (1 << size) - 1
                const |= (left & right & ~(ones << low)) << at
                left, right, at = left >> low & ones, right >> low & ones, at + low
                term = chosen_word(self.term, numeral(left, size), numeral(right, size))
                atom = Atom(term, size, (self, left, right))
            elif is_same_slice(left, right) and left[2] == right[2]:
                parts.append((at, size, *left))
                continue
            else:
                atom = Atom(chosen_word(self.term, piece_term(left, size), piece_term(right, size)), size)
            parts.append((at, size, atom, 0, False))
        return _make(const, joined(parts))

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __lshift__ = __rlshift__ = refusal(
        "a truth value is no number; use choose(condition, 1, 0)"
    )
    __rshift__ = __rrshift__ = __int__ = __index__ = __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __add__
    __invert__ = refusal("use negate(condition)")
    __hash__ = refusal("a symbolic truth value has no hash; use choose, select or find in place of a table lookup")

    def __repr__(self) -> str:
        return f"Truth({self.term})"


class Word:
    """A symbolic natural number below `2 ** width`, with the operators and comparisons of the word language."""

    __slots__ = ("_term", "const", "parts", "width")

    def __init__(self, const: int, parts: Sequence[Part]) -> None:
        self.const = const
        self.parts = parts
        self.width: int = max(const.bit_length(), parts[-1][0] + parts[-1][1])
        self._term: Any = None

    @property
    def term(self) -> Any:
        """The word as one z3 bit-vector of `width` bits."""
        if self._term is None:
            self._term = term_at(self, self.width)
        return self._term

    @property
    def bound(self) -> int:
        """A number that the word never exceeds: its known ones and every unknown bit."""
        return self.const | support(self.parts)

    def __and__(self, other: Any) -> Any:
        if type(other) is int and other >= 0:
            return _make(self.const & other, restrict(self.parts, other))
        return _bitwise(operator.and_, self, other, "&")

    def __or__(self, other: Any) -> Any:
        if type(other) is int and other >= 0:
            return _make(self.const | other, restrict(self.parts, ~other))
        return _bitwise(operator.or_, self, other, "|")

    def __xor__(self, other: Any) -> Any:
        if type(other) is int and other >= 0:
            flipped = restrict(self.parts, other)
            if not flipped:
                return Word(self.const ^ other, self.parts)
            const = self.const ^ (other & ~support(flipped))
            inverted = [(at, size, atom, low, not inverse) for at, size, atom, low, inverse in flipped]
            return Word(const, joined(sorted(inverted + restrict(self.parts, ~other), key=position)))
        return _bitwise(operator.xor, self, other, "^")

    def __lshift__(self, count: Any) -> Any:
        count = _count(count)
        return Word(self.const << count, [(at + count, *rest) for at, *rest in self.parts]) if count else self

    def __rshift__(self, count: Any) -> Any:
        count = _count(count)
        if not count:
            return self
        parts: list[Part] = []
        for at, size, atom, low, inverse in self.parts:
            if at >= count:
                parts.append((at - count, size, atom, low, inverse))
            elif at + size > count:
                lost = count - at
                parts.append((0, size - lost, atom, low + lost, inverse))
        return _make(self.const >> count, parts)

    def __add__(self, other: Any) -> Any:
        other = _operand(other, "+")
        if other is NotImplemented or (isinstance(other, int) and other == 0):
            return self if other == 0 else NotImplemented
        bound = other if isinstance(other, int) else other.bound
        if self.bound & bound == 0:
            return self | other
        width = (self.bound + bound).bit_length()
        return unknown(total(term_at(self, width), term_at(other, width)), width)

    __rand__, __ror__, __rxor__, __radd__ = __and__, __or__, __xor__, __add__

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, (bool, Truth)):
            raise NotLiftable("Word == truth value: a truth value is no number; use choose(condition, 1, 0)")
        if not isinstance(other, (int, Word)):
            return NotImplemented
        if other is self:
            return True
        result: Any = True
        if isinstance(other, int):
            if other < 0 or other & ~support(self.parts) != self.const:
                return False
            for at, size, atom, low, inverse in self.parts:
                ones = (1 << size) - 1
                wanted = (other >> at) & ones
                result = result & _equals(atom, low, size, wanted ^ ones if inverse else wanted)
            return result
        for _, size, left, right in aligned(_row(self), _row(other)):
            result = result & _equal_pieces(left, right, size)
            if result is False:
                return False
        return result

    def __ne__(self, other: Any) -> Any:
        equal = self.__eq__(other)
        return NotImplemented if equal is NotImplemented else equal ^ True

    def __lt__(self, other: Any) -> Any:
        return _below(self, _operand(other, "<"))

    def __ge__(self, other: Any) -> Any:
        return _not(_below(self, _operand(other, ">=")))

    def __gt__(self, other: Any) -> Any:
        return _below(_operand(other, ">"), self)

    def __le__(self, other: Any) -> Any:
        return _not(_below(_operand(other, "<="), self))

    def __bool__(self) -> bool:
        return bool(self != 0)

    __sub__ = __rsub__ = refusal("bare `-` is refused; use sub(a, b, width)")
    __neg__ = refusal("unary `-` is refused; use sub(0, a, width)")
    __invert__ = refusal("unary `~` is refused; use inv(a, width), or clear(x, pattern)")
    __mul__ = __rmul__ = __pow__ = __rpow__ = refusal("`*` is refused; add shifted words, or use select(...)")
    __floordiv__ = __rfloordiv__ = __truediv__ = __rtruediv__ = __divmod__ = refusal("division is refused; use `>>`")
    __mod__ = __rmod__ = refusal("`%` is refused; use bits(x, hi, lo)")
    __rlshift__ = __rrshift__ = refusal("a symbolic shift is refused; use select(...) over constant shifts")
    __index__ = refusal("a symbolic word is no index; use select(table, index) or find(table, key, default)")
    __int__ = __float__ = refusal("a symbolic word has no one value; keep it a word, or evaluate(value, model)")
    __hash__ = refusal("a symbolic word has no hash; use find(table, key, default) or member(x, values)")
    __iter__ = __len__ = refusal("a symbolic word cannot be iterated over; use bits(x, hi, lo)")
    __contains__ = __iter__

    def __repr__(self) -> str:
        return f"Word({z3.simplify(self.term)}, {self.width})"


def unknown(term: Any, width: int) -> Word:
    """The word that a z3 bit-vector of that width stands for, of which no bit is known."""
    return Word(0, ((0, width, Atom(term, width), 0, False),))


@cache
def record_fields(cls: type) -> tuple[tuple[str, str], ...]:
    """The fields of a record class, each with the name its constructor gives it."""
    return tuple((field.name, field.alias or field.name) for field in attrs.fields(cls))


def is_record(value: Any) -> bool:
    """Whether the value is a record, that is, of an attrs class."""
    return attrs.has(type(value))


def described(value: Any) -> str:
    """A value as a refusal names it."""
    return type(value).__name__ if isinstance(value, (Word, Truth)) or is_record(value) else repr(value)


def is_number(value: Any) -> bool:
    """Whether the value is a word or an integer, and no truth value."""
    return isinstance(value, Word) or (isinstance(value, int) and not isinstance(value, bool))


def rebuilt(original: Any, items: list[Any]) -> Any:
    """A tuple of the original's class with other items."""
    return type(original)(*items) if hasattr(original, "_fields") else tuple(items)


def _not(condition: Any) -> Any:
    return NotImplemented if condition is NotImplemented else condition ^ True


def _operand(other: Any, sign: str) -> Any:
    if isinstance(other, (bool, Truth)):
        raise NotLiftable(f"Word {sign} truth value: a truth value is no number; use choose(condition, 1, 0)")
    if isinstance(other, int):
        if other < 0:
            raise NotLiftable(f"Word {sign} {other}: no negative numbers; use sub(a, b, width) or inv(a, width)")
        return int(other)
    return other if isinstance(other, Word) else NotImplemented


def _count(count: Any) -> int:
    if isinstance(count, (Word, Truth, bool)) or not isinstance(count, int) or count < 0:
        raise NotLiftable(f"a shift by {described(count)} is refused; shift by a constant, or use select(...)")
    return int(count)


def _make(const: int, parts: Sequence[Part]) -> Any:
    return Word(const, parts) if parts else const


def _bitwise(operation: Callable[[Any, Any], Any], a: Word, other: Any, sign: str) -> Any:
    b = _operand(other, sign)
    if b is NotImplemented:
        return b
    if isinstance(b, int):
        return operation(a, b)
    const, parts = 0, list[Part]()
    for at, size, left, right in aligned(_row(a), _row(b)):
        piece = _combined(operation, left, right, size)
        if isinstance(piece, int):
            const |= piece << at
        else:
            const |= piece.const << at
            parts.extend((at + low, *rest) for low, *rest in piece.parts)
    return _make(const, joined(parts))


def _combined(operation: Callable[[Any, Any], Any], left: Any, right: Any, size: int) -> Any:
    if isinstance(left, int):
        left, right = right, left
    if isinstance(left, int):
        return operation(left, right)
    word = Word(0, ((0, size, *left),))
    if isinstance(right, int):
        return operation(word, right)
    if is_same_slice(left, right):
        if left[2] == right[2]:
            return word if operation is not operator.xor else 0
        return 0 if operation is operator.and_ else (1 << size) - 1
    return unknown(bitwise(operation, piece_term(left, size), piece_term(right, size)), size)


def _equal_pieces(left: Any, right: Any, size: int) -> Any:
    if isinstance(left, int):
        left, right = right, left
    if isinstance(left, int):
        return left == right
    if isinstance(right, int):
        atom, low, inverse = left
        return _equals(atom, low, size, right ^ ((1 << size) - 1) if inverse else right)
    if is_same_slice(left, right):
        return left[2] == right[2]
    return Truth(equation(piece_term(left, size), piece_term(right, size)))


def _equals(atom: Atom, low: int, size: int, value: int) -> Any:
    """Whether the atom's bits from `low` upwards are this number."""
    if atom.choice is not None:
        condition, a, b = atom.choice
        ones = (1 << size) - 1
        return condition.choose((a >> low) & ones == value, (b >> low) & ones == value)
    found = atom.equations.get((low, size, value))
    if found is None:
        found = atom.equations[low, size, value] = Truth(equation(atom.slice(low, size), numeral(value, size)))
    return found


def _below(a: Any, b: Any) -> Any:
    if a is NotImplemented or b is NotImplemented:
        return NotImplemented
    if a is b:
        return False
    least_a, most_a = (a, a) if isinstance(a, int) else (a.const, a.bound)
    least_b, most_b = (b, b) if isinstance(b, int) else (b.const, b.bound)
    if most_a < least_b:
        return True
    if least_a >= most_b:
        return False
    if isinstance(b, int) and b & (b - 1) == 0:
        return a >> (b.bit_length() - 1) == 0
    width = max(most_a, most_b).bit_length()
    return Truth(is_below(term_at(a, width), term_at(b, width)))


def term_at(value: Any, width: int) -> Any:
    """The word or number as one z3 bit-vector of that many bits, which must hold it."""
    return row_term(*_row(value), width)


def _row(value: Any) -> Row:
    return (value, ()) if isinstance(value, int) else (value.const, value.parts)
