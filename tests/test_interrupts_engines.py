"""Exploring, walking and searching interrupts: the reference holds, what is planted is found."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from attrs import evolve

from model.design import Design
from model.designs.catalogue import reference
from model.threads import at_of
from model.topology import TOPOLOGIES, initial
from model.vgic import system as vgic
from model.vgic.design import GUEST, step_at
from model.vgic.state import VgicState
from properties import interrupts
from properties.catalogue import PROPERTY
from properties.engines.parts.drain import Drains
from properties.engines.parts.explore import Explored, explore_part
from properties.engines.parts.moves import Moves
from properties.engines.parts.search import search_part
from properties.engines.parts.walk import walk_part
from properties.faults.catalogue import FAULT
from properties.interrupts.configurations import CONFIGURATIONS
from properties.interrupts.domain import InterruptDomain
from properties.interrupts.drain import Drained, drained
from properties.interrupts.grain import forced, forced_on, next_irq, taken_on
from properties.interrupts.part import INTERRUPTS
from properties.interrupts.scenarios import SCENARIOS
from properties.interrupts.states import live
from properties.property import Property
from tests.interrupts import EDGE, LEVEL, LINUX, REFERENCE, changed_places, machine
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


GRAINS = pytest.mark.parametrize("grain", [False, True], ids=["stated", "coarse"])


@GRAINS
@pytest.mark.parametrize(("fault", "name"), FAULTS_OF_GRAINS)
def test_the_grain_hides_no_violation(fault: str | None, name: str, grain: bool) -> None:
    design, situation = DESIGN if fault is None else FAULT[fault].plant(DESIGN), CONFIGURATIONS[name]
    merged, plain = (
        explore_part(INTERRUPTS, design, interrupts.PROPERTIES, situation.topology, domain)
        for domain in (evolve(situation.domain, coarse=grain), evolve(situation.domain, merges=False))
    )
    assert (merged.complete, plain.complete, set(merged.violations)) == (True, True, set(plain.violations))


@GRAINS
def test_the_grain_hides_no_state(grain: bool) -> None:
    situation = CONFIGURATIONS["sgi"]
    assert isinstance(situation.domain, InterruptDomain)
    domain = evolve(situation.domain, coarse=grain)
    start, fine = initial(TOPOLOGIES[situation.topology], DESIGN), evolve(situation.domain, merges=False)
    moves = Moves(INTERRUPTS, DESIGN, (), fine, start)
    coarse = Moves(INTERRUPTS, DESIGN, (), domain, start, layout=moves.layout)
    waiting, seen, ends = [moves.first], {moves.first}, set[object]()
    while waiting:
        end = row = waiting.pop()
        while (following := coarse.follows(end)) is not None:
            end = following.effect(end).after(end)
        ends.add(tuple(aspect(end) for aspect in moves.aspects))
        after = {move.effect(row).after(row) for move in moves.ways(row)} - seen
        waiting += after
        seen |= after
    assert len(ends) == explore_part(INTERRUPTS, DESIGN, (), situation.topology, domain).states


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


Judged = Callable[[InterruptDomain, VgicState, vgic.VgicAction], dict[str, int]]


def orders(name: str, runs: int, steps: int, judged: Judged) -> Counter[str]:
    """What is found in random runs at the smallest grain, of each action that may come next."""
    situation, random, found = SCENARIOS.get(name) or CONFIGURATIONS[name], Random(1), Counter[str]()
    assert isinstance(situation.domain, InterruptDomain)
    domain = evolve(situation.domain, merges=False, coarse=True)
    start = initial(TOPOLOGIES[situation.topology], DESIGN).interrupts
    for _ in range(runs):
        state = start
        assert state is not None
        for _ in range(steps):
            actions = possible(domain, state)
            if not actions:
                break
            for action in actions:
                found.update(judged(domain, state, action))
            state = vgic.vgic_step(DESIGN.vgic, state, random.choice(actions))
    return found


def possible(domain: InterruptDomain, state: VgicState, design: Design = DESIGN) -> list[vgic.VgicAction]:
    """What may happen in a state."""
    return [each for cpu in range(INTERRUPTS.processors(state)) for each in domain.of_processor(design, state, cpu)]


def does(state: VgicState, action: vgic.VgicAction) -> str:
    """What an action does, in a word."""
    step = step_at(DESIGN.vgic, at_of(state, action.cpu)) if isinstance(action, vgic.VgicSteps) else None
    return type(action).__name__ if step is None else step.do.name


def settled(domain: InterruptDomain, state: VgicState) -> VgicState:
    """The state behind all that belongs to the step before it, up to where a lock is taken."""
    while True:
        found = (forced_on(DESIGN.vgic, state, cpu, domain.quiet, True) for cpu in range(INTERRUPTS.processors(state)))
        action = next((each for each in found if each is not None and does(state, each) != "LOCK"), None)
        if action is None:
            return live(DESIGN.vgic, state)
        state = vgic.vgic_step(DESIGN.vgic, state, action)


def both_ways(
    domain: InterruptDomain, state: VgicState, first: vgic.VgicAction, second: vgic.VgicAction
) -> dict[str, int]:
    """Whether two actions are possible in both orders and come to the same: the empty text, or what they do."""
    design, ends = DESIGN.vgic, []
    for one, other in ((first, second), (second, first)):
        between = vgic.vgic_step(design, state, one)
        if not vgic.vgic_guard(design, between, other):
            return {f"{does(state, first)} and {does(state, second)}": 1}
        ends.append(settled(domain, vgic.vgic_step(design, between, other)))
    return {"" if ends[0] == ends[1] else f"{does(state, first)} and {does(state, second)}": 1}


def commutes(domain: InterruptDomain, state: VgicState, other: vgic.VgicAction) -> dict[str, int]:
    """Whether an action commutes, to the very state, with the step that belongs to the one before at the stated grain,
    where there is one on another processor: the empty text, or what they do."""
    design = DESIGN.vgic
    merged = forced(design, state, domain.quiet)
    if merged is None or merged.cpu == other.cpu:
        return {}
    first, second = vgic.vgic_step(design, state, merged), vgic.vgic_step(design, state, other)
    both = vgic.vgic_guard(design, first, other) and vgic.vgic_guard(design, second, merged)
    alike = both and vgic.vgic_step(design, first, other) == vgic.vgic_step(design, second, merged)
    return {"" if alike else f"{does(state, merged)} and {does(state, other)}": 1}


def merges(domain: InterruptDomain, state: VgicState, other: vgic.VgicAction) -> dict[str, int]:
    """Whether an action commutes with the step that belongs to the one before, where there is one on another
    processor, and it takes no lock."""
    merged = forced(DESIGN.vgic, state, domain.quiet, True)
    if merged is None or merged.cpu == other.cpu or does(state, merged) == "LOCK":
        return {}
    return both_ways(domain, state, merged, other)


def waits_for_the_lock(domain: InterruptDomain, state: VgicState, action: vgic.VgicAction) -> dict[str, int]:
    """Whether an action commutes with all that others may do behind it, where a lock that is taken next belongs to
    it."""
    behind, found = vgic.vgic_step(DESIGN.vgic, state, action), Counter[str]()
    lock = forced_on(DESIGN.vgic, settled(domain, behind), action.cpu, domain.quiet, True)
    for other in possible(domain, behind) if lock is not None else ():
        if other.cpu != action.cpu:
            before = other in possible(domain, state)
            found.update(both_ways(domain, state, action, other) if before else {f"new: {does(behind, other)}": 1})
    return found


NOTING = ("FLUSH_END", "INJECT", "UPDATE", "SYNC_PENDING", "SYNC_ENDED", "SYNC_FREE", "PRUNE")
SEEN_WITHOUT_THE_LOCK = {f"{step} and {reader}" for step in NOTING for reader in ("KICK", "CHECK_RUNNABLE")}
"""Who kicks or goes to sleep reads without the lock which vCPUs have something to flush."""
SEEN_WITHOUT_THE_LOCK |= {"SAVE_LRS and FLUSH_END", "FLUSH_END and SAVE_LRS"}
"""So does who waits for an interrupt read the saved list register of another vCPU, whose guest may have left."""
MERGING = [
    "edge", "signal", "physical", "moving", "SGI", "two VMs", "power", "three-interrupts", "preempted",
    "three-preempted",
]  # fmt: skip


TAKEN_AGAIN = {"HostTakesInterrupts and UserSignals"}
"""A signal's interrupt that comes behind is taken as well, at once."""


@pytest.mark.parametrize("name", MERGING)
def test_what_is_merged_commutes_with_what_others_do(name: str) -> None:
    found = orders(name, 4, 150, commutes)
    assert found[""] > 0
    assert set(found) - {""} <= SEEN_WITHOUT_THE_LOCK | TAKEN_AGAIN


@pytest.mark.parametrize("name", MERGING)
def test_what_is_merged_at_the_coarse_grain_comes_to_the_same_before_and_behind_what_others_do(name: str) -> None:
    found = orders(name, 4, 150, merges)
    assert found[""] > 0
    assert set(found) - {""} <= SEEN_WITHOUT_THE_LOCK


@pytest.mark.parametrize("name", MERGING)
def test_what_comes_before_a_lock_that_belongs_to_it_is_as_well_done_later(name: str) -> None:
    assert set(orders(name, 4, 150, waits_for_the_lock)) == {""}


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


def taken(design: vgic.VgicDesign, state: VgicState) -> VgicState:
    """The state in which the host has taken the physical interrupts, which it does as soon as it can."""
    actions = (taken_on(design, state, cpu) for cpu in range(INTERRUPTS.processors(state)))
    action = next((each for each in actions if each is not None), None)
    return state if action is None else taken(design, vgic.vgic_step(design, state, action))


@pytest.mark.parametrize("design", [DESIGN, LINUX], ids=["reference", "linux-3.12"])
@pytest.mark.parametrize("name", MERGING)
def test_states_alike_without_what_nobody_reads_any_more_do_alike(name: str, design: Design) -> None:
    situation, random, cleared = SCENARIOS.get(name) or CONFIGURATIONS[name], Random(2), 0
    assert isinstance(situation.domain, InterruptDomain)
    domain, vgic_design = evolve(situation.domain, merges=False), design.vgic
    start = initial(TOPOLOGIES[situation.topology], design).interrupts
    for _ in range(3):
        state = start
        assert state is not None
        for _ in range(250):
            other = live(vgic_design, state)
            cleared += other != state
            actions = possible(domain, state, design)
            assert possible(domain, other, design) == actions
            for action in actions:
                ends = [taken(vgic_design, vgic.vgic_step(vgic_design, each, action)) for each in (state, other)]
                assert live(vgic_design, ends[0]) == live(vgic_design, ends[1])
            state = taken(vgic_design, vgic.vgic_step(vgic_design, state, random.choice(actions))) if actions else start
    assert cleared > 0


def test_processors_that_are_alike_may_change_places() -> None:
    situation, random = CONFIGURATIONS["preempted"], Random(3)
    assert isinstance(situation.domain, InterruptDomain)
    domain, design = evolve(situation.domain, merges=False), DESIGN.vgic
    state = initial(TOPOLOGIES[situation.topology], DESIGN).interrupts
    assert state is not None and INTERRUPTS.alike(DESIGN, state, situation.domain) == 2
    for _ in range(400):
        other, actions = changed_places(state), possible(domain, state)
        mirrored = [evolve(action, cpu=(1, 0, 2)[action.cpu]) for action in actions]
        assert set(mirrored) == set(possible(domain, other))
        for action, mirror in zip(actions, mirrored, strict=True):
            after = vgic.vgic_step(design, state, action)
            assert vgic.vgic_step(design, other, mirror) == changed_places(after)
        state = vgic.vgic_step(design, state, random.choice(actions))


@pytest.mark.parametrize(
    "changed",
    [{"runs": ((0, 0), (1, 1))}, {"preempts": (0,)}, {"arrivals": (1,)}, {"merges": False}],
    ids=lambda changed: next(iter(changed)),
)
def test_processors_on_which_not_the_same_may_happen_are_not_alike(changed: dict[str, Any]) -> None:
    situation = CONFIGURATIONS["preempted"]
    assert isinstance(situation.domain, InterruptDomain)
    state = initial(TOPOLOGIES[situation.topology], DESIGN).interrupts
    assert INTERRUPTS.alike(DESIGN, state, evolve(situation.domain, **changed)) == 0


def test_an_exploration_counts_states_once_in_which_processors_that_are_alike_have_changed_places() -> None:
    situation = CONFIGURATIONS["level"]
    part = evolve(INTERRUPTS, alike=lambda design, state, domain: 0)
    seen, all_ = (
        explore_part(each, DESIGN, interrupts.PROPERTIES, situation.topology, situation.domain)
        for each in (INTERRUPTS, part)
    )
    assert (seen.complete, seen.violations, seen.met) == (all_.complete, all_.violations, all_.met)
    assert all_.states / 2 <= seen.states < all_.states


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
