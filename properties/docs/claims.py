"""The paper's claims one by one: what checks each, the verdicts on three designs, and which faults show only there."""

from collections.abc import Iterable, Iterator

from properties.catalogue import PROPERTY
from properties.claims import CLAIMS, Claim, checked_by
from properties.designs import BadDesign, Unknown, setting
from properties.docs import markdown as md
from properties.docs.links import fault_link, property_link
from properties.docs.measured import UNMEASURED, Finding, Measured
from properties.faults.catalogue import FAULT
from properties.parts import PARTS
from properties.traces import BadTrace, decode_trace, text

DESIGNS = ("reference", "without-vgic", "linux-3.12")
"""The designs on which the verdicts are shown."""
WORST = ("violated", "unknown", "tested", "explored", "proved")
"""Verdicts, the one that weighs most first."""
INVARIANTS = frozenset(part.invariants.id for part in PARTS if part.invariants is not None)
"""What proofs rest on, and no claim says."""
FEW = 8
"""The most faults that a cell names."""
WIDTH = 100
FAILS = "fails for "
VIOLATED = "violated"


def page(measured: Measured) -> str:
    """Every claim of the paper, and what became of it."""
    waiting = [claim for claim in CLAIMS.values() if claim.pending is not None]
    return md.page(
        "# Claims of the paper",
        "What the paper says of KVM/ARM, in our words, and what became of each claim here. "
        f"{len(CLAIMS) - len(waiting)} of {len(CLAIMS)} are checked as far as they go; what waits, wholly or in part, "
        f"for something that the model does not have yet: {', '.join(claim.id for claim in waiting)}. "
        "A claim has the verdict of its property that fares worst. What proofs by induction rest on "
        f"({md.codes(sorted(INVARIANTS))}) does not count: where it fails, the proofs do, and not the claim. "
        f"{_scope(measured)}",
        md.table(("Claim", "It says", "Section", *map(md.code, DESIGNS), "Waits for"), _overview(measured)),
        *(_section(claim, measured) for claim in CLAIMS.values()),
        md.heading(2, "Beyond the claims", "beyond"),
        "What has to hold besides, of PSCI and of Hyp mode's set-up for instance, of which the paper claims nothing.",
        _told(tuple(name for name, prop in PROPERTY.items() if not prop.claims), measured),
        *(run for name, prop in PROPERTY.items() if not prop.claims for run in _runs(name, measured)),
    )


def _scope(measured: Measured) -> str:
    missing = [design for design in DESIGNS if measured.of_design(design) is None]
    said = f"Not measured in this build: {md.codes(missing)}." if missing else ""
    return said if measured.fates is not None else f"{said} The faults were not planted in this build.".strip()


def _overview(measured: Measured) -> Iterator[tuple[str, ...]]:
    for claim in CLAIMS.values():
        name = f'<span id="{md.anchor(claim.id)}"></span>{md.link(claim.id, "", f"claim-{claim.id}")}'
        verdicts = (_weighed(claim, design, measured) for design in DESIGNS)
        yield name, md.cell(claim.text), md.cell(claim.section), *verdicts, _pending(claim)


def _pending(claim: Claim) -> str:
    return md.cell(claim.pending.value) if claim.pending else ""


def _weighed(claim: Claim, design: str, measured: Measured) -> str:
    """The verdict of the claim's property that fares worst on a design; in part where some were not asked."""
    found = measured.of_design(design)
    if found is None:
        return UNMEASURED
    names = [name for name in checked_by(claim.id) if name not in INVARIANTS]
    words = {finding.verdict for name in names for finding in found.get(name, ())}
    verdict = next((verdict for verdict in WORST if verdict in words), "")
    whole = verdict == VIOLATED or all(name in found for name in names)
    if verdict:
        return f"*{verdict}*{'' if whole else ', in part'}"
    return UNMEASURED if names else "nothing checks it yet"


def _section(claim: Claim, measured: Measured) -> str:
    names = checked_by(claim.id)
    waits = f"Waits for {md.text(claim.pending.value)}." if claim.pending else ""
    return md.page(
        md.heading(2, claim.id, f"claim-{claim.id}"),
        f"{md.text(claim.text)} (Section {md.text(claim.section)}.) {waits}".strip(),
        _told(names, measured),
        *(run for name in names if PROPERTY[name].claims[0] == claim.id for run in _runs(name, measured)),
    )


def _told(names: Iterable[str], measured: Measured) -> str:
    """Properties with their verdicts on each design, and the faults that only they catch."""
    rows = (
        (property_link(name), *(_verdict(name, design, measured) for design in DESIGNS), _only(name, measured))
        for name in names
    )
    return md.table(("Property", *map(md.code, DESIGNS), "Faults that only it catches"), rows)


def _verdict(name: str, design: str, measured: Measured) -> str:
    """The verdicts on a property of a design; where it is violated, with what does so and what leads to the run."""
    found = measured.of_design(design)
    if found is None or name not in found:
        return UNMEASURED
    violations = [(n, f) for n, f in enumerate(found[name]) if f.verdict == VIOLATED]
    causes = (" ".join(filter(None, _cause(name, design, number, each))) for number, each in violations)
    causes_told = ", ".join(filter(None, causes))
    violated = [f"*{VIOLATED}*: {causes_told}" if causes_told else f"*{VIOLATED}*"] if violations else []
    told = dict.fromkeys(_lesser(f) for f in found[name] if f.verdict != VIOLATED)
    return "<br>".join((*violated, *told))


def _lesser(finding: Finding) -> str:
    """A verdict that is no violation; where it is unknown, why, which its text says last."""
    why = finding.covers.rpartition("; ")[2]
    return f"*{finding.verdict}*" + (f": {md.cell(why)}" if finding.verdict == "unknown" and why else "")


def _cause(name: str, design: str, number: int, finding: Finding) -> Iterator[str]:
    """The deviations that violate a property, and a link to the run; of a table the first thing that it fails for."""
    yield ", ".join(map(_deviation, finding.deviations))
    if finding.trace is not None:
        yield f"({md.link('run', '', _place(name, design, number))})"
    elif FAILS in finding.covers:
        yield f"{FAILS}{md.cell(finding.covers.partition(FAILS)[2].partition(';')[0])}"


def _deviation(name: str) -> str:
    if name in FAULT and FAULT[name].family == "deviation of Linux 3.12":
        return md.link(md.code(name), "found-in-linux.md", f"deviation-{name}")
    return fault_link(name)


def _place(name: str, design: str, number: int) -> str:
    """The anchor of a run."""
    return f"run-{name}-{design}-{number}"


def _only(name: str, measured: Measured) -> str:
    if measured.fates is None:
        return UNMEASURED
    alone = measured.only_caught_by(name)
    more = f" and {len(alone) - FEW} more" if len(alone) > FEW else ""
    return ", ".join(map(fault_link, alone[:FEW])) + more or "none"


def _runs(name: str, measured: Measured) -> Iterator[str]:
    """The runs that violate a property, folded away; they stand below the first claim that it checks."""
    for design in DESIGNS:
        for number, finding in enumerate((measured.of_design(design) or {}).get(name, ())):
            if finding.verdict == VIOLATED and finding.trace is not None:
                yield f'<span id="{md.anchor(_place(name, design, number))}"></span>'
                yield md.folded(_title(name, design, finding), f"```text\n{told(finding).rstrip()}\n```\n")


def _title(name: str, design: str, finding: Finding) -> str:
    """What a run is of: the design itself, or the reference with one deviation, where that shows it best."""
    made_of = (finding.trace or {}).get("design", design)
    blamed = f": {', '.join(finding.deviations)}" if finding.deviations else ""
    return f"{name} on {design}{blamed}" + (f", shown on the {made_of} with that alone" if made_of != design else "")


def told(finding: Finding) -> str:
    """A run as text; where today's code cannot take it any more, why."""
    try:
        trace = decode_trace(finding.trace)
        return text(trace, *setting(trace), width=WIDTH)
    except (BadTrace, BadDesign, Unknown) as reason:
        return f"Measured with other code, and not to be run with this one: {reason}"
