"""`kvmarm list`: what there is."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from properties.command.output import emit, table, width

Row = tuple[str, ...]
ROOMY = 110
"""The columns that leave room beside the longest name."""


def show(what: str | None) -> None:
    """List one kind of thing, or every kind under its title."""
    kinds = TABLES if what is None else {what: TABLES[what]}
    for number, (kind, (titles, rows)) in enumerate(kinds.items()):
        if what is None:
            emit(f"{chr(10) if number else ''}{kind.upper()}\n")
        emit(table(titles, rows(), wrapped=(-1,) if width() >= ROOMY else (0, -1)))


def properties() -> Iterator[Row]:
    """Every property with its statement."""
    from properties.catalogue import PROPERTIES

    return ((prop.id, prop.statement) for prop in PROPERTIES)


def faults() -> Iterator[Row]:
    """Every fault with what is wrong."""
    from properties.faults.catalogue import FAULTS

    return ((fault.id, fault.statement) for fault in FAULTS)


def elements() -> Iterator[Row]:
    """Every design element with what is wrong where it is removed or spoilt."""
    from properties.faults.catalogue import FAULTS

    found: dict[str, list[str]] = {}
    for fault in FAULTS:
        found.setdefault(fault.element, []).append(fault.statement)
    return ((element, "; ".join(found[element])) for element in sorted(found, key=str.lower))


def designs() -> Iterator[Row]:
    """Every named design with what it is."""
    from model.designs.catalogue import DESIGNS

    for name, make in DESIGNS.items():
        made = f"model.designs.{name.replace('-', '_').replace('.', '_')}"
        words = import_module(made).__doc__ if make.__name__ == "<lambda>" else make.__doc__
        yield name, " ".join((words or "").split())


TABLES: Mapping[str, tuple[Row, Callable[[], Iterator[Row]]]] = MappingProxyType(
    {
        "properties": (("PROPERTY", "STATEMENT"), properties),
        "faults": (("FAULT", "WHAT IS WRONG"), faults),
        "elements": (("ELEMENT", "WHAT IS WRONG WITHOUT IT"), elements),
        "designs": (("DESIGN", "WHAT IT IS"), designs),
    }
)
