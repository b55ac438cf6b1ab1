"""The engine `walk` for a part of the system: random runs with hostile operands, which the part proposes.

The guard decides what is possible. A thread's steps are chosen like anything else, so that others get between any two.
"""

import time
from collections.abc import Iterable
from random import Random

from model.action import Action
from model.design import Design
from model.guards import guard
from model.state import State
from model.system import step
from model.topology import Topology, initial
from properties.engines.course import Raised, Run
from properties.engines.parts.judge import Judge
from properties.engines.parts.part import Part
from properties.engines.shorten import shorten
from properties.engines.walk import Walked
from properties.property import Property

LENGTH = 400
"""The most actions of one run before the next one starts."""


def walk_part(
    part: Part,
    design: Design,
    properties: Iterable[Property],
    topology: Topology,
    seed: int = 0,
    steps: int = 1000,
    deadline: float | None = None,
    until: str | None = None,
) -> Walked:
    """Random runs until so many actions were taken, or to a deadline of `time.monotonic`; the same seed, the same walk.

    Ends early at the first violation (`until="first"`). An exception of a rule or predicate ends it, and is reported.
    """
    began, random = time.monotonic(), Random(seed)
    judge = Judge(part, design, properties)
    violations: dict[str, Run] = {}
    kinds: set[type[Action]] = set()
    taken, examples = 0, 0
    start = initial(topology, design)
    late = raised = None
    while taken < steps and not late and raised is None and not (until == "first" and violations):
        examples += 1
        state, actions = start, list[Action]()
        for _ in range(min(LENGTH, steps - taken)):
            found = one_more(random, judge, state, actions)
            if isinstance(found, Raised):
                raised = found
                break
            state, wrong = found
            taken += 1
            kinds.add(type(actions[-1]))
            violations |= {prop.id: tuple(actions) for prop in wrong}
            late = deadline is not None and time.monotonic() > deadline
            if late or (until == "first" and violations):
                break
    by_id = {prop.id: prop for prop in judge.open}
    short = {prop: shorten(design, start, run, by_id[prop], deadline) for prop, run in violations.items()}
    seconds = time.monotonic() - began
    return Walked(taken, taken, examples, seed, short, seconds, frozenset(kinds), raised)


def one_more(
    random: Random, judge: Judge, state: State, actions: list[Action]
) -> tuple[State, list[Property]] | Raised:
    """The state after one more action, which is added to the actions, and what it violates."""
    part, design = judge.part, judge.design
    action = part.proposed(random, design, part.of(state))
    try:
        while not guard(design, state, action):
            action = part.proposed(random, design, part.of(state))
        after = step(design, state, action)
        actions.append(action)
        return after, judge.wrong(state, action, after)
    except Exception as problem:
        return Raised((*actions, action), f"{type(problem).__name__}: {problem}")
