"""Why an element of the design is there: the shortest counterexample that appears without it."""

import difflib
from collections.abc import Mapping
from functools import cache

from attrs import frozen

from model.design import Design
from model.designs.catalogue import reference
from model.topology import TOPOLOGIES, initial
from properties.catalogue import PROPERTIES, PROPERTY
from properties.engines.domain import relevant
from properties.engines.parts.search import search_part
from properties.engines.search import Search, Violation, search
from properties.faults.catalogue import EXCUSES, FAULT, FAULTS
from properties.faults.fault import Fault
from properties.parts import part_of, situations
from properties.property import Trace
from properties.traces.replay import length
from spec.registers import REGISTERS

TOPOLOGY = "two-vms"
COSTLY = ("world_switch.hyp_fault_contained",)
"""Properties that run a whole exit for each step they judge: asked only where nothing else finds the fault."""
DEPTHS = (3, 5)
"""How many chosen actions a search allows: the second number where the first finds nothing."""
MOST_STATES = 250
MOST_STATES_FAR = 2000
"""The same for the faults whose counterexample is known to be longer."""


@frozen
class Found:
    """What became of one fault: the properties that catch it and the shortest trace, or why nothing does."""

    fault: str
    trace: Trace | None
    result: str
    """`caught`, `equivalent`, `excused` or `open`."""
    properties: tuple[str, ...]
    reason: str = ""
    length: int = 0
    traces: tuple[tuple[str, Trace], ...] = ()
    """For each property that catches it, the shortest trace that violates the property."""


@cache
def counterexample(identifier: str, thorough: bool = True) -> Found:
    """The shortest counterexample of a fault within the operations that it touches; without one, why there is none.

    Raises KeyError for an unknown fault. `thorough` goes on to every property that the same search violates.
    """
    fault = FAULT[identifier]
    design = fault.plant(reference())
    if fault.scenarios:
        return in_part(design, fault, thorough)
    for depth in (*DEPTHS, *((fault.depth,) if fault.depth > max(DEPTHS) else ())):
        result = hunt(design, fault, depth, thorough)
        if result.found:
            return caught(fault, result.found)
    contained = hunt_costly(design, fault)
    if contained is not None:
        return contained
    listed = enumerated(design, fault)
    if listed is not None:
        return listed
    if identifier in EXCUSES:
        return Found(identifier, None, "excused", (), EXCUSES[identifier].reason)
    from properties.engines.equivalence import equivalent

    alike, compared = equivalent(design, reference())
    if alike:
        opaque = OPAQUE if any(is_opaque(name) for name in fault.touches) else ""
        return Found(identifier, None, "equivalent", (), f"proved by z3: {compared}{opaque}")
    reason = f"no property is violated, and the designs are not proved alike: {compared}"
    return Found(identifier, None, "open", (), reason)


def in_part(design: Design, fault: Fault, thorough: bool) -> Found:
    """The shortest counterexample of a fault in a part of the system, in the first of its situations that has one."""
    scopes = []
    most = MOST_PART_STATES if fault.id not in EXCUSES else MOST_EXCUSED_STATES
    for part, name, scenario in situations(fault.scenarios):
        start = initial(TOPOLOGIES[scenario.topology], design)
        more = 2 if thorough else 0
        seen = search_part(
            part, design, start, scenario.domain, part.properties, "first", most_states=most, more=more
        )
        if seen.found:
            return caught(fault, seen.found, scenario.topology)
        bound = "all runs" if seen.complete else f"runs of {seen.depth} actions"
        scopes.append(f"{name} ({seen.states} states, {bound})")
    if fault.id in EXCUSES:
        return Found(fault.id, None, "excused", (), EXCUSES[fault.id].reason)
    return Found(fault.id, None, "open", (), f"no property is violated in {', '.join(scopes)}")


MOST_PART_STATES = 30_000
MOST_EXCUSED_STATES = 4_000
"""How far an excused fault is looked for: far enough to see that the excuse is needed."""
OPAQUE = "; registers of the GIC and the timers count as words without a behaviour of their own"


def is_opaque(name: str) -> bool:
    """Whether a register is one whose behaviour is not modelled yet."""
    return name in REGISTERS and REGISTERS[name].component in ("gich", "timer")


def hunt(design: Design, fault: Fault, depth: int, thorough: bool) -> Search:
    """A search for anything that the fault violates."""
    cheap = tuple(prop for prop in PROPERTIES if prop.id not in COSTLY and part_of(prop) is None)
    start = initial(TOPOLOGIES[TOPOLOGY], design)
    until = None if thorough else "first"
    most = MOST_STATES if depth <= max(DEPTHS) else MOST_STATES_FAR
    return search(design, start, relevant(fault.touches), cheap, depth, until, most_states=most)


def hunt_costly(design: Design, fault: Fault) -> Found | None:
    """A search with the properties that are costly to judge, over one stay in the guest."""
    if "CONTAINED" not in fault.touches:
        return None
    costly = tuple(PROPERTY[identifier] for identifier in COSTLY)
    start = initial(TOPOLOGIES[TOPOLOGY], design)
    result = search(design, start, relevant(fault.touches), costly, 2, "first")
    return caught(fault, result.found) if result.found else None


def enumerated(design: Design, fault: Fault) -> Found | None:
    """The finite tables that a fault makes fail, for the faults that show nowhere else."""
    if "FINITE" not in fault.touches:
        return None
    failing = [(prop.id, prop.enumerate(design).failures) for prop in PROPERTIES if prop.enumerate is not None]
    found = [(name, failures) for name, failures in failing if failures]
    if not found:
        return None
    reason = f"by enumeration; fails for {'; '.join(found[0][1][:3])}"
    return Found(fault.id, None, "caught", tuple(name for name, _ in found), reason)


def caught(fault: Fault, found: Mapping[str, Violation], topology: str = TOPOLOGY) -> Found:
    """A fault that some properties catch, with the shortest of their traces."""
    best = min(found.values(), key=lambda violation: (length(violation.actions), preference(violation)))
    traces = tuple((v.property, told(fault, v, topology)) for v in found.values())
    shortest = told(fault, best, topology)
    return Found(fault.id, shortest, "caught", tuple(found), "", length(best.actions), traces)


def told(fault: Fault, violation: Violation, topology: str = TOPOLOGY) -> Trace:
    """A violation as a trace of the reference with the fault planted."""
    return Trace("reference", fault.id, topology, violation.property, violation.actions, violation.explanation)


def preference(violation: Violation) -> int:
    """The position of a property in the catalogue: of equally short traces the first property's is shown."""
    return next(number for number, prop in enumerate(PROPERTIES) if prop.id == violation.property)


QUESTIONS = {
    "split-mode": ("kernel-in-hyp-mode", "no-lowvisor"),
    "trapping in kernel mode": ("extra/HCR.TGE",),
    "lazy VFP": ("without/HCPTR.TCP10",),
    "the world switch": ("unswitched/sctlr",),
    "shadow ID registers": ("without/enter-vpidr",),
    "stage 2 off in the host": ("without/exit-hcr",),
    "PSCI": ("cpu-on-double-success", "cpu-on-remote-reset", "system-off-siblings-run"),
    "the trampoline": ("without/hyp-init-boot-trampoline", "without/hyp-init-trampoline"),
    "CPU hotplug": ("hotplugged-cpu-not-hyp-ready", "boot-tables-freed"),
    "suspend": ("resumed-cpu-not-hyp-ready",),
    "kick": ("without/vgic-inject-kick", "without/vgic-access-kick", "D2"),
}
"""The slides' questions, and a reader's, by the words they are asked in."""


@cache
def elements() -> dict[str, tuple[str, ...]]:
    """Every design element by name, with the faults that take it away or spoil it."""
    found: dict[str, list[str]] = {}
    for fault in FAULTS:
        found.setdefault(fault.element, []).append(fault.id)
    return {**QUESTIONS, **{name: tuple(ids) for name, ids in found.items()}}


def element(name: str) -> tuple[str, ...]:
    """The faults of a named design element; raises LookupError, with close names, where there is none."""
    known = elements()
    if name in known:
        return known[name]
    folded = {candidate.lower(): candidate for candidate in known}
    if name.lower() in folded:
        return known[folded[name.lower()]]
    close = difflib.get_close_matches(name, known, 3, 0.5)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    raise LookupError(f"no design element {name}{hint}")
