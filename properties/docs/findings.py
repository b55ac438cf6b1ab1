"""The properties, with what was found out about them."""

from collections.abc import Iterable
from itertools import groupby

from properties.docs import markdown as md
from properties.docs.links import fault_link
from properties.docs.measured import UNMEASURED, Measured
from properties.faults.catalogue import FAULTS
from properties.property import Property

FEW = 8
"""The most faults that a cell of a table names."""


def properties_page(properties: Iterable[Property], measured: Measured) -> str:
    """Every property: what it states, which claim it checks, what was found out, and what only it catches."""
    listed = tuple(properties)
    parts = [
        "# Properties",
        "What must always hold. A verdict says which engine gave it and exactly what it covers: *proved* by z3 or by "
        "complete enumeration, *explored* in every state of a stated configuration, *tested* by random walks, "
        "*violated* with a trace, or *unknown*, which never counts as holding.",
        _scope(measured),
        md.table(("Property", "Verdict", "Faults caught", "By it alone"), (_summary(p, measured) for p in listed)),
    ]
    for module, group in groupby(listed, key=lambda entry: entry.id.rpartition(".")[0]):
        parts.append(md.heading(2, f"`{module}`", f"module-{module}"))
        parts.extend(_property(entry, measured) for entry in group)
    return md.page(*parts)


def _scope(measured: Measured) -> str:
    said = []
    if measured.verdicts is not None:
        said.append(f"The verdicts are on the design {md.code(measured.design)}.")
    if measured.fates is not None:
        said.append(
            f"{len(measured.fates)} of the {len(FAULTS)} {md.link('faults', 'elements/index.md')} were planted, and "
            f"{measured.caught()} are caught. A search that finds something goes no deeper, and "
            "`world_switch.hyp_fault_contained` is asked only where nothing else is found: a property may catch more "
            "than is counted here."
        )
    return " ".join(said)


def _summary(prop: Property, measured: Measured) -> tuple[str, ...]:
    words = dict.fromkeys(f"*{found.verdict}*" for found in (measured.verdicts or {}).get(prop.id, ()))
    scores = ("", "")
    if measured.fates is not None:
        scores = str(len(measured.caught_by(prop.id))), str(len(measured.only_caught_by(prop.id)))
    return (md.link(md.code(prop.id), "", prop.id), ", ".join(words) or UNMEASURED, *scores)


def _property(entry: Property, measured: Measured) -> str:
    alone = measured.only_caught_by(entry.id)
    many = len(alone) > FEW
    return md.page(
        md.heading(3, md.code(entry.id), entry.id),
        md.text(entry.statement),
        md.table(
            ("", ""),
            (
                ("It speaks about", md.cell(entry.kind.value)),
                ("Claims of the paper", ", ".join(md.link(c, "claims.md", c) for c in entry.claims) or "none"),
                ("It answers", md.cell(entry.question)),
                ("Verdict", verdict(entry.id, measured)),
                ("Faults it catches", _score(entry.id, measured)),
                ("Faults only it catches", f"{len(alone)}, listed below" if many else _only(entry.id, measured)),
            ),
        ),
        md.folded(f"The {len(alone)} faults that only it catches", ", ".join(map(fault_link, alone))) if many else "",
    )


def verdict(identifier: str, measured: Measured) -> str:
    """The verdicts on a property with what they cover, as a cell of a table."""
    found = (measured.verdicts or {}).get(identifier, ())
    return "<br>".join(md.cell(f"*{f.verdict}* by {f.engine}: {f.covers}") for f in found) or UNMEASURED


def _score(identifier: str, measured: Measured) -> str:
    if measured.fates is None:
        return UNMEASURED
    return f"{len(measured.caught_by(identifier))} of {len(measured.fates)} that were planted"


def _only(identifier: str, measured: Measured) -> str:
    if measured.fates is None:
        return UNMEASURED
    return ", ".join(map(fault_link, measured.only_caught_by(identifier))) or "none"
