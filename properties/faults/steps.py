"""Faults of a part's routines: a step left out, and two neighbours exchanged."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from model.design import Design
from model.routines import position_of, swapped, without
from properties.faults.fault import Fault
from properties.faults.generated import slug
from spec.citations import Citation


class Cited(Protocol):
    """A step of a routine, with the code that it stands for."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def sources(self) -> tuple[Citation, ...]:
        """Where it is."""
        ...


S = TypeVar("S", bound=Cited)
Plant = Callable[[tuple[S, ...]], Callable[[Design], Design]]
"""From a routine, how to plant it in a design."""


def left_out(part: str, what: str, steps: tuple[S, ...], step: S, plant: Plant[S], scenarios: tuple[str, ...]) -> Fault:
    """A step left out; `what` says in words what the part is."""
    return Fault(
        f"without/{part}-{slug(step.name)}", f"'{step.name}' of {what}", f"'{step.name}' is left out of {what}",
        step.sources, plant(without(steps, step.name)), frozenset(), "step", scenarios,
    )  # fmt: skip


def exchanged(
    part: str, what: str, steps: tuple[S, ...], name: str, plant: Plant[S], scenarios: tuple[str, ...]
) -> Fault:
    """A step exchanged with the next one."""
    at = position_of(steps, name)
    step, other = steps[at], steps[at + 1]
    return Fault(
        f"swap/{part}-{slug(name)}/{slug(other.name)}", f"'{name}' before '{other.name}' in {what}",
        f"'{other.name}' comes before '{name}' in {what}", step.sources, plant(swapped(steps, name)), frozenset(),
        "order", scenarios,
    )  # fmt: skip
