"""The word language means the same on integers and on symbolic words, and refuses what would not."""

from typing import Any

import pytest
import z3
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from properties.engines.assignments import Assignment, evaluate
from properties.engines.branches import NotLiftable
from properties.engines.formulas import formula, proposition, variable
from properties.engines.symbolic import Truth, Word
from spec.psr import Mode
from spec.words import (
    U32,
    add,
    bit,
    bits,
    choose,
    clear,
    either,
    every,
    fields,
    find,
    implies,
    insert,
    inv,
    member,
    negate,
    put,
    same,
    select,
    sub,
)

X, Y = variable("x", 32), variable("y", 32)
C = proposition("c")


@frozen
class Pair:
    left: U32
    right: U32


def is_valid(condition: Any) -> bool:
    solver = z3.Solver()
    solver.add(z3.Not(formula(condition)))
    return bool(solver.check() == z3.unsat)


OPERATIONS: dict[str, Any] = {
    "and": lambda a, b, n: a & b,
    "or": lambda a, b, n: a | b,
    "xor": lambda a, b, n: a ^ b,
    "plus": lambda a, b, n: a + b,
    "left": lambda a, b, n: a << n,
    "right": lambda a, b, n: a >> n,
    "mask": lambda a, b, n: a & (0x9E3779B9 >> n),
    "set": lambda a, b, n: a | (0x9E3779B9 >> n),
    "flip": lambda a, b, n: a ^ (0x9E3779B9 >> n),
    "plus constant": lambda a, b, n: n + a,
    "clear": lambda a, b, n: clear(a, b),
    "insert": lambda a, b, n: insert(a, n + 4, n, bits(b, 4, 0)),
    "add": lambda a, b, n: add(a, b, 16),
    "sub": lambda a, b, n: sub(a, bits(b, 31, 0), 32),
    "inv": lambda a, b, n: inv(bits(a, 31, 0), 32),
    "choose": lambda a, b, n: choose(a < b, a, b),
    "choose constant": lambda a, b, n: choose(bit(a, n) == 1, 0x9E, insert(b, 3, 0, n & 15)),
    "select": lambda a, b, n: select((a, b, n), bits(b, 1, 0)),
    "find": lambda a, b, n: find(((1, a), (n, 7), (2, b)), bits(a, 3, 0), 19),
}
COMPARISONS: dict[str, Any] = {
    "equal": lambda a, b: a == b,
    "unequal": lambda a, b: a != b,
    "below": lambda a, b: a < b,
    "at most": lambda a, b: a <= b,
    "above": lambda a, b: a > b,
    "at least": lambda a, b: a >= b,
    "constant": lambda a, b: (a == 0x13) | (5 < b) | (b >= 1 << 20) | (0x1F != a),
    "member": lambda a, b: member(bits(a, 4, 0), (Mode.USR, Mode.SVC, Mode.HYP)),
    "logic": lambda a, b: implies(every(a < b, negate(b == 3)), either(a == 0, b ^ a == 1, bit(a, 0) == bit(b, 1))),
}
programs = st.lists(st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 20)), max_size=6)
numbers = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from((0, 1, 2, 3, 0x13, 2**31, 2**32 - 1)))


def run(program: list[tuple[str, int]], comparison: str, a: Any, b: Any) -> tuple[Any, Any]:
    for operation, amount in program:
        a, b = OPERATIONS[operation](a, b, amount), a
    return a, COMPARISONS[comparison](a, b)


@settings(max_examples=600, deadline=None)
@given(programs, st.sampled_from(sorted(COMPARISONS)), numbers, numbers)
def test_every_operation_gives_the_same_on_words_as_on_integers(
    program: list[tuple[str, int]], comparison: str, a: int, b: int
) -> None:
    word, condition = run(program, comparison, X, Y)
    assignment = Assignment({"x": a, "y": b})
    assert (evaluate(word, assignment), evaluate(condition, assignment)) == run(program, comparison, a, b)


@settings(max_examples=200, deadline=None)
@given(programs, numbers, numbers)
def test_a_word_never_exceeds_its_bound_or_its_width(program: list[tuple[str, int]], a: int, b: int) -> None:
    word, _ = run(program, "equal", X, Y)
    if isinstance(word, Word):
        value = evaluate(word, {"x": a, "y": b})
        assert value <= word.bound < 1 << word.width
        assert word.term.size() == word.width


def test_addition_does_not_wrap_around() -> None:
    assert is_valid(X + Y >= X)


def test_addition_modulo_a_width_wraps_around() -> None:
    assert not is_valid(add(X, Y, 32) >= X)


def test_a_left_shift_loses_no_bits() -> None:
    assert same((X << 8) >> 8, X) is True


def test_a_mask_narrows() -> None:
    assert (X & 0xFF).width == 8


def test_a_shift_past_the_width_gives_the_number_zero() -> None:
    assert type(X >> 32) is int


def test_a_bit_that_was_set_is_a_number() -> None:
    assert bit(X | 0x2000, 13) == 1 and type(bit(X | 0x2000, 13)) is int


def test_an_inserted_field_is_a_number() -> None:
    assert bits(insert(X, 4, 0, Mode.SVC), 4, 0) is not X and bits(insert(X, 4, 0, 0x13), 4, 0) == 0x13


def test_bits_beside_an_inserted_field_are_untouched() -> None:
    assert same(bits(insert(X, 4, 0, Y & 31), 31, 5), bits(X, 31, 5)) is True


def test_inverting_twice_gives_the_same_word() -> None:
    assert same(inv(inv(X, 32), 32), X) is True


def test_a_field_never_equals_a_number_beyond_its_width() -> None:
    assert (bits(X, 3, 0) == 16) is False


def test_a_comparison_that_the_width_decides_is_no_formula() -> None:
    assert (bits(X, 7, 0) < 256) is True


def test_a_word_differs_from_every_negative_number() -> None:
    assert (X == -1) is False


def test_a_choice_between_numbers_keeps_their_common_bits() -> None:
    assert bit(choose(C, 0x13, 0x1A), 4) == 1


def test_a_chosen_flag_gives_its_condition_back() -> None:
    assert (choose(C, 1, 0) == 1) is C


REFUSED: dict[str, tuple[Any, str]] = {
    "minus": (lambda: X - 1, "sub"),
    "reflected minus": (lambda: 1 - X, "sub"),
    "negation": (lambda: -X, "sub"),
    "inversion": (lambda: ~X, "inv"),
    "multiplication": (lambda: X * 2, "shift"),
    "division": (lambda: X // 2, ">>"),
    "remainder": (lambda: X % 2, "bits"),
    "negative operand": (lambda: X & -4, "inv"),
    "addition of a negative number": (lambda: X + -1, "sub"),
    "left shift by a word": (lambda: 1 << X, "select"),
    "right shift by a word": (lambda: X >> Y, "select"),
    "index": (lambda: (1, 2)[X], "select"),
    "range": (lambda: range(X), "select"),
    "int": (lambda: int(X), "evaluate"),
    "hash": (lambda: {X: 1}, "find"),
    "set membership": (lambda: X in {1, 2}, "find"),
    "iteration": (lambda: list(X), "bits"),
    "sum with a truth value": (lambda: X + C, "choose"),
    "mask by a truth value": (lambda: X & True, "choose"),
    "comparison with a truth value": (lambda: X == C, "choose"),
    "arithmetic on a truth value": (lambda: C + 1, "choose"),
    "shift of a truth value": (lambda: C << 3, "choose"),
    "a truth value compared with a number": (lambda: C == 1, "choose"),
    "a truth value as an index": (lambda: (1, 2)[C], "choose"),
    "inversion of a truth value": (lambda: ~C, "negate"),
    "hash of a truth value": (lambda: hash(C), "choose"),
    "merging records of two classes": (lambda: choose(C, Pair(X, Y), 3), "if"),
    "merging tuples of two lengths": (lambda: choose(C, (X,), (X, Y)), "if"),
    "merging different texts": (lambda: choose(C, "a", "b"), "if"),
    "branching outside an exploration": (lambda: 1 if X else 0, "explore"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_lift_is_refused_with_the_rule_to_follow(name: str) -> None:
    operation, advice = REFUSED[name]
    with pytest.raises(NotLiftable, match=advice):
        operation()


def test_truth_values_compare_as_values() -> None:
    assert is_valid((C == True) == C) and is_valid((C != True) == negate(C))  # noqa: E712


def test_a_truth_value_and_its_negation_exclude_one_another() -> None:
    assert (C & negate(C)) is False


def test_negating_twice_gives_the_same_truth_value() -> None:
    assert negate(negate(C)) is C


def test_a_choice_between_a_word_and_a_number_stays_in_one_piece() -> None:
    assert len(choose(C, X, 5).parts) == 1


def test_records_merge_field_by_field() -> None:
    merged = choose(C, Pair(X, 1), Pair(X, 2))
    assert merged.left is X and isinstance(merged.right, Word)


def test_a_record_merged_with_itself_is_itself() -> None:
    pair = Pair(X, Y)
    assert choose(C, pair, Pair(X, Y)) is pair


def test_nested_tuples_merge() -> None:
    assert is_valid(same(choose(C, (X, (Y, 1)), (Y, (X, 1))), (choose(C, X, Y), (choose(C, Y, X), 1))))


def test_equal_texts_merge() -> None:
    assert choose(C, "svc", "s" + "vc") == "svc"


def test_enumerations_merge_as_numbers() -> None:
    assert evaluate(choose(C, Mode.SVC, Mode.HYP), {"c": True}) == Mode.SVC


def test_records_of_different_classes_are_not_the_same() -> None:
    assert same(Pair(X, Y), (X, Y)) is False


def test_equality_of_records_is_one_formula() -> None:
    assert isinstance(same(Pair(X, 1), Pair(Y, 1)), Truth)


def test_putting_an_unknown_field_is_refused() -> None:
    with pytest.raises(AttributeError, match="middle"):
        put(Pair(1, 2), "middle", 3)


def test_an_index_beyond_the_table_selects_its_last_element() -> None:
    assert select((10, 20, 30), 7) == 30


def test_the_first_of_two_equal_keys_is_found() -> None:
    assert find(((1, 10), (1, 20)), 1, 0) == 10


APART = fields("15,11:10", "8:5", "0", "2,20:16")


def test_a_word_is_taken_apart_into_fields_joined_from_the_highest_bits_down() -> None:
    assert fields("15,11:10", "8:5", "0")(0b1000_0101_0110_0001) == (0b101, 0b1011, 1)
    assert fields("2,20:16")(0b1_0011 << 16 | 1 << 2) == (0b11_0011,)
    assert fields("0,3:2")(0b1101) == (0b111,)


def test_fields_of_symbolic_words_are_those_that_bits_gives() -> None:
    joined = ((bit(X, 15) << 2) | bits(X, 11, 10), bits(X, 8, 5), bit(X, 0), (bit(X, 2) << 5) | bits(X, 20, 16))
    assert is_valid(same(APART(X), joined))
