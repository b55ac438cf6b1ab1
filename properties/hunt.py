"""A run for a property of the spine of which a proof has failed: by a known deviation, else by a search from there."""

import time
from collections.abc import Iterable
from functools import cache

from attrs import evolve

from model.actions import HighvisorHandles, UserSpaceRuns
from model.design import Design
from model.designs.catalogue import reference
from model.guards import PHYSICAL
from model.topology import TOPOLOGIES, initial
from properties.attribution import lacking
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.engines.domain import CALL, Domain, devices, relevant
from properties.engines.prove import Failure
from properties.engines.search import search
from properties.faults.catalogue import FAULT
from properties.faults.fault import Fault
from properties.property import Property, Result, Trace, Verdict
from properties.traces.replay import Stuck, expand
from properties.why import COSTLY, TOPOLOGY, counterexample
from properties.why import told as told_of
from spec.operations import Choices, Instruction

HUNT_SECONDS = 20.0
TRIED = (Choices(), Choices(traps_failed_condition=1, user_trap=1, trace_implemented=1))
"""What the architecture leaves open, as it is tried for each failed operation."""
DEVICE_DEPTH = 5
MOST_DEVICE_STATES = 2000
"""How far to search for what a deviation in the emulation of devices violates with a hostile user space."""


def violations(
    design: str, fault: str | None, identifier: str, failures: list[Failure], result: Result, deadline: float | None
) -> list[Result]:
    """One result for each deviation that violates the property, with its trace; else a hunt from the failed step."""
    prop, planted = PROPERTY[identifier], resolve(design, fault)
    decided = [failure for failure in failures if failure.decided]
    where = f"{failures[0].transaction}, {failures[0].step}"
    if not decided:
        return [evolve(result, covers=f"{result.covers}; undecided at {where}")]
    found: list[Result] = []
    known = () if fault is not None else lacking(planted)
    for deviation in (name for name in known if not FAULT[name].scenarios):
        violation = deviating(deviation, prop.id)
        if violation is not None:
            here = placed(design, fault, violation)
            covers = f"{FAULT[deviation].statement}; fails at {where}"
            found.append(evolve(result, verdict=Verdict.VIOLATED, covers=covers, trace=here, deviations=(deviation,)))
    if found:
        return found
    reachable = [failure for failure in decided if failure.transaction != "base"]
    trace = hunted(design, fault, prop, reachable, deadline) if reachable else None
    if trace is not None:
        return [evolve(result, verdict=Verdict.VIOLATED, covers=f"fails at {where}; reachable", trace=trace)]
    covers = f"induction failed; no run of the hunt reached its failure at {where}"
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


def placed(design: str, fault: str | None, trace: Trace) -> Trace:
    """The trace told of the design itself where it violates there too."""
    here = evolve(trace, design=design, fault=fault)
    return here if violates(resolve(design, fault), here) else trace


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


def hunted(
    design: str, fault: str | None, prop: Property, failures: Iterable[Failure], deadline: float | None
) -> Trace | None:
    """A reachable run that violates the property, by the planted fault's operations or those of the failed steps."""
    planted = resolve(design, fault)
    start = initial(TOPOLOGIES[TOPOLOGY], planted)
    domains = [] if fault is None else [relevant(FAULT[fault].touches)]
    named = dict.fromkeys(f.instruction for f in failures if isinstance(f.instruction, Instruction))
    cti = tuple((instruction, choices) for instruction in tuple(named)[:6] for choices in TRIED)
    domains.append(Domain("the operations of the failed obligations, and HVC", (*cti, CALL), (), PHYSICAL))
    if any(issubclass(kind, prop.about) for kind in (HighvisorHandles, UserSpaceRuns)):
        domains.append(devices())
    late = time.monotonic() + HUNT_SECONDS
    late = late if deadline is None else min(late, deadline)
    for domain in domains:
        for depth in (2, 3, 5):
            limit = 2 if prop.id in COSTLY else depth
            found = search(planted, start, domain, (prop,), limit, prop.id, late).found
            if prop.id in found:
                violation = found[prop.id]
                return Trace(design, fault, TOPOLOGY, prop.id, violation.actions, violation.explanation)
    return None

