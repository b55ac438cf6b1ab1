"""Path exploration: complete, honest about what it does not know, and reproducible."""

from enum import IntEnum
from itertools import count
from random import Random
from typing import Annotated, Any

import pytest
import z3
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from properties.engines.assignments import bindings, evaluate, rename, variables
from properties.engines.branches import NotLiftable
from properties.engines.explorer import (
    Exploration,
    NonDeterministic,
    OutOfFuel,
    Raised,
    Unmergeable,
    explore,
    merge,
    new_solver,
    summarise,
)
from properties.engines.formulas import formula, variable
from properties.engines.frames import NotDerivable
from properties.engines.inputs import (
    banked_names,
    check_fits,
    constraints,
    draw,
    fits,
    like,
    misfits,
    shape,
    shapes,
    strategy,
    symbolic,
)
from properties.engines.symbolic import Truth
from spec.coprocessor.decode import ROWS
from spec.operations import CoprocessorAccess, Instruction, Load, MemoryOutcome, Operation
from spec.processor import Identification, Processor
from spec.psr import Mode
from spec.words import U1, U8, U32, Width, bit, bits, choose, every, find, same, select

X, Y = variable("x", 32), variable("y", 32)


class Colour(IntEnum):
    RED = 1
    GREEN = 4


@frozen
class Parts:
    small: U8
    limited: Annotated[int, Width(4, limit=10)]
    colour: Colour
    flag: bool


@frozen
class Optional:
    part: Parts | None


def outcomes(exploration: Exploration) -> list[Any]:
    return [path.outcome for path in exploration.paths]


def is_valid(condition: Any) -> bool:
    solver = z3.Solver()
    solver.add(z3.Not(formula(condition)))
    return bool(solver.check() == z3.unsat)


class Undecided:
    """A solver that knows nothing."""

    def add(self, *_: Any) -> None: ...

    def push(self) -> None: ...

    def pop(self, _: int = 1) -> None: ...

    def check(self, *_: Any) -> Any:
        return z3.unknown


def test_every_feasible_way_is_a_path() -> None:
    def classify() -> str:
        if X < 10:
            return "small"
        return "ten" if X == 10 else "large"

    assert sorted(outcomes(explore(classify))) == ["large", "small", "ten"]


def test_an_infeasible_way_is_no_path() -> None:
    assert outcomes(explore(lambda: "both" if X < 10 and X > 20 else "not both")) == ["not both"] * 2


def test_assumptions_decide_branches() -> None:
    assert outcomes(explore(lambda: 1 if X < 10 else 2, [X < 5])) == [1]


def test_path_conditions_exclude_one_another_and_cover_everything() -> None:
    exploration = explore(lambda: (1 if X < 10 else 2, 3 if bit(Y, 4) else 4))
    conditions = [z3.And(*path.condition) for path in exploration.paths]
    assert is_valid(z3.PbEq([(condition, 1) for condition in conditions], 1))


def test_the_same_question_forks_once() -> None:
    assert len(explore(lambda: [bool(X == 1) for _ in range(3)] + [bool(X != 1)]).paths) == 2


def test_a_branch_that_earlier_ones_decide_does_not_fork() -> None:
    assert outcomes(explore(lambda: bool(X < 5) and bool(X < 10))) == [True, False]


def test_exploring_twice_gives_the_same_paths_in_the_same_order() -> None:
    def classify() -> tuple[bool, bool, bool]:
        return bool(X < Y), bool(bit(X, 3)), bool(Y == 7)

    first, second = explore(classify), explore(classify)
    assert [str(path) for path in first.paths] == [str(path) for path in second.paths]


def test_a_rule_that_depends_on_more_than_its_arguments_is_found_out() -> None:
    calls = count()
    with pytest.raises(NonDeterministic):
        explore(lambda: bool(variable(f"v{next(calls)}", 8) == 0))


def test_a_rule_that_stops_asking_when_replayed_is_found_out() -> None:
    calls = count()
    with pytest.raises(NonDeterministic):
        explore(lambda: 0 if next(calls) else bool(X == 0))


def test_contradictory_assumptions_are_vacuous_and_have_no_paths() -> None:
    exploration = explore(lambda: 1, [X < 5, X > 6])
    assert exploration.vacuous and exploration.paths == ()


def test_a_false_assumption_is_vacuous() -> None:
    assert explore(lambda: 1, [False]).vacuous


def test_an_undecided_branch_is_followed_both_ways_and_noted() -> None:
    exploration = explore(lambda: 1 if X == 3 else 2, solver=Undecided)
    assert outcomes(exploration) == [1, 2] and exploration.undecided


def test_a_decided_exploration_is_not_noted_as_undecided() -> None:
    assert not explore(lambda: 1 if X == 3 else 2).undecided


def test_a_loop_that_uses_up_its_fuel_is_an_outcome_with_its_source_line() -> None:
    def climb() -> int:
        steps = 0
        while X > steps:
            steps += 1
        return steps

    last = [outcome for outcome in outcomes(explore(climb, fuel=20)) if isinstance(outcome, OutOfFuel)]
    assert len(last) == 1 and "test_symbolic.py" in last[0].where and "climb" in last[0].where


def test_more_paths_than_allowed_are_outcomes_without_result() -> None:
    exploration = explore(lambda: [bool(bit(X, n)) for n in range(6)], most_paths=10)
    assert len(exploration.failures) == len(exploration.paths) - 10 > 0


def test_an_exception_is_the_outcome_of_its_path_alone() -> None:
    def divide() -> int:
        return 1 // 0 if X == 3 else 7

    raised, value = outcomes(explore(divide))
    assert isinstance(raised, Raised) and isinstance(raised.exception, ZeroDivisionError) and value == 7


def test_what_does_not_lift_is_no_outcome() -> None:
    with pytest.raises(NotLiftable):
        explore(lambda: X - 1)


def test_explorations_nest() -> None:
    def outer() -> tuple[bool, int]:
        inner = explore(lambda: 1 if Y == 2 else 0)
        return bool(X == 1), len(inner.paths)

    assert sorted(outcomes(explore(outer))) == [(False, 2), (True, 2)]


def test_after_an_exploration_fails_branching_is_refused_again() -> None:
    with pytest.raises(NotLiftable):
        explore(lambda: [bool(X == 1), X - 1])
    with pytest.raises(NotLiftable, match="outside an exploration"):
        bool(X == 1)


def test_equality_of_a_wide_record_is_one_formula_on_one_path() -> None:
    a, b = symbolic(Identification, "a"), symbolic(Identification, "b")
    (path,) = explore(lambda: same(a, b)).paths
    assert isinstance(path.outcome, Truth)


def test_selecting_and_finding_take_one_path() -> None:
    table = tuple((n, n * 3) for n in range(30))
    exploration = explore(lambda: (select(tuple(range(100, 130)), bits(X, 4, 0)), find(table, Y, 0)))
    assert len(exploration.paths) == 1


def test_merging_paths_gives_one_value() -> None:
    merged = merge(explore(lambda: (1 if X == 3 else 2, 5)))
    assert is_valid(every(merged[0] == choose(X == 3, 1, 2), merged[1] == 5))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_a_merged_value_agrees_with_the_function(x: int, y: int) -> None:
    assert evaluate(summarise(_zones, X, Y), {"x": x, "y": y}) == _zones(x, y)


def _zones(x: int, y: int) -> int:
    if x < 5:
        return y
    if bit(y, 0) == 1:
        return x if y < 20 else 3
    return x + y


def test_what_raised_on_some_path_does_not_merge() -> None:
    with pytest.raises(Unmergeable, match="ZeroDivisionError"):
        merge(explore(lambda: 1 // 0 if X == 3 else 7))


def test_nothing_does_not_merge() -> None:
    with pytest.raises(Unmergeable, match="contradict"):
        merge(explore(lambda: 1, [False]))


def test_a_symbolic_processor_is_one_frame_of_free_words() -> None:
    cpu = symbolic(Processor, "cpu")
    assert {"cpu.cpsr", "cpu.hyp.hcr", "cpu.vfp.d31"} <= variables(cpu).keys()


def test_declared_limits_and_enumerations_become_constraints() -> None:
    parts = symbolic(Parts, "parts")
    solver = new_solver()
    solver.add(*map(formula, constraints(parts)))
    allowed = {"limited": 10, "colour": 2}
    for name, size in allowed.items():
        values = [n for n in range(16) if solver.check(formula(getattr(parts, name) == n)) == z3.sat]
        assert len(values) == size


def test_a_type_without_a_width_is_refused() -> None:
    with pytest.raises(NotDerivable):
        shape(int)


def test_every_row_of_the_catalogue_is_a_shape_of_a_coprocessor_access() -> None:
    assert len(list(shapes(CoprocessorAccess))) == len(ROWS)


def test_every_banked_register_is_a_shape() -> None:
    labels = [found.label for found in shapes(Operation)]
    assert sum(label.startswith("ReadBanked") for label in labels) == len(banked_names())


def test_each_shape_of_an_instruction_has_constraints_that_can_be_met() -> None:
    for found in shapes(Instruction):
        assert not explore(lambda: None, constraints(found.symbolic("i"))).vacuous, found.label


@pytest.mark.parametrize("hint", [Processor, Parts, Optional, Instruction, tuple[U32, U1], Mode])
def test_random_values_fit_their_declared_types(hint: Any) -> None:
    random = Random(7)
    assert all(fits(draw(hint, random), hint) is True for _ in range(50))


@settings(max_examples=30, deadline=None)
@given(strategy(Instruction), strategy(Optional))
def test_values_of_strategies_fit_their_declared_types(instruction: Instruction, optional: Optional) -> None:
    assert fits(instruction) is True and fits(optional) is True


def test_what_does_not_fit_is_named_by_its_path() -> None:
    cpu = draw(Processor, Random(1))
    wide = like(cpu).draw(Random(2))
    object.__setattr__(wide.hyp, "hcr", 1 << 32)
    with pytest.raises(ValueError, match=r"hyp\.hcr"):
        check_fits(wide)


def test_a_truth_value_does_not_fit_a_word() -> None:
    assert misfits(Parts(True, 3, Colour.RED, False)) == [("small", False)]


def test_a_result_that_may_be_too_wide_gives_a_condition() -> None:
    parts = symbolic(Parts, "parts")
    grown = Parts(parts.small + 1, 3, Colour.RED, True)
    assert is_valid(fits(grown) == (parts.small < 255))


def test_values_like_a_given_one_keep_its_frame() -> None:
    load = like(Load(3, 4, 5, MemoryOutcome.OK)).symbolic("load")
    assert load.fault is MemoryOutcome.OK and variables(load).keys() == {
        "load.rt",
        "load.address",
        "load.value",
        "load.ipa_page",
        "load.size",
        "load.sign_extends",
        "load.described",
    }


def test_a_symbolic_value_evaluates_to_what_it_is_bound_to() -> None:
    cpu, concrete = symbolic(Processor, "cpu"), draw(Processor, Random(3))
    assert evaluate(cpu, bindings(cpu, concrete)) == concrete


def test_a_field_declared_as_an_enumeration_evaluates_to_a_member() -> None:
    assert evaluate(symbolic(Parts, "p"), {"p.colour": 4}).colour is Colour.GREEN


def test_renaming_replaces_variables_everywhere() -> None:
    renamed = rename((X + 1, X == Y), {"x": "z"})
    assert variables(renamed).keys() == {"z", "y"}


def test_renaming_to_a_number_evaluates() -> None:
    assert (rename(X + 1, {"x": 4}), rename(X < Y, {"x": 4, "y": 5})) == (5, True)


def test_a_replacement_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bits"):
        rename(X + 1, {"x": 1 << 32})
