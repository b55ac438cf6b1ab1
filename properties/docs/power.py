"""Power step by step: routines and traits of the reference, and where Linux 3.12 differs."""

from collections.abc import Iterator
from functools import partial

from model.designs.catalogue import reference
from model.designs.linux_3_12 import LINUX_3_12
from model.power.design import JUMPS, PROGRAMS, ROUTINES, Do, PowerDesign, Trait
from model.power.system import STEPS
from properties.docs import markdown as md
from properties.docs import routines, source
from properties.docs.differences import POWER_TRAITS, power_field, variations
from properties.docs.modules import path

ELSEWHERE = {
    Do.CHECK_INITIALISED: "user space",
    Do.AWAIT_POWER: "sleep",
    Do.ENTER: "the guest",
    Do.HANDLE_EXIT: "`block`, `off`, `on`, `stop`, user space",
    Do.LEAVE: "user space",
}


def page() -> str:
    """Every step and trait of power, the reference beside Linux 3.12."""
    fields = {member.name: member.doc for member in source.members(PowerDesign)}
    parts = [
        "# Power step by step",
        "How vCPUs start and stop: what a vCPU's thread does around its guest and in a call of PSCI, and what user "
        "space's does when a VM ends, in order, in the reference design, and where Linux 3.12 differs. Each step is "
        "one transition of the model, and what other threads do may come between any two. What a step does leads to "
        f"its rule in {md.link(md.code('model.power'), path('model.power'))}.",
    ]
    for routine in ROUTINES:
        parts.append(md.heading(2, f"`{routine}`", f"routine-{routine}"))
        parts.append(md.text(fields[routine]))
        ours, theirs = reference().power.steps(routine), LINUX_3_12.power.steps(routine)
        parts.append(routines.table(ours, theirs, power_field(routine), STEPS, partial(_elsewhere, routine)))
    parts += [
        md.heading(2, "What the code heeds", "traits"),
        md.table(("Trait", "Meaning", "The reference", "Linux 3.12", "Changed by"), _traits()),
    ]
    return md.page(*parts)


def _elsewhere(routine: str, position: int) -> str:
    """Where a step may go on instead of the next one."""
    design = reference().power
    step = design.steps(routine)[position]
    if step.do in JUMPS:
        target = PROGRAMS.step_at(design, PROGRAMS.behind(design, PROGRAMS.place(routine, position), JUMPS[step.do]))
        return md.code(target.name) if target is not None else "the end"
    return ELSEWHERE.get(step.do, "")


def _traits() -> Iterator[tuple[str, ...]]:
    ours, theirs = reference().power.traits, LINUX_3_12.power.traits
    for trait in Trait:
        heeds = ("yes" if trait in traits else "no" for traits in (ours, theirs))
        yield md.code(trait.name), md.cell(trait.value), *heeds, variations((POWER_TRAITS, trait.name))
