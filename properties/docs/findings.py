"""The properties with their verdicts, and the design elements with what breaks where they are missing."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from itertools import groupby
from typing import Any

from properties.docs import markdown as md
from properties.docs.measured import Measured
from properties.property import Property
from spec.citations import Citation

UNMEASURED = "not measured in this build"


def catalogued(module: str, name: str) -> tuple[Any, ...]:
    """The entries of a catalogue, in its order; none where the package has no such module."""
    try:
        entries = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            return ()
        raise
    return tuple(entries.values() if isinstance(entries, Mapping) else entries)


def all_properties() -> tuple[Property, ...]:
    """Every property of the catalogue."""
    return catalogued("properties.catalogue", "PROPERTIES")


def all_faults() -> tuple[Any, ...]:
    """Every fault of the catalogue."""
    return catalogued("properties.faults.catalogue", "FAULTS")


def properties_page(properties: Iterable[Property], measured: Measured) -> str:
    """Every property: what it states, which claim it checks, what was found out, and what only it catches."""
    parts = [
        "# Properties",
        "What must always hold. A verdict says which engine gave it and exactly what it covers: *proved* by z3 or by "
        "complete enumeration, *explored* in every state of a stated configuration, *tested* by random walks, "
        "*violated* with a trace, or *unknown*, which never counts as holding.",
    ]
    for module, group in groupby(properties, key=lambda entry: entry.id.rpartition(".")[0]):
        parts.append(md.heading(2, f"`{module}`", f"module-{module}"))
        parts.extend(_property(entry, measured) for entry in group)
    return md.page(*parts)


def _property(entry: Property, measured: Measured) -> str:
    return md.page(
        md.heading(3, md.code(entry.id), entry.id),
        md.text(entry.statement),
        md.table(
            ("", ""),
            (
                ("It speaks about", md.cell(entry.kind.value)),
                ("Claims of the paper", md.cell(", ".join(entry.claims)) or "none"),
                ("It answers", md.cell(entry.question)),
                ("Verdict", _verdict(entry.id, measured)),
                ("Faults only it catches", _only(entry.id, measured)),
            ),
        ),
    )


def _verdict(identifier: str, measured: Measured) -> str:
    found = (measured.verdicts or {}).get(identifier, ())
    return "<br>".join(md.cell(f"*{f.verdict}* by {f.engine}: {f.covers}") for f in found) or UNMEASURED


def _only(identifier: str, measured: Measured) -> str:
    if measured.caught is None:
        return UNMEASURED
    return md.codes(measured.only_caught_by(identifier)) or "none"


def elements_page(faults: Iterable[Any], measured: Measured) -> str:
    """Every design element with the faults that remove or damage it, and the properties that notice."""
    parts = [
        "# Design elements and why",
        "Each element of the design is there because something breaks without it. A fault removes or damages one; "
        "`kvmarm why ELEMENT` shows the shortest run in which that is seen.",
    ]
    ordered = sorted(faults, key=lambda entry: str(entry.element))
    for element, group in groupby(ordered, key=lambda entry: str(entry.element)):
        parts.append(md.heading(2, f"`{element}`", f"element-{element}"))
        rows = (
            (md.code(fault.id), md.cell(fault.statement), _caught(fault.id, measured), md.cell(_source(fault.sources)))
            for fault in group
        )
        parts.append(md.table(("Fault", "What is wrong", "Caught by", "Source"), rows))
    return md.page(*parts)


def _caught(fault: str, measured: Measured) -> str:
    if measured.caught is None or fault not in measured.caught:
        return UNMEASURED
    catchers = measured.caught[fault]
    return ", ".join(md.link(md.code(name), "properties.md", name) for name in catchers) or measured.outcomes[fault]


def _source(source: object) -> str:
    if isinstance(source, Citation | str):
        return str(source)
    return "; ".join(str(entry) for entry in source) if isinstance(source, Iterable) else str(source)
