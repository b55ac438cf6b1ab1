"""Complete exploration of small transition systems whose steps touch few components: a state is one whole number.

A state is a tuple of components, and each component has a number, so that all of them fit into one. The actions come in
groups that read the same components. What a group does to a state depends on the bits of these alone: it is found out
once, by the same pure functions as ever, and kept as the differences that its actions add to the number.

It explores the small model that other tools are compared with. What is checked of KVM/ARM goes through the engines of
`properties/engines/parts`, which tell more states apart and are slower.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

BITS = 20
"""How many bits a component has: fewer than a million values of each are told apart."""
Parts = tuple[Any, ...]
"""The components of a state."""


@frozen
class Group:
    """Actions that read and change the same components: a name for each, and what becomes of these components.

    `after` gets all the components, and may look at those of `reads` alone. It gives None where it is not possible.
    """

    reads: tuple[int, ...]
    actions: tuple[tuple[str, Callable[[Parts], Parts | None]], ...]


@frozen
class Invariant:
    """A condition on some components."""

    name: str
    reads: tuple[int, ...]
    holds: Callable[[Parts], bool]


@frozen
class Counted:
    """What a complete exploration has found: for each invariant that is violated, the actions of a shortest run."""

    states: int
    transitions: int
    depth: int
    seconds: float
    violations: Mapping[str, tuple[str, ...]]
    evaluations: int
    """How often a step or an invariant was evaluated; all else was remembered."""


@define(eq=False)
class Numbers:
    """Numbers for the values of components, and states as one number."""

    known: dict[Hashable, int] = field(factory=dict)
    values: list[Any] = field(factory=list)
    evaluations: int = 0

    def packed(self, parts: Parts) -> int:
        """A state as one number."""
        return sum(self.number(part) << BITS * position for position, part in enumerate(parts))

    def number(self, value: Hashable) -> int:
        """The number of a component; raises OverflowError where there are too many."""
        found = self.known.get(value)
        if found is None:
            found = self.known[value] = len(self.values)
            self.values.append(value)
            if found >> BITS:
                raise OverflowError(f"more than {1 << BITS} values of components")
        return found

    def parts(self, state: int, count: int) -> Parts:
        """The components of a state."""
        return tuple(self.values[state >> BITS * position & (1 << BITS) - 1] for position in range(count))


def mask_of(reads: Iterable[int]) -> int:
    """The bits of some components."""
    return sum((1 << BITS) - 1 << BITS * position for position in reads)


def count_states(start: Parts, groups: Sequence[Group], invariants: Sequence[Invariant]) -> Counted:
    """Every state that is reachable, those of fewest actions first, and the first violation of each invariant."""
    began, numbers, count = time.monotonic(), Numbers(), len(start)
    first = numbers.packed(start)
    differences: list[tuple[int, dict[int, tuple[int, ...]], Group]] = [(mask_of(g.reads), {}, g) for g in groups]
    conditions: list[tuple[int, dict[int, bool], Invariant]] = [(mask_of(i.reads), {}, i) for i in invariants]
    parents: dict[int, int] = {first: first}
    broken: dict[str, int] = {}
    level, transitions, depth = [first], 0, 0
    while level:
        for state in level:
            for mask, found, condition in conditions:
                holds = found.get(state & mask)
                if holds is None:
                    numbers.evaluations += 1
                    holds = found[state & mask] = condition.holds(numbers.parts(state, count))
                if not holds:
                    broken.setdefault(condition.name, state)
        following: list[int] = []
        for state in level:
            for mask, known, group in differences:
                ways = known.get(state & mask)
                if ways is None:
                    ways = known[state & mask] = learned(numbers, state, group, count)
                transitions += len(ways)
                for way in ways:
                    after = state + way
                    if after not in parents:
                        parents[after] = state
                        following.append(after)
        level, depth = following, depth + 1
    violations = {name: way_to(numbers, parents, groups, state, count) for name, state in broken.items()}
    seconds = time.monotonic() - began
    return Counted(len(parents), transitions, depth, seconds, violations, numbers.evaluations)


def learned(numbers: Numbers, state: int, group: Group, count: int) -> tuple[int, ...]:
    """What the actions of a group that are possible add to a state's number."""
    parts = numbers.parts(state, count)
    numbers.evaluations += len(group.actions)
    after = (change(parts) for _, change in group.actions)
    return tuple(numbers.packed(found) - state for found in after if found is not None)


def way_to(
    numbers: Numbers, parents: Mapping[int, int], groups: Sequence[Group], state: int, count: int
) -> tuple[str, ...]:
    """The names of the actions from the initial state to a state."""
    way: list[str] = []
    while (before := parents[state]) != state:
        parts = numbers.parts(before, count)
        made = ((name, change(parts)) for group in groups for name, change in group.actions)
        way.append(next(name for name, after in made if after is not None and numbers.packed(after) == state))
        state = before
    return tuple(reversed(way))
