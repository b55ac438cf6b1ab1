"""Memory management step by step: routines and constants of the reference, and where Linux 3.12 differs."""

from collections.abc import Iterator
from functools import partial

from model.designs.catalogue import reference
from model.designs.linux_3_12 import LINUX_3_12
from model.memory.design import ROUTINES, Fact, MemoryDesign, MemoryStep, SlotCheck, facts, place, ways_on
from model.memory.system import STEPS
from properties.docs import markdown as md
from properties.docs import routines, source
from properties.docs.differences import MEMORY, constants, memory_field, variations
from properties.docs.modules import path

BINARY = {"read_only": "#04b", "read_write": "#04b", "device_attributes": "#06b"}
"""The fields of descriptors among the constants, with how they are written."""
NO_FOLLOWING = "the end"


def page() -> str:
    """Every step of memory management, the reference beside Linux 3.12, and its constants."""
    fields = {member.name: member.doc for member in source.members(MemoryDesign)}
    fields["slot_checks"] = source.doc(SlotCheck)
    parts = [
        "# Memory step by step",
        "How KVM/ARM manages memory: what the thread of a vCPU, of the host or of user space does, in order, in the "
        "reference design, and where Linux 3.12 differs. Each step is one transition of the model, and what other "
        "processors do may come between any two. What a step does leads to its "
        f"rule in {md.link(md.code('model.memory'), path('model.memory'))}.",
    ]
    for routine in ROUTINES:
        parts.append(md.heading(2, f"`{routine}`", f"routine-{routine}"))
        parts.append(md.text(fields[routine]))
        ours, theirs = reference().memory.steps(routine), LINUX_3_12.memory.steps(routine)
        elsewhere = partial(_elsewhere, ours)
        parts.append(routines.table(ours, theirs, memory_field(routine), STEPS, elsewhere))
        parts.append(md.folded("What is known before each step", routines.known(ours, Fact, partial(_known, routine))))
    parts += [
        md.heading(2, "Constants", "constants"),
        md.table(("Decision", "Meaning", "The reference", "Linux 3.12", "Changed by"), _constants(fields)),
        md.heading(2, "What a program counter tells", "facts"),
        "The proofs know where a thread stands, and what it must have done to get there. That is derived from the "
        "order of the design's own steps: a fact is known where it holds on every way there. So a step that is left "
        "out or comes too late takes away what the proofs need.",
        routines.meanings(Fact),
    ]
    return md.page(*parts)


def _elsewhere(steps: tuple[MemoryStep, ...], index: int) -> str:
    """The step with which this one goes on where it does not go on with the next one."""
    targets = [target for target, jumped in ways_on(steps, index) if jumped]
    if not targets:
        return ""
    target = targets[0]
    return md.code(steps[target].name) if target < len(steps) else NO_FOLLOWING


def _known(routine: str, position: int) -> frozenset[Fact]:
    return facts(reference().memory)[place(routine, position)]


def _constants(fields: dict[str, str]) -> Iterator[tuple[str, ...]]:
    for name in constants():
        value, before = getattr(reference().memory, name), getattr(LINUX_3_12.memory, name)
        compared = "same" if value == before else _written(name, before)
        yield md.code(name), md.cell(fields[name]), _written(name, value), compared, variations((MEMORY, name))


def _written(name: str, value: object) -> str:
    if isinstance(value, tuple):
        return md.cell("; ".join(check.value for check in value))
    if name == "base_mask" and isinstance(value, int):
        return md.code(f"[{value.bit_length() - 1}:{(value & -value).bit_length() - 1}]")
    return md.code(format(value, BINARY[name])) if name in BINARY else str(value)
