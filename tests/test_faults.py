"""Faults are found: each property has one that it catches, and each deviation and bug of history has a short trace."""

import pytest

from model.designs.catalogue import LINUX_3_12, reference
from properties.catalogue import PROPERTIES
from properties.designs import resolve
from properties.faults.catalogue import EXCUSES, FAULT, FAULTS
from properties.hunt import violates
from properties.parts import PARTS
from properties.why import counterexample, element

BITES = {
    "trap_completeness.confined": "without/HCR.TSC",
    "trap_completeness.independent": "without/HDCR.TDRA",
    "trap_completeness.waits_yield": "without/HCR.TWI",
    "trap_completeness.interrupts_reach_host": "without/HCR.IMO",
    "trap_completeness.maintenance_reaches_every_processor": "without/HCR.FB",
    "trap_completeness.syndrome_names_operation": "without/trap-save-hsr",
    "trap_completeness.handled": "cp14-trap-stops-host",
    "trap_completeness.handlers_progress": "smc-not-skipped-livelock",
    "trap_completeness.injected_like_hardware": "D6",
    "trap_completeness.skipped_like_executed": "it-state-not-advanced",
    "trap_completeness.failed_condition_is_nothing": "condition-not-checked",
    "trap_completeness.no_needless_trap": "extra/HCR.TVM",
    "trap_completeness.host_untrapped": "kernel-in-hyp-mode",
    "trap_completeness.unforeseen_survived": "unknown-trap-kills-host",
    "world_switch.host_restored": "unswitched/sctlr",
    "world_switch.configuration": "without/enter-vttbr",
    "world_switch.guest_preserved": "D5",
    "world_switch.virtual_interface_preserved": "without/exit-save-gich_lr0",
    "world_switch.vfp_isolated": "without/HCPTR.TCP10",
    "world_switch.monitor_cleared": "exclusive-monitor-survives-switch",
    "world_switch.shadow_ids": "without/enter-vpidr",
    "world_switch.hyp_unaffected": "hsctlr-loaded",
    "world_switch.host_survives": "D19",
    "world_switch.no_exception_in_hyp": "hcptr-write-unsynchronised",
    "world_switch.hyp_fault_contained": "hyp-fault-unbalances-stack",
    "mmio.described": "mmio-wrong-width",
    "mmio.decided": "without/handler-dabt",
    "mmio.delivered": "mmio-not-sign-extended",
    "mmio.stepped_over_once": "mmio-not-skipped",
    "mmio.completed_once": "D13",
    "mmio.awaited": "mmio-not-awaited",
    "mmio.remembered": "mmio-wrong-width",
    "split_mode.only_lowvisor_in_hyp": "kernel-in-hyp-mode",
    "split_mode.double_trap": "handlers-in-hyp-mode",
    "split_mode.host_kernel_unmodified": "kernel-in-hyp-mode",
    "split_mode.needs_lowvisor": "no-lowvisor",
}
NAMED = tuple(
    fault
    for fault in FAULTS
    if fault.family in ("deviation of Linux 3.12", "history", "structure")
    and "FINITE" not in fault.touches
    and not fault.scenarios
)


@pytest.mark.parametrize(("prop", "fault"), BITES.items(), ids=list(BITES))
def test_a_planted_fault_makes_the_property_bite(prop: str, fault: str) -> None:
    assert prop in counterexample(fault).properties


@pytest.mark.parametrize("fault", NAMED, ids=lambda fault: fault.id)
def test_a_named_fault_has_a_trace_of_at_most_twelve_chosen_actions(fault) -> None:  # type: ignore[no-untyped-def]
    found = counterexample(fault.id)
    assert found.result == "caught"
    assert 1 <= found.length <= 12


@pytest.mark.parametrize(
    "fault", [f for f in NAMED if f.family == "deviation of Linux 3.12"], ids=lambda fault: fault.id
)
def test_the_trace_of_a_deviation_violates_on_linux_3_12_itself(fault) -> None:  # type: ignore[no-untyped-def]
    trace = counterexample(fault.id).trace
    assert trace is not None
    assert violates(LINUX_3_12, trace)
    assert not violates(reference(), trace)


def test_a_machine_without_the_extensions_fails_the_table_of_sensitive_operations() -> None:
    found = counterexample("no-virtualization-extensions")
    assert found.properties == ("classification.not_classically_virtualizable",)


def test_a_redundant_trap_bit_is_proved_equivalent() -> None:
    assert counterexample("without/HDCR.TPMCR").result == "equivalent"


def test_neighbours_that_commute_are_proved_equivalent() -> None:
    assert counterexample("swap/enter-hstr/enter-hcptr").result == "equivalent"


def test_an_excuse_names_a_fault_and_a_source() -> None:
    assert set(EXCUSES) <= set(FAULT)
    assert all(excuse.sources for excuse in EXCUSES.values())


def test_every_fault_can_be_planted_into_the_reference() -> None:
    assert all(resolve("reference", fault.id) != reference() for fault in FAULTS if fault.family != "step")


def test_an_element_is_found_by_its_name_in_any_case() -> None:
    assert element("hcr.twi") == element("HCR.TWI")


def test_every_stepwise_property_stands_in_the_table_above() -> None:
    helpers = ("specification.", *(f"{part.name}." for part in PARTS))
    stepwise = {p.id for p in PROPERTIES if p.enumerate is None and not p.id.startswith(helpers)}
    assert stepwise == set(BITES)
