"""Wrong memory management is found: each property has a fault that it catches, each bug of history a short trace."""

import pytest
from attrs import evolve

from model.designs.catalogue import LINUX_3_12
from model.designs.memory_variations import MEMORY_REPAIRS
from model.memory.actions import GuestRemaps
from model.memory.design import GUEST
from model.system import step
from model.topology import TOPOLOGIES, initial
from properties import memory
from properties.attribution import in_situation
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.engines.parts.search import search_part
from properties.engines.witness import witness
from properties.faults.catalogue import EXCUSES, FAULT
from properties.memory.part import MEMORY
from properties.memory.scenarios import SCENARIOS
from properties.traces.replay import replayed
from properties.why import counterexample

BITES = {
    "memory.isolated": "without/reclaim-flush",
    "memory.permissions": "s2-read-only-writable",
    "memory.no_stale_data": "uncached-guest-reads-stale-dram",
    "memory.siblings_apart": "tlb-shared-by-sibling-vcpus",
    "memory.tables_own": "memslot-delete-keeps-mapping",
    "memory.slots_only": "without/fault-decide",
    "memory.tables_backed": "s2-read-only-writable",
    "memory.break_before_make": "s2-no-break-before-make",
    "memory.no_churn": "s2-same-block-refault-livelock",
    "memory.fault_resolved": "s2-writable-not-readable",
    "memory.fault_address_true": "without/trap-translate",
    "memory.own_tables_touched": "memslot-beyond-ipa-limit",
    "memory.interface_device": "D21",
    "memory.translations_own": "without/reclaim-flush-the-third-level",
    "memory.translations_justified": "without/reclaim-drain",
    "memory.vmids_distinct": "without/run-flush-all-vmids",
    "memory.one_vmid": "vmid-gen-published-early",
    "memory.root_used": "D16",
    "memory.vmid_assigned": "without/run-publish-generation",
    "memory.locks": "without/reclaim-lock",
    "memory.invalidations_counted": "without/reclaim-count-down",
    "memory.nothing_lost": "without/fault-done",
    "memory.hyp_exact": "D17",
    "memory.interface_ready": "without/interface-map-gicv",
    "memory.private": "one-last-vcpu",
    "memory.stage1_free": "stage1-tables-protected",
}
ALONE = ("memory.private", "memory.stage1_free")
"""Properties with a fault that no other property catches."""
CATALOGUE = {
    "vmid-gen-published-early": 6, "vmid-gen-recheck-unlocked": 6, "tlb-shared-by-sibling-vcpus": 4,
    "s2-tlbi-without-prior-dsb": 5, "s2-writable-not-readable": 4, "s2-no-break-before-make": 4,
    "s2-same-block-refault-livelock": 5, "memslot-delete-keeps-mapping": 4, "s2-block-over-misaligned-slot": 4,
    "s2-pgd-free-unlocked": 5, "memslot-beyond-ipa-limit": 3, "uncached-guest-reads-stale-dram": 4,
    "gicv-page-neighbour-exposed": 4,
}  # fmt: skip
"""How many steps the shortest sequence of each historical bug has that is known to expose it."""
DEVIATIONS = tuple(deviation for _, deviation, _ in MEMORY_REPAIRS)


@pytest.mark.parametrize(("prop", "fault"), BITES.items(), ids=list(BITES))
def test_a_planted_fault_makes_the_property_bite(prop: str, fault: str) -> None:
    assert prop in counterexample(fault).properties


@pytest.mark.parametrize("prop", ALONE)
def test_some_faults_are_caught_by_one_property_alone(prop: str) -> None:
    assert counterexample(BITES[prop]).properties == (prop,)


@pytest.mark.parametrize(("fault", "steps"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_a_bug_of_history_has_a_trace_of_at_most_three_times_its_known_length(fault: str, steps: int) -> None:
    found = counterexample(fault, thorough=False)
    assert found.result == "caught"
    assert found.length <= 3 * steps


@pytest.mark.parametrize("fault", DEVIATIONS)
def test_the_trace_of_a_deviation_violates_again_when_it_is_run_again(fault: str) -> None:
    trace = counterexample(fault, thorough=False).trace
    assert trace is not None
    design = resolve("reference", fault)
    assert replayed(trace, design, initial(TOPOLOGIES[trace.topology], design), PROPERTY[trace.property])


@pytest.mark.parametrize("fault", DEVIATIONS)
def test_a_deviation_is_found_on_linux_3_12_itself(fault: str) -> None:
    prop = PROPERTY[counterexample(fault, thorough=False).properties[0]]
    assert in_situation(LINUX_3_12.name, None, fault, prop) is not None


@pytest.mark.parametrize("fault", [name for name in EXCUSES if name in FAULT and FAULT[name].scenarios])
def test_an_excused_fault_is_caught_by_nothing_near(fault: str) -> None:
    assert counterexample(fault).result == "excused"


@pytest.mark.parametrize("prop", memory.PROPERTIES, ids=lambda prop: prop.id)
def test_what_a_property_is_about_occurs(prop) -> None:  # type: ignore[no-untyped-def]
    assert witness(prop) is not None


def test_a_slot_beyond_the_address_space_lets_one_vm_change_the_tables_of_another() -> None:
    design, scenario = resolve("reference", "memslot-beyond-ipa-limit"), SCENARIOS["beyond, among VMs"]
    start = initial(TOPOLOGIES[scenario.topology], design)
    found = search_part(MEMORY, design, start, scenario.domain, (PROPERTY["memory.private"],), "first").found
    assert "memory.private" in found


def test_a_guest_that_leaves_for_its_own_translations_is_not_free_to_change_them() -> None:
    design, action = resolve("reference", None), GuestRemaps(0, 0x80001)
    before = initial(TOPOLOGIES["memory"], design)
    inside = evolve(before.memory, cores=(evolve(before.memory.cores[0], at=GUEST), before.memory.cores[1]))
    before, holds = evolve(before, memory=inside), PROPERTY["memory.stage1_free"].holds
    after = step(design, before, action)
    left = evolve(after.memory, cores=(evolve(after.memory.cores[0], at=0), after.memory.cores[1]))
    assert holds(design, before, action, after)
    assert not holds(design, before, action, evolve(after, memory=left))


def test_every_property_of_memory_stands_in_the_table_above() -> None:
    assert {prop.id for prop in memory.PROPERTIES} == set(BITES)
