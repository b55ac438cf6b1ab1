"""Interrupts explored completely: two vCPUs, two processors, two list registers, an SGI and SPIs of both kinds."""

import resource

from benchmarks.figure import Effort, Figure
from model.designs.catalogue import DESIGNS
from properties import interrupts
from properties.engines.parts.explore import explore_part
from properties.interrupts.part import INTERRUPTS


def exploring(effort: Effort) -> tuple[Figure, ...]:
    """States a second with every property asked, of the drain's end too, and the most memory that was in use."""
    name = "three-preempted" if effort.long else "moving"
    situation = INTERRUPTS.configurations[name]
    seen = explore_part(
        INTERRUPTS, DESIGNS["reference"](), interrupts.PROPERTIES, situation.topology, situation.domain
    )
    whole = "all" if seen.complete else "the first"
    asked = f"{name}, {len(interrupts.PROPERTIES)} properties"
    over = f"{asked}: {whole} {seen.states} states, {seen.transitions} transitions"
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        Figure("interrupts explored: states", seen.states / seen.seconds, "/s", f"{over}, {seen.seconds:.0f} s"),
        Figure("interrupts explored: memory", most, "MiB", "the most that was in use, the interpreter too"),
    )
