"""Exploring, walking and searching the memory system: the reference holds, what is planted is found."""

from typing import Any

import pytest
from attrs import evolve

from model.design import Design
from model.designs.catalogue import reference
from model.memory.design import Do, place
from model.memory.guards import is_free
from model.topology import TOPOLOGIES, initial
from properties import memory
from properties.catalogue import PROPERTY
from properties.engines.parts.explore import Explored, explore_part
from properties.engines.parts.search import search_part
from properties.engines.parts.walk import walk_part
from properties.engines.shorten import violates
from properties.faults.catalogue import FAULT
from properties.memory.configurations import CONFIGURATIONS
from properties.memory.part import MEMORY
from properties.memory.scenarios import SCENARIOS
from properties.property import Property
from properties.traces.replay import length
from spec.words import put, put_all

DESIGN = reference()
SMALL = ("translations-and-notifier", "slot-deletion", "vm-end", "new-vm", "read-only")
"""The configurations that a test has time for."""
LAYOUTS = [name for name, topology in TOPOLOGIES.items() if topology.memory is not None]


def explored(design: Design, properties: tuple[Property, ...], name: str, deadline: float | None = None) -> Explored:
    situation = CONFIGURATIONS[name]
    return explore_part(MEMORY, design, properties, situation.topology, situation.domain, deadline)


@pytest.mark.parametrize("name", SMALL)
def test_every_run_of_a_small_configuration_keeps_every_property(name: str) -> None:
    seen = explored(DESIGN, memory.ALL, name)
    assert (seen.complete, seen.violations) == (True, {})


def test_an_exploration_finds_a_planted_fault() -> None:
    design = FAULT["D17"].plant(DESIGN)
    seen = explored(design, memory.PROPERTIES, "new-vm")
    assert "memory.hyp_exact" in seen.violations


def test_an_exploration_that_is_late_is_not_complete() -> None:
    assert not explored(DESIGN, (), "vmids", deadline=0.0).complete


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_hostile_walk_breaks_nothing_and_raises_nothing(name: str) -> None:
    walked = walk_part(MEMORY, DESIGN, memory.PROPERTIES, TOPOLOGIES[name], seed=1, steps=3000)
    assert (walked.violations, walked.raised, walked.steps) == ({}, None, 3000)


def test_a_walk_finds_a_planted_fault_and_shortens_its_run() -> None:
    design = FAULT["without/reclaim-count-down"].plant(DESIGN)
    topology = TOPOLOGIES["memory"]
    found = walk_part(MEMORY, design, memory.PROPERTIES, topology, seed=1, steps=4000, until="first").violations
    run = found["memory.invalidations_counted"]
    prop, start = PROPERTY["memory.invalidations_counted"], initial(topology, design)
    assert not any(violates(design, start, run[:n] + run[n + 1 :], prop) for n in range(len(run)))


def test_the_same_seed_gives_the_same_walk() -> None:
    first, second = (walk_part(MEMORY, DESIGN, (), TOPOLOGIES["memory"], seed=5, steps=500) for _ in range(2))
    assert (first.kinds, first.examples) == (second.kinds, second.examples)


def test_an_exception_in_a_predicate_ends_the_walk_and_is_reported() -> None:
    def broken(*_: Any) -> bool:
        raise ZeroDivisionError("broken")

    prop = evolve(PROPERTY["memory.locks"], holds=broken)
    raised = walk_part(MEMORY, DESIGN, (prop,), TOPOLOGIES["memory"], steps=500).raised
    assert raised is not None and raised.problem == "ZeroDivisionError: broken"


def test_a_page_that_a_fault_handler_has_in_hand_is_given_to_nobody_else() -> None:
    design = DESIGN.memory
    state = initial(TOPOLOGIES["memory"], DESIGN).memory
    assert state is not None
    free = next(page for page in range(1, 1 << 10) if is_free(design, state, page))
    validating = place("fault", next(n for n, step in enumerate(design.fault) if step.do is Do.VALIDATE))
    handler = put_all(state.cores[0], ("at", "page"), (validating, free))
    assert not is_free(design, put(state, "cores", (handler, *state.cores[1:])), free)


def test_no_shorter_run_within_the_domain_violates_than_the_one_that_is_found() -> None:
    fault = FAULT["tlb-shared-by-sibling-vcpus"]
    design, scenario = fault.plant(DESIGN), SCENARIOS["siblings"]
    start = initial(TOPOLOGIES[scenario.topology], design)
    found = search_part(MEMORY, design, start, scenario.domain, memory.PROPERTIES, "first").found
    shortest = min(length(violation.actions) for violation in found.values())
    below = search_part(MEMORY, design, start, scenario.domain, memory.PROPERTIES, depth=shortest - 1)
    assert below.found == {}


def test_a_property_of_states_is_judged_alike_whether_or_not_it_is_asked_again() -> None:
    design = FAULT["without/reclaim-flush-the-third-level"].plant(DESIGN)
    scenario = SCENARIOS["one guest"]
    start = initial(TOPOLOGIES[scenario.topology], design)
    prop = PROPERTY["memory.translations_own"]
    every_step = evolve(prop, kind=memory.PROPERTIES[0].kind)
    lengths = [
        len(search_part(MEMORY, design, start, scenario.domain, (asked,), "first").found[prop.id].actions)
        for asked in (prop, every_step)
    ]
    assert lengths[0] == lengths[1]
