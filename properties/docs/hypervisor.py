"""The world switch, the highvisor's tables and the named designs, with what each variation changes."""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec

import attrs

from model.design import ROUTINES, Design, Emulated, lookup_handler
from model.designs.catalogue import DESIGNS, reference
from model.designs.linux_3_12 import LINUX_3_12
from model.designs.variations import REPAIR, REPAIRS
from model.lowvisor.moves import Step, When, accesses
from properties.docs import markdown as md
from properties.docs import source
from properties.docs.differences import Key, aligned, changed, variations
from properties.docs.modules import cited
from properties.docs.prose import describe
from spec.syndrome import ExceptionClass


def world_switch() -> str:
    """Every step of the lowvisor, the reference beside Linux 3.12."""
    fields = {member.name: member.doc for member in source.members(Design)}
    parts = [
        "# The world switch step by step",
        "What the lowvisor does, in order: the reference design, and where Linux 3.12 differs. "
        "Each step is one transition of the model. "
        "Accesses are written as in a recording of the real code: `R` reads, `W` writes.",
    ]
    for routine in ROUTINES:
        parts.append(md.heading(2, f"`{routine}`", f"routine-{routine}"))
        parts.append(md.text(fields[routine]))
        parts.append(
            md.table(
                ("", "Step", "What it does", "Accesses", "When", "Linux 3.12", "Changed by", "Source"),
                _steps(routine),
            )
        )
    return md.page(*parts)


def _steps(routine: str) -> Iterator[tuple[str, ...]]:
    position = 0
    for repaired, original in aligned(reference().routine(routine), LINUX_3_12.routine(routine)):
        step = repaired or original
        assert step is not None
        position += repaired is not None
        yield (
            str(position) if repaired else "",
            md.code(step.name),
            md.cell(describe(step.move)) if repaired else "not in the reference",
            md.codes(accesses(step)),
            "" if step.when is When.ALWAYS else md.cell(step.when.value),
            _compared(repaired, original),
            variations((routine, step.name)),
            md.cell(cited(step.sources)),
        )


def _compared(repaired: Step | None, original: Step | None) -> str:
    if original is None:
        return "absent"
    if repaired == original:
        return "same"
    when = "" if original.when is When.ALWAYS else f", when {original.when.value}"
    return md.cell(describe(original.move) + when)


def highvisor() -> str:
    """What follows an exit: vectors, handlers, emulation, injection, skipping and accesses to devices."""
    design = reference()
    return md.page(
        "# The highvisor",
        "The tables by which the reference design handles what a guest does, and where Linux 3.12 differs. "
        f"The rules that read them are on the pages of {md.link('the hypervisor', 'model/index.md')}.",
        md.heading(2, "Hyp vectors", "vectors"),
        md.table(
            ("Offset", "The reference", "Linux 3.12", "Changed by"),
            _beside("vectors", design.vectors, dict(LINUX_3_12.vectors), lambda offset: f"{offset:#04x}"),
        ),
        md.heading(2, "Handlers of traps", "handlers"),
        md.table(
            ("Exception class", "The reference", "Linux 3.12", "Changed by"),
            _beside("handlers", design.handlers, _linux_handlers(), _class_name),
        ),
        f"Any other class: {design.unknown_trap.value}. In Linux 3.12: {LINUX_3_12.unknown_trap.value}.",
        md.heading(2, "Emulated coprocessor accesses", "emulation"),
        "An access that traps and has no line here is an Undefined Instruction exception in the guest.",
        md.table(("Row", "A read", "A write", "Linux 3.12"), _emulation(design)),
        md.heading(2, "Injected exceptions", "injection"),
        md.text(source.doc(type(design.injection))),
        md.table(("Decision", "The reference", "Linux 3.12", "Changed by"), _record("injection", design)),
        md.heading(2, "Stepping over an instruction", "skip"),
        md.text(source.doc(type(design.skip))),
        md.table(("Decision", "The reference", "Linux 3.12", "Changed by"), _record("skip", design)),
        md.heading(2, "Accesses to emulated devices", "mmio"),
        md.text(source.doc(type(design.mmio))),
        md.table(("Decision", "The reference", "Linux 3.12", "Changed by"), _record("mmio", design)),
    )


def _class_name(ec: int) -> str:
    known = {int(member): member.name for member in ExceptionClass}
    return f"{ec:#04x} {known.get(ec, '')}".strip()


def _linux_handlers() -> dict[int, object]:
    return {ec: lookup_handler(LINUX_3_12, ec) for ec, _ in reference().handlers}


def _beside(
    field: str, table: tuple[tuple[int, object], ...], other: dict[int, object], title: Callable[[int], str]
) -> Iterator[tuple[str, ...]]:
    for number, value in table:
        before = other.get(number)
        same = "same" if before == value else md.cell(_said(before))
        yield title(number), md.cell(_said(value)), same, variations((field, f"{number:#04x}"))


def _said(value: object) -> str:
    return "absent" if value is None else str(getattr(value, "value", value))


def _emulation(design: Design) -> Iterator[tuple[str, ...]]:
    original = {entry.row: entry for entry in LINUX_3_12.emulated}
    for entry in design.emulated:
        before = original.get(entry.row)
        compared = "absent" if before is None else "same" if before == entry else "; ".join(_emulated(before))
        yield (md.link(md.code(entry.row), "coprocessor.md", entry.row), *_emulated(entry), compared)


def _emulated(entry: Emulated) -> tuple[str, str]:
    stored = f" ({md.code(entry.stored)})" if entry.stored else ""
    return md.cell(entry.reads.value) + stored, md.cell(entry.writes.value)


def _record(field: str, design: Design) -> Iterator[tuple[str, ...]]:
    ours, theirs = getattr(design, field), getattr(LINUX_3_12, field)
    for name in attrs.fields_dict(type(ours)):
        value, before = getattr(ours, name), getattr(theirs, name)
        yield (
            md.code(name),
            str(value),
            "same" if value == before else str(before),
            variations((field, name)),
        )


def designs() -> str:
    """Every named design, the variations it is made of, and what they change in Linux 3.12."""
    parts = [
        "# Designs",
        "A design is one value that holds every decision of KVM/ARM that is data. Designs are named variations "
        "of Linux 3.12. Each repair mends a deviation from what the paper claims or a proof needs.",
        md.heading(2, "The repairs of the reference", "repairs"),
    ]
    for repair in REPAIRS:
        parts.append(_repair(repair.variation.id))
    for name, make in DESIGNS.items():
        parts.append(md.heading(2, f"`{name}`", f"design-{name}"))
        parts.append(md.text(_meaning(name, make)))
        parts.append(_made_of(make()))
    return md.page(*parts)


def _repair(name: str) -> str:
    repair = REPAIR[name]
    touched = changed(LINUX_3_12, repair.apply(LINUX_3_12))
    return md.page(
        md.heading(3, md.code(name), name),
        md.text(f"{repair.variation.statement[0].upper()}{repair.variation.statement[1:]}."),
        f"It mends {md.code(repair.deviation)}, and changes {_named(touched)}.",
        f"Source: {cited(repair.variation.sources)}",
        md.folded("The change", md.block(source.code(repair.change))),
    )


def _named(keys: tuple[Key, ...]) -> str:
    return ", ".join(md.code(name or field) for field, name in keys) or "nothing that these pages show"


def _meaning(name: str, make: Callable[[], Design]) -> str:
    if make.__name__ != "<lambda>":
        return source.doc(make)
    module = f"model.designs.{name.replace('-', '_').replace('.', '_')}"
    return source.doc(import_module(module)) if find_spec(module) else ""


def _made_of(design: Design) -> str:
    rows = (
        (
            md.link(md.code(v.id), "designs.md", v.id) if v.id in REPAIR else md.code(v.id),
            md.cell(v.statement),
            md.cell(cited(v.sources)),
        )
        for v in design.variations
    )
    table = md.table(("Variation of Linux 3.12", "What it says", "Source"), rows)
    return table or "No variation: everything else varies from this."
