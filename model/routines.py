"""Routines as data: named steps in the order that a design holds, and how a repair or a fault changes that order."""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Named(Protocol):
    """A step of any kind of routine."""

    @property
    def name(self) -> str:
        """What it is called, as nothing else in its routine is."""
        ...


S = TypeVar("S", bound=Named)


def position_of(steps: Iterable[Named], name: str) -> int:
    """The position of the named step; raises LookupError where there is none."""
    for position, step in enumerate(steps):
        if step.name == name:
            return position
    raise LookupError(f"no step {name}")


def with_step(steps: tuple[S, ...], name: str, *replacement: S) -> tuple[S, ...]:
    """The routine with the named step replaced by others; raises LookupError where there is none of that name."""
    position = position_of(steps, name)
    return (*steps[:position], *replacement, *steps[position + 1 :])


def without(steps: tuple[S, ...], name: str) -> tuple[S, ...]:
    """The routine without the named step."""
    return with_step(steps, name)


def before_step(steps: tuple[S, ...], name: str, *added: S) -> tuple[S, ...]:
    """The routine with steps added before the named one."""
    position = position_of(steps, name)
    return (*steps[:position], *added, *steps[position:])


def after_step(steps: tuple[S, ...], name: str, *added: S) -> tuple[S, ...]:
    """The routine with steps added behind the named one."""
    position = position_of(steps, name) + 1
    return (*steps[:position], *added, *steps[position:])


def swapped(steps: tuple[S, ...], name: str) -> tuple[S, ...]:
    """The routine in which the named step changes places with the next one; raises LookupError where there is none."""
    position = position_of(steps, name)
    if position + 1 >= len(steps):
        raise LookupError(f"no step behind {name}")
    return (*steps[:position], steps[position + 1], steps[position], *steps[position + 2 :])
