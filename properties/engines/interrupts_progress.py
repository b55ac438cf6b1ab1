"""The obligations of progress: each step of a drain of interrupts leaves less to do, from any state of an induction."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import z3

from model.design import Design
from properties.engines.formulas import formula
from properties.engines.interrupts_induction import Case, assumed, cases, explored
from properties.engines.interrupts_prove import interrupt_obligations, troubles, whole
from properties.engines.obligations import Finding, Obligation, Settled
from properties.engines.questions import ATTEMPTS, QUICK, Attempt, clauses, conjuncts, decided
from properties.interrupts import progress
from properties.interrupts.inductive import INDUCTIVE
from properties.interrupts.invariants import INVARIANTS
from properties.interrupts.progress import PROGRESS
from properties.property import Property

AT_ONCE = ATTEMPTS[:1]
IN_TURN = (ATTEMPTS[0], Attempt(40_000_000, False, QUICK), *ATTEMPTS[1:])
"""The ways to ask: nearly all is settled at once, and the sums with all that is known."""


def all_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """The obligations of interrupts, those of progress last."""
    rests = (INDUCTIVE,) if PROGRESS in properties else ()
    return [*interrupt_obligations(design, (*properties, *rests)), *progress_obligations(design, properties)]


def progress_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """What is asked of each action; none without the property."""
    if PROGRESS not in properties:
        return []
    return [
        Obligation(f"interrupts: progress at {case.name}", partial(progresses, design, case))
        for case in cases(design.vgic)
    ]


def progresses(design: Design, case: Case) -> Settled:
    """Whether less is left to do after an action of the drain; each path is asked by itself.

    That the assumptions do not contradict one another is for the invariants' own cases to find out.
    """
    assert case.action is not None
    action = case.action
    goal = {PROGRESS.id: lambda before, after: progress.progresses(design.vgic, before, action, after)}
    step = explored(design.vgic, case, goal)
    paths, answers = whole(step), list[Any]()
    goals = [(path, formula(path.outcome[1][PROGRESS.id])) for path in paths]
    open_ = [(path, goal) for path, goal in goals if not z3.is_true(goal)]
    known = assumed(design.vgic, step, INVARIANTS)[1] if open_ else ()
    for path, goal in open_:
        given = [*path.condition, *step.given, *known]
        answers.append(false_of(goal, given, conjuncts(path.condition)))
    findings = list(troubles(step, case, (PROGRESS.id,)))
    if any(answer != z3.unsat for answer in answers):
        findings.append(Finding(PROGRESS.id, case.name, "less is left to do", z3.sat in answers))
    return Settled(len(step.exploration.paths), ((PROGRESS.id, len(paths)),), tuple(findings), not paths)


def false_of(goal: Any, given: Sequence[Any], near: Sequence[Any]) -> Any:
    """Whether a goal can be false under assumptions, asked at once and then clause by clause."""
    if decided(z3.Not(goal), given, near, AT_ONCE) == z3.unsat:
        return z3.unsat
    answers = []
    for part in clauses(goal):
        answers.append(decided(z3.Not(part), given, near, IN_TURN))
        if answers[-1] == z3.sat:
            return z3.sat
    return z3.unknown if z3.unknown in answers else z3.unsat
