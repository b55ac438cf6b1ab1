"""Time step by step: routines and traits of the reference, and where Linux 3.12 and user space's timer differ."""

from collections.abc import Iterator
from functools import partial

from model.designs.catalogue import reference, without_vgic
from model.designs.linux_3_12 import LINUX_3_12
from model.timer.design import JUMPS, ROUTINES, THREADS, TimerDesign, Trait, jump_target, place, program
from model.timer.system import STEPS
from properties.docs import markdown as md
from properties.docs import routines, source
from properties.docs.differences import TIMER_TRAITS, timer_field, variations
from properties.docs.modules import path
from properties.time.invariants import INVARIANTS


def page() -> str:
    """Every step and trait of virtual time, the reference beside Linux 3.12, and the invariants of its proofs."""
    fields = {member.name: member.doc for member in source.members(TimerDesign)}
    parts = [
        "# Time step by step",
        "How KVM/ARM gives guests time: what the thread of a vCPU, its software timer and the host's handler do, in "
        "order, in the reference design, and where Linux 3.12 differs. Each step of a thread is one transition of the "
        "model, each of the other routines all of one. What a step does leads to its rule in "
        f"{md.link(md.code('model.timer'), path('model.timer'))}.",
    ]
    for routine in ROUTINES:
        parts.append(md.heading(2, f"`{routine}`", f"routine-{routine}"))
        parts.append(md.text(fields[routine]))
        ours, theirs = reference().timer.steps(routine), LINUX_3_12.timer.steps(routine)
        parts.append(routines.table(ours, theirs, timer_field(routine), STEPS, partial(_elsewhere, routine)))
    parts += [
        md.heading(2, "What the code heeds", "traits"),
        md.table(("Trait", "Meaning", "The reference", "Linux 3.12", "without-vgic", "Changed by"), _traits()),
        md.heading(2, "What always holds", "invariants"),
        "The invariants from which the properties of time follow; that every action keeps them is `time.inductive`.",
        md.table(
            ("Invariant", "Meaning"),
            ((md.code(name), md.cell(invariant.__doc__ or "")) for name, invariant in INVARIANTS.items()),
        ),
    ]
    return md.page(*parts)


def _elsewhere(routine: str, position: int) -> str:
    """Where a step may go on instead of the next one."""
    design = reference().timer
    if routine not in THREADS or design.steps(routine)[position].do not in JUMPS:
        return ""
    step = program(design)[jump_target(design, place(routine, position))]
    return "the end" if step is None else md.code(step.name)


def _traits() -> Iterator[tuple[str, ...]]:
    ours, theirs, without = reference().timer.traits, LINUX_3_12.timer.traits, without_vgic().timer.traits
    for trait in Trait:
        yield (
            md.code(trait.name), md.cell(trait.value), _yes(trait in ours), _yes(trait in theirs),
            _yes(trait in without), variations((TIMER_TRAITS, trait.name)),
        )  # fmt: skip


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"
