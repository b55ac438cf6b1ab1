"""The check of a design: every property by the engine that says most, and a trace for each violation."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from functools import cache
from pathlib import Path

from attrs import evolve, frozen

from model.action import Action
from model.actions import HighvisorHandles, UserSpaceRuns
from model.design import Design
from model.designs.catalogue import reference
from model.guards import PHYSICAL
from model.topology import TOPOLOGIES, initial
from properties import check_parts
from properties.attribution import lacking
from properties.catalogue import PROPERTIES, PROPERTY
from properties.check_parts import divided
from properties.designs import resolve
from properties.engines.domain import CALL, Domain, devices, relevant
from properties.engines.explore import CONFIGURATIONS, explore
from properties.engines.prove import Failure, Settled, combine, induction_deadline, prove_share
from properties.engines.search import Run, search
from properties.engines.walk import walk
from properties.engines.witness import runs
from properties.faults.catalogue import FAULT
from properties.faults.fault import Fault
from properties.property import Property, Result, Trace, Verdict
from properties.traces.replay import Stuck, expand, replayed
from properties.why import COSTLY, TOPOLOGY, counterexample
from properties.why import told as told_of
from spec.operations import Choices, Instruction

SHARES_PER_JOB = 12
STEPWISE = tuple(prop for prop in divided(PROPERTIES)[1] if prop.enumerate is None)
HUNT_SECONDS = 20.0
DEVICE_DEPTH = 5
MOST_DEVICE_STATES = 2000
"""How far to search for what a deviation in the emulation of devices violates with a hostile user space."""


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

    def remaining(self) -> float | None:
        """The seconds left of the budget."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


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
    design: str, fault: str | None, ids: tuple[str, ...], share: int, shares: int, export: Path | None, until: float
) -> Settled:
    """One worker's part of a proof; workers receive names."""
    properties = tuple(PROPERTY[identifier] for identifier in ids)
    return prove_share(resolve(design, fault), properties, share, shares, export, until)


def proved(request: Request) -> list[Result]:
    """The engine `prove`: obligations for z3, tables by enumeration, and a trace for what fails."""
    design = resolve(request.design, request.fault)
    order = {prop.id: number for number, prop in enumerate(request.properties)}
    tables = tuple(prop for prop in request.properties if prop.enumerate is not None)
    of_parts, others = divided(request.properties)
    stepwise = tuple(prop for prop in others if prop.enumerate is None)
    results = [enumerated(request, design, prop) for prop in tables]
    if not stepwise and not of_parts:
        return sorted(results, key=lambda result: order[result.property])
    begun = time.monotonic()
    asked = (*(prop.id for prop in (*stepwise, *of_parts)), *(helper for p in stepwise for helper in p.assumes))
    settled, unfinished = settle_all(request, tuple(dict.fromkeys(asked)))
    seconds = time.monotonic() - begun
    explored_too = parts_explored(request, of_parts)
    single = [check_parts.with_single_steps(request.design, request.fault, result) for result in explored_too]
    results += [check_parts.with_proof(result, settled, unfinished, seconds) for result in single]
    for prop in stepwise:
        results += judged(request, design, prop, settled, unfinished, seconds)
    return sorted(results, key=lambda result: order[result.property])


def settle_all(request: Request, ids: tuple[str, ...]) -> tuple[Settled, int]:
    """All obligations by all workers, and how many shares the budget did not reach."""
    if request.export is not None:
        request.export.mkdir(parents=True, exist_ok=True)
    until = induction_deadline()
    if request.jobs == 1 and request.deadline is None:
        return share_of(request.design, request.fault, ids, 0, 1, request.export, until), 0
    shares = request.jobs * SHARES_PER_JOB
    pool: Executor = ProcessPoolExecutor(request.jobs)
    futures: list[Future[Settled]] = [
        pool.submit(share_of, request.design, request.fault, ids, share, shares, request.export, until)
        for share in range(shares)
    ]
    done: set[Future[Settled]] = set()
    try:
        pending = set(futures)
        while pending:
            left = request.remaining()
            finished, pending = wait(pending, left if left is None or left < 1 else 1.0)
            done |= finished
            request.progress(f"proving: {len(done)} of {shares} parts")
            if left is not None and left <= 0:
                break
    finally:
        stop(pool, complete=len(done) == shares)
    return combine([future.result() for future in futures if future in done]), shares - len(done)


def stop(pool: Executor, complete: bool) -> None:
    """Let the workers go, at once where their work is not wanted any more."""
    if not complete and isinstance(pool, ProcessPoolExecutor):
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.terminate()
    pool.shutdown(wait=complete, cancel_futures=True)


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
    return request.design if request.fault is None else f"{request.design} with {request.fault}"


def judged(
    request: Request, design: Design, prop: Property, settled: Settled, unfinished: int, seconds: float
) -> list[Result]:
    """The verdict on one property from the settled obligations."""
    questions = dict(settled.asked).get(prop.id, 0)
    scope = f"{questions} questions on {settled.paths} paths of {settled.obligations} obligations"
    result = Result(label(request), prop.id, "prove", Verdict.UNKNOWN, scope, seconds)
    own = [failure for name, failure in settled.failures if name == prop.id]
    broken = [failure for name, failure in settled.failures if name == "*"]
    if own:
        return violations(request, design, prop, own, result)
    if broken:
        return [evolve(result, covers=f"{scope}; a rule failed in {broken[0].transaction}: {broken[0].step}")]
    if settled.vacuous:
        return [evolve(result, covers=f"{scope}; contradictory assumptions in {settled.vacuous[0]}")]
    if unfinished:
        return [evolve(result, covers=f"{scope}; the budget ended before {unfinished} more parts")]
    unsound = [name for name in prop.assumes if any(name == failed for failed, _ in settled.failures)]
    if unsound:
        return [evolve(result, covers=f"{scope}; rests on {unsound[0]}, which does not hold")]
    if not questions:
        return [evolve(result, covers="no obligation speaks about it")]
    if prop.id not in runs(design, STEPWISE):
        return [evolve(result, covers=f"{scope}; vacuous: nothing that it is about was reached")]
    return [evolve(result, verdict=Verdict.PROVED, covers="z3, any state and operand", asked=questions)]


def violations(
    request: Request, design: Design, prop: Property, failures: list[Failure], result: Result
) -> list[Result]:
    """One result for each deviation that violates the property, with its trace; else a hunt from the failed step."""
    decided = [failure for failure in failures if failure.decided]
    where = f"{failures[0].transaction}, {failures[0].step}"
    if not decided:
        return [evolve(result, covers=f"{result.covers}; undecided at {where}")]
    found: list[Result] = []
    known = () if request.fault is not None else lacking(design)
    for deviation in (name for name in known if not FAULT[name].scenarios):
        violation = deviating(deviation, prop.id)
        if violation is not None:
            here = placed(request, design, violation)
            covers = f"{FAULT[deviation].statement}; fails at {where}"
            found.append(evolve(result, verdict=Verdict.VIOLATED, covers=covers, trace=here, deviations=(deviation,)))
    if found:
        return found
    reachable = [failure for failure in decided if failure.transaction != "base"]
    trace = hunted(request, design, prop, reachable) if reachable else None
    if trace is not None:
        return [evolve(result, verdict=Verdict.VIOLATED, covers=f"fails at {where}; reachable", trace=trace)]
    covers = f"induction failed at {where}; no run of the hunt reached it"
    return [evolve(result, verdict=Verdict.UNKNOWN, covers=covers)]


@cache
def deviating(deviation: str, prop: str) -> Trace | None:
    """The shortest trace by which one deviation alone violates a property."""
    for identifier, trace in counterexample(deviation).traces:
        if identifier == prop:
            return trace
    return deviating_devices(FAULT[deviation], prop)


def deviating_devices(fault: Fault, prop: str) -> Trace | None:
    """The same for a deviation in the emulation of devices, with every access and a hostile user space."""
    if not any(name.startswith("MMIO.") for name in fault.touches):
        return None
    design = fault.plant(reference())
    start, asked = initial(TOPOLOGIES[TOPOLOGY], design), (PROPERTY[prop],)
    found = search(design, start, devices(), asked, DEVICE_DEPTH, prop, most_states=MOST_DEVICE_STATES).found
    return told_of(fault, found[prop]) if prop in found else None


def placed(request: Request, design: Design, trace: Trace) -> Trace:
    """The trace told of the design itself where it violates there too."""
    here = evolve(trace, design=request.design, fault=request.fault)
    return here if violates(design, here) else trace


def violates(design: Design, trace: Trace) -> bool:
    """Whether a run, made again on a design, violates the trace's property."""
    prop = PROPERTY[trace.property]
    try:
        run = expand(design, initial(TOPOLOGIES[trace.topology], design), trace.actions)
    except Stuck:
        return False
    return any(
        isinstance(s.action, prop.about) and not prop.holds(design, s.before, s.action, s.after) for s in run
    )


def hunted(request: Request, design: Design, prop: Property, failures: Iterable[Failure]) -> Trace | None:
    """A reachable run that violates the property, by the planted fault's operations or those of the failed steps."""
    start = initial(TOPOLOGIES[TOPOLOGY], design)
    domains = [] if request.fault is None else [relevant(FAULT[request.fault].touches)]
    named = dict.fromkeys(f.instruction for f in failures if isinstance(f.instruction, Instruction))
    cti = tuple((instruction, choices) for instruction in tuple(named)[:6] for choices in TRIED)
    domains.append(Domain("the operations of the failed obligations, and HVC", (*cti, CALL), (), PHYSICAL))
    if any(issubclass(kind, prop.about) for kind in (HighvisorHandles, UserSpaceRuns)):
        domains.append(devices())
    deadline = time.monotonic() + min(HUNT_SECONDS, request.remaining() or HUNT_SECONDS)
    for domain in domains:
        for depth in (2, 3, 5):
            limit = 2 if prop.id in COSTLY else depth
            found = search(design, start, domain, (prop,), limit, prop.id, deadline).found
            if prop.id in found:
                violation = found[prop.id]
                return Trace(
                    request.design, request.fault, TOPOLOGY, prop.id, violation.actions, violation.explanation
                )
    return None


TRIED = (Choices(), Choices(traps_failed_condition=1, user_trap=1, trace_implemented=1))


def parts_explored(request: Request, properties: tuple[Property, ...]) -> list[Result]:
    """The engine `explore` for properties of parts."""
    return check_parts.explored(
        request.design, request.fault, properties, request.remaining(), request.jobs, request.progress,
        request.configuration,
    )  # fmt: skip


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
        request.design, request.fault, of_parts, request.seed, request.deadline, request.progress, request.steps
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
