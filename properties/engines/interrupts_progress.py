"""The obligations of progress: each step of a drain of interrupts leaves less to do, from any state of the induction."""

from functools import partial

import z3

from model.design import Design
from properties.engines.interrupts_induction import Case, assumed, cases, explored
from properties.engines.interrupts_prove import holds, troubles, whole
from properties.engines.obligations import Finding, Obligation, Settled
from properties.engines.questions import clauses, conjuncts, decided
from properties.engines.symbolic import formula
from properties.interrupts.invariants import INVARIANTS
from properties.interrupts.progress import PROGRESS
from properties.property import Property


def progress_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """What is asked of each action; none without the property."""
    if PROGRESS not in properties:
        return []
    return [
        Obligation(f"interrupts: progress at {case.name}", partial(progresses, design, case))
        for case in cases(design.vgic)
    ]


def progresses(design: Design, case: Case) -> Settled:
    """Whether less is left to do after an action of the drain; each path's goal is asked clause by clause.

    That the assumptions do not contradict one another is for the invariants' own cases to find out.
    """
    assert case.action is not None
    step = explored(design.vgic, case, {PROGRESS.id: partial(holds, design, PROGRESS, case.action)})
    paths, count, answers = whole(step), 0, list[bool]()
    goals = [(path, formula(path.outcome[1][PROGRESS.id])) for path in paths]
    open_ = [(path, goal) for path, goal in goals if not z3.is_true(goal)]
    known = assumed(design.vgic, step, INVARIANTS)[1] if open_ else ()
    for path, goal in open_:
        given = [*path.condition, *step.given, *known]
        for part in clauses(goal):
            count += 1
            answer = decided(z3.Not(part), given, conjuncts(path.condition))
            answers += [] if answer == z3.unsat else [bool(answer == z3.sat)]
            if answer == z3.sat:
                break
    findings = list(troubles(step, case, (PROGRESS.id,)))
    if answers:
        findings.append(Finding(PROGRESS.id, case.name, "less is left to do", any(answers)))
    return Settled(len(step.exploration.paths), ((PROGRESS.id, max(count, len(paths))),), tuple(findings), not paths)
