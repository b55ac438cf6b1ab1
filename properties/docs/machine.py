"""The register tables, the catalogue of coprocessor registers, and the register maps of the interrupt controller."""

from collections.abc import Iterable

from properties.docs import markdown as md
from properties.docs import source
from properties.docs.modules import cited
from spec.coprocessor.decode import ALLOCATED, ROWS, UNALLOCATED
from spec.coprocessor.row import Form, Row, Trap
from spec.gic import registers as gic
from spec.processor import Processor
from spec.registers import REGISTERS, declared
from spec.words import Width

ACCESS = {
    Form.WORD: ("MCR", "MRC"),
    Form.DOUBLE: ("MCRR", "MRRC"),
    Form.MEMORY: ("LDC", "STC"),
}


def registers() -> str:
    """Every register of the processor's state, by component, with the catalogue rows through which it is reached."""
    reached: dict[str, list[str]] = {name: [] for name in REGISTERS}
    for row in ROWS:
        if row.state is not None:
            reached[row.state].append(row.name)
    meanings = {member.name: member.doc for member in source.members(Processor)}
    parts = [
        "# Registers",
        "Every word of the processor's state. The third column names the rows of the "
        f"{md.link('catalogue', 'coprocessor.md')} through which CP10, CP14 and CP15 instructions reach it.",
    ]
    alone = [name for name, kind in declared(Processor).items() if isinstance(kind, Width)]
    parts.append(_component("Processor", source.doc(Processor), alone, reached, meanings))
    for name, kind in declared(Processor).items():
        if not isinstance(kind, Width):
            inner = {member.name: member.doc for member in source.members(kind)}
            parts.append(_component(name, source.doc(kind), list(declared(kind)), reached, inner))
    return md.page(*parts)


def _component(
    title: str, meaning: str, names: list[str], reached: dict[str, list[str]], meanings: dict[str, str]
) -> str:
    rows = (
        (
            md.code(name),
            str(REGISTERS[name].width),
            ", ".join(md.link(row, "coprocessor.md", row) for row in reached[name]),
            md.cell(meanings.get(name, "")),
        )
        for name in names
    )
    return md.page(
        md.heading(2, md.code(title), f"component-{title}"),
        md.text(meaning),
        md.table(("Register", "Bits", "Reached by", "Meaning"), rows),
    )


def coprocessor() -> str:
    """The catalogue: every CP10, CP14 and CP15 encoding, in the rows that software can tell apart."""
    headings = ("Row", "Encoding", "PL1", "PL0", "An access", "Register", "Traps", "Gate", "Source", "Note")
    sections = [
        "# The coprocessor catalogue",
        md.text(source.doc(Row)),
        "PL1 and PL0: `r` may be read, `w` may be written; anything else is UNDEFINED. "
        "Gate: what must be set as well. Traps: the control bits of Hyp mode, with the direction where only one traps.",
    ]
    for number in sorted({row.coprocessor for row in ALLOCATED}, reverse=True):
        sections.append(md.heading(2, f"CP{number}"))
        sections.append(md.table(headings, (_row(row) for row in ALLOCATED if row.coprocessor == number)))
    sections.append(md.heading(2, "Encodings without a register", "unallocated"))
    sections.append("A row of this table holds those encodings of its region that no row above holds.")
    sections.append(md.table(headings, (_row(row) for row in UNALLOCATED)))
    return md.page(*sections)


def _row(row: Row) -> tuple[str, ...]:
    return (
        f'<span id="{md.anchor(row.name)}"></span>{md.code(row.name)}',
        encoding(row),
        row.pl1,
        row.pl0,
        md.cell(row.effect.value),
        md.code(row.state or ""),
        ", ".join(trap(control) for control in row.traps),
        "" if row.gate.name == "NONE" else md.cell(row.gate.value),
        md.cell(cited(row.sources)),
        md.cell(row.note),
    )


def encoding(row: Row) -> str:
    """The encodings of a row: instruction, coprocessor and fields, with the fields that its form has."""
    prefix = f"{'/'.join(ACCESS[row.form])} p{row.coprocessor}"
    if row.form is Form.WORD:
        return f"{prefix}, {span(row.opc1)}, c{span(row.crn)}, c{span(row.crm)}, {span(row.opc2)}"
    if row.form is Form.DOUBLE:
        return f"{prefix}, {span(row.opc1)}, c{span(row.crm)}"
    return f"{prefix}, c{span(row.crn)}"


def span(values: Iterable[int]) -> str:
    """Numbers with runs of neighbours written as ranges."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    written = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return written[0] if len(written) == 1 else "{" + ",".join(written) + "}"


def trap(control: Trap) -> str:
    """A trap control with the direction, where only one traps, and the value that traps, where that is 0."""
    direction = "" if control.reads and control.writes else " (reads)" if control.reads else " (writes)"
    return md.code(control.id) + (" = 0" if control.when == 0 else "") + direction


def interrupt_controller() -> str:
    """The register maps of the interrupt controller."""
    maps = (("GICD", gic.GICD), ("GICC", gic.GICC), ("GICH", gic.GICH), ("GICV", gic.GICV))
    meanings = {member.name: member.doc for member in source.tables(gic)}
    headings = ("Offset", "Register", "Access", "Words", "Single bytes", "Source")
    parts = ["# The registers of the interrupt controller", md.text(source.doc(gic))]
    for title, registers_of in maps:
        rows = (
            (
                md.code(f"{register.offset:#05x}"),
                md.code(register.name),
                md.code(register.access),
                str(register.words),
                "yes" if register.bytewise else "",
                md.cell(cited((register.source,))),
            )
            for register in registers_of
        )
        parts += [md.heading(2, title), md.text(meanings[title]), md.table(headings, rows)]
    return md.page(*parts)
