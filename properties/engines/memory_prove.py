"""The obligations of the memory system: its invariants by induction, and under them the properties of each action."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import z3

from model.design import Design
from model.memory.actions import GuestAccesses, MemoryAction, ThreadSteps
from model.parts import resolves
from properties.engines.explorer import OutOfFuel, Path, Raised
from properties.engines.formulas import formula
from properties.engines.induction import ANYWHERE, Case, Explored, Goal, Known, cases, explored, known
from properties.engines.obligations import Finding, Obligation, Settled, at_start, holds, of_cases
from properties.engines.questions import ATTEMPTS, Asked, Question, conjuncts, decided
from properties.memory.accesses import ISOLATED
from properties.memory.derived import DERIVED
from properties.memory.inductive import BASE, INDUCTIVE, LAYERS, Layer
from properties.memory.invariants import Invariant
from properties.property import Property

FEW = 6
"""Of so many invariants that an action changes it is asked first under what they say themselves, which is put together
and decided much sooner than all that is known, and mostly enough."""
RESTS_ON: Mapping[type[MemoryAction], tuple[Property, ...]] = MappingProxyType({GuestAccesses: (ISOLATED,)})
"""The properties of a kind of action that are asked before its invariants, and known to their proofs."""


def of_memory(properties: tuple[Property, ...]) -> tuple[Property, ...]:
    """Those of the properties that speak about the memory system."""
    return tuple(p for p in properties if p.about and all(issubclass(kind, MemoryAction) for kind in p.about))


def memory_obligations(
    design: Design, properties: tuple[Property, ...], layers: Sequence[Layer] = (BASE, *LAYERS)
) -> list[Obligation]:
    """What is asked of memory for the properties, none where none is about it: the base of the induction, and of the
    layers on it those that one of the properties rests on."""
    asked = tuple(prop for prop in of_memory(properties) if prop is not INDUCTIVE)
    base, *further = layers
    if not of_memory(properties):
        return []
    resting = {name for layer in further for name in layer.told}
    found = [
        *(Obligation(f"memory: {name} in any state", partial(derives, design, name, base)) for name in DERIVED),
        *of_layer(design, base, "memory", tuple(prop for prop in asked if prop.id not in resting)),
    ]
    for layer in further:
        about = tuple(prop for prop in asked if prop.id in layer.told)
        found += of_layer(design, layer, f"memory, {layer.name}", about) if about else ()
    return found


def of_layer(design: Design, layer: Layer, title: str, asked: tuple[Property, ...]) -> list[Obligation]:
    """The beginning of an induction over a layer's invariants, its cases, and what is asked under them."""
    settling = (partial(each, layer) for each in (kept, meets, follows))
    return [
        Obligation(f"{title}: at the start", partial(begun, layer, design)),
        *of_cases(title, design, tuple(cases(design.memory)), asked, *settling),
    ]


def begun(layer: Layer, design: Design) -> Settled:
    """Whether the invariants hold of each stated configuration at its start."""
    return at_start("memory", design, design.memory, layer.told, layer.invariants)


def after_step(design: Design, invariant: Invariant, before: Any, after: Any) -> Any:
    """Whether an invariant holds of the state after a step."""
    return invariant(design.memory, after)


def derives(design: Design, name: str, base: Layer = BASE) -> Settled:
    """Whether a fact that all proofs take as known follows from the invariants alone."""
    case = Case(f"{name} in any state", ANYWHERE, None)
    return settled(base, design, case, {name: partial(after_step, design, DERIVED[name])}, MappingProxyType({}))


def kept(layer: Layer, design: Design, case: Case) -> Settled:
    """Whether an action keeps every invariant, and has the properties that its proof rests on."""
    wanted: dict[str, Goal] = {}
    if case.action is not None and not layer.under:
        rests = RESTS_ON.get(type(case.action), ())
        wanted |= {prop.id: partial(holds, "memory", design, prop, case.action) for prop in rests}
    invariants = {name: partial(after_step, design, held) for name, held in layer.invariants.items()}
    return settled(layer, design, case, wanted | invariants)


def meets(layer: Layer, design: Design, asked: tuple[Property, ...], case: Case) -> Settled:
    """Whether the properties of steps hold of an action that starts where the invariants hold."""
    assert case.action is not None
    return settled(layer, design, case, {p.id: partial(holds, "memory", design, p, case.action) for p in asked})


def follows(layer: Layer, design: Design, prop: Property) -> Settled:
    """Whether a property of states holds wherever the invariants do."""
    case = Case(f"{prop.id} in any state", ANYWHERE, None)
    return settled(layer, design, case, {prop.id: partial(holds, "memory", design, prop, ThreadSteps(0))})


def settled(
    layer: Layer,
    design: Design,
    case: Case,
    wanted: Mapping[str, Goal],
    derived: Mapping[str, Invariant] = DERIVED,
) -> Settled:
    """What comes of a case when all that is wanted of it is asked on each of its paths."""
    seen = explored(design.memory, case, resolves(design), wanted)
    reached = [path for path in seen.exploration.paths if path.outcome is not None]
    ended = [path for path in reached if not isinstance(path.outcome, Raised | OutOfFuel)]
    doubts = [f"{path.outcome}" for path in reached if isinstance(path.outcome, Raised | OutOfFuel)]
    doubts += ["a branch could not be decided"] if seen.exploration.undecided else []
    wrong = [(name, doubt, False) for doubt in doubts for name in wanted]
    counts = Counter(told for path in ended for name in path.outcome for told in reported(layer, name))
    asked, empty = changed(layer, design, seen, ended), not ended
    if asked:
        few = {name: layer.known[name] for name in asked} if asked <= layer.known.keys() and len(asked) <= FEW else {}
        before = known(design.memory, seen, few, MappingProxyType({}))
        if not few or not Asked(before.conjuncts).plainly_hold(questions(layer, before, ended, few)):
            before = known(design.memory, seen, layer.known, derived)
            wrong += [(each.name, each.name, answer == z3.sat) for each, answer in refuted(layer, before, ended)]
        empty = not possible(before, ended)
    findings = [Finding(p, case.name, label, sure) for name, label, sure in wrong for p in reported(layer, name)]
    return Settled(len(seen.exploration.paths), tuple(counts.items()), tuple(findings), empty)


def changed(layer: Layer, design: Design, seen: Explored, paths: Sequence[Path]) -> set[str]:
    """What is asked of a path and not what the layer's own invariants say of the state before it, word for word."""
    own = conjuncts([formula(invariant(design.memory, seen.state)) for invariant in layer.invariants.values()])
    before = {term.get_id() for term in own}
    return {
        name
        for path in paths
        for name, truth in path.outcome.items()
        if truth is not True and any(term.get_id() not in before for term in conjuncts([formula(truth)]))
    }


def reported(layer: Layer, name: str) -> tuple[str, ...]:
    """The properties that an invariant or a property by this name is told of."""
    return layer.told if name in layer.invariants or name in DERIVED else (name,)


def possible(before: Known, paths: Sequence[Path]) -> bool:
    """Whether the assumptions of some path have a solution, asked of each the quick way first; without an answer they
    count as contradictory."""
    asked = [(path.condition, [*path.condition, *before.conjuncts]) for path in paths]
    return any(
        decided(z3.BoolVal(True), given, near, attempts) == z3.sat
        for attempts in (ATTEMPTS[:1], ATTEMPTS[1:])
        for near, given in asked
    )


def questions(layer: Layer, before: Known, paths: Sequence[Path], names: Collection[str]) -> list[Question]:
    """What is asked by some names on some paths."""
    return [
        Question(reported(layer, name)[0], name, path.condition, formula(truth), before.near.get(name, ()))
        for path in paths
        for name, truth in path.outcome.items()
        if name in names and truth is not True
    ]


def refuted(layer: Layer, before: Known, paths: Sequence[Path]) -> list[tuple[Question, Any]]:
    """The properties that are false somewhere on a path, or that no attempt decides, each until it is known false.

    A property that holds on every path is known to what is asked of them next. The few invariants of a layer are each
    asked alone, which is quicker than together.
    """
    asked, names = Asked(before.conjuncts), {name for path in paths for name in path.outcome}
    first = questions(layer, before, paths, names - layer.invariants.keys())
    invariants = questions(layer, before, paths, names & layer.invariants.keys())
    failing = list(asked.failing(first))
    failed = {question.about for question, _ in failing}
    for question in first if invariants else ():
        if question.about not in failed:
            asked.learn(z3.Implies(z3.And(*question.condition), question.goal))
    return failing + list(asked.failing(invariants, together=not layer.under))
