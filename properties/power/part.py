"""Power as a part that the engines of concrete steps explore, search and walk through."""

from model.action import Action
from model.power.state import PowerState
from model.power.system import HostTakesKick, PowerSteps
from properties import power
from properties.engines.parts.part import Part
from properties.power.configurations import CONFIGURATIONS
from properties.power.hostile import proposed
from properties.power.proofs import PROOFS
from properties.power.scenarios import SCENARIOS
from properties.power.states import aspects


def processors(state: PowerState) -> int:
    """How many processors and agents there are; agents are numbered behind the processors."""
    return len(state.cores) + len(state.agents)


def runs_on(action: Action) -> bool:
    """Whether an action is a thread's next step, or the host takes what has interrupted it there."""
    return isinstance(action, PowerSteps | HostTakesKick)


def names(state: PowerState, action: Action) -> bool:
    """Whether there are the vCPU and the VM that an action names."""
    return getattr(action, "vcpu", 0) < len(state.vcpus) and getattr(action, "vm", 0) < len(state.vms)


POWER = Part(
    name="power",
    title="power",
    depends=("power",),
    properties=power.PROPERTIES,
    invariants=None,
    proved_for="one vCPU and one processor",
    grain="a step with those behind it that touch only what the thread keeps for itself",
    configurations=CONFIGURATIONS,
    scenarios=SCENARIOS,
    processors=processors,
    runs_on=runs_on,
    names=names,
    aspects=aspects,
    proofs=PROOFS,
    proposed=proposed,
)
