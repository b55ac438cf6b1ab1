"""Traces of interrupts: saved without loss, run again step by step, and told in words."""

from functools import cache

import pytest

from model.topology import TOPOLOGIES, initial
from model.vgic.system import HostRuns, HostTakesInterrupts, VgicSteps
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.property import Trace
from properties.traces import dumps, dumps_itf, expand, length, loads, replayed, text
from properties.traces.replay import Stuck
from properties.why import counterexample

FAULTS = ("D2", "level-ap-hides-eoi", "inject-irq-number-unchecked")


@cache
def trace_of(fault: str) -> Trace:
    trace = counterexample(fault, thorough=False).trace
    assert trace is not None
    return trace


@pytest.mark.parametrize("fault", FAULTS)
def test_a_trace_is_read_back_as_it_was_written_and_violates(fault: str) -> None:
    trace = loads(dumps(trace_of(fault)))
    assert trace == trace_of(fault)
    design = resolve(trace.design, trace.fault)
    start = initial(TOPOLOGIES[trace.topology], design)
    assert replayed(trace, design, start, PROPERTY[trace.property]) is not None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_has_the_actions_of_its_trace_and_no_others(fault: str) -> None:
    trace = trace_of(fault)
    design = resolve(trace.design, trace.fault)
    run = expand(design, initial(TOPOLOGIES[trace.topology], design), trace.actions)
    assert tuple(taken.action for taken in run) == trace.actions


@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_trace_is_told_with_its_interrupt_and_what_is_wrong(fault: str, expanded: bool) -> None:
    trace = trace_of(fault)
    design = resolve(trace.design, trace.fault)
    shown = text(trace, design, initial(TOPOLOGIES[trace.topology], design), PROPERTY[trace.property], expanded)
    assert "VIOLATED" in shown
    assert "rises" in shown
    assert "Agent" in shown
    assert trace.property in shown


def test_a_trace_is_exported_with_list_registers_in_words() -> None:
    trace = trace_of("level-ap-hides-eoi")
    design = resolve(trace.design, trace.fault)
    written = dumps_itf(trace, design, initial(TOPOLOGIES[trace.topology], design))
    assert "41, active and pending, end reported" in written


def test_consecutive_steps_of_one_thread_count_as_one() -> None:
    steps = (HostRuns(0, 0), VgicSteps(0), VgicSteps(0), HostTakesInterrupts(0), VgicSteps(1), VgicSteps(0))
    assert length(steps) == 4


@pytest.mark.parametrize("action", [HostRuns(0, 7), HostRuns(9, 0), VgicSteps(0)])
def test_an_impossible_action_is_refused_with_its_number(action: object) -> None:
    design = resolve("reference", None)
    with pytest.raises(Stuck, match="action 1: "):
        expand(design, initial(TOPOLOGIES["interrupts-edge"], design), (action,))  # type: ignore[arg-type]
