"""The memory system as a part that the engines of concrete steps explore, search and walk through."""

from types import MappingProxyType

from model.action import Action
from model.memory.actions import ThreadSteps
from model.memory.state import MemoryState
from properties import memory
from properties.engines.parts.part import Part
from properties.memory.configurations import CONFIGURATIONS
from properties.memory.hostile import proposed
from properties.memory.inductive import INDUCTIVE
from properties.memory.scenarios import SCENARIOS
from properties.memory.states import aspects


def processors(state: MemoryState) -> int:
    """How many processors there are."""
    return len(state.cores)


def runs_on(action: Action) -> bool:
    """Whether an action is the next step of the highvisor's thread."""
    return isinstance(action, ThreadSteps)


def names(state: MemoryState, action: Action) -> bool:
    """Whether there are the vCPU, the VM and the slot that an action names."""
    there = getattr(action, "vcpu", 0) < len(state.vcpus) and getattr(action, "vm", 0) < len(state.vms)
    return there and getattr(action, "slot", 0) < 2


MEMORY = Part(
    name="memory",
    title="memory",
    depends=memory.DEPENDS,
    properties=memory.PROPERTIES,
    invariants=INDUCTIVE,
    proved_for="any memory, tables and VMIDs on two processors",
    grain="one step of a routine, one access or one load of a TLB",
    configurations=CONFIGURATIONS,
    scenarios=SCENARIOS,
    processors=processors,
    runs_on=runs_on,
    names=names,
    aspects=aspects,
    proofs=MappingProxyType({}),
    proposed=proposed,
)
