"""Every rule means the same on symbolic words as on integers: one generated test for each, so that none is missed."""

import inspect
from collections import defaultdict
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from math import prod
from random import Random
from typing import Any, get_type_hints

import attrs
import pytest
import z3

from properties.engines.assignments import Assignment, bindings, evaluate
from properties.engines.explorer import Exploration, OutOfFuel, Path, Raised, explore, new_solver
from properties.engines.formulas import formula
from properties.engines.frames import Record, Shape
from properties.engines.inputs import constraints, fits
from spec.sparse import Memory
from tests.rule_arguments import RULES, parameter_shapes

MOST_CANDIDATES = 600
CASES_OF_A_KIND = 3
"""How many alternatives are tried whose labels start with the same words, such as rows of the catalogue."""
MOST_CASES = 24
RANDOM_POINTS = 20
"""Drawn for each rule; each of its cases has at least two."""
POINTS_ON_PATHS = 240
"""Computed for each rule, one on each path; each of its cases has at least ten."""


@attrs.frozen
class Case:
    """One frame of a rule's arguments."""

    shapes: tuple[Shape, ...]

    @property
    def kind(self) -> str:
        """The kinds of instruction and action among the arguments."""
        return " ".join(" ".join(part.label.split()[:2]) for part in self.shapes if isinstance(part, Record))

    def draw(self, seed: int) -> list[Any]:
        random = Random(seed)
        return [part.draw(random) for part in self.shapes]


def attempt(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """The concrete outcome: the value, or what was raised."""
    try:
        return function(*arguments)
    except Exception as exception:
        return Raised(exception, "")


def accepts(name: str, case: Case) -> bool:
    """Whether the rule is for this case: it may assert which kind of operation it is for."""
    outcome = attempt(RULES[name], case.draw(0))
    return not (isinstance(outcome, Raised) and isinstance(outcome.exception, AssertionError))


def cases(name: str) -> list[Case]:
    """Frames that the rule accepts, a few of each kind."""
    listed = parameter_shapes(name)
    random = Random(name)
    if prod(len(options) for options in listed) <= MOST_CANDIDATES:
        candidates = [Case(shapes) for shapes in product(*listed)]
    else:
        candidates = [Case(tuple(random.choice(options) for options in listed)) for _ in range(MOST_CANDIDATES)]
    kinds: dict[str, list[Case]] = defaultdict(list)
    for case in candidates:
        if accepts(name, case):
            kinds[case.kind].append(case)
    chosen = [case for some in kinds.values() for case in random.sample(some, min(CASES_OF_A_KIND, len(some)))]
    if len(kinds) == 1:
        (chosen,) = ([*some] for some in kinds.values())
    return random.sample(chosen, MOST_CASES) if len(chosen) > MOST_CASES else chosen


@attrs.frozen
class Lifted:
    """A case with its symbolic arguments and all paths of the rule on them."""

    case: Case
    arguments: list[Any]
    exploration: Exploration


@cache
def lifted(name: str) -> list[Lifted]:
    found = []
    for case in cases(name):
        arguments = [part.symbolic(f"a{number}") for number, part in enumerate(case.shapes)]
        assumptions = [condition for argument in arguments for condition in constraints(argument)]
        assumptions += declared_limits(name, arguments)
        run = partial(RULES[name], *arguments)
        found.append(Lifted(case, arguments, explore(run, assumptions, solver=solver_for(name))))
    return found


def solver_for(name: str) -> Callable[[], Any]:
    """The solver that decides a rule's branches soonest; on memory, one that does not flatten words first."""
    hints = get_type_hints(RULES[name], include_extras=True).values()
    return partial(z3.SolverFor, "QF_UFBV") if Memory in hints else new_solver


def declared_limits(name: str, arguments: list[Any]) -> list[Any]:
    """What the types of parameters that are words themselves promise."""
    hints = get_type_hints(RULES[name], include_extras=True)
    pairs = zip(inspect.signature(RULES[name]).parameters, arguments, strict=True)
    return [condition for parameter, argument in pairs for condition in constraints(argument, hints[parameter])]


def same_outcome(symbolic: Any, concrete: Any) -> bool:
    """Whether both raised the same kind of exception, or both gave the same value of the same kind."""
    if isinstance(symbolic, Raised) and isinstance(concrete, Raised):
        return type(symbolic.exception) is type(concrete.exception)
    if isinstance(symbolic, bool) != isinstance(concrete, bool):
        return False
    return bool(symbolic == concrete)


def holding(paths: tuple[Path, ...], assignment: Any) -> list[Path]:
    return [path for path in paths if all(evaluate(term, assignment) is taken for term, taken in path.decisions)]


def check_at(name: str, one: Lifted, arguments: list[Any], assignment: Any) -> None:
    """Compare both readings of the rule at one point, where exactly one path's condition must hold."""
    paths = holding(one.exploration.paths, assignment)
    assert len(paths) == 1, f"{len(paths)} path conditions hold at {arguments}"
    outcome = paths[0].outcome
    assert not isinstance(outcome, OutOfFuel), outcome
    symbolic = outcome if isinstance(outcome, Raised) else evaluate(outcome, assignment)
    concrete = attempt(RULES[name], arguments)
    assert same_outcome(symbolic, concrete), f"at {arguments}: {symbolic} on words, {concrete} on integers"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_means_the_same_on_words_as_on_integers(name: str) -> None:
    explored = lifted(name)
    assert explored, "no frame of arguments is accepted by the rule"
    for one in explored:
        assert not one.exploration.vacuous and not one.exploration.undecided
        for seed in range(max(2, RANDOM_POINTS // len(explored))):
            arguments = one.case.draw(seed)
            check_at(name, one, arguments, Assignment(bindings(one.arguments, arguments)))
        solver = solver_for(name)()
        solver.add(*one.exploration.assumptions)
        for path in one.exploration.paths[: max(10, POINTS_ON_PATHS // len(explored))]:
            assert solver.check(*path.condition) == z3.sat
            point = solver.model()
            check_at(name, one, list(evaluate(tuple(one.arguments), point)), point)


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_returns_fits_its_declared_type(name: str) -> None:
    hint = get_type_hints(RULES[name], include_extras=True)["return"]
    for one in lifted(name):
        for path in one.exploration.paths:
            if isinstance(path.outcome, Raised):
                continue
            condition = fits(path.outcome, hint)
            if condition is not True:
                solver = solver_for(name)()
                solver.add(*one.exploration.assumptions, *path.condition, z3.Not(formula(condition)))
                assert solver.check() == z3.unsat, f"{path.outcome} under {path.condition}"
