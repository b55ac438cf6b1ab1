"""What properties of the memory system ask of a step: its states, its thread, and where a guest's access comes out."""

from functools import cache
from typing import Any

from model.action import Action
from model.memory.actions import GuestAccesses
from model.memory.design import LONGEST, ROUTINES, Do, MemoryDesign, place, step_at
from model.memory.hardware import Reached, reached, translated_gfn
from model.memory.state import Core, MemoryState
from model.state import State
from spec.words import member


def memory_of(state: State) -> MemoryState:
    """The memory system of a configuration that is about it."""
    assert state.memory is not None
    return state.memory


def does(design: MemoryDesign, state: MemoryState, action: Action) -> Do | None:
    """What the thread's next step does, where the program counter is concrete."""
    step = step_at(design, state.cores[action.cpu].at)
    return None if step is None else step.do


def routine(core: Core) -> str:
    """The routine of a concrete program counter; empty outside the routines."""
    number = core.at // LONGEST
    return ROUTINES[number] if number < len(ROUTINES) else ""


@cache
def places_of(design: MemoryDesign, kinds: tuple[Do, ...]) -> frozenset[int]:
    """The program counters of the steps of these kinds."""
    steps = ((name, index, step) for name in ROUTINES for index, step in enumerate(design.steps(name)))
    return frozenset(place(name, index) for name, index, step in steps if step.do in kinds)


def at_any(design: MemoryDesign, core: Core, *kinds: Do) -> Any:
    """Whether the processor's next step is one of these kinds, as one formula."""
    places = places_of(design, kinds)
    return core.at in places if isinstance(core.at, int) else member(core.at, places)


def comes_out(state: MemoryState, action: GuestAccesses) -> tuple[int, Reached]:
    """The IPA page of a guest's access in the state before it, and where it comes out."""
    gfn = translated_gfn(state, action.cpu, action.access)
    return gfn, reached(state, action.cpu, gfn, action.access)
