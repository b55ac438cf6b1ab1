"""Hyp mode's set-up step by step: routines of the reference, and where Linux 3.12 differs."""

from functools import partial

from model.designs.catalogue import reference
from model.designs.linux_3_12 import LINUX_3_12
from model.hyp.design import ROUTINES, Do, HypDesign
from model.hyp.setup import STEPS
from properties.docs import markdown as md
from properties.docs import routines, source
from properties.docs.differences import hyp_field
from properties.docs.modules import path

ELSEWHERE = {Do.CHECK_MODE: "the end", Do.CHECK_VECTORS: "the end"}


def page() -> str:
    """Every step of Hyp mode's set-up, the reference beside Linux 3.12."""
    fields = {member.name: member.doc for member in source.members(HypDesign)}
    parts = [
        "# Hyp mode's set-up step by step",
        "How KVM gets into Hyp mode: what the thread does that starts KVM, and what each processor does then, when it "
        "is plugged in and when it resumes, in order, in the reference design, and where Linux 3.12 differs. Each step "
        "is one transition of the model. What a step does leads to its rule in "
        f"{md.link(md.code('model.hyp'), path('model.hyp'))}.",
    ]
    for routine in ROUTINES:
        parts.append(md.heading(2, f"`{routine}`", f"routine-{routine}"))
        parts.append(md.text(fields[routine]))
        ours, theirs = reference().hyp.steps(routine), LINUX_3_12.hyp.steps(routine)
        parts.append(routines.table(ours, theirs, hyp_field(routine), STEPS, partial(_elsewhere, ours)))
    return md.page(*parts)


def _elsewhere(steps: tuple[object, ...], position: int) -> str:
    return ELSEWHERE.get(getattr(steps[position], "do", None), "")  # type: ignore[arg-type]
