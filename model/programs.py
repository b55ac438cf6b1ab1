"""Program counters of threads that go through a design's routines: where each step is, and where it goes on."""

from collections.abc import Collection
from enum import Enum
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen

from spec.words import U8

OUT, GUEST = 0xFE, 0xFF
"""Program counters outside the routines: a thread with nothing to do, and the guest."""


class Doing(Protocol):
    """A step of a routine, which does something of a kind."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def do(self) -> Enum:
        """What it does."""
        ...


S = TypeVar("S", bound=Doing, covariant=True)


class Routines(Generic[S]):
    """A design that has a field for each of its routines; it is hashable, so that what is derived from it is kept."""

    __slots__ = ()

    def steps(self, routine: str) -> tuple[S, ...]:
        """The steps of a routine, by its field's name."""
        found: tuple[S, ...] = getattr(self, routine)
        return found


@frozen
class Programs:
    """How routines are numbered: their names, and how many steps the longest may have."""

    routines: tuple[str, ...]
    longest: int

    def place(self, routine: str, index: int = 0) -> U8:
        """The program counter of a step."""
        return self.routines.index(routine) * self.longest + index

    def routine_at(self, at: U8) -> tuple[str, int] | None:
        """The routine and the position of a concrete program counter; None outside the routines."""
        if at >= len(self.routines) * self.longest:
            return None
        return self.routines[at // self.longest], at % self.longest

    def program(self, design: Routines[S]) -> tuple[S | None, ...]:
        """The step at each program counter; None outside the routines and behind a routine's last step."""
        return _listed(self, design)

    def step_at(self, design: Routines[S], at: U8) -> S | None:
        """The step at a concrete program counter; None outside the routines and behind a routine's last step."""
        found: S | None = _listed(self, design)[at]
        return found

    def after(self, design: Routines[S], routine: str, do: Enum) -> U8:
        """The program counter behind the first step of a kind; the routine's start where there is none."""
        found = (index + 1 for index, step in enumerate(design.steps(routine)) if step.do is do)
        return self.place(routine, next(found, 0))

    def behind(self, design: Routines[S], at: U8, kinds: Collection[Enum]) -> U8:
        """The next step of one of some kinds behind a program counter; the routine's end where there is none."""
        found = self.routine_at(at)
        assert found is not None
        steps = design.steps(found[0])
        there = (n for n in range(found[1] + 1, len(steps)) if steps[n].do in kinds)
        return self.place(found[0], next(there, len(steps)))

    def before(self, design: Routines[S], at: U8, do: Enum) -> U8:
        """The last step of a kind before a program counter; the counter itself where there is none."""
        found = self.routine_at(at)
        assert found is not None
        steps = design.steps(found[0])
        there = (n for n in range(found[1] - 1, -1, -1) if steps[n].do is do)
        return self.place(found[0], next(there, found[1]))

    def places(self, design: Routines[S], kinds: Collection[Enum]) -> frozenset[U8]:
        """The program counters of all steps of some kinds."""
        return frozenset(
            self.place(name, index)
            for name in self.routines
            for index, step in enumerate(design.steps(name))
            if step.do in kinds
        )

    def ends(self, design: Routines[S]) -> tuple[U8, ...]:
        """The program counters behind the last step of each routine."""
        return tuple(self.place(name, len(design.steps(name))) for name in self.routines)


@cache
def _listed(programs: Programs, design: Any) -> tuple[Any, ...]:
    found: list[Any] = [None] * (GUEST + 1)
    for routine in programs.routines:
        start, steps = programs.place(routine), design.steps(routine)
        found[start : start + len(steps)] = steps
    return tuple(found)


