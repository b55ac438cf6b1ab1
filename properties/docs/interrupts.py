"""Interrupts step by step: routines, registers and traits of the reference, and where Linux 3.12 differs."""

from collections.abc import Iterator
from functools import partial

from model.designs.catalogue import reference
from model.designs.linux_3_12 import LINUX_3_12
from model.vgic.design import GUEST, OUT, ROUTINES, Trait, VgicDesign, place, program, routine_at
from model.vgic.facts import Fact, facts, ways_on
from model.vgic.system import STEPS
from properties.docs import markdown as md
from properties.docs import routines, source
from properties.docs.differences import REGISTERS, TRAITS, variations, vgic_field
from properties.docs.modules import path
from properties.interrupts.invariants import INVARIANTS


def page() -> str:
    """Every step, register and trait of virtual interrupts, the reference beside Linux 3.12."""
    fields = {member.name: member.doc for member in source.members(VgicDesign)}
    parts = [
        "# Interrupts step by step",
        "How KVM/ARM virtualizes interrupts: what the thread of a vCPU, or whoever drives a line, does, in order, in "
        "the reference design, and where Linux 3.12 differs. Each step is one transition of the model. What a step "
        f"does leads to its rule in {md.link(md.code('model.vgic'), path('model.vgic'))}.",
    ]
    for routine in ROUTINES:
        parts.append(md.heading(2, f"`{routine}`", f"routine-{routine}"))
        parts.append(md.text(fields[routine]))
        ours, theirs = reference().vgic.steps(routine), LINUX_3_12.vgic.steps(routine)
        elsewhere = partial(_elsewhere, routine)
        parts.append(routines.table(ours, theirs, vgic_field(routine), STEPS, elsewhere))
        parts.append(md.folded("What is known before each step", routines.known(ours, Fact, partial(_known, routine))))
    parts += [
        md.heading(2, "Registers of the virtual distributor", "registers"),
        "Behind a write to a register that updates, it is computed anew what is pending, and vCPUs are kicked.",
        md.table(("Register", "Offset", "Bytes", "Updates", "Linux 3.12", "Changed by"), _registers()),
        md.heading(2, "What the code heeds", "traits"),
        md.table(("Trait", "Meaning", "The reference", "Linux 3.12", "Changed by"), _traits()),
        md.heading(2, "What holds of every reachable state", "invariants"),
        "The proofs rest on these invariants, which every action keeps.",
        md.table(("Invariant", "What it says"), _invariants()),
        md.heading(2, "What a program counter tells", "facts"),
        routines.meanings(Fact),
    ]
    return md.page(*parts)


def _elsewhere(routine: str, position: int) -> str:
    """Where a step may go on instead of the next one."""
    at = place(routine, position)
    targets = sorted({target for target, _ in ways_on(reference().vgic, at)} - {at + 1})
    return ", ".join(_named(target) for target in targets)


def _named(at: int) -> str:
    if at in (OUT, GUEST):
        return "the guest" if at == GUEST else "user space"
    step, found = program(reference().vgic)[at], routine_at(at)
    return md.code(step.name) if step is not None and found is not None else "the end"


def _known(routine: str, position: int) -> frozenset[Fact]:
    return facts(reference().vgic)[place(routine, position)]


def _registers() -> Iterator[tuple[str, ...]]:
    ours, theirs = reference().vgic, LINUX_3_12.vgic
    for line in ours.registers:
        same = line in theirs.registers and (line.register in ours.updating) == (line.register in theirs.updating)
        yield (
            md.code(line.register.value),
            f"{line.base:#05x}",
            str(line.length),
            _yes(line.register in ours.updating),
            "same" if same else "absent" if line not in theirs.registers else "otherwise",
            variations((REGISTERS, line.register.value)),
        )


def _traits() -> Iterator[tuple[str, ...]]:
    ours, theirs = reference().vgic.traits, LINUX_3_12.vgic.traits
    for trait in Trait:
        yield (
            md.code(trait.name), md.cell(trait.value), _yes(trait in ours), _yes(trait in theirs),
            variations((TRAITS, trait.name)),
        )  # fmt: skip


def _invariants() -> Iterator[tuple[str, str]]:
    for name, invariant in INVARIANTS.items():
        yield md.code(name), md.cell(" ".join(source.doc(invariant).split()))


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"
