"""What properties of time ask of a step: its states, what it does, and where the registers of a guest's timer are."""

from collections.abc import Callable
from functools import cache
from typing import Any

from model.action import Action
from model.state import State
from model.threads import vcpu_of
from model.timer.design import GUEST, Do, TimerDesign, after, place, step_at
from model.timer.state import TimeState, Vcpu
from model.timer.system import TimerSteps
from model.timer.timer import virtual_now
from spec.timer.timers import fires
from spec.words import bits, choose, either, every, implies, member


def time_of(state: State) -> TimeState:
    """The time of a configuration that is about it."""
    assert state.time is not None
    return state.time


def does(design: TimerDesign, state: TimeState, action: Action) -> Do | None:
    """What the step of a thread does that an action is; None where it is no such step."""
    if not isinstance(action, TimerSteps):
        return None
    step = step_at(design, vcpu_of(state, action.cpu).at)
    return None if step is None else step.do


@cache
def between(design: TimerDesign, load: Do, save: Do) -> frozenset[int]:
    """The program counters at which a register holds what one step loads and another one saves, the guest's among them.

    Without the one it starts with the guest, without the other it ends with it; without both there are none.
    """
    steps = [step.do for step in design.run]
    if load not in steps and save not in steps:
        return frozenset()
    entry = after(design, "run", Do.ENTER) - place("run")
    first = steps.index(load) + 1 if load in steps[:entry] else entry
    last = entry + steps[entry:].index(save) if save in steps[entry:] else entry - 1
    return frozenset({GUEST, *(place("run", index) for index in range(first, last + 1))})


def stands_on(state: TimeState, cpu: int, number: int) -> Any:
    """Whether the thread of a vCPU runs on a processor."""
    return every(state.cores[cpu].busy == 1, state.cores[cpu].vcpu == number)


def held(state: TimeState, number: int, name: str, places: frozenset[int]) -> Any:
    """A register of a vCPU's timer: the processor's at these program counters, else the saved one."""
    vcpu = state.vcpus[number]
    value = getattr(vcpu, name)
    loaded = member(vcpu.at, places)
    for cpu, core in enumerate(state.cores):
        value = choose(every(loaded, stands_on(state, cpu, number)), getattr(core, name), value)
    return value


def in_kernel(state: TimeState, number: int) -> Any:
    """Whether the VM of a vCPU has the in-kernel timer."""
    return state.vms[state.vcpus[number].vm].timer == 1


def wants(state: TimeState, number: int) -> Any:
    """Whether a guest's timer, as it has set it itself, is enabled and not masked."""
    return every(in_kernel(state, number), bits(state.vcpus[number].own_ctl, 1, 0) == 1)


def due(state: TimeState, number: int) -> Any:
    """Whether a guest's timer fires, as it has set it itself."""
    vcpu = state.vcpus[number]
    return every(in_kernel(state, number), fires(vcpu.own_ctl, vcpu.own_cval, virtual_now(state, number)))


def noted(vcpu: Vcpu) -> Any:
    """Whether the distributor knows that a vCPU's timer fires, or its guest has been told and is not done with it."""
    return either(vcpu.line == 1, vcpu.pending == 1, vcpu.listed > 0)


def of_each(state: TimeState, condition: Callable[[int], Any]) -> Any:
    """Whether something holds of every vCPU, by its number."""
    return every(*(condition(number) for number in range(len(state.vcpus))))


def in_guests(state: TimeState, condition: Callable[[int, int], Any]) -> Any:
    """Whether something holds of every guest that runs, by its processor's and its vCPU's number."""
    found = []
    for cpu in range(len(state.cores)):
        for number, vcpu in enumerate(state.vcpus):
            inside = every(stands_on(state, cpu, number), vcpu.at == GUEST)
            if inside is not False:
                found.append(implies(inside, condition(cpu, number)))
    return every(*found)
