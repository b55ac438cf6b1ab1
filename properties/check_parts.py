"""The check of the parts of the system by the engines of concrete steps: exhaustive exploration, and random walks."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve

from model.action import Action
from model.topology import TOPOLOGIES, initial
from properties.attribution import attributed, blamable
from properties.catalogue import PROPERTY
from properties.designs import named, resolve
from properties.engines.cache import Cache, key
from properties.engines.parts.explore import Explored, explore_part
from properties.engines.parts.part import Part
from properties.engines.parts.prove import prove_steps
from properties.engines.parts.walk import walk_part
from properties.engines.prove import INDUCTIONS, Settled, induction, unsettled
from properties.engines.shorten import shorten
from properties.engines.walk import Walked
from properties.parts import PARTS, part_named, part_of
from properties.property import Property, Result, Trace, Verdict
from properties.traces.replay import replayed
from properties.workers import Task, performed

EXPLORE_SECONDS = 1200.0
"""What one configuration may take; the largest takes half of that."""
WALK_STEPS = 20_000
"""How many actions the walks of a part have, all in all, where nobody asks for another number."""
SHORTEN_SECONDS = 10.0
UNBLAMED = "the budget ended before the known deviations were tried"
UNMET = "nothing that it is about was reached"


def divided(properties: Iterable[Property]) -> tuple[tuple[Property, ...], tuple[Property, ...]]:
    """The properties of parts, and all others."""
    chosen = tuple(properties)
    return tuple(p for p in chosen if part_of(p)), tuple(p for p in chosen if not part_of(p))


def by_part(properties: Iterable[Property]) -> list[tuple[Part, tuple[Property, ...]]]:
    """The properties of parts, part by part."""
    chosen = tuple(properties)
    found = ((part, tuple(prop for prop in chosen if prop in part.judged)) for part in PARTS)
    return [(part, own) for part, own in found if own]


def share(
    design: str, fault: str | None, of: str, ids: tuple[str, ...], name: str, deadline: float | None
) -> Explored:
    """One worker's configuration, remembered where all of it was seen and nothing violated; workers receive names."""
    part = part_named(of)
    situation = part.configurations[name]
    properties = tuple(PROPERTY[identifier] for identifier in ids)
    planted, cache = resolve(design, fault), Cache()
    asked = key(planted, part.depends, f"explored {of}: {name}", ids)
    known: Any = cache.get(asked)
    if known is not None:
        met = frozenset(known["met"])
        return Explored(known["states"], known["transitions"], known["seconds"], True, {}, frozenset(), met)
    late = time.monotonic() + EXPLORE_SECONDS
    late = late if deadline is None else min(late, deadline)
    seen = explore_part(part, planted, properties, situation.topology, situation.domain, late)
    if seen.complete and not seen.violations:
        found = {"states": seen.states, "transitions": seen.transitions, "seconds": seen.seconds}
        cache.put({asked: {**found, "met": sorted(seen.met)}})
    return seen


def explored(
    design: str, fault: str | None, properties: tuple[Property, ...], deadline: float | None, jobs: int,
    progress: Callable[[str], None], name: str | None = None,
) -> list[Result]:  # fmt: skip
    """What every run of the stated configurations, or of the one of a name, says of each property of a part.

    With a deadline the small configurations come first, so that what it cuts is as little as may be.
    """
    chosen = [(part, own, part.explored(name)) for part, own in by_part(properties)]
    tasks = {
        (part.name, each): (share, (design, fault, part.name, ids, each, deadline))
        for part, own, configurations in chosen
        if (ids := tuple(prop.id for prop in steps_of(part, own)))
        for each in (configurations if deadline is None else reversed(list(configurations)))
    }
    seen = performed(tasks, jobs, None, lambda done, of: progress(f"exploring: {done} of {of} configurations"))
    results = []
    for part, own, configurations in chosen:
        if configurations:
            of_part = {each: seen[part.name, each] for each in configurations if (part.name, each) in seen}
            results += explored_part(design, fault, part, own, of_part)
    return results


def explored_part(
    design: str, fault: str | None, part: Part, properties: tuple[Property, ...], seen: Mapping[str, Explored]
) -> list[Result]:
    """What the explorations of a part's configurations say of each property, before their runs are made short."""
    alone = [unasked(design, fault, "explore", prop) for prop in properties if prop in part.proved_alone]
    properties = steps_of(part, properties)
    if not properties:
        return alone
    complete = all(one.complete for one in seen.values())
    met = frozenset(prop for one in seen.values() for prop in one.met)
    good = Verdict.EXPLORED if complete else Verdict.TESTED
    found = [(part.configurations[name].topology, one.violations) for name, one in seen.items()]
    seconds = sum(one.seconds for one in seen.values())
    return alone + judged(design, fault, "explore", properties, found, met, good, extent(seen, part.grain), seconds)


def steps_of(part: Part, properties: tuple[Property, ...]) -> tuple[Property, ...]:
    """Those of the properties that engines of concrete steps are asked about."""
    return tuple(prop for prop in properties if prop not in part.proved_alone)


def unasked(design: str, fault: str | None, engine: str, prop: Property) -> Result:
    """What an engine of concrete steps says of a property that is proved or nothing."""
    return Result(named(design, fault), prop.id, engine, Verdict.UNKNOWN, "asked in a proof alone", 0.0)


def blamed(
    design: str, fault: str | None, results: list[Result], deadline: float | None, jobs: int,
    progress: Callable[[str], None],
) -> list[Result]:  # fmt: skip
    """The verdicts of explorations, each violation once for each known deviation that makes it, with a short run.

    Violations come first, those of small parts before others. What the deadline does not reach says so, and keeps the
    run that the exploration found.
    """
    suspects = blamable(design, fault)
    asked = [n for n in reversed(range(len(results))) if suspects or results[n].trace is not None]
    asked.sort(key=lambda n: results[n].trace is None)
    tasks = {n: (blamed_alone, (design, fault, results[n], deadline)) for n in asked}
    found = performed(tasks, jobs, deadline, lambda done, of: progress(f"blaming deviations: {done} of {of} verdicts"))
    late = {n: evolve(results[n], covers=f"{results[n].covers}; {UNBLAMED}") for n in asked if n not in found}
    return [told for n, result in enumerate(results) for told in found.get(n, [late.get(n, result)])]


def blamed_alone(design: str, fault: str | None, result: Result, deadline: float | None) -> list[Result]:
    """The verdict on one property, once for each deviation, with its run made short where no deviation has one."""
    return [
        evolve(told, trace=explained(design, fault, told.trace, deadline)) if told is result and told.trace else told
        for told in attributed(design, fault, result)
    ]


def extent(seen: Mapping[str, Explored], grain: str) -> str:
    """How much of which configurations was seen, by name those of which it was all and those of which it was not."""
    said = []
    for complete, quantity, kind in ((True, "all", ""), (False, "the first", "incomplete ")):
        part = {name: one for name, one in seen.items() if one.complete is complete}
        states, transitions = sum(one.states for one in part.values()), sum(one.transitions for one in part.values())
        if part:
            what = f"{len(part)} {kind}configuration{'s' if len(part) > 1 else ''}: {', '.join(part)}"
            said.append(f"{quantity} {states} states, {transitions} transitions of {what}")
    return f"{'; and '.join(said)}; at the grain of {grain}"


def inductions(results: Iterable[Result]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The parts about which an induction may prove something, those whose invariants a run violates, and what to ask.

    Nothing is left to prove of a property that a run violates.
    """
    chosen = tuple(results)
    violated = {result.property for result in chosen if result.verdict is Verdict.VIOLATED}
    parts = [part for part in map(part_named, INDUCTIONS) if part.invariants is not None]
    alone = {prop.id for part in parts for prop in part.proved_alone}
    seen = (Verdict.EXPLORED, Verdict.TESTED)
    provable = {result.property for result in chosen if result.verdict in seen or result.property in alone}
    refuted = tuple(part.name for part in parts if part.invariants is not None and part.invariants.id in violated)
    wanted = tuple(p.name for p in parts if p.name not in refuted and any(q.id in provable for q in p.judged))
    return wanted, refuted, tuple(dict.fromkeys(result.property for result in chosen))


def induction_share(
    design: str, fault: str | None, ids: tuple[str, ...], of: str, share: int, shares: int, until: float
) -> Settled:
    """One worker's share of the induction about a part; workers receive names."""
    return induction(resolve(design, fault), tuple(PROPERTY[name] for name in ids), of, share, shares, until)


def without_induction(missing: Iterable[str], refuted: Iterable[str]) -> list[Settled]:
    """What is to be said of parts whose inductions were not finished, and of those that had no use."""
    reasons = [(of, "the budget ended before the last cases") for of in missing]
    reasons += [(of, "a run violates the invariants") for of in refuted]
    invariants = [(part_named(of).invariants, of, reason) for of, reason in reasons]
    return [unsettled(of, own, reason) for own, of, reason in invariants if own is not None]


def with_proof(result: Result, settled: Settled, seconds: float) -> Result:
    """What exploration says of a property, made a proof where the induction holds and so does the property under it.

    A violation stays one, whatever the proof says; without a proof the verdict is that of the exploration.
    """
    part = part_of(PROPERTY[result.property])
    if part is None or part.invariants is None:
        return result
    alone = result.property in [prop.id for prop in part.proved_alone]
    if result.verdict not in (Verdict.EXPLORED, Verdict.TESTED, *((Verdict.UNKNOWN,) if alone else ())):
        return result
    questions = dict(settled.asked).get(result.property, 0)
    open_ = [f"{f.transaction}, {f.step}" for name, f in settled.failures if name in (part.invariants.id, "*")]
    own = [f"{f.transaction}, {f.step}" for name, f in settled.failures if name == result.property]
    vacuous = [name for name in settled.vacuous if name.startswith(f"{part.name}: ")]
    if vacuous or open_ or own or (alone and not questions):
        return evolve(result, unproved=(*own, *open_, *vacuous, "no question")[0])
    if not questions:
        return result
    proved = proof(result, f"z3, by induction for {part.proved_for}", questions, seconds)
    return evolve(proved, also=None) if alone else proved


def proof(explored: Result, covers: str, asked: int, seconds: float) -> Result:
    """The proof of a property that was explored as well."""
    proved = evolve(explored, engine="prove", verdict=Verdict.PROVED, covers=covers, asked=asked, also=explored)
    return evolve(proved, seconds=seconds + explored.seconds)


def single_steps(result: Result) -> bool:
    """Whether z3 may show of each step from any state what exploration says of a property."""
    part = part_of(PROPERTY[result.property])
    seen = result.verdict in (Verdict.EXPLORED, Verdict.TESTED)
    return part is not None and result.property in part.proofs and seen


def with_single_steps(design: str, fault: str | None, result: Result) -> Result:
    """What exploration says of a property of single steps, made a proof where z3 shows it of each from any state."""
    prop = PROPERTY[result.property]
    part = part_of(prop)
    if part is None or prop.id not in part.proofs or result.verdict not in (Verdict.EXPLORED, Verdict.TESTED):
        return result
    found = prove_steps(resolve(design, fault), prop, part.proofs[prop.id])
    if found.wrong or not found.questions:
        reason = found.wrong[0] if found.wrong else "no such step"
        return evolve(result, unproved=reason)
    return proof(result, f"z3, any operands and any state of {part.proved_for}", found.questions, found.seconds)


def walk_share(
    design: str, fault: str | None, of: str, ids: tuple[str, ...], name: str, seed: int, steps: int,
    deadline: float | None,
) -> Walked:  # fmt: skip
    """One worker's walk through a configuration; workers receive names."""
    properties = tuple(PROPERTY[identifier] for identifier in ids)
    return walk_part(part_named(of), resolve(design, fault), properties, TOPOLOGIES[name], seed, steps, deadline)


def walked(
    design: str, fault: str | None, properties: tuple[Property, ...], seed: int, deadline: float | None, jobs: int,
    progress: Callable[[str], None], steps: int | None = None,
) -> list[Result]:  # fmt: skip
    """What random runs say of each property of a part; `steps` is how many actions those of a part have, all in all.

    Each configuration has a walk of its own from the same seed, so that it does not matter how many there are at once.
    """
    chosen, tasks = by_part(properties), dict[tuple[str, str], Task[Walked]]()
    for part, own in chosen:
        ids = tuple(prop.id for prop in steps_of(part, own))
        each_has = -(-(WALK_STEPS if steps is None else steps) // len(part.topologies))
        for each in part.topologies if ids else ():
            asked = (design, fault, part.name, ids, each.name, seed, each_has, deadline)
            tasks[part.name, each.name] = (walk_share, asked)
    seen = performed(tasks, jobs, None, lambda done, of: progress(f"walking: {done} of {of} configurations"))
    results = []
    for part, own in chosen:
        walks = {name: walk for (of, name), walk in seen.items() if of == part.name}
        results += walked_part(design, fault, part, own, seed, walks)
    return results


def walked_part(
    design: str, fault: str | None, part: Part, properties: tuple[Property, ...], seed: int, walks: Mapping[str, Walked]
) -> list[Result]:
    """What the walks through a part's configurations say of each property."""
    alone = [unasked(design, fault, "walk", prop) for prop in properties if prop in part.proved_alone]
    properties = steps_of(part, properties)
    if not properties:
        return alone
    seen = list(walks.values())
    seconds = sum(one.seconds for one in seen)
    raised = next((one.raised for one in seen if one.raised is not None), None)
    if raised is not None:
        label, failed = named(design, fault), f"a rule raised {raised.problem}"
        return alone + [Result(label, p.id, "walk", Verdict.UNKNOWN, failed, seconds) for p in properties]
    kinds = {kind for one in seen for kind in one.kinds}
    met = frozenset(prop.id for prop in properties if speaks(prop, kinds))
    scope = f"{sum(one.steps for one in seen)} steps in {len(seen)} configurations, seed {seed}"
    found = [(name, one.violations) for name, one in walks.items()]
    results = judged(design, fault, "walk", properties, found, met, Verdict.TESTED, scope, seconds)
    return alone + [evolve(one, trace=explained(design, fault, one.trace)) if one.trace else one for one in results]


def speaks(prop: Property, kinds: Iterable[type[Action]]) -> bool:
    """Whether a property speaks about one of the kinds of action."""
    return any(issubclass(kind, prop.about) for kind in kinds)


def judged(
    design: str, fault: str | None, engine: str, properties: tuple[Property, ...],
    found: Iterable[tuple[str, dict[str, tuple[Action, ...]]]], met: frozenset[str], good: Verdict, scope: str,
    seconds: float,
) -> list[Result]:  # fmt: skip
    """The verdict on each property: the first violation with its trace, else what was seen of it."""
    violations = [(name, prop, run) for name, runs in found for prop, run in runs.items()]
    results = []
    for prop in properties:
        result = Result(named(design, fault), prop.id, engine, good, scope, seconds)
        own = [(name, run) for name, violated, run in violations if violated == prop.id]
        if own:
            name, run = min(own, key=lambda pair: len(pair[1]))
            trace = Trace(design, fault, name, prop.id, run)
            result = evolve(result, verdict=Verdict.VIOLATED, covers=f"a run of {name}", trace=trace)
        elif prop.id not in met:
            result = evolve(result, verdict=Verdict.UNKNOWN, covers=f"{scope}; {UNMET}")
        results.append(result)
    return results


def explained(design: str, fault: str | None, trace: Trace, deadline: float | None = None) -> Trace:
    """The trace without the actions that it can do without, and with what is wrong about its last step."""
    planted, prop = resolve(design, fault), PROPERTY[trace.property]
    start, late = initial(TOPOLOGIES[trace.topology], planted), time.monotonic() + SHORTEN_SECONDS
    late = late if deadline is None else min(late, deadline)
    shorter = evolve(trace, actions=shorten(planted, start, trace.actions, prop, late))
    violation = replayed(shorter, planted, start, prop)
    return shorter if violation is None else evolve(shorter, explanation=violation.explanation)
