"""The engine `prove`: every obligation of a design settled by z3, over all states and operands at once."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import z3
from attrs import evolve, frozen

from model.actions import GuestExecutes, HighvisorHandles, LowvisorSteps
from model.design import Design
from properties.engines.assignments import evaluate
from properties.engines.bases import NotEstablished
from properties.engines.cache import Cache, key
from properties.engines.explorer import OutOfFuel, Raised, explore, new_solver
from properties.engines.formulas import formula
from properties.engines.interrupts_progress import all_obligations
from properties.engines.memory_prove import memory_obligations
from properties.engines.obligations import Obligation
from properties.engines.time_prove import time_obligations
from properties.engines.transactions import Transaction, transactions
from properties.parts import PARTS
from properties.property import Property
from properties.traces.codec import write_whole


@frozen
class Failure:
    """A step of which a property does not hold: where, and the instruction that a model of the failure has."""

    transaction: str
    step: str
    instruction: Any
    decided: bool
    """False where the solver gave no answer."""


@frozen
class Settled:
    """What came of some obligations: how many there were, their paths, and the failures of each property."""

    obligations: int
    paths: int
    failures: tuple[tuple[str, Failure], ...]
    asked: tuple[tuple[str, int], ...]
    """How often each property was asked about a step."""
    vacuous: tuple[str, ...]
    """Obligations whose assumptions contradict each other: red, whatever they say."""
    late: int = 0
    """How many obligations were not reached in time."""


def settle(transaction: Transaction, export: Path | None = None) -> Settled:
    """One obligation: explore its run, and ask z3 for a path on which a finding is false."""
    exploration = explore(transaction.run, transaction.assumptions)
    if export is not None:
        write_smtlib(transaction, exploration, export)
    failures: list[tuple[str, Failure]] = []
    counts: dict[str, int] = {}
    if exploration.vacuous:
        return Settled(1, 0, (), (), (transaction.name,))
    for path in exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            where = f"{path.outcome}"
            failures.append(("*", Failure(transaction.name, where, transaction.operation, False)))
            continue
        for prop, _, _ in path.outcome:
            counts[prop] = counts.get(prop, 0) + 1
        failures += refuted(transaction, path.condition, path.outcome)
    if exploration.undecided:
        failures.append(("*", Failure(transaction.name, "a branch could not be decided", None, False)))
    return Settled(1, len(exploration.paths), tuple(failures), tuple(counts.items()), ())


def refuted(
    transaction: Transaction, condition: tuple[Any, ...], findings: tuple[tuple[str, str, Any], ...]
) -> list[tuple[str, Failure]]:
    """The findings of one path that are false for some values."""
    open_findings = [(prop, label, formula(truth)) for prop, label, truth in findings if truth is not True]
    if not open_findings:
        return []
    solver = new_solver()
    solver.add(*map(formula, transaction.assumptions), *condition)
    every_one = z3.And(*(term for _, _, term in open_findings))
    if solver.check(z3.Not(every_one)) == z3.unsat:
        return []
    found: list[tuple[str, Failure]] = []
    for prop, label, term in open_findings:
        answer = solver.check(z3.Not(term))
        if answer == z3.unsat:
            continue
        instruction = transaction.operation
        if answer == z3.sat and instruction is not None:
            instruction = evaluate(instruction, solver.model())
        found.append((prop, Failure(transaction.name, label, instruction, answer == z3.sat)))
    return found


def write_smtlib(transaction: Transaction, exploration: Any, folder: Path) -> None:
    """The queries of one obligation as an SMT-LIB file: each `check-sat` answers unsat where everything holds."""
    solver = z3.Solver()
    solver.add(*map(formula, transaction.assumptions))
    queries = []
    for path in exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            continue
        terms = [formula(truth) for _, _, truth in path.outcome if truth is not True]
        if terms:
            queries.append(joined(z3.And, [*path.condition, z3.Not(joined(z3.And, terms))]))
    solver.add(joined(z3.Or, queries) if queries else z3.BoolVal(False))
    name = "".join(c if c.isalnum() else "-" for c in transaction.name)
    folded = "" if queries else "; every finding became true while the paths were explored\n"
    text = f"; {transaction.name}: unsat where every property holds\n{folded}(set-logic QF_BV)\n{solver.to_smt2()}"
    write_whole(folder / f"{name}.smt2", text)


def joined(connective: Any, terms: list[Any]) -> Any:
    """A conjunction or disjunction, which SMT-LIB does not have of a single term."""
    return terms[0] if len(terms) == 1 else connective(*terms)


def combine(parts: list[Settled]) -> Settled:
    """Several results as one."""
    counts: dict[str, int] = {}
    for part in parts:
        for prop, count in part.asked:
            counts[prop] = counts.get(prop, 0) + count
    return Settled(
        sum(part.obligations for part in parts),
        sum(part.paths for part in parts),
        tuple(failure for part in parts for failure in part.failures),
        tuple(sorted(counts.items())),
        tuple(name for part in parts for name in part.vacuous),
        sum(part.late for part in parts),
    )


def prove_share(
    design: Design,
    properties: tuple[Property, ...],
    share: int,
    shares: int,
    export: Path | None = None,
    until: float | None = None,
) -> Settled:
    """Every `shares`-th obligation about the spine, from number `share` on: what one worker does.

    With `export`, each is also written there as SMT-LIB, and none is taken from the cache. None is settled anew after
    `until`, on the clock `time.monotonic`; how many that were is told.
    """
    cache = Cache()
    names = tuple(prop.id for prop in properties)
    parts: list[Settled] = []
    fresh: dict[str, dict[str, object]] = {}
    for obligation in transactions(design, properties)[share::shares]:
        asked = key(design, obligation.parts, obligation.name, names)
        known = None if export is not None else cache.get(asked)
        if known is not None:
            parts.append(recalled(known))
            continue
        if until is not None and time.monotonic() > until:
            parts.append(Settled(1, 0, (), (), (), 1))
            continue
        try:
            found = settle(obligation.make(), export)
        except NotEstablished as reason:
            found = unreached(properties, str(reason))
        parts.append(found)
        if not found.failures and not found.vacuous:
            fresh[asked] = {"paths": found.paths, "asked": dict(found.asked)}
    cache.put(fresh)
    return combine(parts)


INDUCTIONS: Mapping[str, Callable[[Design, tuple[Property, ...]], list[Obligation]]] = MappingProxyType(
    {"time": time_obligations, "interrupts": all_obligations, "memory": memory_obligations}
)
"""The parts about which there is an induction, the quickest first, each with its obligations."""
INDUCTION_SECONDS = 420.0
"""How long the proofs by induction go on beginning cases; what they settled is kept for the next time."""


def induction_deadline() -> float:
    """When a proof that begins now begins no more cases of an induction."""
    return time.monotonic() + INDUCTION_SECONDS


def induction(
    design: Design, properties: tuple[Property, ...], of: str, share: int, shares: int, until: float
) -> Settled:
    """A share of the induction about a part, as far as it is not known already.

    Where a case fails nothing more is asked: all of it rests on it. No case is begun after `until`, on the clock
    `time.monotonic`.
    """
    part = next(part for part in PARTS if part.name == of)
    assert part.invariants is not None
    names, cache, found_of = tuple(prop.id for prop in properties), Cache(), list[Settled]()
    cases = told_apart(INDUCTIONS[of](design, properties))[share::shares]
    for number, case in enumerate(cases):
        asked = key(design, part.depends, case.name, names if case.depends else ())
        known = cache.get(asked)
        if known is None and time.monotonic() > until:
            found_of.append(late(of, part.invariants, len(cases) - number))
            break
        found = recalled(known) if known is not None else settled_case(case)
        found_of.append(found)
        if any(name == part.invariants.id for name, _ in found.failures):
            break
        if known is None and not found.failures and not found.vacuous:
            cache.put({asked: {"paths": found.paths, "asked": dict(found.asked)}})
    return combine(found_of)


def told_apart(obligations: list[Obligation]) -> list[Obligation]:
    """Obligations, of which no two have one name: steps of a design may, and what was settled is kept by name."""
    found, seen = list[Obligation](), Counter[str]()
    for each in obligations:
        seen[each.name] += 1
        found.append(each if seen[each.name] == 1 else evolve(each, name=f"{each.name} ({seen[each.name]})"))
    return found


def late(of: str, invariants: Property, left: int) -> Settled:
    """The cases about a part that were not reached: until they are, nothing about it is proved."""
    return unsettled(of, invariants, f"{left} cases not reached in time; the next check goes on with them", left)


def unsettled(of: str, invariants: Property, reason: str, obligations: int = 0) -> Settled:
    """An induction about a part that proves nothing, and why."""
    return Settled(obligations, 0, ((invariants.id, Failure(of, reason, None, False)),), (), ())


def settled_case(obligation: Obligation) -> Settled:
    """One case of an induction, in the words of the other obligations."""
    found = obligation.settle()
    failures = tuple((f.prop, Failure(f.case, f.label, None, f.decided)) for f in found.findings)
    return Settled(1, found.paths, failures, found.asked, (obligation.name,) if found.vacuous else ())


def unreached(properties: tuple[Property, ...], reason: str) -> Settled:
    """The failure of every property that speaks about guests, in a design whose entry does not reach one."""
    guests = (GuestExecutes, HighvisorHandles, LowvisorSteps)
    concerned = (p for p in properties if any(issubclass(kind, p.about) for kind in guests))
    return Settled(1, 0, tuple((p.id, Failure("base", reason, None, True)) for p in concerned), (), ())


def recalled(known: dict[str, Any]) -> Settled:
    """A settled obligation as the cache keeps it."""
    return Settled(1, known["paths"], (), tuple(sorted(known["asked"].items())), ())
