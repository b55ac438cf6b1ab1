"""Sums of words as sums modulo a power of two, which z3 brings into one form, and offsets replaced by what they give.

The word language has no wrap-around, so a symbolic sum is wider than its operands and cut afterwards. Cutting the
operands instead gives the same bits, and z3 then sees that a count plus some ticks less an offset is the virtual count
plus these ticks.
"""

from collections.abc import Sequence
from typing import Any

import z3


def low(term: Any, width: int, known: dict[tuple[int, int], Any]) -> Any:
    """The lowest bits of a term, with sums, complements and extensions cut where they are made."""
    key = (term.get_id(), width)
    if key not in known:
        known[key] = _low(term, width, known)
    return known[key]


def _low(term: Any, width: int, known: dict[tuple[int, int], Any]) -> Any:
    size = term.size()
    kind = term.decl().kind()
    if kind == z3.Z3_OP_BADD:
        return sum((low(each, width, known) for each in term.children()), z3.BitVecVal(0, width))
    if kind == z3.Z3_OP_BNOT:
        return z3.BitVecVal(-1, width) - low(term.arg(0), width, known)
    if kind == z3.Z3_OP_BNUM:
        return z3.BitVecVal(term.as_long(), width)
    if kind == z3.Z3_OP_EXTRACT and term.params()[1] == 0:
        return low(term.arg(0), width, known)
    if kind == z3.Z3_OP_ITE:
        condition, one, other = term.children()
        return z3.If(condition, low(one, width, known), low(other, width, known))
    if kind == z3.Z3_OP_CONCAT:
        last = term.children()[-1]
        if last.size() >= width:
            return low(last, width, known)
    return term if size == width else z3.Extract(width - 1, 0, term)


def modular(term: Any, done: dict[int, Any], known: dict[tuple[int, int], Any]) -> Any:
    """A term in which every sum that is cut is one modulo a power of two."""
    identifier = term.get_id()
    if identifier in done:
        return done[identifier]
    children = [modular(child, done, known) for child in term.children()]
    found = term.decl()(*children) if children and not z3.is_and(term) and not z3.is_or(term) else term
    if z3.is_and(term):
        found = z3.And(*children)
    if z3.is_or(term):
        found = z3.Or(*children)
    if z3.is_app_of(found, z3.Z3_OP_EXTRACT) and found.params()[1] == 0:
        found = low(found.arg(0), found.size(), known)
    done[identifier] = found
    return found


def shifted(terms: Sequence[Any], replaced: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Terms with variables replaced, each brought into z3's normal form."""
    done: dict[int, Any] = {}
    known: dict[tuple[int, int], Any] = {}
    return [z3.simplify(z3.substitute(modular(term, done, known), *replaced)) for term in terms]
