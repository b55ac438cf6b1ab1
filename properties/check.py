"""The check of a design: every property by the engine that says most, and a trace for each violation."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from attrs import evolve, frozen

from model.action import Action
from model.design import Design
from model.topology import TOPOLOGIES, initial
from properties import check_parts
from properties.catalogue import PROPERTIES, PROPERTY
from properties.check_parts import divided
from properties.designs import named, resolve
from properties.engines.explore import CONFIGURATIONS, explore
from properties.engines.prove import Failure, Settled, combine, induction_deadline, prove_share
from properties.engines.search import Run
from properties.engines.walk import walk
from properties.engines.witness import runs
from properties.hunt import violations
from properties.property import Property, Result, Trace, Verdict
from properties.traces.replay import replayed
from properties.why import COSTLY, TOPOLOGY
from properties.workers import performed

SHARES_PER_JOB = 12
STEPWISE = tuple(prop for prop in divided(PROPERTIES)[1] if prop.enumerate is None)
EXPLORATIONS, BLAME, SPINE, HUNTS = 0.4, 0.5, 0.6, 0.6
"""Which part of what is left of a budget each may take, in this order; the rest is for the inductions."""
LATEST = 5.0
"""How many seconds behind its deadline a worker may tell what it has."""


@frozen
class Request:
    """What is to be checked, and with what means."""

    design: str
    fault: str | None
    properties: tuple[Property, ...]
    seed: int
    deadline: float | None
    jobs: int
    progress: Callable[[str], None]
    export: Path | None = None
    steps: int | None = None
    configuration: str | None = None

    def by(self, fraction: float) -> float | None:
        """When so much of what is left of the budget is spent."""
        now = time.monotonic()
        return None if self.deadline is None else now + fraction * max(0.0, self.deadline - now)


def check(
    design: str,
    fault: str | None,
    ids: tuple[str, ...],
    engine: str,
    seed: int,
    budget: float | None,
    jobs: int,
    progress: Callable[[str], None],
    smt2: str | None = None,
    steps: int | None = None,
    configuration: str | None = None,
) -> tuple[Result, ...]:
    """What the engines say of a design's properties; without ids, of all of them.

    `engine` is `prove`, `explore`, `walk` or `all`. What a budget in seconds does not reach is unknown. `steps` is how
    many actions a walk chooses. With a configuration by its name that one alone is explored.
    """
    chosen = tuple(PROPERTY[identifier] for identifier in ids) or PROPERTIES
    deadline = None if budget is None else time.monotonic() + budget
    export = Path(smt2) if smt2 else None
    request = Request(design, fault, chosen, seed, deadline, jobs, progress, export, steps, configuration)
    resolve(design, fault)
    if configuration is not None:
        return tuple(parts_explored(request, divided(chosen)[0]))
    results: list[Result] = []
    if engine in ("prove", "all"):
        results += proved(request)
    if engine in ("explore", "all"):
        results += explored(request)
    if engine in ("walk", "all"):
        results += walked(request)
    return tuple(results)


def share_of(
    design: str, fault: str | None, ids: tuple[str, ...], share: int, shares: int, export: Path | None,
    until: float | None,
) -> Settled:  # fmt: skip
    """One worker's part of a proof; workers receive names."""
    properties = tuple(PROPERTY[identifier] for identifier in ids)
    return prove_share(resolve(design, fault), properties, share, shares, export, until)


def proved(request: Request) -> list[Result]:
    """The engine `prove`: tables by enumeration, obligations for z3, and a trace for what fails.

    Of the parts every property is explored and blamed first: what a run violates needs no proof.
    """
    design = resolve(request.design, request.fault)
    order = {prop.id: number for number, prop in enumerate(request.properties)}
    tables = tuple(prop for prop in request.properties if prop.enumerate is not None)
    of_parts, others = divided(request.properties)
    stepwise = tuple(prop for prop in others if prop.enumerate is None)
    results = [enumerated(request, design, prop) for prop in tables]
    explored_too = parts_explored(request, of_parts)
    if stepwise:
        begun = time.monotonic()
        asked = (*(prop.id for prop in stepwise), *(helper for p in stepwise for helper in p.assumes))
        settled, unfinished = settle_spine(request, tuple(dict.fromkeys(asked)))
        seconds = time.monotonic() - begun
        judgements = [judged(request, design, prop, settled, unfinished, seconds) for prop in stepwise]
        results += hunted(request, judgements, settled)
    results += parts_proved(request, explored_too)
    return sorted(results, key=lambda result: order[result.property])


def settle_spine(request: Request, ids: tuple[str, ...]) -> tuple[Settled, int]:
    """All obligations about the spine by all workers, and how many shares or obligations the budget did not reach."""
    if request.export is not None:
        request.export.mkdir(parents=True, exist_ok=True)
    until = request.by(SPINE)
    shares = 1 if request.jobs == 1 and until is None else request.jobs * SHARES_PER_JOB
    tasks = {
        share: (share_of, (request.design, request.fault, ids, share, shares, request.export, until))
        for share in range(shares)
    }
    late = None if until is None else until + LATEST
    found = performed(tasks, request.jobs, late, counting(request, "proving"))
    settled = combine(list(found.values()))
    return settled, shares - len(found) + settled.late


def parts_proved(request: Request, explored_too: list[Result]) -> list[Result]:
    """What exploration says of properties of parts, made proofs where z3 proves them."""
    tasks = {
        number: (check_parts.with_single_steps, (request.design, request.fault, result))
        for number, result in enumerate(explored_too)
        if check_parts.single_steps(result)
    }
    single = performed(tasks, request.jobs, request.deadline, counting(request, "proving single steps"))
    results = [
        single.get(number, evolve(result, unproved="the budget") if number in tasks else result)
        for number, result in enumerate(explored_too)
    ]
    begun = time.monotonic()
    settled = settle_inductions(request, results)
    seconds = time.monotonic() - begun
    return [check_parts.with_proof(result, settled, seconds) for result in results]


def settle_inductions(request: Request, explored_too: list[Result]) -> Settled:
    """The inductions about parts by all workers; about none whose invariants a run violates."""
    wanted, refuted, asked = check_parts.inductions(explored_too)
    until = induction_deadline()
    until = until if request.deadline is None else min(until, request.deadline)
    shares = 1 if request.jobs == 1 and request.deadline is None else request.jobs * SHARES_PER_JOB
    tasks = {
        (of, share): (check_parts.induction_share, (request.design, request.fault, asked, of, share, shares, until))
        for of in wanted
        for share in range(shares)
    }
    late = None if request.deadline is None else request.deadline + LATEST
    found = performed(tasks, request.jobs, late, counting(request, "proving by induction"))
    missing = tuple(of for of in wanted if any((of, share) not in found for share in range(shares)))
    return combine([*found.values(), *check_parts.without_induction(missing, refuted)])


def counting(request: Request, what: str) -> Callable[[int, int], None]:
    """Progress in so many parts of what is done."""
    return lambda done, of: request.progress(f"{what}: {done} of {of} parts")


def enumerated(request: Request, design: Design, prop: Property) -> Result:
    """The verdict on a property of a finite table."""
    assert prop.enumerate is not None
    begun = time.monotonic()
    table = prop.enumerate(design)
    seconds = time.monotonic() - begun
    more = f" and {len(table.failures) - 3} more" if len(table.failures) > 3 else ""
    failures = "; ".join(table.failures[:3]) + more
    verdict = Verdict.VIOLATED if table.failures else Verdict.PROVED if table.size else Verdict.UNKNOWN
    covers = f"by enumeration: all {table.size} of {table.domain}" + (f"; fails for {failures}" if failures else "")
    return Result(label(request), prop.id, "prove", verdict, covers, seconds)


def label(request: Request) -> str:
    """The name of the design that is checked."""
    return named(request.design, request.fault)


def judged(
    request: Request, design: Design, prop: Property, settled: Settled, unfinished: int, seconds: float
) -> Result:
    """The verdict on one property from the settled obligations, without the runs that violate it."""
    questions = dict(settled.asked).get(prop.id, 0)
    scope = f"{questions} questions on {settled.paths} paths of {settled.obligations} obligations"
    result = Result(label(request), prop.id, "prove", Verdict.UNKNOWN, scope, seconds)
    own = failures_of(prop.id, settled)
    broken = [failure for name, failure in settled.failures if name == "*"]
    if own:
        where = f"{own[0].transaction}, {own[0].step}"
        return evolve(result, covers=f"{scope}; the budget ended before a run was found that fails at {where}")
    if broken:
        return evolve(result, covers=f"{scope}; a rule failed in {broken[0].transaction}: {broken[0].step}")
    if settled.vacuous:
        return evolve(result, covers=f"{scope}; contradictory assumptions in {settled.vacuous[0]}")
    if unfinished:
        return evolve(result, covers=f"{scope}; the budget ended before {unfinished} more parts")
    unsound = [name for name in prop.assumes if any(name == failed for failed, _ in settled.failures)]
    if unsound:
        return evolve(result, covers=f"{scope}; rests on {unsound[0]}, which does not hold")
    if not questions:
        return evolve(result, covers="no obligation speaks about it")
    if prop.id not in runs(design, STEPWISE):
        return evolve(result, covers=f"{scope}; vacuous: nothing that it is about was reached")
    return evolve(result, verdict=Verdict.PROVED, covers="z3, any state and operand", asked=questions)


def failures_of(identifier: str, settled: Settled) -> list[Failure]:
    """The steps of which a property was not proved."""
    return [failure for name, failure in settled.failures if name == identifier]


def hunted(request: Request, judgements: list[Result], settled: Settled) -> list[Result]:
    """The verdicts with the runs that violate what was not proved, and the deviations that these need."""
    until = request.by(HUNTS)
    tasks = {
        result.property: (violations, (request.design, request.fault, result.property, own, result, until))
        for result in judgements
        for own in [failures_of(result.property, settled)]
        if own
    }
    found = performed(tasks, request.jobs, until, counting(request, "hunting"))
    return [told for result in judgements for told in found.get(result.property, [result])]


def parts_explored(request: Request, properties: tuple[Property, ...]) -> list[Result]:
    """The engine `explore` for properties of parts, with what each violation is blamed on."""
    found = check_parts.explored(
        request.design, request.fault, properties, request.by(EXPLORATIONS), request.jobs, request.progress,
        request.configuration,
    )  # fmt: skip
    return check_parts.blamed(request.design, request.fault, found, request.by(BLAME), request.jobs, request.progress)


def explored(request: Request) -> list[Result]:
    """The engine `explore`: every run of small configurations, those of its list, one after the other."""
    design = resolve(request.design, request.fault)
    of_parts, others = divided(request.properties)
    found = parts_explored(request, of_parts)
    stepwise = cheap(others)
    if not stepwise:
        return found
    late = request.deadline or time.monotonic() + EXPLORE_SECONDS
    results: list[Result] = []
    kinds, complete, seconds, states, transitions = set[type[Action]](), True, 0.0, 0, 0
    for topology, domain in CONFIGURATIONS:
        request.progress(f"exploring {topology.name}: {domain.name}")
        seen = explore(design, stepwise, topology, domain, late)
        violated = tuple(p for p in stepwise if p.id in seen.violations)
        good, covers = Verdict.VIOLATED, f"a run of {topology.name}: {domain.name}"
        results += told(request, "explore", topology.name, violated, seen.violations, good, covers, seen.seconds)
        stepwise = tuple(p for p in stepwise if p not in violated)
        kinds, complete, seconds = kinds | seen.kinds, complete and seen.complete, seconds + seen.seconds
        states, transitions = states + seen.states, transitions + seen.transitions
    met, unmet = concerning(stepwise, kinds)
    names = ", ".join(dict.fromkeys(topology.name for topology, _ in CONFIGURATIONS))
    scope = f"{states} states, {transitions} transitions of {len(CONFIGURATIONS)} configurations: {names}"
    good, covers = (Verdict.EXPLORED, f"all {scope}") if complete else (Verdict.TESTED, f"the first {scope}")
    results += told(request, "explore", "", met, {}, good, covers, seconds)
    results += found
    return results + told(request, "explore", "", unmet, {}, Verdict.UNKNOWN, UNMET, seconds)


def walked(request: Request) -> list[Result]:
    """The engine `walk`: random runs of hostile guests and hosts by Hypothesis."""
    design = resolve(request.design, request.fault)
    of_parts, others = divided(request.properties)
    found = check_parts.walked(
        request.design, request.fault, of_parts, request.seed, request.deadline, request.jobs, request.progress,
        request.steps,
    )
    stepwise = cheap(others)
    if not stepwise:
        return found
    request.progress("walking")
    seen = walk(design, stepwise, TOPOLOGIES[TOPOLOGY], request.seed, request.steps or WALK_ACTIONS, request.deadline)
    covers = f"{seen.chosen} chosen actions, {seen.steps} steps of {TOPOLOGY}, seed {seen.seed}"
    if seen.raised is not None:
        failed = f"a rule raised {seen.raised}"
        return [Result(label(request), p.id, "walk", Verdict.UNKNOWN, failed, seen.seconds) for p in stepwise]
    met, unmet = concerning(stepwise, seen.kinds)
    results = found + told(request, "walk", TOPOLOGY, met, seen.violations, Verdict.TESTED, covers, seen.seconds)
    return results + told(request, "walk", TOPOLOGY, unmet, {}, Verdict.UNKNOWN, UNMET, seen.seconds)


UNMET = "no step that it is about"


def concerning(
    properties: tuple[Property, ...], kinds: Iterable[type[Action]]
) -> tuple[tuple[Property, ...], tuple[Property, ...]]:
    """The properties that speak about one of the kinds of action that occurred, and those that do not."""
    occurred = tuple(kinds)
    met = tuple(prop for prop in properties if any(issubclass(kind, prop.about) for kind in occurred))
    return met, tuple(prop for prop in properties if prop not in met)


def cheap(properties: tuple[Property, ...]) -> tuple[Property, ...]:
    """The properties that engines of concrete steps can judge at every step."""
    return tuple(prop for prop in properties if prop.enumerate is None and prop.id not in COSTLY)


def told(
    request: Request, engine: str, topology: str, properties: tuple[Property, ...],
    violated: Mapping[str, Run], good: Verdict, covers: str, seconds: float,
) -> list[Result]:  # fmt: skip
    """What an engine of concrete steps says of each property."""
    results = []
    for prop in properties:
        result = Result(label(request), prop.id, engine, good, covers, seconds)
        if prop.id in violated:
            trace = explained(request, Trace(request.design, request.fault, topology, prop.id, violated[prop.id]))
            result = evolve(result, verdict=Verdict.VIOLATED, trace=trace)
        results.append(result)
    return results


def explained(request: Request, trace: Trace) -> Trace:
    """The trace with what is wrong about its violating step."""
    design = resolve(request.design, request.fault)
    found = replayed(trace, design, initial(TOPOLOGIES[trace.topology], design), PROPERTY[trace.property])
    return trace if found is None else evolve(trace, explanation=found.explanation)


EXPLORE_SECONDS = 60.0
WALK_ACTIONS = 2000
