"""The memory system as a part that the engines of concrete steps explore, search and walk through."""

from model.memory.state import MemoryState
from model.memory.system import MemoryAction, ThreadSteps
from model.system import Action
from properties.engines.parts.part import Part
from properties.memory.states import aspects


def processors(state: MemoryState) -> int:
    """How many processors there are."""
    return len(state.cores)


def runs_on(action: Action) -> bool:
    """Whether an action is the next step of the highvisor's thread."""
    return isinstance(action, ThreadSteps)


PART = Part("memory", MemoryAction, processors, runs_on, aspects)
