"""Wrong time is found: each property has a fault that it catches, each bug of history a short trace."""

from functools import cache

import pytest

from model.designs.catalogue import LINUX_3_12
from model.topology import TOPOLOGIES, initial
from properties import time
from properties.attribution import in_situation
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.engines.parts.search import search_part
from properties.engines.witness import witness
from properties.faults.catalogue import EXCUSES, FAULT
from properties.faults.time import EXCUSES as OWN_EXCUSES
from properties.parts import situations
from properties.time.part import TIME
from properties.traces import dumps, dumps_itf, expand, loads, replayed, text
from properties.why import Found, counterexample, element

BITES = {
    "time.monotonic": "offset-at-each-run",
    "time.own_offset": "without/timer-run-first-run",
    "time.direct": "timer-in-user-space",
    "time.physical_kept": "without/timer-enter-cnthctl",
    "time.timer_kept": "mask-of-stopped-timer-lost",
    "time.one_armed": "without/timer-flush-cancel-the-software-timer",
    "time.never_early": "timer-line-not-lowered",
    "time.stopped_still": "soft-timer-injects-off-thread",
    "time.host_undisturbed": "without/timer-exit-cntvoff",
    "time.host_progresses": "foreign-timer-runs-on",
    "time.no_storm": "disabled-irq-timer-storm",
    "time.waits": "without/timer-block-sleep",
    "time.covered": "vtimer-irq-left-masked-on-pcpu",
    "time.delivered": "soft-timer-early-expiry",
}
CATALOGUE = {
    "soft-timer-injects-off-thread": 5, "soft-timer-early-expiry": 4, "disabled-irq-timer-storm": 4,
    "vtimer-irq-left-masked-on-pcpu": 4, "timer-line-not-lowered": 4, "late-timer-isr-overwrites-ctl": 4,
}  # fmt: skip
"""How many steps the shortest sequence of each historical bug has that is known to expose it."""


@cache
def found(fault: str) -> Found:
    return counterexample(fault)


@pytest.mark.parametrize(("prop", "fault"), BITES.items(), ids=list(BITES))
def test_each_property_has_a_fault_that_it_alone_catches(prop: str, fault: str) -> None:
    assert found(fault).properties == (prop,)


@pytest.mark.parametrize(("fault", "steps"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_a_bug_of_history_has_a_trace_of_at_most_three_times_its_known_length(fault: str, steps: int) -> None:
    assert found(fault).result == "caught"
    assert found(fault).length <= 3 * steps


@pytest.mark.parametrize("fault", ["D15", "soft-timer-injects-off-thread", "timer-line-not-lowered"])
def test_a_deviation_is_found_on_linux_3_12_itself(fault: str) -> None:
    own = found(fault).properties
    assert any(in_situation(LINUX_3_12.name, None, fault, PROPERTY[prop]) is not None for prop in own)


def test_on_linux_3_12_a_stepped_clock_makes_an_interrupt_come_early() -> None:
    situation, prop = TIME.scenarios["clock"], PROPERTY["time.never_early"]
    start = initial(TOPOLOGIES[situation.topology], LINUX_3_12)
    seen = search_part(TIME, LINUX_3_12, start, situation.domain, (prop,), prop.id)
    kinds = {type(action).__name__ for action in seen.found[prop.id].actions}
    assert {"ClockStepped", "WorkRuns"} <= kinds


@pytest.mark.parametrize("prop", time.PROPERTIES, ids=lambda prop: prop.id)
def test_what_a_property_is_about_occurs(prop) -> None:  # type: ignore[no-untyped-def]
    assert witness(prop) is not None


def test_why_there_are_virtual_timers_is_answered_by_exits() -> None:
    (fault,) = element("virtual timers")
    assert found(fault).trace is not None and found(fault).trace.property == "time.direct"  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", ["without/timer-work-disarm", "without/timer-handler-warn"])
def test_an_excuse_is_for_a_step_that_nothing_catches(fault: str) -> None:
    assert counterexample(fault, thorough=False).result == "excused"


def test_every_excuse_names_a_fault_with_a_source() -> None:
    assert set(OWN_EXCUSES) <= set(FAULT) and set(OWN_EXCUSES) <= set(EXCUSES)
    assert all(excuse.sources for excuse in OWN_EXCUSES.values())


def test_every_property_of_time_stands_in_the_table_above() -> None:
    assert {prop.id for prop in time.PROPERTIES} == set(BITES)


def test_every_situation_is_one_in_which_some_fault_matters() -> None:
    named = {name for fault in FAULT.values() for part, name, _ in situations(fault.scenarios) if part is TIME}
    assert named == set(TIME.scenarios)


@pytest.mark.parametrize("fault", ["D15", "vtimer-irq-left-masked-on-pcpu", "timer-in-user-space"])
def test_a_trace_is_read_back_run_again_and_told(fault: str) -> None:
    trace = found(fault).trace
    assert trace is not None and loads(dumps(trace)) == trace
    design = resolve(trace.design, trace.fault)
    start, prop = initial(TOPOLOGIES[trace.topology], design), PROPERTY[trace.property]
    assert replayed(trace, design, start, prop) is not None
    assert tuple(taken.action for taken in expand(design, start, trace.actions)) == trace.actions
    shown = text(trace, design, start, prop, True)
    assert "VIOLATED" in shown and "CNTV_CTL" in shown
    assert "vcpu0_own" not in dumps_itf(trace, design, start) and "cpu0_off" in dumps_itf(trace, design, start)
