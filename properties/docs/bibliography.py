"""Which sections of the manuals, of Linux and of the paper are cited, and where."""

import re
from collections.abc import Callable, Iterator

from model.design import ROUTINES
from model.designs.catalogue import DESIGNS
from properties.docs import markdown as md
from properties.docs import modules, source
from spec import citations
from spec.citations import Citation
from spec.coprocessor.decode import ROWS

Use = tuple[Citation, str]
"""A citation, and a link to what cites it."""

TITLES: tuple[tuple[str, Callable[..., Citation]], ...] = tuple(
    (constructor("").document, constructor)
    for constructor in (citations.arm, citations.gic, citations.trm, citations.psci, citations.paper)
)


def uses() -> Iterator[Use]:
    """Every citation of a rule, a catalogue row, a step or a variation."""
    for package in source.PACKAGES:
        for module in source.modules(package):
            for function in source.functions(module):
                where = md.link(md.code(f"{module.__name__}.{function.__name__}"), *_rule(module.__name__, function))
                yield from ((citation, where) for citation in source.sources(function))
    for row in ROWS:
        where = md.link(row.name, "coprocessor.md", row.name)
        yield from ((citation, where) for citation in row.sources)
    for make in DESIGNS.values():
        design = make()
        for routine in ROUTINES:
            for step in design.routine(routine):
                where = md.link(f"the steps of `{routine}`", "world-switch.md", f"routine-{routine}")
                yield from ((citation, where) for citation in step.sources)
        for variation in design.variations:
            where = md.link(md.code(variation.id), "designs.md")
            yield from ((citation, where) for citation in variation.sources)


def _rule(module: str, function: Callable[..., object]) -> tuple[str, str]:
    return modules.path(module), function.__name__


def bibliography() -> str:
    """Every document that is cited, by section."""
    cited: dict[str, dict[str, dict[str, None]]] = {}
    for citation, where in uses():
        cited.setdefault(citation.document, {}).setdefault(citation.section, {})[where] = None
    parts = ["# Bibliography", "Every section that a rule, a catalogue row, a step or a variation cites."]
    for document in sorted(cited):
        parts.append(md.heading(2, document))
        parts.append(md.text(_title(document)))
        rows = (
            (md.cell(section), ", ".join(cited[document][section])) for section in sorted(cited[document], key=natural)
        )
        parts.append(md.table(("Section", "Cited by"), rows))
    return md.page(*parts)


def _title(document: str) -> str:
    for name, constructor in TITLES:
        if name == document:
            return source.doc(constructor)
    return source.doc(citations.linux)


def natural(section: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts B1.9 before B1.14."""
    return tuple((int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", section))
