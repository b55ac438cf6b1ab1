"""The obligations of the memory system: its invariants by induction, and under them the properties of each action."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import z3
from attrs import frozen

from model.design import Design
from model.memory.system import MemoryAction
from model.state import State
from model.system import resolves
from model.topology import TOPOLOGIES, initial
from properties.engines.explorer import OutOfFuel, Raised
from properties.engines.induction import Case, Explored, cases, decided, explored
from properties.engines.symbolic import formula
from properties.memory.inductive import INDUCTIVE
from properties.memory.invariants import INVARIANTS, Invariant
from properties.property import Property

MEMORY = ("memory", "trap")
"""The parts of a design that the memory system depends on."""


@frozen
class MemoryFinding:
    """What is wrong in one case: the property, and the invariant or the exception, decided or not."""

    prop: str
    case: str
    label: str
    decided: bool


@frozen
class MemorySettled:
    """What came of one case: its paths, how often each property was asked, what failed, and whether it is empty."""

    paths: int
    asked: tuple[tuple[str, int], ...]
    findings: tuple[MemoryFinding, ...]
    vacuous: bool


@frozen
class MemoryObligation:
    """One case before it is settled."""

    name: str
    settle: Callable[[], MemorySettled]


def of_memory(properties: tuple[Property, ...]) -> tuple[Property, ...]:
    """Those of the properties that speak about the memory system, with the invariants that their proofs rest on."""
    concerned = tuple(p for p in properties if p.about and all(issubclass(kind, MemoryAction) for kind in p.about))
    return concerned if not concerned or INDUCTIVE in concerned else (INDUCTIVE, *concerned)


def memory_obligations(design: Design, properties: tuple[Property, ...]) -> list[MemoryObligation]:
    """Every case of the induction, and its beginning; none where no property speaks about memory."""
    asked = of_memory(properties)
    if not asked:
        return []
    found = [MemoryObligation("memory: at the start", partial(begun, design))]
    for case in cases(design.memory):
        found.append(MemoryObligation(f"memory: {case.name}", partial(kept, design, asked, case)))
    return found


def begun(design: Design) -> MemorySettled:
    """Whether the invariants hold of each stated configuration at its start."""
    found: list[MemoryFinding] = []
    count = 0
    for topology in TOPOLOGIES.values():
        memory = initial(topology, design).memory
        if memory is None:
            continue
        for name, invariant in INVARIANTS.items():
            count += 1
            if not invariant(design.memory, memory):
                found.append(MemoryFinding(INDUCTIVE.id, "at the start", f"{name} in {topology.name}", True))
    return MemorySettled(1, ((INDUCTIVE.id, count),), tuple(found), count == 0)


def goals(design: Design, asked: tuple[Property, ...], case: Case) -> dict[str, Callable[[Any, Any], Any]]:
    """What is asked of a case: each invariant of the state after it, and each property that speaks about its action."""
    found: dict[str, Callable[[Any, Any], Any]] = {
        name: partial(after_step, design, invariant) for name, invariant in INVARIANTS.items()
    }
    for prop in asked:
        if prop is not INDUCTIVE and isinstance(case.action, prop.about):
            found[prop.id] = partial(holds, design, prop, case.action)
    return found


def after_step(design: Design, invariant: Invariant, before: Any, after: Any) -> Any:
    """Whether an invariant holds of the state after a step."""
    return invariant(design.memory, after)


def holds(design: Design, prop: Property, action: MemoryAction, before: Any, after: Any) -> Any:
    """Whether a property holds of a step of the memory system."""
    return prop.holds(design, State((), (), (), before), action, State((), (), (), after))


def kept(design: Design, asked: tuple[Property, ...], case: Case) -> MemorySettled:
    """One case: whether the action keeps every invariant, and every property that speaks about it holds."""
    wanted = goals(design, asked, case)
    run: Explored = explored(design.memory, case, INVARIANTS, resolves(design), wanted)
    counts: dict[str, int] = {}
    findings: list[MemoryFinding] = []
    for path in run.exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            findings.append(MemoryFinding("*", case.name, f"{path.outcome}", False))
        elif path.outcome is not None:
            for name in path.outcome:
                prop = INDUCTIVE.id if name in INVARIANTS else name
                counts[prop] = counts.get(prop, 0) + 1
            findings += refuted(case, run, path)
    if run.exploration.undecided:
        findings.append(MemoryFinding("*", case.name, "a branch could not be decided", False))
    reached = [path for path in run.exploration.paths if path.outcome is not None]
    empty = not any(possible(run, path) for path in reached)
    return MemorySettled(len(run.exploration.paths), tuple(counts.items()), tuple(findings), empty)


def possible(run: Explored, path: Any) -> bool:
    """Whether the assumptions of a path do not contradict one another, as far as the solver can tell."""
    answer, _ = decided([*run.known, *path.condition], z3.BoolVal(True), attempts=1)
    return bool(answer != z3.unsat)


def refuted(case: Case, run: Explored, path: Any) -> Iterator[MemoryFinding]:
    """The invariants and properties that are false somewhere on a path, or that no solver decides."""
    given = [*run.known, *path.condition]
    for name, truth in path.outcome.items():
        if truth is True:
            continue
        answer, _ = decided(given, z3.Not(formula(truth)))
        if answer != z3.unsat:
            prop = INDUCTIVE.id if name in INVARIANTS else name
            yield MemoryFinding(prop, case.name, name, bool(answer == z3.sat))
