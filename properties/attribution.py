"""Which of its known deviations a design violates a property of a part of the system by, with a run for each.

A deviation is blamed where it violates the property in the reference, as the only one, and in the design, too, once all
others of that kind are repaired there; and where then the shortest run that violates it still needs the deviation.
"""

from contextlib import suppress
from functools import cache

from attrs import evolve

from model.design import Design
from model.designs.variations import REPAIRS
from model.topology import TOPOLOGIES, initial
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.engines.parts.search import search_part
from properties.engines.search import Violation
from properties.faults.catalogue import FAULT, IN_PARTS
from properties.parts import situations
from properties.property import Property, Result, Trace, Verdict
from properties.traces.replay import length
from properties.why import MOST_PART_STATES, counterexample

NEAR_STATES = 3000
"""How far a violation is looked for that is not known yet."""


def lacking(design: Design) -> tuple[str, ...]:
    """The known deviations of a design: repairs that are not among its variations, and variations that are faults."""
    has = tuple(variation.id for variation in design.variations)
    missing = tuple(repair.deviation for repair in REPAIRS if repair.variation.id not in has)
    return missing + tuple(identifier for identifier in has if identifier in FAULT)


def blamable(design: str, fault: str | None) -> bool:
    """Whether a design has anything to blame: a deviation that is some part's, or such a planted fault."""
    return bool(known(design, fault)) or (fault is not None and bool(FAULT[fault].scenarios))


def attributed(design: str, fault: str | None, result: Result) -> list[Result]:
    """The verdict, once for each known deviation of the design that violates the property, with a trace of its own."""
    prop, violated, found = PROPERTY[result.property], result.verdict is Verdict.VIOLATED, []
    alone = violating_alone(design, fault, prop, violated)
    joining = violating_jointly(design, fault, alone, prop) if violated else ()
    for deviation in (*alone, *joining):
        trace = shown(design, fault, deviation, tuple(name for name in alone if name not in (deviation, fault)), prop)
        if trace is not None:
            covers = FAULT[deviation].statement
            deviations = () if deviation == fault else (deviation,)
            found.append(evolve(result, verdict=Verdict.VIOLATED, covers=covers, trace=trace, deviations=deviations))
    return found or [result]


def known(design: str, fault: str | None) -> tuple[str, ...]:
    """The deviations of a design that are some part's, the planted fault apart."""
    return tuple(name for name in lacking(resolve(design, fault)) if FAULT[of_part(name)].scenarios and name != fault)


def violating_alone(design: str, fault: str | None, prop: Property, violated: bool) -> tuple[str, ...]:
    """The planted fault, and the deviations that violate a property alone; where none is known to, those tried now."""
    own = (fault,) if fault is not None and FAULT[fault].scenarios else ()
    names, part = known(design, fault), prop.id.partition(".")[0]
    caught = tuple(name for name in names if prop.id in caught_by(of_part(name), part))
    if caught or own or not violated:
        return (*own, *caught)
    return tuple(name for name in names if nearest(resolve("reference", of_part(name)), name, prop, NEAR_STATES))


def violating_jointly(design: str, fault: str | None, alone: tuple[str, ...], prop: Property) -> tuple[str, ...]:
    """The deviations without which, those that violate a property alone being repaired, no run as short violates it."""
    rest, found = repaired(resolve(design, fault), alone), []
    for name in known(design, fault):
        here = None if name in alone else nearest(rest, name, prop, NEAR_STATES)
        if here is not None:
            without = nearest(repaired(rest, (name,)), name, prop, NEAR_STATES)
            if without is None or length(without[1].actions) > length(here[1].actions):
                found.append(name)
    return tuple(found)


def of_part(deviation: str) -> str:
    """The fault as which a deviation shows in a part of the system: itself, if it is not one of the lowvisor."""
    return IN_PARTS.get(deviation, deviation)


def shown(design: str, fault: str | None, deviation: str, others: tuple[str, ...], prop: Property) -> Trace | None:
    """A run in which a deviation violates a property; none where it does not once the others are repaired.

    It is the shortest one of the design itself, unless that is one of the others': then it is the deviation's alone,
    where there is one.
    """
    own = in_situation(design, fault, deviation, prop)
    if own is None or not others:
        return own
    rest = nearest(repaired(resolve(design, fault), others), deviation, prop)
    if rest is None:
        return None
    if length(rest[1].actions) <= length(own.actions):
        return own
    known_run = dict(counterexample(of_part(deviation)).traces).get(prop.id)
    return known_run or in_situation("reference", of_part(deviation), deviation, prop, NEAR_STATES)


def repaired(design: Design, deviations: tuple[str, ...]) -> Design:
    """The design without some of its deviations, as far as the repairs fit it."""
    for repair in REPAIRS:
        if repair.deviation in deviations:
            with suppress(LookupError, StopIteration, AssertionError):
                design = repair.apply(design)
    return design


@cache
def caught_by(deviation: str, part: str) -> tuple[str, ...]:
    """The properties of a part that catch a deviation, if it is one of that part."""
    own = any(each.name == part for each, _, _ in situations(FAULT[deviation].scenarios))
    return counterexample(deviation).properties if own else ()


def in_situation(
    design: str, fault: str | None, deviation: str, prop: Property, most_states: int = MOST_PART_STATES
) -> Trace | None:
    """The shortest violation of a property by the design itself, in the situations in which a deviation matters."""
    found = nearest(resolve(design, fault), deviation, prop, most_states)
    if found is None:
        return None
    topology, violation = found
    return Trace(design, fault, topology, prop.id, violation.actions, violation.explanation)


def nearest(
    design: Design, deviation: str, prop: Property, most_states: int = MOST_PART_STATES
) -> tuple[str, Violation] | None:
    """The shortest violation by a design in the situations in which a deviation matters, and the topology of these."""
    for part, name, scenario in situations(FAULT[of_part(deviation)].scenarios):
        if prop in part.judged:
            found = within(design, name, prop.id, most_states)
            if found is not None:
                return scenario.topology, found
    return None


@cache
def within(design: Design, situation: str, identifier: str, most_states: int) -> Violation | None:
    """The shortest violation of a property by a design in a situation; several deviations may matter in one."""
    prop = PROPERTY[identifier]
    part, scenario = next((part, each) for part, _, each in situations((situation,)) if prop in part.judged)
    start = initial(TOPOLOGIES[scenario.topology], design)
    seen = search_part(part, design, start, scenario.domain, (prop,), prop.id, most_states=most_states)
    return seen.found.get(prop.id)
