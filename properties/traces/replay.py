"""Running a trace again: the forced steps between its actions, every state on the way, and whether it still violates.

A trace stores what was chosen. After each of its actions the processor takes its forced steps until it has a choice
again. A trace may also store an action in the middle of forced steps: a fault of the lowvisor, another answer of the
highvisor, or a forced step that is stored to fix where another processor gets in between. The processor then waits
there for its stored action, and takes forced steps only until that action is possible.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from attrs import frozen

from model.action import Action
from model.actions import HighvisorHandles, HypFaults, LowvisorSteps
from model.design import Design
from model.guards import forced, guard
from model.state import State
from model.system import step
from properties.parts import part_taking
from properties.property import Property, Trace
from properties.traces.codec import BadTrace

FUEL = 1024
"""The most forced steps taken around one action; a world switch out and in takes less than 200."""

WITHIN = (LowvisorSteps, HighvisorHandles, HypFaults)
"""The kinds of action that a processor takes in the middle of forced steps."""


class Stuck(BadTrace):
    """An action of a trace that is not possible where the trace takes it: `number` counts the actions from 1."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(number, reason)
        self.number = number

    def __str__(self) -> str:
        return f"action {self.number}: {self.args[1]}"


class Transition(NamedTuple):
    """One step of a run: the action, whether nobody chose it, and the states around it."""

    action: Action
    forced: bool
    before: State
    after: State


@frozen
class Violation:
    """Where a run violates a property: the position of the step in it, counted from 0, and what is wrong about it."""

    position: int
    transition: Transition
    explanation: str


def is_forced(action: Action) -> bool:
    """Whether nobody chooses the action: a step of the lowvisor, or of the highvisor with its usual answer."""
    return isinstance(action, LowvisorSteps) or (
        isinstance(action, HighvisorHandles) and action == HighvisorHandles(action.cpu)
    )


def expand(design: Design, state0: State, actions: Iterable[Action]) -> list[Transition]:
    """Every step of the run that the actions stand for, the forced ones included; Stuck where one is not possible.

    Forced steps that never end are cut off after `FUEL` of them.
    """
    given = tuple(actions)
    run: list[Transition] = []
    state = state0
    for number, (action, waits) in enumerate(zip(given, _waiting(given), strict=True), 1):
        if not named(state, action):
            raise Stuck(number, f"{type(action).__name__} names a processor or vCPU that the topology does not have")
        fuel = FUEL
        while not guard(design, state, action):
            way = _way_on(state, action.cpu)
            if way is None or fuel == 0:
                raise Stuck(number, _reason(state, action))
            state = _taken(run, design, state, way)
            fuel -= 1
        state = _taken(run, design, state, action)
        fuel = 0 if waits else FUEL
        while fuel and (way := forced(state, action.cpu)) is not None:
            state = _taken(run, design, state, way)
            fuel -= 1
    return run


def named(state: State, action: Action) -> bool:
    """Whether a configuration has the processor, the vCPU, the VM and the slot that an action names."""
    part = part_taking(action)
    if part is None:
        return action.cpu < len(state.processors) and getattr(action, "vcpu", 0) < len(state.vcpus)
    own = part.of(state)
    return own is not None and action.cpu < part.processors(own) and part.names(own, action)


def _waiting(actions: Sequence[Action]) -> list[bool]:
    """For each action, whether its processor waits afterwards, as its next stored action comes amid forced steps."""
    following: dict[int, Action] = {}
    waits = []
    for action in reversed(actions):
        waits.append(isinstance(following.get(action.cpu), WITHIN))
        following[action.cpu] = action
    return waits[::-1]


def _taken(run: list[Transition], design: Design, state: State, action: Action) -> State:
    after = step(design, state, action)
    run.append(Transition(action, is_forced(action), state, after))
    return after


def _way_on(state: State, cpu: int) -> Action | None:
    """The forced action to take first: the given processor's, else that of the lowest-numbered one that has one."""
    first = forced(state, cpu)
    if first is not None:
        return first
    return next((way for other in range(len(state.processors)) if (way := forced(state, other)) is not None), None)


def _reason(state: State, action: Action) -> str:
    if part_taking(action) is not None:
        return f"{type(action).__name__} is not possible on CPU{action.cpu} there"
    where = state.processors[action.cpu].thread.where
    return f"{type(action).__name__} is not possible: CPU{action.cpu} executes {where.value}"


def fold(design: Design, state0: State, actions: Iterable[Action]) -> tuple[Action, ...]:
    """The actions of a complete run without the forced ones that `expand` takes by itself in the same places.

    Where the run ends amid forced steps, the result stands for a run that goes on to their end. Stuck where an action
    is not possible.
    """
    run = _stepped(design, state0, actions)
    kept: list[Action] = []
    position = 0
    while position < len(run):
        end = position
        while end < len(run) and run[end].forced and run[end].action.cpu == run[position].action.cpu:
            end += 1
        if end == position:
            kept.append(run[position].action)
            end += 1
        else:
            kept += _not_implied(design, run, position, end)
        position = end
    return (*kept, *_left_behind(run))


def _left_behind(run: Sequence[Transition]) -> list[Action]:
    """A forced action for each processor that the end of the run finds amid forced steps while another one acted."""
    if not run:
        return []
    last = run[-1]
    ways = (forced(last.after, cpu) for cpu in range(len(last.after.processors)))
    return [way for way in ways if way is not None and way.cpu != last.action.cpu]


def _stepped(design: Design, state0: State, actions: Iterable[Action]) -> list[Transition]:
    run: list[Transition] = []
    state = state0
    for number, action in enumerate(actions, 1):
        if not guard(design, state, action):
            raise Stuck(number, _reason(state, action))
        state = _taken(run, design, state, action)
    return run


def _not_implied(design: Design, run: Sequence[Transition], first: int, end: int) -> list[Action]:
    """What to store of the forced steps run[first:end] of one processor."""
    cpu = run[first].action.cpu
    continues = first > 0 and run[first - 1].action.cpu == cpu
    if end == len(run) or forced(run[end].before, cpu) is None:
        return [] if continues else [run[first].action]
    following = run[end].action
    if following.cpu != cpu:
        return [taken.action for taken in run[first:end]]
    while end > first and not guard(design, run[end - 1].before, following):
        end -= 1
    return [taken.action for taken in run[first:end]]


def length(actions: Iterable[Action]) -> int:
    """The length of a trace: its chosen actions, and each run of forced ones of one processor that it stores.

    A run of the steps of one processor's thread counts as one, too.
    """
    count, previous = 0, -1
    for action in actions:
        runs_on = is_forced(action) or thread_runs(action)
        count += not runs_on or action.cpu != previous
        previous = action.cpu if runs_on else -1
    return count


def thread_runs(action: Action) -> bool:
    """Whether an action is the next step of a thread, of which a run counts as one action."""
    part = part_taking(action)
    return part is not None and part.runs_on(action)


def states(trace: Trace, design: Design, state0: State) -> tuple[tuple[Action, State], ...]:
    """Each action of the run, forced ones included, with the state after it; Stuck where one is not possible."""
    return tuple((taken.action, taken.after) for taken in expand(design, state0, trace.actions))


def first_violation(design: Design, property: Property, run: Sequence[Transition]) -> Violation | None:
    """The first step of a run that violates the property, or None where it holds of every step."""
    for position, taken in enumerate(run):
        concerned = isinstance(taken.action, property.about)
        if concerned and not property.holds(design, taken.before, taken.action, taken.after):
            explanation = property.explain(design, taken.before, taken.action, taken.after)
            return Violation(position, taken, explanation)
    return None


def replayed(trace: Trace, design: Design, state0: State, property: Property) -> Violation | None:
    """Whether the trace still violates the property, and where; None where it does not.

    Stuck where an action of it is not possible any more.
    """
    return first_violation(design, property, expand(design, state0, trace.actions))
