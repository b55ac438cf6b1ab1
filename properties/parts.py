"""The parts of the system that are explored, searched and walked through in configurations of their own."""

from collections.abc import Iterable

from model.action import Action
from model.parts import system_part_of
from model.state import State
from properties.engines.parts.part import Part, Situation
from properties.hyp.part import HYP
from properties.interrupts.part import INTERRUPTS
from properties.memory.part import MEMORY
from properties.power.part import POWER
from properties.property import Property
from properties.time.part import TIME

PARTS: tuple[Part, ...] = (MEMORY, INTERRUPTS, TIME, POWER, HYP)


def part_of(prop: Property) -> Part | None:
    """The part that a property is about; none where it is about the spine or a table."""
    return next((part for part in PARTS if prop in part.judged), None)


def part_taking(action: Action) -> Part | None:
    """The part whose action it is; none where it is one of the spine."""
    found = system_part_of(action)
    return None if found is None else part_named(found.name)


def part_in(state: State) -> Part | None:
    """The part that a state is about; none where it is about the spine."""
    return next((part for part in PARTS if part.of(state) is not None), None)


def part_named(name: str) -> Part:
    """A part by its name, for workers, which receive names."""
    return next(part for part in PARTS if part.name == name)


def situations(names: Iterable[str]) -> list[tuple[Part, str, Situation]]:
    """The parts and the situations that a fault's scenarios name."""
    return [(part, name, part.scenarios[name]) for name in names for part in PARTS if name in part.scenarios]
