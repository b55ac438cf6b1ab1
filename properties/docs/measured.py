"""What a run of the check and of the fault matrix found out, read from their JSON files."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

UNMEASURED = "not measured in this build"
"""What a page says where no results file says more."""


class NotReadable(Exception):
    """A results file that cannot be used; the message says why in one line."""


@frozen
class Finding:
    """The verdict of one engine on one property."""

    engine: str
    verdict: str
    covers: str
    deviations: tuple[str, ...] = ()
    """The deviations of the design that a run of it needs."""
    trace: Mapping[str, Any] | None = field(default=None, eq=False)
    """The run that violates the property, as `properties.traces` encodes it."""


Verdicts = Mapping[str, tuple[Finding, ...]]
"""The findings on each property."""


@frozen
class Fate:
    """What became of one fault: the properties that catch it and the shortest run that shows it, or why none does."""

    outcome: str
    """caught, equivalent, excused or open."""
    properties: tuple[str, ...] = ()
    length: int | None = None
    """How many actions of the run somebody chose."""
    reason: str = ""
    trace: Mapping[str, Any] | None = field(default=None, eq=False)
    """The run as `properties.traces` encodes it."""


@frozen
class Measured:
    """Verdicts by property, and what became of each fault; None where nothing was measured."""

    verdicts: Verdicts | None = None
    fates: Mapping[str, Fate] | None = None
    design: str = "reference"
    """The design that was checked."""
    others: Mapping[str, Verdicts] = MappingProxyType({})
    """The verdicts on further designs, by name."""

    def of_design(self, design: str) -> Verdicts | None:
        """The verdicts on a design; None where it was not checked."""
        return self.verdicts if design == self.design else self.others.get(design)

    def fate(self, fault: str) -> Fate | None:
        """What became of a fault, where the matrix went over it."""
        return (self.fates or {}).get(fault)

    def caught_by(self, identifier: str) -> tuple[str, ...]:
        """The faults that a property catches, alone or with others."""
        return tuple(fault for fault, fate in (self.fates or {}).items() if identifier in fate.properties)

    def only_caught_by(self, identifier: str) -> tuple[str, ...]:
        """The faults that this property alone catches."""
        return tuple(fault for fault, fate in (self.fates or {}).items() if fate.properties == (identifier,))

    def caught(self) -> int:
        """How many faults any property catches."""
        return sum(bool(fate.properties) for fate in (self.fates or {}).values())


def read(check: Path | None, matrix: Path | None, others: Iterable[Path] = ()) -> Measured:
    """The findings of `kvmarm check --json`, of one design and of others, and of `kvmarm matrix --json`.

    Raises NotReadable.
    """
    verdicts: Verdicts | None = None
    fates: dict[str, Fate] | None = None
    design = "reference"
    if check is not None:
        design, verdicts = _checked(check)
    if matrix is not None:
        needed = ("fault", "outcome", "properties", "length", "reason", "trace")
        entries = _entries(matrix, _content(matrix), "faults", needed)
        fates = {str(entry["fault"]): _fate(matrix, entry) for entry in entries}
    return Measured(verdicts, _frozen(fates), design, MappingProxyType(dict(map(_checked, others))))


def _checked(path: Path) -> tuple[str, Verdicts]:
    """A design that was checked, and its verdicts."""
    found: dict[str, tuple[Finding, ...]] = {}
    content = _content(path)
    for entry in _entries(path, content, "results", ("property", "engine", "verdict", "covers")):
        deviations = tuple(map(str, entry.get("deviations") or ()))
        words = (str(entry["engine"]), str(entry["verdict"]), str(entry["covers"]))
        name = str(entry["property"])
        found[name] = (*found.get(name, ()), Finding(*words, deviations, _trace(path, entry.get("trace"))))
    return str(content.get("design", "reference")), MappingProxyType(found)


def _trace(report: Path, name: object) -> Mapping[str, Any] | None:
    """The run that stands in a file of its own beside the report; None where there is none."""
    beside = report.with_name(Path(str(name)).name)
    return _content(beside) if isinstance(name, str) and beside.exists() else None


def _frozen(found: dict[str, Any] | None) -> Mapping[str, Any] | None:
    return None if found is None else MappingProxyType(found)


def _fate(path: Path, entry: Mapping[str, Any]) -> Fate:
    names, length, trace = entry["properties"], entry["length"], entry["trace"]
    if not isinstance(names, list) or not isinstance(length, int | None) or not isinstance(trace, dict | None):
        raise NotReadable(f"{path}: the entry of the fault {entry['fault']} is not as the matrix writes it")
    return Fate(str(entry["outcome"]), tuple(map(str, names)), length, str(entry["reason"]), trace)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotReadable(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise NotReadable(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise NotReadable(f"{path}: not an object")
    return content


def _entries(path: Path, content: Mapping[str, Any], key: str, needed: tuple[str, ...]) -> list[Mapping[str, Any]]:
    entries = content.get(key)
    if not isinstance(entries, list):
        raise NotReadable(f"{path}: no list {key!r}")
    for entry in entries:
        missing = [name for name in needed if not isinstance(entry, dict) or name not in entry]
        if missing:
            raise NotReadable(f"{path}: an entry of {key!r} lacks {', '.join(missing)}")
    return entries
