"""Time as a part that the engines of concrete steps explore, search and walk through."""

from types import MappingProxyType

from model.action import Action
from model.design import Design
from model.timer.state import TimeState
from model.timer.system import HostTakesKick, TimeAction, TimerSteps
from properties import time
from properties.engines.parts.part import Part
from properties.time import drain
from properties.time.configurations import CONFIGURATIONS
from properties.time.hostile import proposed
from properties.time.inductive import INDUCTIVE
from properties.time.scenarios import SCENARIOS
from properties.time.states import aspects


def processors(state: TimeState) -> int:
    """How many processors there are, and one more for what is of none."""
    return len(state.cores) + 1


def runs_on(action: Action) -> bool:
    """Whether an action is a thread's next step, or the host takes what has interrupted it there."""
    return isinstance(action, TimerSteps | HostTakesKick)


def names(state: TimeState, action: Action) -> bool:
    """Whether there is the vCPU that an action names."""
    return getattr(action, "vcpu", 0) < len(state.vcpus)


def due(design: Design, state: TimeState, cpu: int) -> TimeAction | None:
    """What a processor, or what is of none, does next in the fair drain."""
    return drain.due(design.timer, state, cpu)


def due_then(design: Design, state: TimeState) -> TimeAction | None:
    """What follows where nobody has anything to do."""
    return drain.scheduled(design.timer, state)


TIME = Part(
    name="time",
    title="time",
    depends=time.DEPENDS,
    properties=time.PROPERTIES,
    invariants=INDUCTIVE,
    proved_for="any counts, compare values and registers of three vCPUs of two VMs on two processors, tick by tick; a "
    "virtual count does not wrap around while a thread of its VM is on its way to sleep or at the end of a wait",
    grain="a step with those of the world switch behind it, which read no clock; time passes up to what comes next, or "
    "to just before",
    configurations=CONFIGURATIONS,
    scenarios=SCENARIOS,
    processors=processors,
    runs_on=runs_on,
    names=names,
    aspects=aspects,
    proofs=MappingProxyType({}),
    proposed=proposed,
    due=due,
    due_then=due_then,
)
