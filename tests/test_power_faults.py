"""Wrong power is found: each property has a fault that it catches, each bug of history a short trace."""

import pytest

from model.designs.catalogue import LINUX_3_12
from model.designs.power_variations import POWER_REPAIRS
from properties import power
from properties.attribution import in_situation
from properties.catalogue import PROPERTY
from properties.engines.witness import witness
from properties.faults.catalogue import EXCUSES, FAULT
from properties.faults.power import EXCUSES as OWN_EXCUSES
from properties.why import counterexample

BITES = {
    "power.off_never_returns": "without/power-off-power-off",
    "power.stopped_stays": "cpu-on-during-system-off",
    "power.stop_never_returns": "system-off-unknown",
    "power.on_once": "cpu-on-double-success",
    "power.on_decided": "D7",
    "power.reset_as_asked": "initialisation-keeps-registers",
    "power.started_as_asked": "cpu-on-without-context",
    "power.on_runs": "without/power-on-wake",
    "power.resets_itself": "cpu-on-resets-twice",
    "power.goes_on": "without/power-run-await-power",
    "power.gives_back": "without/power-on-unlock",
    "power.own_hardware": "without/power-enter-interface-timer-stage-2",
    "power.registers_saved": "without/power-exit-registers",
    "power.timer_stands_in": "without/power-run-arm-the-timer",
    "power.initialised": "ioctl-before-vcpu-init",
    "power.values_checked": "unknown-target-accepted",
    "power.guest_mode": "without/power-run-check-initialised",
    "power.saved_and_restored": "system-mode-refused",
    "power.nothing_left": "without/power-destroy-cancel-the-timer",
    "power.freed": "without/power-destroy-free-the-vcpu",
}
CATALOGUE = {
    "cpu-on-double-success": 4, "cpu-on-remote-reset": 4, "system-off-siblings-run": 3, "user-sets-hyp-mode-cpsr": 3,
    "ioctl-before-vcpu-init": 3,
}  # fmt: skip
"""How many steps the shortest sequence of each historical bug has that is known to expose it."""
DEVIATIONS = tuple(deviation for _, deviation, _ in POWER_REPAIRS)
OF_SYSTEM_OFF = "cpu-on-during-system-off"
"""Linux 3.12 has no SYSTEM_OFF, and so nothing that a CPU_ON under way could undo."""


@pytest.mark.parametrize(("prop", "fault"), BITES.items(), ids=list(BITES))
def test_a_planted_fault_makes_the_property_bite(prop: str, fault: str) -> None:
    assert prop in counterexample(fault).properties


@pytest.mark.parametrize(("fault", "steps"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_a_bug_of_history_has_a_trace_of_at_most_three_times_its_known_length(fault: str, steps: int) -> None:
    found = counterexample(fault, thorough=False)
    assert found.result == "caught"
    assert found.length <= 3 * steps


@pytest.mark.parametrize("fault", [deviation for deviation in DEVIATIONS if deviation != OF_SYSTEM_OFF])
def test_a_deviation_is_found_on_linux_3_12_itself(fault: str) -> None:
    own = counterexample(fault, thorough=False).properties
    assert any(in_situation(LINUX_3_12.name, None, fault, PROPERTY[prop]) is not None for prop in own)


@pytest.mark.parametrize("prop", power.PROPERTIES, ids=lambda prop: prop.id)
def test_what_a_property_is_about_occurs(prop) -> None:  # type: ignore[no-untyped-def]
    assert witness(prop) is not None


def test_every_excuse_names_a_fault_with_a_source() -> None:
    assert set(OWN_EXCUSES) <= set(FAULT) and set(OWN_EXCUSES) <= set(EXCUSES)
    assert all(excuse.sources for excuse in OWN_EXCUSES.values())


def test_every_property_of_power_stands_in_the_table_above() -> None:
    assert {prop.id for prop in power.PROPERTIES} == set(BITES)
