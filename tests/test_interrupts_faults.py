"""Wrong virtual interrupts are found: each property has a fault that it catches, each bug of history a short trace."""

from functools import cache

import pytest

from model.designs.catalogue import LINUX_3_12
from model.designs.vgic_variations import VGIC_REPAIRS
from model.topology import TOPOLOGIES, initial
from properties import interrupts
from properties.attribution import in_situation
from properties.catalogue import PROPERTY
from properties.engines.parts.search import search_part
from properties.engines.witness import witness
from properties.faults.catalogue import DEFERRED, EXCUSES, FAULT, FAULTS
from properties.faults.interrupts import EXCUSES as OWN_EXCUSES
from properties.interrupts.part import INTERRUPTS
from properties.interrupts.scenarios import SCENARIOS
from properties.why import Found, counterexample

BITES = {
    "interrupts.delivered": "without/vgic-flush-queue",
    "interrupts.idle_sleeps": "without/vgic-block-sleep",
    "interrupts.not_forgotten": "without/vgic-inject-lock",
    "interrupts.unstuck": "without/vgic-flush-unlock",
    "interrupts.kept": "edge-dropped",
    "interrupts.caused": "falling-edge-pends",
    "interrupts.one_list_register": "spi-in-two-vcpus",
    "interrupts.flushed": "without/vgic-flush-prune",
    "interrupts.lists_agree": "D3",
    "interrupts.active_kept": "disabled-active-forgotten",
    "interrupts.level_once": "level-ap-hides-eoi",
    "interrupts.woken": "without/vgic-inject-lock",
    "interrupts.kicked": "D2",
    "interrupts.called_for": "D20",
    "interrupts.off_is_off": "poweroff-missed-at-entry",
    "interrupts.signal_heard": "signals-checked-unmasked",
    "interrupts.masked": "without/vgic-run-outside-guest-mode",
    "interrupts.interface_off": "without/vgic-exit-stop-gich",
    "interrupts.switched": "without/vgic-exit-gich_vmcr",
    "interrupts.exitless": "all-ends-reported",
    "interrupts.emulated": "gicd-reserved-offset-exits",
    "interrupts.sgi_targets": "sgi-to-everybody",
    "interrupts.stored_exactly": "D9",
    "interrupts.stored": "priority-not-stored",
    "interrupts.loaded": "without/vgic-access-decode",
    "interrupts.performed": "without/vgic-inject-line",
    "interrupts.vms_apart": "inject-irq-number-unchecked",
}
FOLLOWS = {"interrupts.unstuck", "interrupts.not_forgotten", "interrupts.kicked", "interrupts.woken"}
"""The properties that `interrupts.delivered` implies, where it can be asked."""
CATALOGUE = {
    "D1": 3, "icpendr-kills-level-line": 3, "D10": 4, "inject-irq-number-unchecked": 3, "spi-retarget-without-kick": 4,
    "gicd-reserved-offset-exits": 3, "D3": 4, "eoied-lr-not-reclaimed": 3, "lr-sync-without-dist-lock": 4,
    "sgi-second-source-hits-active": 4, "D11": 3, "level-ap-hides-eoi": 4, "D2": 4, "poweroff-missed-at-entry": 4,
}  # fmt: skip
"""How many steps the shortest sequence of each historical bug has that is known to expose it."""
DEVIATIONS = tuple(deviation for _, deviation, _ in VGIC_REPAIRS)


@cache
def found(fault: str) -> Found:
    return counterexample(fault)


@pytest.mark.parametrize(("prop", "fault"), BITES.items(), ids=list(BITES))
def test_a_planted_fault_makes_the_property_bite(prop: str, fault: str) -> None:
    assert prop in found(fault).properties


@pytest.mark.parametrize("prop", sorted(set(BITES) - FOLLOWS))
def test_a_fault_is_caught_by_one_property_alone(prop: str) -> None:
    assert found(BITES[prop]).properties == (prop,)


@pytest.mark.parametrize("prop", sorted(FOLLOWS))
def test_what_is_not_delivered_shows_in_a_single_state_too(prop: str) -> None:
    assert {prop, "interrupts.delivered"} <= set(found(BITES[prop]).properties)


@pytest.mark.parametrize(("fault", "steps"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_a_bug_of_history_has_a_trace_of_at_most_three_times_its_known_length(fault: str, steps: int) -> None:
    found = counterexample(fault, thorough=False)
    assert found.result == "caught"
    assert found.length <= 3 * steps


@pytest.mark.parametrize("fault", [deviation for deviation in DEVIATIONS if deviation != "D11"])
def test_a_deviation_is_found_on_linux_3_12_itself(fault: str) -> None:
    own = counterexample(fault, thorough=False).properties
    assert any(in_situation(LINUX_3_12.name, None, fault, PROPERTY[prop]) is not None for prop in own)


def test_two_sources_of_an_sgi_are_found_on_linux_3_12_once_sgis_reach_their_targets() -> None:
    mended = next(repair for _, deviation, repair in VGIC_REPAIRS if deviation == "D1")(LINUX_3_12)
    scenario, prop = SCENARIOS["two sources"], PROPERTY["interrupts.one_list_register"]
    start = initial(TOPOLOGIES[scenario.topology], mended)
    assert prop.id in search_part(INTERRUPTS, mended, start, scenario.domain, (prop,), prop.id).found


@pytest.mark.parametrize("prop", interrupts.PROPERTIES, ids=lambda prop: prop.id)
def test_what_a_property_is_about_occurs(prop) -> None:  # type: ignore[no-untyped-def]
    assert witness(prop) is not None


def test_an_excuse_is_for_a_step_that_nothing_catches() -> None:
    assert counterexample("without/vgic-flush-check", thorough=False).result == "excused"


def test_every_excuse_names_a_fault_with_a_source() -> None:
    assert set(OWN_EXCUSES) <= set(FAULT) and set(OWN_EXCUSES) <= set(EXCUSES)
    assert all(excuse.sources for excuse in OWN_EXCUSES.values())


def test_a_bug_that_waits_for_a_feature_is_no_fault() -> None:
    assert not set(DEFERRED) & {fault.id for fault in FAULTS}


def test_every_property_of_interrupts_stands_in_the_table_above() -> None:
    assert {prop.id for prop in interrupts.PROPERTIES} == set(BITES)
