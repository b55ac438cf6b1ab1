"""Running a trace again: the forced steps between its actions, every state on the way, and whether it still violates.

A trace stores what was chosen. Before an action that is not possible yet, the forced steps of its processor are taken
until it is; where its processor has none, those of the lowest-numbered processor that has one. After the last action
every processor takes its forced steps. A forced action may also be stored, which fixes where another gets in between.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from attrs import frozen

from model.design import Design
from model.state import State
from model.system import Action, HighvisorHandles, LowvisorSteps, forced, guard, step
from properties.property import Property, Trace
from properties.traces.codec import BadTrace

FUEL = 1024
"""The most forced steps taken for one action; a world switch out and in takes less than 200."""


class Stuck(BadTrace):
    """An action of a trace that is not possible where the trace takes it: `number` counts the actions from 1."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"action {number}: {reason}")
        self.number = number


class Transition(NamedTuple):
    """One step of a run: the action, whether nobody chose it, and the states around it."""

    action: Action
    forced: bool
    before: State
    after: State


@frozen
class Violation:
    """Where a run violates a property: the position of the step in the run, counted from 0, and what is wrong about it."""

    position: int
    transition: Transition
    explanation: str


def is_forced(action: Action) -> bool:
    """Whether the action is one that nobody chooses: a step of the lowvisor, or of the highvisor with its usual answer."""
    return isinstance(action, LowvisorSteps) or (
        isinstance(action, HighvisorHandles) and action == HighvisorHandles(action.cpu)
    )


def expand(design: Design, state0: State, actions: Iterable[Action]) -> list[Transition]:
    """Every step of the run that the actions stand for, the forced ones included; Stuck where an action is not possible.

    A run whose forced steps never end is cut off behind its last action after `FUEL` of them.
    """
    run: list[Transition] = []
    state = state0
    for number, action in enumerate(actions, 1):
        if action.cpu >= len(state.processors) or getattr(action, "vcpu", 0) >= len(state.vcpus):
            raise Stuck(number, f"{type(action).__name__} names a processor or vCPU that the topology does not have")
        fuel = FUEL
        while not guard(design, state, action):
            way = _way_on(state, action.cpu)
            if way is None or fuel == 0:
                raise Stuck(number, _reason(state, action))
            state = _taken(run, design, state, way)
            fuel -= 1
        state = _taken(run, design, state, action)
    for _ in range(FUEL):
        way = _way_on(state, 0)
        if way is None:
            break
        state = _taken(run, design, state, way)
    return run


def _taken(run: list[Transition], design: Design, state: State, action: Action) -> State:
    after = step(design, state, action)
    run.append(Transition(action, is_forced(action), state, after))
    return after


def _way_on(state: State, cpu: int) -> Action | None:
    """The forced action that is taken first: of the given processor, else of the lowest-numbered one that has one."""
    first = forced(state, cpu)
    if first is not None:
        return first
    return next((way for other in range(len(state.processors)) if (way := forced(state, other)) is not None), None)


def _reason(state: State, action: Action) -> str:
    where = state.processors[action.cpu].thread.where
    return f"{type(action).__name__} is not possible: CPU{action.cpu} executes {where.value}"


def fold(design: Design, state0: State, actions: Iterable[Action]) -> tuple[Action, ...]:
    """The actions without the forced ones that `expand` takes by itself in the same places.

    Forced steps behind the last chosen action are left out although the run then goes on to their end.
    """
    given = tuple(actions)
    run = expand(design, state0, given)
    if [taken.action for taken in run[: len(given)]] != list(given):
        raise Stuck(1, "the actions to fold are not complete")
    kept: list[Action] = []
    pending: list[Transition] = []
    for taken in run[: len(given)]:
        if taken.forced:
            pending.append(taken)
            continue
        kept += _not_implied(design, pending, taken.action)
        kept.append(taken.action)
        pending = []
    return (*kept, *_not_implied(design, pending, None))


def _not_implied(design: Design, pending: Sequence[Transition], action: Action | None) -> list[Action]:
    """The forced actions to store before an action: all but the last ones, which `expand` takes by itself."""
    first = len(pending)
    while first > 0:
        before = pending[first - 1].before
        possible = action is not None and guard(design, before, action)
        if possible or pending[first - 1].action != _way_on(before, action.cpu if action else 0):
            break
        first -= 1
    return [taken.action for taken in pending[:first]]


def length(actions: Iterable[Action]) -> int:
    """The length of a trace: its chosen actions, and each run of forced ones of one processor that it stores."""
    count, previous = 0, -1
    for action in actions:
        count += not is_forced(action) or action.cpu != previous
        previous = action.cpu if is_forced(action) else -1
    return count


def states(trace: Trace, design: Design, state0: State) -> tuple[tuple[Action, State], ...]:
    """Each action of the run, forced ones included, with the state after it; Stuck where one is not possible."""
    return tuple((taken.action, taken.after) for taken in expand(design, state0, trace.actions))


def first_violation(design: Design, property: Property, run: Sequence[Transition]) -> Violation | None:
    """The first step of a run that violates the property, or None where it holds of every step."""
    for position, taken in enumerate(run):
        if not property.holds(design, taken.before, taken.action, taken.after):
            explanation = property.explain(design, taken.before, taken.action, taken.after)
            return Violation(position, taken, explanation)
    return None


def replayed(trace: Trace, design: Design, state0: State, property: Property) -> Violation | None:
    """Whether the trace still violates the property, and where; None where it does not.

    Stuck where an action of it is not possible any more.
    """
    return first_violation(design, property, expand(design, state0, trace.actions))
