"""The engine explore: it sees every state that a search without its shortcuts sees; every property has a witness."""

from typing import Any

import pytest
from attrs import evolve

from model.action import Action
from model.designs.catalogue import reference
from model.guards import guard
from model.state import State, Where
from model.system import step
from model.topology import TOPOLOGIES, Topology, initial
from properties.catalogue import PROPERTIES, PROPERTY
from properties.engines.components import NotPrivate
from properties.engines.course import USUAL, ways
from properties.engines.domain import Domain, relevant
from properties.engines.explore import (
    CONFIGURATIONS,
    FAULT,
    FAULTS,
    LAZY_WAITING,
    REGISTERS,
    SMALL,
    WAITING,
    back,
    domain_of,
    explore,
)
from properties.engines.search import search
from properties.engines.witness import runs
from properties.faults.catalogue import FAULT as PLANTED
from properties.parts import part_of
from properties.property import Kind
from properties.traces.replay import expand, first_violation

DESIGN = reference()
ENTRIES = domain_of("entries alone", ())
CALLS_PROPERTIES = tuple(prop for prop in USUAL if prop.id.startswith("world_switch."))


def onward(state: State, cpu: int) -> list[Action]:
    """What a processor may do that is not at rest: forced steps, or the way back to the start of its program."""
    physical = state.processors[cpu]
    returned = back(cpu, physical.thread.where, physical.cpu.pc, physical.cpu.cpsr)
    return ways(DESIGN, state, cpu) or ([returned] if returned else [])


def chosen(domain: Domain, state: State, cpu: int) -> list[Action]:
    """What a processor at rest may do."""
    calls = [action for vcpu in range(len(state.vcpus)) for action in domain.called(cpu, vcpu)]
    offered = [*calls, *domain.private(cpu, state.processors[cpu].thread.where)]
    return [action for action in offered if guard(DESIGN, state, action)]


def without_history(state: State) -> State:
    """A state at rest without what the next step of its processors overwrites."""
    physicals = []
    for physical in state.processors:
        called = None if physical.thread.where is Where.HOST else physical.called_from
        physicals.append(evolve(physical, trapped_from=None, called_from=called))
    return evolve(state, processors=tuple(physicals))


def straightforward(topology: Topology, domain: Domain) -> set[State]:
    """The states at rest that a plain search finds, in which every forced step is a transition of its own."""
    cpus = range(topology.processors)
    frontier = [initial(topology, DESIGN)]
    seen, rest = set(frontier), set()
    while frontier:
        state = frontier.pop()
        amid = {cpu: onward(state, cpu) for cpu in cpus}
        if not any(amid.values()):
            rest.add(without_history(state))
        for cpu in cpus:
            for action in amid[cpu] or chosen(domain, state, cpu):
                after = step(DESIGN, state, action)
                if after not in seen:
                    seen.add(after)
                    frontier.append(after)
    return rest


@pytest.mark.parametrize(
    ("topology", "domain"),
    [("one", WAITING), ("one", FAULTS), ("two-vms", LAZY_WAITING), ("siblings", ENTRIES), ("two-processors", ENTRIES)],
    ids=lambda value: getattr(value, "name", value),
)
def test_merged_and_remembered_steps_reach_the_states_of_a_plain_search(topology: str, domain: Domain) -> None:
    found = explore(DESIGN, (), TOPOLOGIES[topology], domain)
    assert found.complete
    assert found.states == len(straightforward(TOPOLOGIES[topology], domain))


@pytest.mark.parametrize(
    ("topology", "domain"),
    [(t, d) for t, d in CONFIGURATIONS if t.name in ("one", "siblings")],
    ids=lambda value: value.name,
)
def test_every_state_of_a_configuration_of_the_reference_holds_every_property(topology: Topology, domain: Any) -> None:
    found = explore(DESIGN, USUAL, topology, domain)
    assert (found.violations, found.complete) == ({}, True)


def test_a_bound_on_states_leaves_an_exploration_incomplete() -> None:
    assert not explore(DESIGN, (), TOPOLOGIES["one"], SMALL, most_states=20).complete


def test_a_deadline_leaves_an_exploration_incomplete() -> None:
    assert not explore(DESIGN, (), TOPOLOGIES["one"], SMALL, deadline=0.0).complete


def test_nothing_is_left_below_a_depth_that_reaches_everything() -> None:
    whole = explore(DESIGN, (), TOPOLOGIES["one"], WAITING)
    assert explore(DESIGN, (), TOPOLOGIES["one"], WAITING, depth=whole.depth).states == whole.states


@pytest.mark.parametrize("fault", ["unswitched/tpidrurw", "par-not-switched", "exclusive-monitor-survives-switch"])
def test_a_planted_fault_has_a_counterexample_as_short_as_a_search_finds(fault: str) -> None:
    design = PLANTED[fault].plant(DESIGN)
    domain = relevant(PLANTED[fault].touches)
    found = explore(design, CALLS_PROPERTIES, TOPOLOGIES["one"], domain, until="first").violations
    shortest = search(design, initial(TOPOLOGIES["one"], design), domain, CALLS_PROPERTIES, 4, "first").found
    assert min(map(len, found.values())) == min(len(violation.actions) for violation in shortest.values())


def test_a_counterexample_of_an_exploration_violates_when_run_again() -> None:
    design = PLANTED["unswitched/tpidrurw"].plant(DESIGN)
    found = explore(design, CALLS_PROPERTIES, TOPOLOGIES["two-vms"], REGISTERS, until="first").violations
    prop, run = next(iter(found.items()))
    assert first_violation(design, PROPERTY[prop], expand(design, initial(TOPOLOGIES["two-vms"], design), run))


def test_a_predicate_that_looks_at_another_processor_is_refused() -> None:
    def nosy(design: Any, before: State, action: Action, after: State) -> bool:
        return after.processors[1 - action.cpu].cpu.pc != 0

    prop = evolve(PROPERTY["world_switch.host_survives"], holds=nosy)
    with pytest.raises(NotPrivate):
        explore(DESIGN, (prop,), TOPOLOGIES["two-processors"], WAITING)


def test_a_predicate_that_reads_history_of_an_earlier_run_is_refused() -> None:
    def late(design: Any, before: State, action: Action, after: State) -> bool:
        physical = before.processors[action.cpu]
        return physical.thread.where is not Where.HOST or physical.trapped_from.pc != 0  # type: ignore[union-attr]

    prop = evolve(PROPERTY["world_switch.host_survives"], holds=late)
    with pytest.raises(NotPrivate):
        explore(DESIGN, (prop,), TOPOLOGIES["one"], WAITING)


def test_every_answer_of_the_highvisor_is_explored() -> None:
    found = explore(DESIGN, (), TOPOLOGIES["one"], domain_of("a stage 2 fault", (FAULT,)))
    mapped = evolve(domain_of("a stage 2 fault", (FAULT,)), answers=(FAULTS.answers[0],))
    assert found.states > explore(DESIGN, (), TOPOLOGIES["one"], mapped).states


STEPWISE = tuple(p for p in PROPERTIES if p.kind is not Kind.FINITE and part_of(p) is None)


@pytest.mark.parametrize("prop", STEPWISE, ids=lambda prop: prop.id)
def test_the_property_has_a_reachable_witness(prop: Any) -> None:
    run = runs(DESIGN, STEPWISE).get(prop.id)
    assert run, "nothing that the property is about ever happens: it holds vacuously"
    steps = expand(DESIGN, initial(TOPOLOGIES["one"], DESIGN), run)
    about = [s for s in steps if isinstance(s.action, prop.about)]
    assert any(prop.interesting(DESIGN, s.before, s.action, s.after) for s in about)
