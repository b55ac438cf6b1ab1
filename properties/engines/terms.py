"""Terms of z3, made by the functions of its C interface: several times quicker than its operators, and unchecked.

z3 keeps every term once: two terms are the same where they have the same address.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import z3

CONTEXT = z3.main_ctx()
REF = CONTEXT.ref()
"""The context of every term, and its handle."""
BITWISE: dict[Callable[[Any, Any], Any], Callable[..., Any]] = {
    operator.and_: z3.Z3_mk_bvand,
    operator.or_: z3.Z3_mk_bvor,
    operator.xor: z3.Z3_mk_bvxor,
}


def is_same_term(a: Any, b: Any) -> bool:
    """Whether two terms are one."""
    return bool(a.ast.value == b.ast.value)


def negation(a: Any) -> Any:
    """Not a."""
    return z3.BoolRef(z3.Z3_mk_not(REF, a.ast), CONTEXT)


def conjunction(a: Any, b: Any) -> Any:
    """Both a and b."""
    return z3.BoolRef(z3.Z3_mk_and(REF, 2, (z3.Ast * 2)(a.ast, b.ast)), CONTEXT)


def disjunction(a: Any, b: Any) -> Any:
    """At least one of a and b."""
    return z3.BoolRef(z3.Z3_mk_or(REF, 2, (z3.Ast * 2)(a.ast, b.ast)), CONTEXT)


def difference(a: Any, b: Any) -> Any:
    """Just one of a and b."""
    return z3.BoolRef(z3.Z3_mk_xor(REF, a.ast, b.ast), CONTEXT)


def equation(a: Any, b: Any) -> Any:
    """That two words of one size are equal."""
    return z3.BoolRef(z3.Z3_mk_eq(REF, a.ast, b.ast), CONTEXT)


def is_below(a: Any, b: Any) -> Any:
    """That a word is less than another of its size."""
    return z3.BoolRef(z3.Z3_mk_bvult(REF, a.ast, b.ast), CONTEXT)


def chosen_truth(condition: Any, a: Any, b: Any) -> Any:
    """The formula a where the condition holds, else b."""
    return z3.BoolRef(z3.Z3_mk_ite(REF, condition.ast, a.ast, b.ast), CONTEXT)


def chosen_word(condition: Any, a: Any, b: Any) -> Any:
    """The word a where the condition holds, else b."""
    return z3.BitVecRef(z3.Z3_mk_ite(REF, condition.ast, a.ast, b.ast), CONTEXT)


@lru_cache(maxsize=1 << 14)
def numeral(value: int, size: int) -> Any:
    """A number as a word of that many bits."""
    return z3.BitVecVal(value, size)


def total(a: Any, b: Any) -> Any:
    """The sum of two words, modulo their size."""
    return z3.BitVecRef(z3.Z3_mk_bvadd(REF, a.ast, b.ast), CONTEXT)


def bitwise(operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """`&`, `|` or `^` of two words of one size."""
    return z3.BitVecRef(BITWISE[operation](REF, a.ast, b.ast), CONTEXT)


def complement(a: Any) -> Any:
    """The word with every bit inverted."""
    return z3.BitVecRef(z3.Z3_mk_bvnot(REF, a.ast), CONTEXT)


def extract(a: Any, low: int, size: int) -> Any:
    """So many bits of a word from a lowest one upwards."""
    return z3.BitVecRef(z3.Z3_mk_extract(REF, low + size - 1, low, a.ast), CONTEXT)


def concatenation(high: Any, low: Any) -> Any:
    """One word above the other."""
    return z3.BitVecRef(z3.Z3_mk_concat(REF, high.ast, low.ast), CONTEXT)


def arguments(terms: Sequence[Any]) -> Any:
    """Terms as functions take them."""
    return (z3.Ast * len(terms))(*(term.ast for term in terms))


def application(function: Any, given: Any) -> Any:
    """The word that a function has for `arguments`."""
    return z3.BitVecRef(z3.Z3_mk_app(REF, function.ast, len(given), given), CONTEXT)
