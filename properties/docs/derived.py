"""Computed from the reference: the paper's Table 1, what becomes of each register, and which operations are silent."""

from collections.abc import Iterator

from model.designs.catalogue import reference
from properties import classification, table1
from properties.classification import Class, Classified, classify
from properties.docs import markdown as md
from properties.docs.links import property_link
from properties.docs.modules import cited
from properties.docs.prose import register_name
from properties.policy import DECLASSIFIED, owner
from properties.sensitive import NOT_VIRTUALIZABLE, instructions, silently_sensitive


def table_1() -> str:
    """Table 1 as the reference has it, beside the paper's counts."""
    rows = table1.table(reference())
    return md.page(
        "# Table 1 of the paper",
        "What the world switch exchanges and what traps, counted in the reference design, beside the numbers of the "
        "paper's Table 1. Where the two differ, the difference is made up of named registers, each with its reason; "
        f"{property_link(table1.DERIVED.id)} holds only if they account for it exactly.",
        md.table(("Action", "State", "Paper", "Model", "Why they differ", "Sources"), map(_row, rows)),
        *(_counted(row) for row in rows),
    )


def _row(row: table1.Row) -> tuple[str, ...]:
    reasons = [f"{'+' if d.words > 0 else '−'}{abs(d.words)}: {d.reason}" for d in row.differences]
    return (
        row.action,
        md.cell(row.state),
        "it traps" if row.paper is None else str(row.paper),
        str(row.model) if row.paper is not None else _trapping(row),
        "<br>".join(map(md.cell, reasons)) or ("" if row.accounted else "**not explained**"),
        "<br>".join(md.cell(cited(d.sources)) for d in row.differences),
    )


def _trapping(row: table1.Row) -> str:
    if row.missing:
        return f"does not trap: {md.cell(', '.join(row.missing))}"
    return "the operation traps" if row.model == 1 else f"all {row.model} operations trap"


def _counted(row: table1.Row) -> str:
    named = map(register_name, row.registers) if row.paper is not None else row.registers
    return md.folded(f"{row.state}: what the model counts", ", ".join(named) or "nothing")


def registers() -> str:
    """What becomes of each register while a guest runs, by class."""
    classes = classify(reference())
    found = {kind: [entry for entry in classes if entry.cls is kind] for kind in (*Class, None)}
    parts = [
        "# What becomes of each register",
        f"Each of the {len(classes)} registers of the processor's state belongs to exactly one class while a guest of "
        "the reference design runs. The class is derived from runs: of the world switch with a host, a vCPU and a "
        "guest that differ in every word, and of every operation in every mode of a guest. "
        f"{property_link(classification.CLASSIFIED.id)} compares it with the policy.",
        md.table(
            ("Class", "Registers", "Meaning"),
            ((_name(kind), str(len(members)), _meaning(kind)) for kind, members in found.items() if members),
        ),
    ]
    for kind, members in found.items():
        if members:
            parts.append(md.heading(2, _title(kind), f"class-{_title(kind)}"))
            parts.append(md.table(("Register", "The policy says", "What shows it"), map(_register, members)))
    parts.append(md.heading(2, "What guests may observe", "declassified"))
    parts.append(
        md.table(("Subject", "Why that is accepted"), ((md.cell(d.subject), md.cell(d.reason)) for d in DECLASSIFIED))
    )
    return md.page(*parts)


def _title(kind: Class | None) -> str:
    return "Not classified" if kind is None else kind.name.capitalize()


def _name(kind: Class | None) -> str:
    return md.link(_title(kind), "", f"class-{_title(kind)}")


def _meaning(kind: Class | None) -> str:
    return "the evidence fits no class" if kind is None else md.cell(kind.value.partition(": ")[2])


def _register(entry: Classified) -> tuple[str, ...]:
    name = md.link(md.code(register_name(entry.name)), "registers.md")
    return name, md.cell(owner(entry.name).value), md.cell(entry.reason)


def silent_operations() -> str:
    """The sensitive operations that take no exception in User mode, and what follows from them."""
    return md.page(
        "# Not classically virtualizable",
        "Trap and emulate runs a kernel in User mode and relies on an exception for each sensitive operation: one that "
        "touches what User mode may not, or that does something else there. Of the operations that ARMv7 has without "
        f"the Virtualization Extensions ({len(instructions())} in the stated domain), these are sensitive and may "
        "execute in User mode without any exception:",
        md.table(("Operation",), _operations()),
        "WFI and WFE suspend the processor from User mode as well. The others read or write the mode, "
        "the masks or SPSR, and in User mode do nothing of the kind, or are UNPREDICTABLE. So a hypervisor on such a "
        "processor must change the kernel, or translate its code.",
        "With the Virtualization Extensions a guest's kernel runs at PL1, and every operation either traps to Hyp mode "
        f"or touches only what belongs to its VM: {property_link(NOT_VIRTUALIZABLE.id)}, which the design "
        f"{md.link(md.code('no-extensions'), 'designs.md', 'design-no-extensions')} does not have.",
    )


def _operations() -> Iterator[tuple[str]]:
    return ((md.cell(words),) for words in silently_sensitive())
