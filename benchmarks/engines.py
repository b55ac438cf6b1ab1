"""The engines: breadth-first search, exploration and random walks of stated configurations and operand domains."""

from time import monotonic, perf_counter

from benchmarks.figure import Effort, Figure
from model.designs.catalogue import DESIGNS
from model.topology import TOPOLOGIES, initial

CONFIGURATION = "two-vms"


def searching(effort: Effort) -> tuple[Figure, ...]:
    """States and transitions a second of the search behind `kvmarm why`, judged by every property that is cheap."""
    from properties.engines.course import USUAL
    from properties.engines.domain import everything
    from properties.engines.search import search

    design, domain = DESIGNS["reference"](), everything()
    depth = 2
    begun = perf_counter()
    result = search(design, initial(TOPOLOGIES[CONFIGURATION], design), domain, USUAL, depth)
    seconds = perf_counter() - begun
    over = f"{CONFIGURATION}, {depth} chosen actions, {domain.name}: {result.states} states"
    return (
        Figure("search: states", result.states / seconds, "/s", over),
        Figure("search: transitions, forced steps too", result.transitions / seconds, "/s", over),
    )


def exploring(effort: Effort) -> tuple[Figure, ...]:
    """States, transitions and model steps a second of the exploration of its own default domain."""
    from properties.engines.explore import DEFAULT, explore

    name = "two-processors" if effort.long else "one"
    design = DESIGNS["reference"]()
    explored = explore(design, topology=TOPOLOGIES[name], deadline=monotonic() + (60 if effort.long else 10))
    whole = "all" if explored.complete else "the first"
    over = f"{name}, {DEFAULT.name}: {whole} {explored.states} states"
    return (
        Figure("explore: states", explored.states / explored.seconds, "/s", over),
        Figure("explore: transitions", explored.transitions / explored.seconds, "/s", over),
        Figure("explore: model steps", explored.steps / explored.seconds, "/s", f"{over}; remembered steps included"),
    )


def walking(effort: Effort) -> tuple[Figure, ...]:
    """Steps a second of a random walk, by Hypothesis and without it, judged by every property that is cheap."""
    from properties.engines.walk import fast_walk, walk

    design, topology = DESIGNS["reference"](), TOPOLOGIES[CONFIGURATION]
    steps = 1000 if effort.long else 200
    figures: list[Figure] = []
    for name, walker in (("walk by Hypothesis", walk), ("walk without Hypothesis", fast_walk)):
        walked = walker(design, topology=topology, seed=1, steps=steps)
        over = f"{CONFIGURATION}, any instruction and operands, {walked.chosen} chosen actions, seed 1"
        figures.append(Figure(f"{name}: chosen actions", walked.chosen / walked.seconds, "/s", over))
        figures.append(Figure(f"{name}: steps, forced ones too", walked.steps / walked.seconds, "/s", over))
    return tuple(figures)


def memory(effort: Effort) -> tuple[Figure, ...]:
    """States, transitions and actions a second of the memory system: explored completely, and walked through."""
    from properties import memory as properties_of
    from properties.engines.parts.explore import explore_part
    from properties.engines.parts.walk import walk_part
    from properties.memory.part import MEMORY

    design, figures = DESIGNS["reference"](), list[Figure]()
    name = "fault-and-notifier" if effort.long else "vm-end"
    situation = MEMORY.configurations[name]
    for properties, judged in (((), "no property asked"), (properties_of.ALL, "every property and invariant asked")):
        seen = explore_part(MEMORY, design, properties, situation.topology, situation.domain)
        over = f"{name}, {judged}: all {seen.states} states, {seen.transitions} transitions, {seen.seconds:.1f} s"
        label = f"memory explored, {len(properties)} properties: states"
        figures.append(Figure(label, seen.states / seen.seconds, "/s", over))
    steps = 100_000 if effort.long else 2000
    walked = walk_part(MEMORY, design, properties_of.ALL, TOPOLOGIES["memory"], seed=1, steps=steps)
    over = f"memory, hostile guest and user space, {steps} actions, seed 1, every property and invariant asked"
    return (*figures, Figure("memory walked through: actions", walked.steps / walked.seconds, "/s", over))
