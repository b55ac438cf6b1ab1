"""Traces run again: where forced steps go, what violates, what is folded, and what a step changed."""

import pickle
from itertools import pairwise

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traced import CALL, HCR_STAYS, INTERLEAVED, REFERENCE, TRACE, access, start

from model.action import Action
from model.actions import (
    GuestExecutes,
    HighvisorHandles,
    HostExecutes,
    HostRunsVcpu,
    HypFaults,
    InterruptTaken,
    LowvisorSteps,
    SignalChanges,
)
from model.design import Design
from model.designs.catalogue import DESIGNS
from model.guards import forced, guard
from model.highvisor.exits import MemoryAnswer
from model.state import State
from model.system import step
from properties.property import Trace
from properties.traces import Stuck, changes, expand, fold, length, replayed, states
from properties.traces.changes import in_words
from spec.operations import FloatingPoint, Hvc, Instruction, Load, MemoryOutcome, Wfi, Yield
from spec.words import put


def eager(design: Design, state: State, actions: tuple[Action, ...]) -> list[tuple[Action, State]]:
    """The run in which each processor takes its forced steps at once."""
    run: list[tuple[Action, State]] = []
    for action in actions:
        way: Action | None = action
        while way is not None:
            state = step(design, state, way)
            run.append((way, state))
            way = forced(state, action.cpu)
    return run


@pytest.mark.parametrize("trace", [TRACE, INTERLEAVED])
def test_forced_steps_are_taken_after_each_action(trace: Trace) -> None:
    state0 = start(trace.topology)
    assert list(states(trace, REFERENCE, state0)) == eager(REFERENCE, state0, trace.actions)


def test_a_run_is_one_chain_of_states() -> None:
    run = expand(REFERENCE, start(), CALL)
    assert all(first.after is second.before for first, second in pairwise(run))


def test_every_step_of_a_run_was_possible() -> None:
    assert all(guard(REFERENCE, taken.before, taken.action) for taken in expand(REFERENCE, start(), CALL))


def test_the_chosen_actions_of_a_run_are_those_of_the_trace() -> None:
    run = expand(REFERENCE, start(), CALL)
    assert tuple(taken.action for taken in run if not taken.forced) == CALL


def test_an_answer_of_the_highvisor_is_given_at_its_exit() -> None:
    fault = Load(3, 0x1000, 0, MemoryOutcome.STAGE2_FAULT)
    actions = (HostRunsVcpu(0, 0), GuestExecutes(0, Instruction(fault)), HighvisorHandles(0, MemoryAnswer.DEVICE))
    run = expand(REFERENCE, start(), actions)
    assert [taken.action for taken in run if isinstance(taken.action, HighvisorHandles)] == [actions[-1]]


def test_a_fault_of_the_lowvisor_comes_at_the_first_step_that_can_fault() -> None:
    actions = (HostRunsVcpu(0, 0), GuestExecutes(0, Instruction(Hvc(0))), HypFaults(0))
    design = DESIGNS["linux-3.12"]()
    run = expand(design, start(design=design), actions)
    first = next(position for position, taken in enumerate(run) if guard(design, taken.before, HypFaults(0)))
    assert run[first].action == HypFaults(0)


def test_an_action_that_is_not_possible_is_named() -> None:
    actions = (HostRunsVcpu(0, 0), HostExecutes(0, Instruction(Yield())))
    with pytest.raises(Stuck, match=r"^action 2: HostExecutes is not possible: CPU0 executes a VM$"):
        expand(REFERENCE, start(), actions)


def test_a_processor_that_the_topology_lacks_is_named() -> None:
    with pytest.raises(Stuck, match="action 1: HostRunsVcpu names a processor or vCPU"):
        expand(REFERENCE, start(), (HostRunsVcpu(7, 0),))


def test_being_stuck_is_reported_across_processes() -> None:
    assert str(pickle.loads(pickle.dumps(Stuck(3, "no")))) == "action 3: no"


def test_a_trace_that_violates_says_where() -> None:
    found = replayed(TRACE, REFERENCE, start(), HCR_STAYS)
    assert found is not None
    assert found.transition.after.processors[0].cpu.hyp.hcr == 0


def test_a_trace_that_does_not_violate_says_nothing() -> None:
    trace = attrs.evolve(TRACE, actions=CALL[:2])
    assert replayed(trace, REFERENCE, start(), HCR_STAYS) is None


def test_a_property_is_asked_only_about_its_actions() -> None:
    prop = attrs.evolve(HCR_STAYS, about=(HostExecutes,), holds=lambda *_: False)
    assert replayed(TRACE, REFERENCE, start(), prop) is None


@pytest.mark.parametrize("trace", [TRACE, INTERLEAVED])
def test_folding_an_expanded_run_gives_its_chosen_actions(trace: Trace) -> None:
    run = expand(REFERENCE, start(trace.topology), trace.actions)
    assert fold(REFERENCE, start(trace.topology), (taken.action for taken in run)) == trace.actions


GUEST = (Instruction(Hvc(0)), Instruction(Wfi()), access("TPIDRURW"), Instruction(FloatingPoint(0, 0, 5)))


def possible_actions(state: State, design: Design) -> list[Action]:
    """What may happen on any processor, the forced steps first."""
    offered: list[Action] = []
    for cpu in range(len(state.processors)):
        way = forced(state, cpu)
        offered += [way] * 6 if way is not None else []
        offered += [HighvisorHandles(cpu, MemoryAnswer.DEVICE), HypFaults(cpu), InterruptTaken(cpu, "irq")]
        offered += [HostRunsVcpu(cpu, cpu), SignalChanges(cpu, "irq", 1), SignalChanges(cpu, "irq", 0)]
        offered += [GuestExecutes(cpu, instruction) for instruction in GUEST]
    return [action for action in offered if guard(design, state, action)]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_folded_run_is_the_same_run(data: st.DataObject) -> None:
    design, state0 = REFERENCE, start("two-processors")
    actions: list[Action] = []
    state = state0
    for _ in range(data.draw(st.integers(0, 30))):
        offered = possible_actions(state, design)
        action = offered[data.draw(st.integers(0, len(offered) - 1))]
        for _ in range(data.draw(st.integers(1, 90)) if action == forced(state, action.cpu) else 1):
            if guard(design, state, action):
                actions.append(action)
                state = step(design, state, action)
    run = expand(design, state0, fold(design, state0, actions))
    assert [taken.action for taken in run[: len(actions)]] == actions


def test_where_another_processor_gets_in_between_is_kept() -> None:
    early = (HostRunsVcpu(0, 0), *[LowvisorSteps(0)] * 5, HostRunsVcpu(1, 1), LowvisorSteps(0))
    run = expand(REFERENCE, start("two-processors"), early)
    assert [taken.action for taken in run[:7]] == list(early[:7])


def test_the_length_counts_chosen_actions_and_stored_runs() -> None:
    early = (HostRunsVcpu(0, 0), *[LowvisorSteps(0)] * 5, HostRunsVcpu(1, 1), LowvisorSteps(0))
    assert length(early) == 4


def test_equal_states_have_no_differences() -> None:
    assert changes(start(), start()) == []


def test_a_difference_is_found_by_its_path() -> None:
    before = start()
    physical = before.processors[0]
    cpu = put(physical.cpu, "cp15", put(physical.cpu.cp15, "dacr", 5))
    after = put(before, "processors", (put(physical, "cpu", cpu),))
    assert changes(before, after) == [("processors[0].cpu.cp15.dacr", physical.cpu.cp15.dacr, 5)]


def test_stacks_of_different_length_differ_as_a_whole() -> None:
    before = start()
    after = put(before, "processors", (put(before.processors[0], "stack", (1, 2)),))
    assert [str(change) for change in in_words(changes(before, after))] == ["Hyp stack  0 words -> 2 words"]


def test_what_properties_remember_is_not_shown() -> None:
    run = expand(REFERENCE, start(), CALL[:1])
    assert not any("called" in change.path for change in in_words(changes(run[0].before, run[0].after)))
