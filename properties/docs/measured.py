"""What a run of the check and of the fault matrix found out, read from their JSON files."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import field, frozen


class NotReadable(Exception):
    """A results file that cannot be used; the message says why in one line."""


@frozen
class Finding:
    """The verdict of one engine on one property."""

    engine: str
    verdict: str
    covers: str


@frozen
class Measured:
    """Verdicts by property, and by fault the properties that caught it; None where nothing was measured."""

    verdicts: Mapping[str, tuple[Finding, ...]] | None = None
    caught: Mapping[str, tuple[str, ...]] | None = None
    outcomes: Mapping[str, str] = field(factory=lambda: MappingProxyType({}))
    """What became of each fault: caught, equivalent, excused or missed."""

    def only_caught_by(self, identifier: str) -> tuple[str, ...]:
        """The faults that this property alone catches."""
        return tuple(fault for fault, catchers in (self.caught or {}).items() if catchers == (identifier,))


def read(check: Path | None, matrix: Path | None) -> Measured:
    """The findings of `kvmarm check --json` and of `kvmarm matrix --json`; raises NotReadable.

    The matrix's file holds `{"faults": [{"fault", "outcome", "properties"}]}`.
    """
    verdicts: dict[str, tuple[Finding, ...]] | None = None
    caught: dict[str, tuple[str, ...]] | None = None
    outcomes: dict[str, str] = {}
    if check is not None:
        verdicts = {}
        for entry in _entries(check, "results", ("property", "engine", "verdict", "covers")):
            finding = Finding(str(entry["engine"]), str(entry["verdict"]), str(entry["covers"]))
            name = str(entry["property"])
            verdicts[name] = (*verdicts.get(name, ()), finding)
    if matrix is not None:
        caught = {}
        for entry in _entries(matrix, "faults", ("fault", "outcome", "properties")):
            caught[str(entry["fault"])] = tuple(str(name) for name in entry["properties"])
            outcomes[str(entry["fault"])] = str(entry["outcome"])
    return Measured(verdicts, caught, outcomes)


def _entries(path: Path, key: str, needed: tuple[str, ...]) -> list[Mapping[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotReadable(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise NotReadable(f"{path}: not JSON ({error})") from error
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise NotReadable(f"{path}: no list {key!r}")
    for entry in entries:
        missing = [name for name in needed if not isinstance(entry, dict) or name not in entry]
        if missing:
            raise NotReadable(f"{path}: an entry of {key!r} lacks {', '.join(missing)}")
    return entries
