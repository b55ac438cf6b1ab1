"""Exploring, walking and searching interrupts: the reference holds, what is planted is found."""

from collections import Counter
from random import Random

import pytest
from attrs import evolve

from model.design import Design
from model.designs.catalogue import reference
from model.threads import at_of
from model.topology import TOPOLOGIES, initial
from model.vgic import system as vgic
from model.vgic.design import GUEST, step_at
from properties import interrupts
from properties.catalogue import PROPERTY
from properties.engines.parts.drain import Drains
from properties.engines.parts.explore import Explored, explore_part
from properties.engines.parts.moves import Moves
from properties.engines.parts.search import search_part
from properties.engines.parts.walk import walk_part
from properties.faults.catalogue import FAULT
from properties.interrupts.configurations import CONFIGURATIONS
from properties.interrupts.drain import Drained, drained
from properties.interrupts.grain import forced, next_irq
from properties.interrupts.part import INTERRUPTS
from properties.interrupts.scenarios import SCENARIOS
from properties.interrupts.states import live
from properties.property import Property
from tests.interrupts import EDGE, LEVEL, LINUX, REFERENCE, machine
from tests.test_parts import Plain, plainly_explored

DESIGN = reference()
SMALL = ("level", "edge")
"""The configurations that a test has time for."""
DRAINED = (PROPERTY["interrupts.delivered"], PROPERTY["interrupts.idle_sleeps"])
"""The properties of what becomes of a state."""
LAYOUTS = [topology.name for topology in INTERRUPTS.topologies if "wide" not in topology.name]
WIDE = [f"interrupts-wide-{lists}" for lists in (1, 2, 5, 7, 30, 64)]


def explored(design: Design, properties: tuple[Property, ...], name: str, deadline: float | None = None) -> Explored:
    situation = CONFIGURATIONS[name]
    return explore_part(INTERRUPTS, design, properties, situation.topology, situation.domain, deadline)


@pytest.mark.parametrize("name", SMALL)
def test_every_run_of_a_small_configuration_keeps_every_property(name: str) -> None:
    seen = explored(DESIGN, interrupts.PROPERTIES, name)
    assert (seen.complete, seen.violations) == (True, {})


@pytest.mark.parametrize(
    ("fault", "scenario"),
    [(None, "registers"), ("gicd-reserved-offset-exits", "registers"), (None, "interface"), ("D8", "registers")],
)
def test_an_exploration_sees_what_a_plain_one_sees(fault: str | None, scenario: str) -> None:
    design = DESIGN if fault is None else FAULT[fault].plant(DESIGN)
    situation = SCENARIOS[scenario]
    seen = explore_part(INTERRUPTS, design, interrupts.PROPERTIES, situation.topology, situation.domain)
    found = Plain(seen.states, seen.transitions, frozenset(seen.violations), seen.met)
    assert found == plainly_explored(INTERRUPTS, design, interrupts.PROPERTIES, situation)


FAULTS_OF_GRAINS = (
    (None, "sgi"), ("D2", "sgi"), ("without/vgic-sync-lock", "sgi"), ("level-ap-hides-eoi", "two-vms"),
)  # fmt: skip


@pytest.mark.parametrize(("fault", "name"), FAULTS_OF_GRAINS)
def test_the_stated_grain_hides_no_violation(fault: str | None, name: str) -> None:
    design, situation = DESIGN if fault is None else FAULT[fault].plant(DESIGN), CONFIGURATIONS[name]
    coarse, fine = (
        explore_part(INTERRUPTS, design, interrupts.PROPERTIES, situation.topology, domain)
        for domain in (situation.domain, evolve(situation.domain, merges=False))
    )
    assert (coarse.complete, fine.complete, set(coarse.violations)) == (True, True, set(fine.violations))


def test_the_stated_grain_hides_no_state() -> None:
    situation = CONFIGURATIONS["sgi"]
    start, fine = initial(TOPOLOGIES[situation.topology], DESIGN), evolve(situation.domain, merges=False)
    moves = Moves(INTERRUPTS, DESIGN, (), fine, start)
    coarse = Moves(INTERRUPTS, DESIGN, (), situation.domain, start, layout=moves.layout)
    waiting, seen, ends = [moves.first], {moves.first}, set[object]()
    while waiting:
        end = row = waiting.pop()
        while (following := coarse.follows(end)) is not None:
            end = following.effect(end).after(end)
        ends.add(tuple(aspect(end) for aspect in moves.aspects))
        after = {move.effect(row).after(row) for move in moves.ways(row)} - seen
        waiting += after
        seen |= after
    assert len(ends) == explored(DESIGN, (), "sgi").states


def test_an_exploration_finds_a_planted_fault() -> None:
    seen = explored(FAULT["level-ap-hides-eoi"].plant(DESIGN), interrupts.PROPERTIES, "level")
    assert "interrupts.level_once" in seen.violations


def test_an_exploration_that_is_late_is_not_complete() -> None:
    assert not explored(DESIGN, (), "sgi", deadline=0.0).complete


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_hostile_walk_breaks_nothing_and_raises_nothing(name: str) -> None:
    walked = walk_part(INTERRUPTS, DESIGN, interrupts.PROPERTIES, TOPOLOGIES[name], seed=1, steps=1500)
    assert (walked.violations, walked.raised, walked.steps) == ({}, None, 1500)


@pytest.mark.parametrize("name", WIDE)
def test_a_hostile_walk_with_many_vcpus_and_list_registers_breaks_nothing_and_raises_nothing(name: str) -> None:
    walked = walk_part(INTERRUPTS, DESIGN, interrupts.PROPERTIES, TOPOLOGIES[name], seed=1, steps=600)
    assert (walked.violations, walked.raised, walked.steps) == ({}, None, 600)


def test_every_number_of_list_registers_and_of_vcpus_is_walked_through() -> None:
    wide = [topology.interrupts for topology in INTERRUPTS.topologies if "wide" in topology.name]
    assert sorted(each.lists for each in wide if each) == list(range(1, 65))
    assert {max(each.vms) for each in wide if each} == set(range(1, 9))


def test_a_walk_finds_a_planted_fault() -> None:
    design = FAULT["inject-irq-number-unchecked"].plant(DESIGN)
    topology = TOPOLOGIES["interrupts-two-vms"]
    found = walk_part(INTERRUPTS, design, interrupts.PROPERTIES, topology, seed=1, steps=3000, until="first").violations
    assert set(found) == {"interrupts.vms_apart"}


def orders(name: str, runs: int, steps: int) -> Counter[str]:
    """How often, in random runs at the smallest grain, a step that is merged and another action do not commute."""
    situation, random, found = SCENARIOS[name], Random(1), Counter[str]()
    domain, design = evolve(situation.domain, merges=False), DESIGN.vgic
    start = initial(TOPOLOGIES[situation.topology], DESIGN).interrupts
    for _ in range(runs):
        state = start
        assert state is not None
        for _ in range(steps):
            cpus = range(INTERRUPTS.processors(state))
            actions = [action for cpu in cpus for action in domain.of_processor(DESIGN, state, cpu)]
            if not actions:
                break
            merged = forced(design, state, domain.quiet)
            for other in actions if merged is not None else ():
                if merged is not None and other.cpu != merged.cpu:
                    found[told(design, state, merged, other)] += 1
            state = vgic.vgic_step(design, state, random.choice(actions))
    return found


def told(design: vgic.VgicDesign, state: vgic.VgicState, merged: vgic.VgicAction, other: vgic.VgicAction) -> str:
    """Whether both orders are possible and lead to one state: the empty text, or what does not commute."""
    first, second = vgic.vgic_step(design, state, merged), vgic.vgic_step(design, state, other)
    possible = vgic.vgic_guard(design, first, other) and vgic.vgic_guard(design, second, merged)
    if possible and vgic.vgic_step(design, first, other) == vgic.vgic_step(design, second, merged):
        return ""
    names = []
    for action in (merged, other):
        step = step_at(design, at_of(state, action.cpu)) if isinstance(action, vgic.VgicSteps) else None
        names.append(type(action).__name__ if step is None else step.do.name)
    return " and ".join(names)


NOTING = ("FLUSH_END", "INJECT", "UPDATE", "SYNC_PENDING", "SYNC_ENDED", "SYNC_FREE", "PRUNE")
SEEN_WITHOUT_THE_LOCK = {f"{step} and {reader}" for step in NOTING for reader in ("KICK", "CHECK_RUNNABLE")}
"""Who kicks or goes to sleep reads without the lock which vCPUs have something to flush."""
SEEN_WITHOUT_THE_LOCK |= {"SAVE_LRS and FLUSH_END", "FLUSH_END and SAVE_LRS"}
"""So does who waits for an interrupt read the saved list register of another vCPU, whose guest may have left."""
TAKEN_AGAIN = {"HostTakesInterrupts and UserSignals"}
"""A signal's interrupt that comes behind is taken as well, at once."""


@pytest.mark.parametrize("name", ["edge", "signal", "physical", "moving", "SGI", "two VMs", "power"])
def test_what_is_merged_commutes_with_what_others_do(name: str) -> None:
    found = orders(name, runs=4, steps=150)
    assert found[""] > 0
    assert set(found) - {""} <= SEEN_WITHOUT_THE_LOCK | TAKEN_AGAIN


def test_what_nobody_reads_any_more_changes_no_future() -> None:
    m = machine(DESIGN, EDGE, LEVEL)
    m.line(40, 1)
    m.line(41, 1)
    m.enter(0, 0)
    for _ in range(2):
        cleared = live(m.design, m.state)
        assert cleared != m.state
        m.do(vgic.GuestExits(0))
        other = vgic.vgic_step(m.design, cleared, vgic.GuestExits(0))
        while at_of(m.state, 0) != GUEST:
            action = vgic.VgicSteps(0, next_irq(m.design, m.state, 0))
            m.do(action)
            other = vgic.vgic_step(m.design, other, action)
        assert live(m.design, other) == live(m.design, m.state)


@pytest.mark.parametrize(
    ("fault", "scenario"),
    [
        ("without/vgic-flush-queue", "level"),
        ("without/vgic-block-sleep", "edge"),
        ("without/vgic-enter-guest", "level"),
    ],
)
def test_a_search_finds_by_drains_what_each_state_says_of_itself(fault: str, scenario: str) -> None:
    design, situation = FAULT[fault].plant(DESIGN), SCENARIOS[scenario]
    start = initial(TOPOLOGIES[situation.topology], design)
    asked = tuple(evolve(prop, settled=None) for prop in DRAINED)
    found = [
        search_part(INTERRUPTS, design, start, situation.domain, props, "first", most_states=4000).found
        for props in (DRAINED, asked)
    ]
    assert found[0] == found[1]


def test_a_drain_that_goes_in_circles_makes_everything_doubtful_where_that_is_asked_for() -> None:
    design, situation = FAULT["without/vgic-enter-guest"].plant(DESIGN), SCENARIOS["level"]
    start = initial(TOPOLOGIES[situation.topology], design)
    moves = Moves(INTERRUPTS, design, DRAINED, situation.domain, start, DRAINED)
    known, doubtful = (Drains(moves, DRAINED, circles_fail=doubts) for doubts in (False, True))
    assert known.alone(moves.first_key(), moves.first) == ()
    assert doubtful.alone(moves.first_key(), moves.first) == tuple(prop.id for prop in DRAINED)


def test_a_fair_drain_delivers_what_is_pending() -> None:
    m = machine(REFERENCE, EDGE, LEVEL)
    m.line(40, 1)
    m.line(41, 1)
    assert drained(m.design, m.state) == Drained()


def test_a_fair_drain_tells_what_is_lost() -> None:
    m = machine(LINUX, EDGE)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, vgic.Do.CHECK_SIGNAL)
    m.line(40, 1)
    assert drained(m.design, m.state).lost == ("SPI 40 of VM0",)
