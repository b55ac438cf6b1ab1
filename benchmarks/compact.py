"""Complete exploration of small transition systems whose steps touch few components: a state is one whole number.

A state is a tuple of components, and each component has a number, so that all of them fit into one. The actions come in
groups that read the same components. What a group does to a state depends on the bits of these alone: it is found out
once, by the same pure functions as ever, and kept as the differences that its actions add to the number. What several
groups do is kept together as well, as long as they leave out a component, and so is what invariants say: of most states
all is known after a few lookups.

It explores the small model that other tools are compared with. What is checked of KVM/ARM goes through the engines of
`properties/engines/parts`, which tell more states apart and are slower.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
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


@define(eq=False)
class Remembered:
    """What is known of some bits of a state, as a tuple: it is found out once for each of their values."""

    mask: int
    find: Callable[[int], tuple[Any, ...]]
    known: dict[int, tuple[Any, ...]] = field(factory=dict)

    def of(self, state: int) -> tuple[Any, ...]:
        """What is known of these bits of a state, found out if need be."""
        bits = state & self.mask
        found = self.known.get(bits)
        if found is None:
            found = self.known[bits] = self.find(state)
        return found


def together(singly: Iterable[Remembered], count: int) -> list[Remembered]:
    """The same in fewer lookups: each joins the first ones with which it still leaves out one of the components."""
    whole, bundles = mask_of(range(count)), list[list[Remembered]]()
    masks: list[int] = []
    for single in singly:
        at = next((n for n, mask in enumerate(masks) if mask | single.mask != whole), len(masks))
        if at == len(masks):
            masks.append(0)
            bundles.append([])
        masks[at] |= single.mask
        bundles[at].append(single)
    return [Remembered(mask, partial(joined, tuple(some))) for mask, some in zip(masks, bundles, strict=True)]


def joined(singly: tuple[Remembered, ...], state: int) -> tuple[Any, ...]:
    """What all of them say of a state, one after the other."""
    return tuple(chain.from_iterable(single.of(state) for single in singly))


def mask_of(reads: Iterable[int]) -> int:
    """The bits of some components."""
    return sum((1 << BITS) - 1 << BITS * position for position in reads)


def count_states(start: Parts, groups: Sequence[Group], invariants: Sequence[Invariant]) -> Counted:
    """Every state that is reachable, those of fewest actions first, and the first violation of each invariant."""
    began, numbers, count = time.monotonic(), Numbers(), len(start)
    first = numbers.packed(start)
    steps = together((Remembered(mask_of(g.reads), partial(learned, numbers, g, count)) for g in groups), count)
    checks = together((Remembered(mask_of(i.reads), partial(breached, numbers, i, count)) for i in invariants), count)
    looked_up = [(step.mask, step.known, step) for step in steps]
    parents: dict[int, int] = {first: first}
    broken: dict[str, int] = {}
    level, transitions, depth = [first], 0, 0
    while level:
        for check in checks:
            mask, known = check.mask, check.known
            for state in level:
                names = known.get(state & mask)
                for name in check.of(state) if names is None else names:
                    broken.setdefault(name, state)
        following: list[int] = []
        for state in level:
            for mask, known, step in looked_up:
                ways = known.get(state & mask)
                if ways is None:
                    ways = step.of(state)
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


def learned(numbers: Numbers, group: Group, count: int, state: int) -> tuple[int, ...]:
    """What the actions of a group that are possible add to a state's number."""
    parts = numbers.parts(state, count)
    numbers.evaluations += len(group.actions)
    after = (change(parts) for _, change in group.actions)
    return tuple(numbers.packed(found) - state for found in after if found is not None)


def breached(numbers: Numbers, invariant: Invariant, count: int, state: int) -> tuple[str, ...]:
    """The name of an invariant that does not hold in a state."""
    numbers.evaluations += 1
    return () if invariant.holds(numbers.parts(state, count)) else (invariant.name,)


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
