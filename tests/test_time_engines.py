"""Engines at work on time: complete exploration, walks, and the induction, which fails where it should."""

from functools import cache

import pytest

from model.designs.catalogue import DESIGNS, reference
from model.threads import Wait
from model.timer import system as time
from model.timer.design import Do, step_at
from model.timer.layout import Layout, initial_time
from model.timer.state import TimeState
from model.topology import TOPOLOGIES, initial
from properties.designs import resolve
from properties.engines.parts.explore import Explored, explore_part
from properties.engines.parts.walk import walk_part
from properties.engines.time_prove import time_obligations
from properties.property import Kind, Property
from properties.time import ALL, PROPERTIES
from properties.time.delivery import COVERED
from properties.time.domain import TimeDomain
from properties.time.grain import OWN
from properties.time.inductive import INDUCTIVE
from properties.time.invariants import INVARIANTS
from properties.time.part import TIME
from spec.words import field_names, put, put_all

OBLIGATIONS = {obligation.name: obligation for obligation in time_obligations(reference(), ALL)}
TOPOLOGIES_OF_TIME = [name for name, topology in TOPOLOGIES.items() if topology.time is not None]


@cache
def explored(design: str, name: str) -> Explored:
    situation = TIME.configurations[name]
    asked = TIME.judged if design == "reference" else PROPERTIES
    return explore_part(TIME, DESIGNS[design](), asked, situation.topology, situation.domain)


@pytest.mark.parametrize("name", ["moving", "siblings"])
def test_every_run_of_the_reference_keeps_every_property_and_invariant(name: str) -> None:
    seen = explored("reference", name)
    assert seen.complete and not seen.violations


def test_expiry_comes_between_every_two_steps_of_the_run_loop() -> None:
    places = set()
    design = reference()
    situation = TIME.configurations["moving"]
    domain = TimeDomain("timers", runs=((0, 0),), ctls=(1,), merges=False)
    state = initial(TOPOLOGIES[situation.topology], design).time
    assert state is not None
    for action in (time.HostResumes(0, 0), *(time.TimerSteps(0) for _ in design.timer.run)):
        if time.time_guard(design.timer, state, action):
            state = time.time_step(design.timer, state, action)
        if any(isinstance(each, time.GuestWritesTval) for each in domain.of_processor(design, state, 0)):
            state = time.time_step(design.timer, state, time.GuestWritesTval(0, 2))
            state = time.time_step(design.timer, state, time.GuestWritesCtl(0, 1))
            state = time.time_step(design.timer, state, time.GuestTraps(0))
        possible = domain.of_processor(design, state, len(state.cores))
        if any(isinstance(each, time.TimePasses) for each in possible):
            places.add(state.vcpus[0].at)
    assert len(places) >= 8


def test_the_design_without_virtual_timers_violates_nothing_but_that_their_use_is_direct() -> None:
    seen = explored("without-vgic", "moving")
    assert seen.complete and set(seen.violations) == {"time.direct"}


@pytest.mark.parametrize("name", TOPOLOGIES_OF_TIME)
def test_a_hostile_walk_finds_nothing_wrong_with_the_reference(name: str) -> None:
    walked = walk_part(TIME, reference(), TIME.judged, TOPOLOGIES[name], seed=3, steps=800)
    assert walked.raised is None and not walked.violations


def test_a_hostile_walk_finds_linux_3_12_wrong() -> None:
    walked = walk_part(TIME, DESIGNS["linux-3.12"](), PROPERTIES, TOPOLOGIES["time-one"], seed=3, steps=800)
    assert "time.timer_kept" in walked.violations


@pytest.mark.parametrize("owners", ["sibling away", "sibling runs"])
@pytest.mark.parametrize(
    "case",
    ["run: first run of a new VM", "sync: arm the software timer", "block: sleep", "apart: WorkRuns0",
     "guest: GuestWritesTval", "apart: ClockStepped"],
)  # fmt: skip
def test_an_action_of_the_reference_keeps_every_invariant(case: str, owners: str) -> None:
    settled = OBLIGATIONS[f"time: {case}, {owners}"].settle()
    assert not settled.findings and not settled.vacuous
    assert dict(settled.asked)[INDUCTIVE.id] >= len(INVARIANTS)


@pytest.mark.parametrize(
    ("fault", "case"),
    [
        ("without/timer-exit-cntvoff", "guest: GuestTraps,"),
        ("without/timer-sync-arm-the-software-timer", "run: handle the exit"),
        ("end-not-linked", "guest: GuestCompletes"),
        ("without/timer-expire-early", "apart: SoftTimerExpires0"),
        ("late-timer-isr-overwrites-ctl", "host: TimerInterruptTaken"),
        ("D15", "sync: sample the timer"),
    ],
)
def test_a_planted_fault_breaks_the_induction(fault: str, case: str) -> None:
    planted = {o.name: o for o in time_obligations(resolve("reference", fault), (INDUCTIVE,))}
    found = [finding for name, each in planted.items() if case in name for finding in each.settle().findings]
    assert any(finding.decided for finding in found)


def test_every_invariant_holds_at_the_start_of_every_configuration() -> None:
    settled = OBLIGATIONS["time: at the start"].settle()
    assert not settled.findings and not settled.vacuous


def test_every_step_of_every_thread_is_a_case() -> None:
    design = reference().timer
    steps = {step.name for step in (*design.run, *design.block)}
    asked = {name.removeprefix("time: ").rpartition(", ")[0].removesuffix(" of a new VM") for name in OBLIGATIONS}
    assert steps <= asked


@pytest.mark.parametrize("name", ["time-one", "time-moving"])
def test_a_step_of_the_grain_commutes_with_whatever_else_happens(name: str) -> None:
    design = reference()
    seen = walk_part(TIME, design, (COMMUTES,), TOPOLOGIES[name], seed=7, steps=1500)
    assert seen.raised is None and not seen.violations
    assert TESTED


def commutes(design, before, action, after) -> bool:  # type: ignore[no-untyped-def]
    """Whether each step that belongs to the one before it could as well come behind what another one does."""
    old, timer = TimeState(*(getattr(before.time, name) for name in field_names(TimeState))), design.timer
    if isinstance(action, time.TimerSteps):
        return True
    for cpu, core in enumerate(old.cores):
        at = old.vcpus[core.vcpu].at
        step = step_at(timer, at) if core.busy and core.masked else None
        if step is None or step.do not in OWN or action.cpu == cpu:
            continue
        TESTED.add(step.do)
        first = time.time_step(timer, time.time_step(timer, old, time.TimerSteps(cpu)), action)
        then = time.time_step(timer, time.time_step(timer, old, action), time.TimerSteps(cpu))
        if first != then:
            return False
    return True


TESTED: set[Do] = set()
COMMUTES = Property(
    id="demo.commutes",
    statement="A step of the grain commutes with what others do.",
    claims=(),
    question="",
    kind=Kind.STEP,
    about=(time.TimeAction,),
    holds=commutes,
    interesting=lambda *_: True,
)


def test_the_conditions_of_a_property_judge_every_vcpu_that_there_may_be() -> None:
    design = reference()
    layout = Layout(1, ((3, True),))
    state = initial_time(layout, design.timer)
    uncovered = put_all(state.vcpus[2], ("own_ctl", "wait"), (1, Wait.ASLEEP))
    asleep = put(initial(TOPOLOGIES["time-one"], design), "time", put(state, "vcpus", (*state.vcpus[:2], uncovered)))
    assert not COVERED.holds(design, asleep, time.TimePasses(1, 1), asleep)
    assert not all(holds(design, asleep, time.TimePasses(1, 1), asleep) for holds in COVERED.conjuncts)
