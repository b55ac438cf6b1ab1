"""`kvmarm explain`: what a name means, where it comes from, who touches it, and what was found out about it."""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from model.design import ROUTINES, Design
from model.designs.catalogue import DESIGNS, reference
from model.designs.linux_3_12 import LINUX_3_12
from model.designs.variations import REPAIR, REPAIRS
from model.lowvisor.moves import (
    Alter,
    Copy,
    Inspect,
    Install,
    Load,
    LoadVfp,
    Pop,
    Push,
    Save,
    SaveAs,
    SaveVfp,
    Step,
    TranslateFaultAddress,
    When,
    Write,
    accesses,
)
from properties.catalogue import PROPERTY
from properties.command.output import emit, width
from properties.command.status import Status
from properties.designs import unknown
from properties.docs import source
from properties.docs.prose import describe, register_name
from properties.faults.catalogue import EXCUSES, FAULT, FAULTS
from properties.policy import owner
from spec.citations import Citation
from spec.controls import CONTROLS
from spec.controls import SOURCES as CONTROL_SOURCES
from spec.coprocessor.decode import ROWS
from spec.registers import REGISTERS

Section = tuple[str, str]
"""The label of a section, and its text."""
LABEL = 14


def show(name: str) -> Status:
    """Explain everything that has the name; raises Unknown where nothing has it."""
    found = [part for explainer in EXPLAINERS for part in explainer(name)]
    if not found:
        raise unknown("rule, step, property, register, fault or design element", name, every_name())
    emit("\n\n".join(found))
    return Status.HOLDS


def entry(title: str, sections: Iterable[Section], code: str = "") -> str:
    """A title, its labelled sections, and code below them."""
    columns = min(width(), 110)
    lines = [title]
    for label, words in sections:
        if words:
            lines += textwrap.wrap(
                " ".join(words.split()), columns, initial_indent=f"  {label:<{LABEL}}",
                subsequent_indent=" " * (LABEL + 2), break_on_hyphens=False,
            )  # fmt: skip
    if code:
        lines += ["", *textwrap.indent(textwrap.dedent(code).rstrip(), "    ").splitlines()]
    return "\n".join(lines)


def cited(sources: Iterable[Citation]) -> str:
    """Citations in one line."""
    return "; ".join(str(citation) for citation in sources)


def rules() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every rule of the specification and of the model, by module and name."""
    for package in source.PACKAGES:
        for module in source.modules(package):
            for function in source.functions(module):
                if source.is_rule(function):
                    yield f"{module.__name__}.{function.__name__}", function


def explain_rule(name: str) -> Iterator[str]:
    """The rules of that name, with or without their modules."""
    for full, rule in rules():
        if full == name or full.endswith(f".{name}"):
            sections = (("means", source.doc(rule)), ("sources", cited(source.sources(rule))))
            yield entry(f"rule {full}", sections, source.code(rule))


def steps(design: Design) -> Iterator[tuple[str, int, Step]]:
    """Every step of a design's lowvisor: its routine, its position counted from 1, and itself."""
    for routine in ROUTINES:
        for position, step in enumerate(design.routine(routine), 1):
            yield routine, position, step


def explain_step(name: str) -> Iterator[str]:
    """The step of that name in the reference, or else in Linux 3.12."""
    for design in (reference(), LINUX_3_12):
        found = [place for place in steps(design) if place[2].name.lower() == name.lower()]
        for routine, position, step in found:
            yield entry(f"step '{step.name}' of {design.name}", step_sections(design, routine, position, step))
        if found:
            return


def step_sections(design: Design, routine: str, position: int, step: Step) -> Iterator[Section]:
    """What there is to say of a step."""
    around = design.routine(routine)
    yield "does", describe(step.move)
    yield "when", "" if step.when is When.ALWAYS else step.when.value
    yield "place", f"step {position} of {len(around)} of the routine '{routine}'"
    yield "reads", ", ".join(map(register_name, reads(step)))
    yield "writes", ", ".join(map(register_name, writes(step)))
    yield "spoils", ", ".join(map(register_name, step.scratch))
    yield "accesses", ", ".join(accesses(step))
    moved = {*reads(step), *writes(step)}
    others = [other.name for _, _, other in steps(design) if other != step and moved & {*reads(other), *writes(other)}]
    yield "shared with", ", ".join(f"'{other}'" for other in others)
    yield "repairs", ", ".join(repairs_of(step.name))
    yield "faults", faults_touching(lambda fault: step.name.lower() in fault.element.lower())
    yield "sources", cited(step.sources)


def reads(step: Step) -> tuple[str, ...]:
    """The registers that a step reads."""
    match step.move:
        case Push(names, omitted) | Save(names, omitted):
            return tuple(name for name in names if name not in omitted)
        case SaveAs(register) | Inspect(register) | Alter(register) | Copy(_, register):
            return (register,)
        case SaveVfp():
            return VFP
        case TranslateFaultAddress():
            return ("par", "hdfar", "hifar")
    return ()


def writes(step: Step) -> tuple[str, ...]:
    """The registers that a step writes on purpose."""
    match step.move:
        case Pop(names, omitted) | Load(names, omitted):
            return tuple(name for name in names if name not in omitted)
        case Install(register) | Write(register) | Alter(register) | Copy(register):
            return (register,)
        case LoadVfp():
            return VFP
    return ()


VFP = tuple(name for name, register in REGISTERS.items() if register.component == "vfp")


def repairs_of(step: str) -> Iterator[str]:
    """The repairs of the reference that add a step or change it."""
    design = LINUX_3_12
    for repair in REPAIRS:
        repaired = repair.apply(design)
        if {s for _, _, s in steps(design) if s.name == step} != {s for _, _, s in steps(repaired) if s.name == step}:
            yield repair.variation.id
        design = repaired


def faults_touching(concerns: Callable[[Any], bool]) -> str:
    """The ids of the faults that concern something."""
    return ", ".join(fault.id for fault in FAULTS if concerns(fault))


def explain_property(name: str) -> Iterator[str]:
    """The property of that id, or of that name within its module."""
    from properties.command.verdicts import last

    for identifier, prop in PROPERTY.items():
        if name in (identifier, identifier.rpartition(".")[2]):
            sections = (
                ("states", prop.statement),
                ("answers", prop.question),
                ("claims", ", ".join(prop.claims)),
                ("speaks about", prop.kind.value),
                ("steps", ", ".join(kind.__name__ for kind in prop.about)),
                ("last verdict", last(identifier)),
            )
            yield entry(f"property {identifier}", sections, source.code(prop.holds))


def explain_register(name: str) -> Iterator[str]:
    """The register of that name: its place, whose it is, and the steps that move it."""
    register = REGISTERS.get(name.lower())
    if register is None:
        return
    design = reference()
    sections = (
        ("is", f"{register.path}, {register.width} bit{'s' * (register.width != 1)}"),
        ("owner", owner(register.name).value),
        ("bits", ", ".join(f"{bit} {number}" for bit, number in CONTROLS.get(register.name, {}).items())),
        ("read by", ", ".join(f"'{s.name}'" for _, _, s in steps(design) if register.name in reads(s))),
        ("written by", ", ".join(f"'{s.name}'" for _, _, s in steps(design) if register.name in writes(s))),
        ("encodings", ", ".join(row.name for row in ROWS if row.name.lower().removesuffix("_64") == register.name)),
        ("faults", faults_touching(lambda fault: fault.element.lower() == register.name)),
    )
    yield entry(f"register {register_name(register.name)}", sections)


def explain_control(name: str) -> Iterator[str]:
    """The control bit of that name, such as HCR.TSC: where it is, and what it traps."""
    register, _, bit = name.upper().partition(".")
    number = CONTROLS.get(register.lower(), {}).get(bit)
    if number is None:
        return
    control = f"{register}.{bit}"
    known = re.compile(rf"\b{re.escape(control)}\b")
    sections = (
        ("is", f"bit {number} of {register}"),
        ("traps", ", ".join(row.name for row in ROWS if any(trap.id == control for trap in row.traps))),
        ("rules", ", ".join(full for full, rule in rules() if known.search(source.doc(rule)))),
        ("faults", faults_touching(lambda fault: control in fault.touches)),
        ("source", str(CONTROL_SOURCES[register.lower()])),
    )
    yield entry(f"control bit {control}", sections)


def explain_element(name: str) -> Iterator[str]:
    """The design element of that name: the faults that take it away or spoil it."""
    found = [fault for fault in FAULTS if fault.element.lower() == name.lower()]
    if found:
        statements = (
            (f"{'' if n else 'without it'}", f"{fault.statement} ({fault.id})") for n, fault in enumerate(found)
        )
        yield entry(f"design element {found[0].element}", (*statements, ("see", f"kvmarm why '{found[0].element}'")))


def explain_fault(name: str) -> Iterator[str]:
    """The fault of that id."""
    fault = FAULT.get(name)
    if fault is not None:
        sections = (
            ("plants", fault.statement),
            ("element", fault.element),
            ("touches", ", ".join(sorted(fault.touches))),
            ("excused", EXCUSES[name].reason if name in EXCUSES else ""),
            ("sources", cited(fault.sources)),
            ("see", f"kvmarm trace {name}"),
        )
        yield entry(f"fault {name}", sections)


def explain_design(name: str) -> Iterator[str]:
    """The named design, or the named repair of the reference."""
    if name in DESIGNS:
        variations = [("varied by" if not n else "", v.id) for n, v in enumerate(DESIGNS[name]().variations)]
        yield entry(f"design {name}", variations or [("varied by", "nothing: every other design varies from this one")])
    if name in REPAIR:
        repair = REPAIR[name]
        sections = (
            ("says", repair.variation.statement),
            ("mends", repair.deviation),
            ("sources", cited(repair.variation.sources)),
        )
        yield entry(f"repair {name}", sections, source.code(repair.change))


EXPLAINERS = (
    explain_property,
    explain_rule,
    explain_step,
    explain_register,
    explain_control,
    explain_element,
    explain_fault,
    explain_design,
)


def every_name() -> Iterator[str]:
    """All that can be explained."""
    yield from PROPERTY
    for full, _ in rules():
        yield from (full, full.rpartition(".")[2])
    for design in (reference(), LINUX_3_12):
        yield from (step.name for _, _, step in steps(design))
    yield from (f"{register.upper()}.{bit}" for register, bits in CONTROLS.items() for bit in bits)
    yield from (*REGISTERS, *FAULT, *dict.fromkeys(fault.element for fault in FAULTS), *DESIGNS, *REPAIR)
