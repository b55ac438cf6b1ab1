"""From the solver's terms to symbolic words and truth values, and back to formulas."""

from functools import lru_cache
from typing import Any

import z3

from properties.engines.pieces import Atom
from properties.engines.symbolic import Truth, Word, described, unknown


def of_term(term: Any, width: int | None = None) -> Any:
    """The word that a z3 bit-vector stands for; a numeral gives an `int`."""
    if z3.is_bv_value(term):
        return term.as_long()
    return unknown(term, term.size() if width is None else width)


@lru_cache(maxsize=1 << 16)
def variable(name: str, width: int) -> Any:
    """The free word of that name and width; a width of 0 gives 0."""
    return Word(0, ((0, width, Atom(z3.BitVec(name, width), width, name=name), 0, False),)) if width else 0


@lru_cache(maxsize=1 << 12)
def proposition(name: str) -> Truth:
    """The free truth value of that name."""
    return Truth(z3.Bool(name))


def formula(condition: Any) -> Any:
    """The z3 formula of a condition: a truth value, a `bool`, or a formula already."""
    if isinstance(condition, Truth):
        return condition.term
    if isinstance(condition, bool):
        return z3.BoolVal(condition)
    if z3.is_bool(condition):
        return condition
    raise TypeError(f"{described(condition)} is no condition")


def truth(term: Any) -> Truth | bool:
    """The truth value of a z3 formula; a constant gives a `bool`."""
    if z3.is_true(term):
        return True
    return False if z3.is_false(term) else Truth(term)
