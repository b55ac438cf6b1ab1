"""The check of memory properties by the engines of concrete steps: exhaustive exploration, and random walks."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from attrs import evolve

from model.action import Action
from model.designs.variations import REPAIRS
from model.topology import TOPOLOGIES, initial
from properties import memory
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.engines.cache import Cache, key
from properties.engines.memory_explore import CONFIGURATIONS, Explored, explore_memory
from properties.engines.memory_prove import MEMORY
from properties.engines.memory_scenarios import SCENARIOS
from properties.engines.memory_search import memory_search
from properties.engines.memory_walk import walk_memory
from properties.engines.prove import Settled
from properties.engines.shorten import shorten
from properties.engines.walk import Walked
from properties.faults.catalogue import FAULT
from properties.memory.inductive import INDUCTIVE
from properties.property import Property, Result, Trace, Verdict
from properties.traces.replay import replayed
from properties.why import MOST_MEMORY_STATES, counterexample

EXPLORE_SECONDS = 120.0
"""What one configuration may take."""
WALK_STEPS = 2000
"""How many steps a walk of each configuration has."""
IDS = frozenset(prop.id for prop in memory.ALL)
UNMET = "nothing that it is about was reached"


def divided(properties: Iterable[Property]) -> tuple[tuple[Property, ...], tuple[Property, ...]]:
    """The properties of memory, and all others."""
    chosen = tuple(properties)
    return tuple(p for p in chosen if p.id in IDS), tuple(p for p in chosen if p.id not in IDS)


def share(design: str, fault: str | None, ids: tuple[str, ...], number: int, left: float) -> Explored:
    """One worker's configuration, remembered where all of it was seen and nothing violated; workers receive names."""
    topology, domain = CONFIGURATIONS[number]
    properties = tuple(PROPERTY[identifier] for identifier in ids)
    planted, cache = resolve(design, fault), Cache()
    asked = key(planted, MEMORY, f"explored: {number}", ids)
    known: Any = cache.get(asked)
    if known is not None:
        met = frozenset(known["met"])
        return Explored(known["states"], known["transitions"], known["seconds"], True, {}, frozenset(), met)
    seen = explore_memory(planted, properties, topology, domain, time.monotonic() + left)
    if seen.complete and not seen.violations:
        found = {"states": seen.states, "transitions": seen.transitions, "seconds": seen.seconds}
        cache.put({asked: {**found, "met": sorted(seen.met)}})
    return seen


def explored(
    design: str, fault: str | None, properties: tuple[Property, ...], left: float | None, jobs: int,
    progress: Callable[[str], None],
) -> list[Result]:  # fmt: skip
    """What every run of the stated configurations says of each property."""
    if not properties:
        return []
    ids = tuple(prop.id for prop in properties)
    limit = EXPLORE_SECONDS if left is None else min(left, EXPLORE_SECONDS)
    arguments = [(design, fault, ids, number, limit) for number in range(len(CONFIGURATIONS))]
    if jobs == 1:
        seen = []
        for job in arguments:
            progress(f"exploring {CONFIGURATIONS[job[3]][1].name}")
            seen.append(share(*job))
    else:
        with ProcessPoolExecutor(min(jobs, len(arguments))) as pool:
            futures: list[Future[Explored]] = [pool.submit(share, *job) for job in arguments]
            progress("exploring the memory system")
            seen = [future.result() for future in futures]
    states, transitions = sum(one.states for one in seen), sum(one.transitions for one in seen)
    complete = all(one.complete for one in seen)
    met = frozenset(prop for one in seen for prop in one.met)
    names = ", ".join(dict.fromkeys(topology for topology, _ in CONFIGURATIONS))
    scope = f"{states} states, {transitions} transitions of {len(CONFIGURATIONS)} configurations: {names}"
    scope = f"{'all' if complete else 'the first'} {scope}"
    good = Verdict.EXPLORED if complete else Verdict.TESTED
    found = [(CONFIGURATIONS[number][0], one.violations) for number, one in enumerate(seen)]
    seconds = sum(one.seconds for one in seen)
    results = judged(design, fault, "explore", properties, found, met, good, scope, seconds)
    return [told for result in results for told in attributed(design, fault, result)]


def attributed(design: str, fault: str | None, result: Result) -> list[Result]:
    """The verdict, once for each known deviation of the design that violates the property, with a trace of its own."""
    planted = resolve(design, fault)
    has = {variation.id for variation in planted.variations}
    lacking = [repair.deviation for repair in REPAIRS if repair.variation.id not in has]
    prop, found = PROPERTY[result.property], []
    for deviation in [name for name in (fault, *lacking) if name is not None and FAULT[name].scenarios]:
        if deviation != fault and prop.id not in counterexample(deviation).properties:
            continue
        trace = in_situation(design, fault, deviation, prop)
        if trace is not None:
            covers = FAULT[deviation].statement
            deviations = () if deviation == fault else (deviation,)
            found.append(
                evolve(result, verdict=Verdict.VIOLATED, covers=covers, trace=trace, deviations=deviations)
            )
    return found or [result]


def with_proof(result: Result, settled: Settled, unfinished: int, seconds: float) -> Result:
    """What exploration says of a property, made a proof where the induction holds and so does the property under it.

    A violation stays one, whatever the proof says; without a proof the verdict is that of the exploration.
    """
    if result.verdict not in (Verdict.EXPLORED, Verdict.TESTED):
        return result
    questions = dict(settled.asked).get(result.property, 0)
    open_ = [f"{f.transaction}, {f.step}" for name, f in settled.failures if name in (INDUCTIVE.id, "*")]
    own = [f"{f.transaction}, {f.step}" for name, f in settled.failures if name == result.property]
    if unfinished or settled.vacuous or open_ or own or not questions:
        reason = (*own, *open_, *settled.vacuous, "the budget" if unfinished else "no question")[0]
        return evolve(result, covers=f"{result.covers}; not proved: {reason}")
    covers = (
        f"z3, by induction for any memory, tables and VMIDs on two processors: {questions} questions; "
        f"and {result.verdict.value}: {result.covers}"
    )
    return evolve(result, engine="prove", verdict=Verdict.PROVED, covers=covers, seconds=seconds + result.seconds)


def in_situation(design: str, fault: str | None, deviation: str, prop: Property) -> Trace | None:
    """The shortest violation of a property by the design itself, in the situations in which a deviation matters."""
    planted = resolve(design, fault)
    for name in FAULT[deviation].scenarios:
        scenario = SCENARIOS[name]
        start = initial(TOPOLOGIES[scenario.topology], planted)
        seen = memory_search(planted, start, scenario.domain, (prop,), prop.id, most_states=MOST_MEMORY_STATES)
        if prop.id in seen.found:
            violation = seen.found[prop.id]
            return Trace(design, fault, scenario.topology, prop.id, violation.actions, violation.explanation)
    return None


def walked(
    design: str, fault: str | None, properties: tuple[Property, ...], seed: int, deadline: float | None,
    progress: Callable[[str], None],
) -> list[Result]:  # fmt: skip
    """What random runs of every configuration say of each property."""
    if not properties:
        return []
    progress("walking through memory")
    topologies = [topology for topology in TOPOLOGIES.values() if topology.memory is not None]
    planted = resolve(design, fault)
    seen: list[Walked] = [walk_memory(planted, properties, each, seed, WALK_STEPS, deadline) for each in topologies]
    label = design if fault is None else f"{design} with {fault}"
    seconds = sum(one.seconds for one in seen)
    raised = next((one.raised for one in seen if one.raised is not None), None)
    if raised is not None:
        failed = f"a rule raised {raised.problem}"
        return [Result(label, p.id, "walk", Verdict.UNKNOWN, failed, seconds) for p in properties]
    kinds = {kind for one in seen for kind in one.kinds}
    met = frozenset(prop.id for prop in properties if speaks(prop, kinds))
    scope = f"{sum(one.steps for one in seen)} steps in {len(seen)} configurations, seed {seed}"
    found = [(each.name, one.violations) for each, one in zip(topologies, seen, strict=True)]
    return judged(design, fault, "walk", properties, found, met, Verdict.TESTED, scope, seconds)


def speaks(prop: Property, kinds: Iterable[type[Action]]) -> bool:
    """Whether a property speaks about one of the kinds of action."""
    return any(issubclass(kind, prop.about) for kind in kinds)


def judged(
    design: str, fault: str | None, engine: str, properties: tuple[Property, ...],
    found: Iterable[tuple[str, dict[str, tuple[Action, ...]]]], met: frozenset[str], good: Verdict, scope: str,
    seconds: float,
) -> list[Result]:  # fmt: skip
    """The verdict on each property: the first violation with its trace, else what was seen of it."""
    label = design if fault is None else f"{design} with {fault}"
    violations = [(name, prop, run) for name, runs in found for prop, run in runs.items()]
    results = []
    for prop in properties:
        result = Result(label, prop.id, engine, good, scope, seconds)
        own = [(name, run) for name, violated, run in violations if violated == prop.id]
        if own:
            name, run = min(own, key=lambda pair: len(pair[1]))
            trace = explained(design, fault, Trace(design, fault, name, prop.id, run))
            result = evolve(result, verdict=Verdict.VIOLATED, covers=f"a run of {name}", trace=trace)
        elif prop.id not in met:
            result = evolve(result, verdict=Verdict.UNKNOWN, covers=f"{scope}; {UNMET}")
        results.append(result)
    return results


def explained(design: str, fault: str | None, trace: Trace) -> Trace:
    """The trace without the actions that it can do without, and with what is wrong about its last step."""
    planted, prop = resolve(design, fault), PROPERTY[trace.property]
    start = initial(TOPOLOGIES[trace.topology], planted)
    shorter = evolve(trace, actions=shorten(planted, start, trace.actions, prop, time.monotonic() + 10))
    violation = replayed(shorter, planted, start, prop)
    return shorter if violation is None else evolve(shorter, explanation=violation.explanation)
