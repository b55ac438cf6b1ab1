"""The exploration of states as one number: it sees what a plain one sees, over the project's own rules."""

from collections import deque
from functools import partial

import pytest

from benchmarks import list_registers
from benchmarks.commands import Refused
from benchmarks.compact import BITS, Counted, Group, Invariant, Parts, Remembered, count_states, mask_of, together
from benchmarks.peers import agree


def plainly(groups: tuple[Group, ...], start: Parts) -> tuple[int, int]:
    """How many states and transitions there are, each state a tuple and each action taken anew."""
    seen, waiting, transitions = {start}, deque([start]), 0
    while waiting:
        state = waiting.popleft()
        for group in groups:
            for _, change in group.actions:
                after = change(state)
                transitions += after is not None
                if after is not None and after not in seen:
                    seen.add(after)
                    waiting.append(after)
    return len(seen), transitions


def fewer() -> tuple[Group, ...]:
    """The actions of list registers that concern the first and the last interrupt."""
    return tuple(
        Group(group.reads, tuple(a for a in group.actions if "41" not in a[0] and "42" not in a[0]))
        for group in list_registers.groups()
    )


def test_as_many_states_and_transitions_as_a_plain_exploration() -> None:
    start = list_registers.start()
    found = count_states(start, fewer(), list_registers.invariants())
    assert (found.states, found.transitions) == plainly(fewer(), start)
    assert found.violations == {}


def test_the_whole_model_has_31_actions_and_as_many_states_as_in_other_tools() -> None:
    groups = list_registers.groups()
    found = count_states(list_registers.start(), groups, list_registers.invariants())
    assert sum(len(group.actions) for group in groups) == 31
    assert (found.states, found.transitions, found.violations) == (123_648, 757_760, {})


def own(component: int) -> Remembered:
    """What it knows is the component."""
    return Remembered(mask_of((component,)), lambda state: (state >> BITS * component & (1 << BITS) - 1,))


def test_lookups_are_shared_as_long_as_they_leave_out_a_component() -> None:
    state = 7 | 8 << BITS | 9 << 2 * BITS
    first, second = together((own(0), own(1), own(2)), 3)
    assert (first.of(state), second.of(state)) == ((7, 8), (9,))
    assert first.mask == mask_of((0, 1))


def up(most: int, parts: Parts) -> Parts | None:
    return None if parts[0] == most else (parts[0] + 1, *parts[1:])


def test_a_violation_comes_with_a_shortest_run() -> None:
    groups = (Group((0,), (("up", partial(up, 5)),)), Group((1,), (("flip", lambda p: (p[0], 1 - p[1])),)))
    low = Invariant("low", (0,), lambda parts: parts[0] < 3)
    found = count_states((0, 0), groups, (low,))
    assert (found.states, found.violations) == (12, {"low": ("up", "up", "up")})


def test_another_number_of_states_is_refused() -> None:
    own = Counted(10, 20, 3, 1.0, {}, 5)
    agree("TLC", own, 10)
    with pytest.raises(Refused, match="TLC found 11 states"):
        agree("TLC", own, 11)
