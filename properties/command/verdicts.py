"""The last verdicts, remembered between calls in `.kvmarm-cache` of the current directory."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from properties.property import Result

MEMORY = Path(".kvmarm-cache") / "verdicts.json"
PACKAGES = ("spec", "model", "properties")


def remember(results: Iterable[Result], fault: str | None) -> None:
    """Remember the verdicts on designs without a planted fault; where that is not possible, forget them."""
    from properties.traces import write_whole

    if fault is not None:
        return
    known = _known()
    code = fingerprint()
    for result in results:
        known.setdefault(result.property, {})[f"{result.design}, {result.engine}"] = {
            "verdict": result.verdict.value,
            "covers": result.covers,
            "code": code,
        }
    try:
        MEMORY.parent.mkdir(exist_ok=True)
        write_whole(MEMORY, json.dumps(known, indent=1))
    except OSError:
        return


def last(identifier: str) -> str:
    """The last verdicts on a property in words, and whether the code has changed since; empty where there is none."""
    code = fingerprint()
    said = []
    for subject, found in _known().get(identifier, {}).items():
        since = "" if found.get("code") == code else " (the code has changed since)"
        said.append(f"{found.get('verdict')} for {subject}: {found.get('covers')}{since}")
    return "; ".join(said)


def _known() -> dict[str, dict[str, Mapping[str, Any]]]:
    try:
        known = json.loads(MEMORY.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    kept = isinstance(known, dict) and all(isinstance(entries, dict) for entries in known.values())
    return known if kept and all(isinstance(e, dict) for es in known.values() for e in es.values()) else {}


def fingerprint() -> str:
    """A digest of all the code that a verdict depends on."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent.parent
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
