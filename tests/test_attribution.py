"""Violations are blamed on the deviations that the design needs for them, and on no others."""

from functools import cache

import pytest

from properties.attribution import attributed, lacking, repaired, violating_alone
from properties.catalogue import PROPERTY
from properties.designs import resolve, setting
from properties.property import Result, Verdict
from properties.traces import replayed


@cache
def blamed(design: str, prop: str, fault: str | None = None) -> list[Result]:
    return attributed(design, fault, Result(design, prop, "explore", Verdict.VIOLATED, "", 0.0))


def names(design: str, prop: str) -> set[tuple[str, ...]]:
    return {result.deviations for result in blamed(design, prop)}


@pytest.mark.parametrize(
    ("design", "prop", "deviation"),
    [
        ("linux-3.12", "time.host_progresses", "vtimer-left-running-for-non-timer-vm"),
        ("without-vgic", "time.direct", "timer-in-user-space"),
        ("without-vgic", "interrupts.exitless", "interrupts-in-user-space"),
        ("linux-3.12", "time.timer_kept", "D15"),
    ],
)
def test_a_deviation_is_blamed_for_what_it_violates(design: str, prop: str, deviation: str) -> None:
    assert names(design, prop) == {(deviation,)}


def test_a_deviation_is_not_blamed_for_what_another_one_does_to_a_design() -> None:
    assert "soft-timer-early-expiry" in violating_alone("linux-3.12", None, PROPERTY["time.delivered"], True)
    assert names("linux-3.12", "time.delivered") == {("D15",)}


def test_a_deviation_is_blamed_for_what_it_violates_together_with_another_one() -> None:
    prop = "time.never_early"
    assert "soft-timer-early-expiry" not in violating_alone("linux-3.12", None, PROPERTY[prop], True)
    assert names("linux-3.12", prop) == {("timer-line-not-lowered",), ("soft-timer-early-expiry",)}


def test_a_run_that_is_anothers_is_told_of_the_deviation_alone() -> None:
    own = {result.deviations: result.trace for result in blamed("linux-3.12", "power.started_as_asked")}
    trace = own[("cpu-on-remote-reset",)]
    assert trace is not None and (trace.design, trace.fault) == ("reference", "cpu-on-remote-reset")


@pytest.mark.parametrize("prop", ["power.started_as_asked", "time.never_early", "time.host_progresses"])
def test_every_run_violates_its_property(prop: str) -> None:
    for result in blamed("linux-3.12", prop):
        assert result.trace is not None
        assert replayed(result.trace, *setting(result.trace)) is not None


def test_a_planted_fault_is_blamed_without_a_name_of_its_own() -> None:
    found = blamed("reference", "time.host_progresses", "foreign-timer-runs-on")
    assert [result.deviations for result in found] == [()]


def test_a_design_with_its_deviations_repaired_is_blamed_for_nothing() -> None:
    design = resolve("linux-3.12")
    assert lacking(repaired(design, lacking(design))) == ()
