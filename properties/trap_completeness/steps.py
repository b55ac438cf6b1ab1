"""What the properties of trap completeness ask of a step: where it led, what was executed, what changed."""

from collections.abc import Iterable
from typing import Any

from model.action import Action
from model.actions import GuestExecutes, HostExecutes
from model.design import Design
from model.state import State, Where
from spec.operations import (
    Operation,
)
from spec.processor import Processor
from spec.registers import read


def where(state: State, action: Action) -> Where:
    return state.processors[action.cpu].thread.where


def cpu_of(state: State, action: Action) -> Processor:
    return state.processors[action.cpu].cpu


def operation_of(action: Action) -> Operation:
    """The operation of an action that executes an instruction."""
    assert isinstance(action, GuestExecutes | HostExecutes)
    return action.instruction.operation


def always(design: Design, before: State, action: Action, after: State) -> bool:
    return True


def difference(before: Any, after: Any, names: Iterable[str]) -> str:
    """The first few registers in which two states differ, with their values."""
    found = [
        f"{name.upper()} {read(before, name):#x} -> {read(after, name):#x}"
        for name in names
        if read(before, name) != read(after, name)
    ]
    return ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
