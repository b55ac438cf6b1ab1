"""The obligations of the memory system: its invariants by induction, and under them the properties of each action."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import z3

from model.design import Design
from model.memory.actions import GuestAccesses, MemoryAction, ThreadSteps
from model.parts import resolves
from properties.engines.explorer import OutOfFuel, Path, Raised
from properties.engines.formulas import formula
from properties.engines.induction import ANYWHERE, Case, Explored, Goal, cases, explored
from properties.engines.obligations import Finding, Obligation, Settled, at_start, holds, of_cases
from properties.engines.questions import Asked, Question, conjuncts, decided
from properties.memory.accesses import ISOLATED
from properties.memory.derived import DERIVED
from properties.memory.inductive import INDUCTIVE
from properties.memory.invariants import INVARIANTS, Invariant
from properties.property import Property

RESTS_ON: Mapping[type[MemoryAction], tuple[Property, ...]] = MappingProxyType({GuestAccesses: (ISOLATED,)})
"""The properties of a kind of action that are asked before its invariants, and known to their proofs."""


def of_memory(properties: tuple[Property, ...]) -> tuple[Property, ...]:
    """Those of the properties that speak about the memory system."""
    return tuple(p for p in properties if p.about and all(issubclass(kind, MemoryAction) for kind in p.about))


def memory_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """The induction's beginning and its cases, and what is asked under its invariants; none without such a property."""
    asked = tuple(prop for prop in of_memory(properties) if prop is not INDUCTIVE)
    if not of_memory(properties):
        return []
    return [
        Obligation("memory: at the start", partial(begun, design)),
        *(Obligation(f"memory: {name} in any state", partial(derives, design, name)) for name in DERIVED),
        *of_cases("memory", design, tuple(cases(design.memory)), asked, kept, meets, follows),
    ]


def begun(design: Design) -> Settled:
    """Whether the invariants hold of each stated configuration at its start."""
    return at_start("memory", design, design.memory, INDUCTIVE.id, INVARIANTS)


def after_step(design: Design, invariant: Invariant, before: Any, after: Any) -> Any:
    """Whether an invariant holds of the state after a step."""
    return invariant(design.memory, after)


def derives(design: Design, name: str) -> Settled:
    """Whether a fact that all proofs take as known follows from the invariants alone."""
    case = Case(f"{name} in any state", ANYWHERE, None)
    return settled(design, case, {name: partial(after_step, design, DERIVED[name])}, MappingProxyType({}))


def kept(design: Design, case: Case) -> Settled:
    """Whether an action keeps every invariant, and has the properties that its proof rests on."""
    wanted: dict[str, Goal] = {}
    if case.action is not None:
        rests = RESTS_ON.get(type(case.action), ())
        wanted |= {prop.id: partial(holds, "memory", design, prop, case.action) for prop in rests}
    return settled(design, case, wanted | {n: partial(after_step, design, held) for n, held in INVARIANTS.items()})


def meets(design: Design, asked: tuple[Property, ...], case: Case) -> Settled:
    """Whether the properties of steps hold of an action that starts where the invariants hold."""
    assert case.action is not None
    return settled(design, case, {prop.id: partial(holds, "memory", design, prop, case.action) for prop in asked})


def follows(design: Design, prop: Property) -> Settled:
    """Whether a property of states holds wherever the invariants do."""
    case = Case(f"{prop.id} in any state", ANYWHERE, None)
    return settled(design, case, {prop.id: partial(holds, "memory", design, prop, ThreadSteps(0))})


def settled(
    design: Design, case: Case, wanted: Mapping[str, Goal], derived: Mapping[str, Invariant] = DERIVED
) -> Settled:
    """What comes of a case when all that is wanted of it is asked on each of its paths."""
    run = explored(design.memory, case, INVARIANTS, resolves(design), wanted, derived)
    reached = [path for path in run.exploration.paths if path.outcome is not None]
    ended = [path for path in reached if not isinstance(path.outcome, Raised | OutOfFuel)]
    doubts = [f"{path.outcome}" for path in reached if isinstance(path.outcome, Raised | OutOfFuel)]
    doubts += ["a branch could not be decided"] if run.exploration.undecided else []
    findings = [Finding(reported(name), case.name, doubt, False) for doubt in doubts for name in wanted]
    findings += refuted(case, run, ended)
    counts = Counter(reported(name) for path in ended for name in path.outcome)
    empty = not any(possible(run, path) for path in ended)
    return Settled(len(run.exploration.paths), tuple(counts.items()), tuple(findings), empty)


def reported(name: str) -> str:
    """The property that an invariant or a property by this name is told of."""
    return INDUCTIVE.id if name in INVARIANTS or name in DERIVED else name


def possible(run: Explored, path: Any) -> bool:
    """Whether the assumptions of a path have a solution; without an answer they count as contradictory."""
    return bool(decided(z3.BoolVal(True), conjuncts([*path.condition, *run.known])) == z3.sat)


def refuted(case: Case, run: Explored, paths: Sequence[Path]) -> list[Finding]:
    """The properties that are false somewhere on a path, or that no attempt decides, each until it is known false.

    A property that holds on every path is known to what is asked of them next.
    """
    asked = Asked(run.known)
    questions = [
        Question(reported(name), name, path.condition, formula(truth), run.near.get(name, ()))
        for path in paths
        for name, truth in path.outcome.items()
        if truth is not True
    ]
    first = [question for question in questions if question.name not in INVARIANTS]
    failing = list(asked.failing(first))
    failed = {question.about for question, _ in failing}
    for question in first if len(first) < len(questions) else ():
        if question.about not in failed:
            asked.learn(z3.Implies(z3.And(*question.condition), question.goal))
    failing += asked.failing([question for question in questions if question.name in INVARIANTS])
    return [Finding(each.about, case.name, each.name, bool(answer == z3.sat)) for each, answer in failing]
