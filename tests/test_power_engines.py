"""Exploring and walking through power: the reference holds, what is planted is found, and what is merged commutes."""

from collections import Counter
from random import Random

import pytest
from attrs import evolve

from model.designs.catalogue import reference
from model.power.design import PROGRAMS
from model.power.system import PowerAction, PowerSteps, power_guard, power_step
from model.threads import at_of
from model.topology import TOPOLOGIES, initial
from properties import power
from properties.engines.parts.explore import explore_part
from properties.engines.parts.walk import walk_part
from properties.faults.catalogue import FAULT
from properties.power.configurations import CONFIGURATIONS
from properties.power.grain import forced
from properties.power.part import POWER
from properties.power.scenarios import SCENARIOS
from tests.test_parts import Plain, plainly_explored

DESIGN = reference()
SMALL = ("new", "life")
TELLING = (("user-sets-hyp-mode-cpsr", "life"), ("ioctl-before-vcpu-init", "new"))
"""Which fault shows in which of them."""


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("fault", [None, "user-sets-hyp-mode-cpsr", "ioctl-before-vcpu-init"])
def test_an_exploration_sees_what_a_plain_one_sees(name: str, fault: str | None) -> None:
    design = DESIGN if fault is None else FAULT[fault].plant(DESIGN)
    situation = CONFIGURATIONS[name]
    seen = explore_part(POWER, design, power.PROPERTIES, situation.topology, situation.domain)
    found = Plain(seen.states, seen.transitions, frozenset(seen.violations), seen.met)
    assert found == plainly_explored(POWER, design, power.PROPERTIES, situation)
    assert bool(seen.violations) is ((fault, name) in TELLING)


@pytest.mark.parametrize("name", [topology.name for topology in POWER.topologies])
def test_a_hostile_walk_breaks_nothing_and_raises_nothing(name: str) -> None:
    walked = walk_part(POWER, DESIGN, power.PROPERTIES, TOPOLOGIES[name], seed=1, steps=1500)
    assert (walked.violations, walked.raised, walked.steps) == ({}, None, 1500)


def orders(name: str, runs: int, steps: int) -> Counter[str]:
    """How often, in random runs at the smallest grain, a step that is merged and another action do not commute."""
    situation, random, found = SCENARIOS[name], Random(1), Counter[str]()
    domain, design = evolve(situation.domain, merges=False), DESIGN.power
    start = initial(TOPOLOGIES[situation.topology], DESIGN).power
    for _ in range(runs):
        state = start
        assert state is not None
        for _ in range(steps):
            cpus = range(POWER.processors(state))
            actions = [action for cpu in cpus for action in domain.of_processor(DESIGN, state, cpu)]
            if not actions:
                break
            merged = forced(design, state, situation.domain.unseen)
            for other in actions if merged is not None else ():
                if merged is not None and other.cpu != merged.cpu:
                    first, second = power_step(design, state, merged), power_step(design, state, other)
                    possible = power_guard(design, first, other) and power_guard(design, second, merged)
                    alike = possible and power_step(design, first, other) == power_step(design, second, merged)
                    found["" if alike else f"{told(state, merged)} and {told(state, other)}"] += 1
            state = power_step(design, state, random.choice(actions))
    return found


def told(state: object, action: PowerAction) -> str:
    """What an action is, in a word."""
    step = PROGRAMS.step_at(DESIGN.power, at_of(state, action.cpu)) if isinstance(action, PowerSteps) else None  # type: ignore[arg-type]
    return type(action).__name__ if step is None else step.do.name


TAKEN_AGAIN = {"HostTakesKick and UserInterruptsVcpu", "HostTakesKick and KICK_ONE"}
"""An interrupt that comes behind is taken as well, at once."""
SIGNALLED = {f"{step} and UserInterruptsVcpu" for step in ("MASK_IRQS", "UNMASK_IRQS", "HANDLE_EXIT")}
"""A signal's interrupt that comes while interrupts are masked waits until they are not, and a thread that goes to user
space has taken its signal."""


@pytest.mark.parametrize("name", ["off and on", "racing", "stopping and starting", "signals", "restoring", "a sleeper"])
def test_what_is_merged_commutes_with_what_others_do(name: str) -> None:
    found = orders(name, runs=6, steps=200)
    assert found[""] > 0
    assert set(found) - {""} <= TAKEN_AGAIN | SIGNALLED
