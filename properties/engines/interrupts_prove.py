"""The obligations of interrupts: their invariants by induction, and under them the properties of states and steps."""

from collections.abc import Mapping
from functools import partial

import z3

from model.design import Design
from model.vgic.system import VgicSteps
from properties.engines.explorer import OutOfFuel, Path, Raised
from properties.engines.formulas import formula
from properties.engines.interrupts_induction import (
    LISTS,
    Case,
    Goal,
    Step,
    assumed,
    cases,
    explored,
    merged,
    taken,
    with_lists,
)
from properties.engines.obligations import Finding, Obligation, Settled, at_start, holds, of_cases, together
from properties.engines.questions import Asked, conjuncts, decided
from properties.interrupts.inductive import INDUCTIVE, PROVED
from properties.interrupts.invariants import INVARIANTS
from properties.property import Property


def interrupt_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """The induction's beginning and its cases, and what is asked under its invariants; none without such a property."""
    asked = tuple(prop for prop in properties if prop in PROVED)
    if not asked and INDUCTIVE not in properties:
        return []
    return [
        Obligation("interrupts: at the start", partial(begun, design)),
        *of_cases("interrupts", design, tuple(cases(design.vgic)), asked, kept, meets, follows),
    ]


def begun(design: Design) -> Settled:
    """Whether the invariants hold of each stated configuration at its start."""
    return at_start("interrupts", design, design.vgic, (INDUCTIVE.id,), INVARIANTS)


def kept(design: Design, case: Case) -> Settled:
    """Whether an action keeps every invariant; all its paths are asked at once."""
    step, told = explored(design.vgic, case, {}), (INDUCTIVE.id,)
    paths = whole(step)
    if not paths:
        return Settled(len(step.exploration.paths), (), troubles(step, case, told), True)
    some, after = merged(paths)
    goals = {name: formula(invariant(design.vgic, after)) for name, invariant in INVARIANTS.items()}
    said, known = assumed(design.vgic, step, INVARIANTS)
    given, findings = [*conjuncts([some]), *step.given, *known], list(troubles(step, case, told))
    asked = Asked(given)
    for name, goal in goals.items():
        answer = asked.holds(goal, conjuncts([some, said[name]]))
        if answer != z3.unsat:
            findings.append(Finding(INDUCTIVE.id, case.name, name, bool(answer == z3.sat)))
    empty = bool(decided(z3.BoolVal(True), given) != z3.sat)
    return Settled(len(step.exploration.paths), ((INDUCTIVE.id, len(goals)),), tuple(findings), empty)


def meets(design: Design, asked: tuple[Property, ...], case: Case) -> Settled:
    """Whether the properties of steps hold of an action that starts where the invariants hold."""
    action = case.action
    assert action is not None
    return judged(design, case, {prop.id: partial(holds, "interrupts", design, prop, action) for prop in asked})


def follows(design: Design, prop: Property) -> Settled:
    """Whether a property of states holds wherever the invariants do."""
    any_state = Case(f"{prop.id} in any state", None, None)
    goals = {prop.id: partial(holds, "interrupts", design, prop, VgicSteps(0))}
    several, single = (judged(design, with_lists(any_state, lists), goals) for lists in LISTS)
    return together(several, single)


def judged(design: Design, case: Case, wanted: Mapping[str, Goal]) -> Settled:
    """What comes of a case when properties are asked on each of its paths.

    Many hold of any state at all: the invariants are known only to what is left. That these contradict one another is
    for `kept` to find out.
    """
    step = explored(design.vgic, case, wanted, witnesses=True)
    paths = whole(step)
    counts = tuple((name, len(paths)) for name in wanted)
    findings = list(troubles(step, case, tuple(wanted)))
    if not paths:
        return Settled(len(step.exploration.paths), counts, tuple(findings), True)
    witnesses = (z3.Implies(taken(path), formula(said)) for path in paths for said in path.outcome[2])
    some = z3.And(merged(paths)[0], *witnesses)
    goals = {
        name: z3.And(*(z3.Implies(taken(path), formula(path.outcome[1][name])) for path in paths)) for name in wanted
    }
    alone = Asked([some, *step.given])
    goals = {name: goal for name, goal in goals.items() if alone.holds(goal) != z3.unsat}
    asked = Asked([some, *step.given, *(assumed(design.vgic, step, INVARIANTS)[1] if goals else ())])
    for name, goal in goals.items():
        answer = asked.holds(goal, conjuncts([some]))
        if answer != z3.unsat:
            findings.append(Finding(name, case.name, name, bool(answer == z3.sat)))
    return Settled(len(step.exploration.paths), counts, tuple(findings), False)


def whole(step: Step) -> tuple[Path, ...]:
    """The paths on which an action is possible, and comes to an end."""
    return tuple(path for path in step.possible if not isinstance(path.outcome, Raised | OutOfFuel))


def troubles(step: Step, case: Case, names: tuple[str, ...]) -> tuple[Finding, ...]:
    """What keeps a case from an answer, told of each property: paths without an end, and branches left undecided."""
    found = [str(path.outcome) for path in step.possible if isinstance(path.outcome, Raised | OutOfFuel)]
    found += ["a branch could not be decided"] if step.exploration.undecided else []
    return tuple(Finding(name, case.name, text, False) for name in names for text in found)
