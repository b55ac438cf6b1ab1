"""The last verdicts, remembered between calls beside the settled obligations."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from properties.engines.cache import directory, texts
from properties.property import Result

NAME = "verdicts.json"


def remember(results: Iterable[Result], fault: str | None) -> None:
    """Remember the verdicts on designs without a planted fault; where that is not possible, forget them."""
    from properties.traces import write_whole

    if fault is not None:
        return
    known = _known()
    for result in results:
        known.setdefault(result.property, {})[f"{result.design}, {result.engine}"] = {
            "verdict": result.verdict.value,
            "covers": result.told(),
            "code": texts(),
        }
    try:
        directory().mkdir(parents=True, exist_ok=True)
        write_whole(directory() / NAME, json.dumps(known, indent=1))
    except OSError:
        return


def last(identifier: str) -> str:
    """The last verdicts on a property in words, and whether the code has changed since; empty where there is none."""
    said = []
    for subject, found in _known().get(identifier, {}).items():
        since = "" if found.get("code") == texts() else " (the code has changed since)"
        said.append(f"{found.get('verdict')} for {subject}: {found.get('covers')}{since}")
    return "; ".join(said)


def _known() -> dict[str, dict[str, Mapping[str, Any]]]:
    try:
        known = json.loads((directory() / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    kept = isinstance(known, dict) and all(isinstance(entries, dict) for entries in known.values())
    return known if kept and all(isinstance(e, dict) for es in known.values() for e in es.values()) else {}
