"""Delta debugging of a counterexample: what is left of it when every action that it can do without is deleted."""

import time

from model.action import Action
from model.design import Design
from model.guards import forced, guard
from model.state import State
from model.system import step
from properties.engines.course import Run
from properties.property import Property
from properties.traces.replay import FUEL, WITHIN, Stuck, expand, first_violation


def violates(design: Design, start: State, actions: Run, prop: Property) -> bool:
    """Whether the run that the actions stand for violates the property; not where one of them is impossible."""
    try:
        return first_violation(design, prop, expand(design, start, actions)) is not None
    except Stuck:
        return False


def carried_out(design: Design, start: State, actions: Run, prop: Property) -> Run | None:
    """Those of the actions that are possible in their turn, up to the violation of the property; None without one."""
    state, done = start, list[Action]()

    def violated(action: Action) -> bool:
        nonlocal state
        before, state = state, step(design, state, action)
        return isinstance(action, prop.about) and not prop.holds(design, before, action, state)

    for position, action in enumerate(actions):
        for _ in range(FUEL):
            way = forced(state, action.cpu)
            if guard(design, state, action) or way is None:
                break
            if violated(way):
                return tuple(done)
        if not guard(design, state, action):
            continue
        done.append(action)
        if violated(action):
            return tuple(done)
        following = next((later for later in actions[position + 1 :] if later.cpu == action.cpu), None)
        for _ in range(0 if isinstance(following, WITHIN) else FUEL):
            way = forced(state, action.cpu)
            if way is None:
                break
            if violated(way):
                return tuple(done)
    return None


def shorten(design: Design, start: State, actions: Run, prop: Property, deadline: float | None = None) -> Run:
    """The actions without those that the violation of the property can do without: deleting any other one loses it.

    Whole chunks go first, then single actions; what a deletion makes impossible is skipped. Ends early, with what has
    been reached, at a deadline of `time.monotonic`. The actions come back as they are where they violate nothing.
    """
    best = reduced(design, start, actions, prop)
    if best is None:
        return actions
    size, thorough = max(1, len(best) // 2), False
    while not thorough:
        position, thorough = 0, size == 1
        while position < len(best):
            if deadline is not None and time.monotonic() > deadline:
                return best
            smaller = reduced(design, start, best[:position] + best[position + size :], prop)
            if smaller is not None and len(smaller) < len(best):
                best, thorough = smaller, False
            else:
                position += size
        size = max(1, size // 2)
    return best


def reduced(design: Design, start: State, actions: Run, prop: Property) -> Run | None:
    """The actions without those that are impossible or come behind the violation; None where nothing is violated."""
    kept = carried_out(design, start, actions, prop)
    return kept if kept is not None and violates(design, start, kept, prop) else None
