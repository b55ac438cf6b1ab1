"""The time to the first counterexample of each bug of interrupts: `kvmarm trace`, and plain Hypothesis beside it."""

import tempfile
from statistics import median
from time import perf_counter

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from benchmarks.commands import seconds_of
from benchmarks.figure import Effort, Figure
from model.action import Action
from model.designs.catalogue import reference
from model.designs.vgic_variations import VGIC_REPAIRS
from model.state import State
from model.system import step
from model.topology import TOPOLOGIES, initial
from properties.faults.catalogue import FAULT
from properties.faults.interrupts import historical
from properties.interrupts.part import INTERRUPTS
from properties.parts import situations

BUGS = (*(deviation for _, deviation, _ in VGIC_REPAIRS), *(fault.id for fault in historical()))
"""What Linux 3.12 had, and what KVM/ARM had at other times, of those that can be expressed."""
EXAMPLES, STEPS = 400, 60
"""How far Hypothesis looks: runs, and chosen actions of each."""


class Found(Exception):
    """A property is violated."""


def finding(effort: Effort) -> tuple[Figure, ...]:
    """The median and the longest time from the start of the command to its minimal trace, and Hypothesis's times."""
    chosen = BUGS if effort.long else BUGS[:: len(BUGS) // 5]
    with tempfile.TemporaryDirectory() as cache:
        own = {bug: seconds_of("trace", bug, cache=cache) for bug in chosen}
    slowest = max(own, key=lambda bug: own[bug])
    over = f"{len(own)} bugs of interrupts, process start to printed minimal trace"
    times, missed = [], 0
    for bug in chosen:
        seconds = by_hypothesis(bug)
        times.append(float("inf") if seconds is None else seconds)
        missed += seconds is None
    said = f"the same bugs, until one is minimal; {missed} not found in {EXAMPLES} runs of {STEPS} actions"
    value = median(times)
    return (
        Figure("interrupts, kvmarm trace: median", median(own.values()), "s", over),
        Figure("interrupts, kvmarm trace: longest", own[slowest], "s", f"{over}: {slowest}"),
        Figure("interrupts, Hypothesis: median", None if value == float("inf") else value, "s", said),
    )


def by_hypothesis(bug: str) -> float | None:
    """The seconds in which a plain state machine over the same functions finds a bug and shrinks it; None if not."""
    design = FAULT[bug].plant(reference())
    _, _, situation = situations(FAULT[bug].scenarios)[0]
    start, domain = initial(TOPOLOGIES[situation.topology], design), situation.domain
    cpus = range(INTERRUPTS.processors(INTERRUPTS.of(start)))

    class Machine(RuleBasedStateMachine):
        """Any action that the situation has, and what belongs to it."""

        def __init__(self) -> None:
            super().__init__()
            self.state: State = start

        @rule(data=st.data())
        def acts(self, data: st.DataObject) -> None:
            """One action that is possible now."""
            own = INTERRUPTS.of(self.state)
            possible = [action for cpu in cpus for action in domain.of_processor(design, own, cpu)]
            if possible:
                self.take(possible[data.draw(st.integers(0, len(possible) - 1))])

        def take(self, action: Action | None) -> None:
            """Take an action and what follows it, and judge each step."""
            while action is not None:
                before, self.state = self.state, step(design, self.state, action)
                for prop in INTERRUPTS.properties:
                    if isinstance(action, prop.about) and not prop.holds(design, before, action, self.state):
                        raise Found(prop.id)
                own = INTERRUPTS.of(self.state)
                following = (domain.follows(design, own, cpu) for cpu in cpus)
                action = next((each for each in following if each is not None), None)

    begun = perf_counter()
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink), print_blob=False,
            ),
        )  # fmt: skip
    except Found:
        return perf_counter() - begun
    return None
