"""The engine walk: hostile guests find planted faults and none in the reference, and what they find is shortened."""

from typing import Any

import pytest
from attrs import evolve

from model.action import Action
from model.actions import GuestExecutes, HostExecutes, HostRunsVcpu, InterruptTaken
from model.designs.catalogue import reference
from model.guards import guard
from model.state import Where
from model.topology import TOPOLOGIES, initial
from properties.catalogue import PROPERTY
from properties.engines.course import USUAL
from properties.engines.domain import relevant
from properties.engines.search import search
from properties.engines.shorten import shorten, violates
from properties.engines.walk import Walked, fast_walk, kinds_of_action, walk
from properties.faults.catalogue import FAULT
from spec.operations import Compute, Hvc, Instruction, Smc, WriteCpsr

DESIGN = reference()
PLANTED = ("unswitched/tpidrurw", "without/HCR.TSC")


def done(walked: Walked) -> tuple[Any, ...]:
    """What a walk did, without the time it took."""
    return walked.chosen, walked.steps, walked.examples, walked.violations


@pytest.mark.parametrize("topology", ["two-vms", "two-processors"])
def test_a_walk_finds_nothing_wrong_with_the_reference(topology: str) -> None:
    found = walk(DESIGN, USUAL, TOPOLOGIES[topology], seed=1, steps=300)
    assert (found.violations, found.raised, found.chosen) == ({}, None, 300)


@pytest.mark.parametrize("topology", sorted(name for name, each in TOPOLOGIES.items() if each.processors))
def test_a_fast_walk_finds_nothing_wrong_with_the_reference(topology: str) -> None:
    found = fast_walk(DESIGN, USUAL, TOPOLOGIES[topology], seed=2, steps=600)
    assert (found.violations, found.raised, found.chosen) == ({}, None, 600)


@pytest.mark.parametrize("walker", [walk, fast_walk])
def test_every_kind_of_action_that_somebody_chooses_occurs(walker: Any) -> None:
    assert set(kinds_of_action()) <= walker(DESIGN, (), TOPOLOGIES["two-vms"], seed=1, steps=500).kinds


@pytest.mark.parametrize("walker", [walk, fast_walk])
@pytest.mark.parametrize("fault", PLANTED)
def test_a_walk_finds_a_planted_fault_and_shortens_it_to_what_a_search_finds(walker: Any, fault: str) -> None:
    design = FAULT[fault].plant(DESIGN)
    found = walker(design, USUAL, TOPOLOGIES["one"], seed=3, steps=8000, until="first").violations
    start = initial(TOPOLOGIES["one"], design)
    shortest = search(design, start, relevant(FAULT[fault].touches), USUAL, 3, "first").found
    assert min(map(len, found.values())) == min(len(violation.actions) for violation in shortest.values())


@pytest.mark.parametrize("walker", [walk, fast_walk])
def test_the_same_seed_gives_the_same_walk(walker: Any) -> None:
    first, second = (walker(DESIGN, (), TOPOLOGIES["two-vms"], seed=7, steps=150) for _ in range(2))
    assert done(first) == done(second)


@pytest.mark.parametrize("walker", [walk, fast_walk])
def test_another_seed_gives_another_walk(walker: Any) -> None:
    first, second = (walker(DESIGN, (), TOPOLOGIES["two-vms"], seed=seed, steps=150) for seed in (7, 8))
    assert done(first) != done(second)


@pytest.mark.parametrize("walker", [walk, fast_walk])
def test_a_walk_that_is_late_has_made_no_step(walker: Any) -> None:
    assert walker(DESIGN, (), TOPOLOGIES["one"], deadline=0.0).chosen == 0


@pytest.mark.parametrize("walker", [walk, fast_walk])
def test_a_walk_where_nothing_can_be_chosen_ends_without_a_step(walker: Any) -> None:
    assert walker(DESIGN, (), TOPOLOGIES["interrupts-one"], steps=50).chosen == 0


@pytest.mark.parametrize("walker", [walk, fast_walk])
def test_an_exception_in_a_predicate_ends_the_walk_and_is_reported(walker: Any) -> None:
    def broken(*_: Any) -> bool:
        raise ZeroDivisionError("broken")

    prop = evolve(PROPERTY["world_switch.host_survives"], holds=broken)
    raised = walker(DESIGN, (prop,), TOPOLOGIES["one"], steps=50).raised
    assert raised.problem == "ZeroDivisionError: broken"


def smc_reaches_firmware() -> tuple[Any, Any, Any]:
    """A design in which a guest's SMC is not trapped, its start, and the property that says so."""
    design = FAULT["without/HCR.TSC"].plant(DESIGN)
    return design, initial(TOPOLOGIES["one"], design), PROPERTY["trap_completeness.confined"]


def guest(*operations: Any) -> list[Action]:
    return [GuestExecutes(0, Instruction(operation)) for operation in operations]


def test_shortening_deletes_what_the_violation_does_not_need() -> None:
    design, start, prop = smc_reaches_firmware()
    run = (HostRunsVcpu(0, 0), *guest(Compute(1, 2, 3), Hvc(0)), HostRunsVcpu(0, 0), *guest(Compute(1, 2, 3), Smc(0)))
    assert shorten(design, start, run, prop) == (HostRunsVcpu(0, 0), *guest(Smc(0)))


def test_a_shortened_run_violates_nothing_without_any_one_of_its_actions() -> None:
    design, start, prop = smc_reaches_firmware()
    run = shorten(design, start, (HostRunsVcpu(0, 0), *guest(Hvc(0)), HostRunsVcpu(0, 0), *guest(Smc(0))), prop)
    assert not any(violates(design, start, run[:n] + run[n + 1 :], prop) for n in range(len(run)))


def test_shortening_skips_what_is_not_possible() -> None:
    design, start, prop = smc_reaches_firmware()
    run = (InterruptTaken(0, "irq"), HostRunsVcpu(0, 0), HostRunsVcpu(0, 0), *guest(Smc(0)))
    assert shorten(design, start, run, prop) == (HostRunsVcpu(0, 0), *guest(Smc(0)))


def test_a_run_that_violates_nothing_comes_back_as_it_is() -> None:
    _, start, prop = smc_reaches_firmware()
    run = (HostRunsVcpu(0, 0), *guest(Smc(0)))
    assert shorten(DESIGN, start, run, prop) == run


def test_a_host_in_user_mode_does_not_call_the_lowvisor() -> None:
    start = initial(TOPOLOGIES["one"], DESIGN)
    physical = start.processors[0]
    user = evolve(start, processors=(evolve(physical, cpu=evolve(physical.cpu, cpsr=0x10)),))
    assert not guard(DESIGN, user, HostRunsVcpu(0, 0))


def test_a_host_calls_the_lowvisor_by_running_a_vcpu_and_by_no_other_instruction() -> None:
    start = initial(TOPOLOGIES["one"], DESIGN)
    possible = [guard(DESIGN, start, HostExecutes(0, Instruction(o))) for o in (WriteCpsr(0x10), Hvc(0))]
    assert (possible, start.processors[0].thread.where) == ([True, False], Where.HOST)


def test_a_walk_begins_again_where_no_processor_can_go_on() -> None:
    design = FAULT["without/HCR.TSC"].plant(DESIGN)
    found = walk(design, (), TOPOLOGIES["one"], seed=3, steps=600)
    assert (found.chosen, found.raised) == (600, None)
    assert found.examples > 1
