"""The obligations of delivery: each step of a drain of interrupts leaves less to do, what the drain counts on is
possible, and where it can do nothing any more nothing is owed, or no guest waits in vain; all from any state of an
induction.

That these three make delivery, or sleep, is what any ranking argument rests on: tuples of so many numbers do not become
smaller for ever.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import z3

from model.design import Design
from model.vgic.design import Do, VgicDesign
from model.vgic.state import VgicState
from model.vgic.system import VgicSteps, vgic_guard
from properties.engines.formulas import formula
from properties.engines.interrupts_induction import LISTS, Case, Step, assumed, cases, explored, with_lists
from properties.engines.interrupts_prove import interrupt_obligations, troubles, whole
from properties.engines.obligations import Finding, Obligation, Settled, together
from properties.engines.questions import ATTEMPTS, QUICK, Attempt, clauses, conjuncts, decided
from properties.interrupts import progress
from properties.interrupts.delivery import DELIVERED, IDLE_SLEEPS
from properties.interrupts.inductive import INDUCTIVE
from properties.interrupts.invariants import INVARIANTS
from properties.interrupts.progress import PROGRESS
from properties.interrupts.rest import at_rest_nobody_waits_in_vain, at_rest_owes_nothing, flush_leads_on, leads_on
from properties.interrupts.steps import does
from properties.property import Property
from spec.words import implies

AT_ONCE = ATTEMPTS[:1]
IN_TURN = (ATTEMPTS[0], Attempt(40_000_000, False, QUICK), *ATTEMPTS[1:])
"""The ways to ask: nearly all is settled at once, and the sums with all that is known."""
AT_REST: Mapping[Property, Callable[[VgicDesign, VgicState], Any]] = MappingProxyType(
    {DELIVERED: at_rest_owes_nothing, IDLE_SLEEPS: at_rest_nobody_waits_in_vain}
)
"""What has to hold where a drain rests."""
OF_DRAINS = (*AT_REST, PROGRESS)
"""The properties that rest on the measure of a drain."""


def all_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """The obligations of interrupts, those of drains last."""
    base = (INDUCTIVE,) if any(prop in properties for prop in OF_DRAINS) else ()
    return [*interrupt_obligations(design, (*properties, *base)), *drain_obligations(design, properties)]


def drain_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """What is asked of each action, and of any state; none without the properties."""
    found = []
    if any(prop in properties for prop in OF_DRAINS):
        for case in cases(design.vgic):
            found.append(Obligation(f"interrupts: progress at {case.name}", partial(progresses, design, case)))
    asked = [prop for prop in AT_REST if prop in properties]
    for case in cases(design.vgic) if asked else ():
        found.append(Obligation(f"interrupts: the way on by {case.name}", partial(goes_on, design, case)))
    return [*found, *(Obligation(f"interrupts: {prop.id} at rest", partial(rests, design, prop)) for prop in asked)]


def progresses(design: Design, case: Case) -> Settled:
    """Whether less is left to do after an action of the drain.

    That the assumptions do not contradict one another is for the invariants' own cases to find out.
    """
    assert case.action is not None
    action = case.action

    def less(before: VgicState, after: VgicState) -> Any:
        return progress.progresses(design.vgic, before, action, after)

    step = explored(design.vgic, case, {PROGRESS.id: less}, witnesses=True)
    return judged(design, case, step, PROGRESS.id, "less is left to do", OF_DRAINS)


def goes_on(design: Design, case: Case) -> Settled:
    """Whether an action that the drain counts on is possible; a flush takes whatever interrupt is next."""
    assert case.action is not None
    action = case.action

    def possible(before: VgicState, after: VgicState) -> Any:
        if isinstance(action, VgicSteps) and does(design.vgic, before, action) is Do.FLUSH_ONE:
            goes = flush_leads_on(design.vgic, before, action)
        else:
            goes = vgic_guard(design.vgic, before, action)
        return implies(leads_on(design.vgic, before, action), goes)

    step = explored(design.vgic, case, {"way on": possible}, witnesses=True, acts=False)
    return judged(design, case, step, "way on", "it is possible", tuple(AT_REST))


def rests(design: Design, prop: Property) -> Settled:
    """Whether a property has what it needs in any state in which the drain can do nothing."""
    any_state = Case(f"{prop.id} at rest", None, None)
    several, single = (at_rest(design, prop, with_lists(any_state, lists)) for lists in LISTS)
    return together(several, single)


def at_rest(design: Design, prop: Property, case: Case) -> Settled:
    """The same with so many list registers as the case has."""
    step = explored(design.vgic, case, {prop.id: lambda before, after: AT_REST[prop](design.vgic, before)})
    return judged(design, case, step, prop.id, "it rests", (prop,))


def judged(design: Design, case: Case, step: Step, asked: str, label: str, told: Sequence[Property]) -> Settled:
    """What comes of a case of which one thing is asked; each path is asked by itself."""
    paths = whole(step)
    goals = [(path, formula(path.outcome[1][asked])) for path in paths]
    open_ = [(path, goal) for path, goal in goals if not z3.is_true(goal)]
    known, answers = assumed(design.vgic, step, INVARIANTS)[1] if open_ else (), list[Any]()
    for path, goal in open_:
        given = [*path.condition, *map(formula, path.outcome[2]), *step.given, *known]
        answers.append(false_of(goal, given, conjuncts(path.condition)))
    findings = list(troubles(step, case, tuple(prop.id for prop in told)))
    if any(answer != z3.unsat for answer in answers):
        findings += [Finding(prop.id, case.name, label, z3.sat in answers) for prop in told]
    counts = tuple((prop.id, len(paths)) for prop in told)
    return Settled(len(step.exploration.paths), counts, tuple(findings), not paths)


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
