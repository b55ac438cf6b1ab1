"""Traces of the memory system: saved without loss, run again step by step, and told in words."""

from functools import cache

import pytest

from model.memory.actions import ThreadSteps, VcpuRuns
from model.topology import TOPOLOGIES, initial
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.property import Trace
from properties.traces import dumps, dumps_itf, expand, length, loads, replayed, text
from properties.traces.replay import Stuck
from properties.why import counterexample

FAULTS = ("s2-no-break-before-make", "tlb-shared-by-sibling-vcpus", "D17", "memslot-beyond-ipa-limit")


@cache
def trace_of(fault: str) -> Trace:
    trace = counterexample(fault, thorough=False).trace
    assert trace is not None
    return trace


def shown(fault: str, expanded: bool = False) -> str:
    trace = trace_of(fault)
    design = resolve(trace.design, trace.fault)
    start = initial(TOPOLOGIES[trace.topology], design)
    return text(trace, design, start, PROPERTY[trace.property], expanded)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_trace_is_read_back_as_it_was_written(fault: str) -> None:
    assert loads(dumps(trace_of(fault))) == trace_of(fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_trace_that_was_read_back_violates(fault: str) -> None:
    trace = loads(dumps(trace_of(fault)))
    design = resolve(trace.design, trace.fault)
    start = initial(TOPOLOGIES[trace.topology], design)
    assert replayed(trace, design, start, PROPERTY[trace.property]) is not None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_has_the_actions_of_its_trace_and_no_others(fault: str) -> None:
    trace = trace_of(fault)
    design = resolve(trace.design, trace.fault)
    run = expand(design, initial(TOPOLOGIES[trace.topology], design), trace.actions)
    assert tuple(taken.action for taken in run) == trace.actions


def test_consecutive_steps_of_one_thread_count_as_one() -> None:
    steps = (VcpuRuns(0, 0), ThreadSteps(0), ThreadSteps(0), ThreadSteps(1), ThreadSteps(0))
    assert length(steps) == 4


def test_an_impossible_action_is_refused_with_its_number() -> None:
    design = resolve("reference", None)
    start = initial(TOPOLOGIES["memory"], design)
    with pytest.raises(Stuck, match="action 2: VcpuRuns is not possible on CPU0 there"):
        expand(design, start, (VcpuRuns(0, 0), VcpuRuns(0, 1)))


@pytest.mark.parametrize("action", [VcpuRuns(7, 0), VcpuRuns(0, 9)])
def test_what_the_configuration_does_not_have_is_refused(action: VcpuRuns) -> None:
    design = resolve("reference", None)
    with pytest.raises(Stuck, match="does not have"):
        expand(design, initial(TOPOLOGIES["memory"], design), (action,))


def test_a_run_of_a_thread_is_shown_as_one_entry_with_its_routine_and_steps() -> None:
    told = " ".join(shown("D17").split())
    assert "highvisor destroy: unregister the notifier, clear the tables" in told.replace(" | ", " ")


def test_every_step_of_a_thread_is_shown_where_that_is_asked_for() -> None:
    assert shown("D17", expanded=True).count("destroy: ") >= 6


def test_the_last_lines_say_what_is_wrong() -> None:
    assert "Hyp mode maps page 0x30: FREE" in shown("D17")


def test_descriptors_and_pages_are_told_in_words() -> None:
    assert "permits loads and" in shown("s2-no-break-before-make")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_trace_can_be_opened_as_itf(fault: str) -> None:
    trace = trace_of(fault)
    design = resolve(trace.design, trace.fault)
    assert '"vm0_vttbr"' in dumps_itf(trace, design, initial(TOPOLOGIES[trace.topology], design))
