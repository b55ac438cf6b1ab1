"""The design elements, family by family: what breaks where one is missing, and the shortest run that shows it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from properties.designs import BadDesign, Unknown, setting
from properties.docs import markdown as md
from properties.docs.links import fault_link, page_of, property_link
from properties.docs.measured import UNMEASURED, Fate, Measured
from properties.docs.modules import cited
from properties.faults.catalogue import EXCUSES
from properties.faults.fault import Fault
from properties.traces import BadTrace, decode_trace, text
from properties.why import QUESTIONS

OUTCOMES = ("caught", "equivalent", "excused", "open")
WIDTH = 100

FAMILIES: Mapping[str, tuple[str, str]] = {
    "structure": ("Structure", "The lowvisor, split mode, and what else the design as a whole decides."),
    "trap-bits": ("Trap bits", "Each control bit that the entry sets, left out; and the traps that the design avoids."),
    "registers": ("Registers of the world switch", "Each register left out of the world switch altogether."),
    "registers-in-one-block": (
        "Registers in one block",
        "Each register left out of one block of the world switch, which still moves it in the others.",
    ),
    "steps": (
        "Steps",
        "Each step of the lowvisor, of memory management, of interrupts, of timers, of power and of Hyp mode's set-up "
        "left out.",
    ),
    "order": (
        "Order",
        "Each pair of neighbouring steps of the lowvisor exchanged, and those of memory management, of power and of "
        "Hyp mode's set-up whose order is a decision.",
    ),
    "handlers": ("Handlers and emulation", "Each handler and each emulated register left out."),
    "devices": ("Accesses to devices", "Each decision about an access to an emulated device, spoilt."),
    "deviations": ("Deviations of Linux 3.12", "The reference without each of its repairs."),
    "history": (
        "Bugs of history",
        "Bugs that KVM/ARM had in its world switch, traps, emulation, memory, interrupts, timers, power and Hyp mode's "
        "set-up.",
    ),
}
"""Each page of design elements: its title, and what its faults take away."""


def pages(faults: Iterable[Fault], measured: Measured) -> dict[str, str]:
    """The pages of all families and their overview, by path below the generated pages."""
    listed: dict[str, list[Fault]] = {name: [] for name in FAMILIES}
    for fault in faults:
        listed[page_of(fault)].append(fault)
    made = {f"elements/{name}.md": family(name, found, measured) for name, found in listed.items()}
    return {"elements/index.md": overview(listed, measured), **made}


def overview(listed: Mapping[str, list[Fault]], measured: Measured) -> str:
    """The families with what became of their faults, the slides' questions, and the faults that are still open."""
    every = [fault for found in listed.values() for fault in found]
    rows = [
        (md.link(FAMILIES[name][0], f"{name}.md"), md.cell(FAMILIES[name][1]), *_counts(found, measured))
        for name, found in listed.items()
    ]
    left = [fault for fault in every if (fate := measured.fate(fault.id)) and fate.outcome not in OUTCOMES[:3]]
    questions = ((md.cell(asked), ", ".join(_here(name) for name in names)) for asked, names in QUESTIONS.items())
    return md.page(
        "# Design elements and why",
        "Each element of the design is there because something breaks without it. A fault takes one away or spoils it, "
        "in the reference. It is *caught* by properties, with the shortest run that shows it; or *equivalent*: z3 "
        "proves that the two designs behave alike; or *excused*, because the model leaves out what would show it; or "
        "*open*. `kvmarm why ELEMENT` and `kvmarm trace FAULT` show the same runs.",
        md.table(("Family", "What is taken away", "Faults", *(o.capitalize() for o in OUTCOMES), "Not measured"), rows),
        md.heading(2, "The slides' questions", "questions") + "\nIn the words that `kvmarm why` takes:",
        md.table(("Asked about", "The faults that answer"), questions),
        md.page(md.heading(2, "Open", "open"), ", ".join(_here(fault.id) for fault in left)) if left else "",
    )


def _here(identifier: str) -> str:
    return fault_link(identifier).replace("(elements/", "(")


def _counts(faults: list[Fault], measured: Measured) -> tuple[str, ...]:
    outcomes = [fate.outcome if (fate := measured.fate(fault.id)) else "" for fault in faults]
    return str(len(faults)), *(str(outcomes.count(outcome) or "") for outcome in (*OUTCOMES, ""))


def family(name: str, faults: list[Fault], measured: Measured) -> str:
    """One family: each element with its faults, what became of them, and the runs that show it."""
    title, meaning = FAMILIES[name]
    parts = [f"# {title}", meaning]
    for element, group in groupby(sorted(faults, key=lambda fault: fault.element), key=lambda fault: fault.element):
        parts.append(md.heading(2, md.code(element), f"element-{element}"))
        parts.extend(_fault(fault, measured) for fault in group)
    return md.page(*parts)


def _fault(fault: Fault, measured: Measured) -> str:
    statement = fault.statement[0].upper() + fault.statement[1:]
    fate = measured.fate(fault.id)
    return md.page(
        f'<span id="{md.anchor(fault.id)}"></span>{md.code(fault.id)}: {md.text(statement)}.',
        f"Outcome: {outcome(fate, '../')}",
        f"Source: {cited(fault.sources)}",
        run(fate),
    )


def outcome(fate: Fate | None, up: str) -> str:
    """What became of a fault, in a sentence; `up` leads from the page to the generated pages."""
    if fate is None:
        return f"{UNMEASURED}."
    if fate.outcome == "caught":
        return f"*caught* by {', '.join(property_link(name, up) for name in fate.properties)}."
    return f"*{fate.outcome}*: {md.text(fate.reason)}."


def excused() -> Iterator[tuple[str, str, str]]:
    """The faults that may stand although nothing catches them: a link, the reason and its sources."""
    for name, excuse in EXCUSES.items():
        yield fault_link(name), md.cell(excuse.reason), md.cell(cited(excuse.sources))


def run(fate: Fate | None) -> str:
    """The shortest run that shows a fault, folded away; empty where there is none."""
    if fate is None or fate.trace is None:
        return ""
    count = "1 chosen action" if fate.length == 1 else f"{fate.length} chosen actions"
    return md.folded(f"The shortest run: {count}", f"```text\n{told(fate).rstrip()}\n```\n")


def told(fate: Fate) -> str:
    """A run as text; where today's code cannot take it any more, why."""
    try:
        trace = decode_trace(fate.trace)
        return text(trace, *setting(trace), width=WIDTH)
    except (BadTrace, BadDesign, Unknown) as reason:
        return f"Measured with other code, and not to be run with this one: {reason}"
