"""The engine `prove` for properties of single steps of a part: one action from any state in which it is possible.

What such a property says of a step follows from the rule of that step alone, whatever the state before it is, reachable
or not: so no invariant is needed, and every word of the state and of the action is arbitrary.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import z3
from attrs import frozen

from model.design import Design
from model.guards import guard
from model.system import step
from properties.engines.explorer import OutOfFuel, Raised, explore, new_solver
from properties.engines.formulas import formula
from properties.engines.inputs import constraints
from properties.engines.parts.part import Case
from properties.property import Property


@frozen
class Proved:
    """What came of a proof: how many questions on how many paths, and what is wrong or undecided, empty if nothing."""

    questions: int
    paths: int
    wrong: tuple[str, ...]
    seconds: float


def prove_steps(design: Design, prop: Property, cases: Callable[[Design], Iterator[Case]]) -> Proved:
    """Whether a property holds of each of its cases; a case without a possible path is wrong."""
    began = time.monotonic()
    questions, paths, wrong = 0, 0, list[str]()
    for case in cases(design):
        asked, met, failed = settled(design, prop, case)
        questions, paths = questions + asked, paths + met
        wrong += [f"{case.name}: {reason}" for reason in failed] + ([] if asked else [f"{case.name}: impossible"])
    return Proved(questions, paths, tuple(wrong), time.monotonic() - began)


def settled(design: Design, prop: Property, case: Case) -> tuple[int, int, list[str]]:
    """One case: the questions asked, the paths taken, and what is wrong."""

    def run() -> Any:
        if not guard(design, case.state, case.action):
            return None
        return prop.holds(design, case.state, case.action, step(design, case.state, case.action))

    given = [*constraints(case.state), *constraints(case.action)]
    exploration = explore(run, given)
    asked, wrong = 0, ["a branch could not be decided"] if exploration.undecided else []
    for path in exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            wrong.append(str(path.outcome))
        elif path.outcome is not None:
            asked += 1
            solver = new_solver()
            solver.add(*map(formula, given), *path.condition)
            answer = solver.check(z3.Not(formula(path.outcome)))
            if answer != z3.unsat:
                wrong.append("false" if answer == z3.sat else "undecided")
    return asked, len(exploration.paths), wrong
