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
