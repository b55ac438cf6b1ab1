"""The grain of explorations and searches of time: which steps belong to the one before them.

The world switch's accesses to the timer read no clock and touch nothing that anybody else does, so that whatever comes
between two of them could have come before the first or behind the last. The host takes a kick as soon as it can.
"""

from functools import cache

from model.timer.design import Do, TimerDesign, program
from model.timer.state import TimeState
from model.timer.system import HostTakesKick, TimeAction, TimerSteps, time_guard, time_step

OWN = frozenset(
    {
        Do.LOAD_CNTHCTL, Do.LOAD_CNTVOFF, Do.LOAD_CVAL, Do.LOAD_CTL, Do.ENTER, Do.STOP, Do.SAVE_CVAL,
        Do.CLEAR_CNTVOFF, Do.RESTORE_CNTHCTL, Do.FINISH_WAIT,
    }
)  # fmt: skip
"""Steps that touch only what nobody else does, and read no clock."""


@cache
def inner(design: TimerDesign) -> frozenset[int]:
    """The program counters of steps that belong to the step before."""
    return frozenset(at for at, step in enumerate(program(design)) if step is not None and step.do in OWN)


def forced_on(design: TimerDesign, state: TimeState, cpu: int) -> TimeAction | None:
    """The step of a processor that belongs to the one before it, if it has one and can take it."""
    if cpu >= len(state.cores):
        return None
    core = state.cores[cpu]
    if core.irq == 1 and core.masked == 0:
        return HostTakesKick(cpu)
    if core.busy == 0 or core.masked == 0 or state.vcpus[core.vcpu].at not in inner(design):
        return None
    step = TimerSteps(cpu)
    return step if time_guard(design, state, step) else None


def forced(design: TimerDesign, state: TimeState) -> TimeAction | None:
    """The step that belongs to the one before it, of the lowest processor that has one."""
    return next(filter(None, (forced_on(design, state, cpu) for cpu in range(len(state.cores)))), None)


def merged(design: TimerDesign, state: TimeState, action: TimeAction) -> TimeState:
    """The state after an action and the steps that belong to it."""
    state = time_step(design, state, action)
    while (step := forced(design, state)) is not None:
        state = time_step(design, state, step)
    return state
