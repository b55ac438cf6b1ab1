"""Obligations that have been settled before: what was asked, by hash, and that it held.

Only obligations without a failure are kept, so that a counterexample is always made anew. The hash covers the texts of
`spec`, `model`, `properties` and the solver's version, the parts of the design that the obligation depends on, its name
and the properties asked about: an edit costs what depends on it.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import z3

from model.design import Design

PACKAGES = ("spec", "model", "properties")
UNRELATED = ("command", "docs", "traces", "recording", "faults")
"""Parts of `properties` that no verdict depends on."""


def directory() -> Path:
    """Where settled obligations are kept: KVMARM_CACHE, or a folder below the working directory."""
    return Path(os.environ.get("KVMARM_CACHE", ".kvmarm-cache"))


@cache
def texts() -> str:
    """The hash of every source text that a verdict depends on."""
    digest = hashlib.sha256(z3.get_version_string().encode())
    root = Path(__file__).resolve().parents[2]
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if not any(part in UNRELATED for part in path.relative_to(root).parts):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def key(design: Design, parts: Iterable[str], name: str, properties: Iterable[str]) -> str:
    """The hash of what an obligation asks, given the design's fields that it depends on."""
    asked = "\n".join([texts(), part_digest(design, tuple(parts)), name, *properties])
    return hashlib.sha256(asked.encode()).hexdigest()


_DIGESTS: dict[tuple[int, tuple[str, ...]], tuple[Design, str]] = {}


def part_digest(design: Design, parts: tuple[str, ...]) -> str:
    """The hash of some fields of a design."""
    kept = _DIGESTS.get((id(design), parts))
    if kept is None or kept[0] is not design:
        described = "\n".join(repr(getattr(design, part)) for part in parts)
        kept = (design, hashlib.sha256(described.encode()).hexdigest())
        _DIGESTS[(id(design), parts)] = kept
    return kept[1]


class Cache:
    """The settled obligations on disk; unusable or unwritable storage counts as empty, never as an error."""

    def __init__(self, folder: Path | None = None) -> None:
        self.connection: sqlite3.Connection | None = None
        place = folder or directory()
        try:
            place.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(place / "obligations.sqlite", timeout=30)
            self.connection.execute("create table if not exists settled (key text primary key, found text)")
        except (OSError, sqlite3.Error):
            self.connection = None

    def get(self, asked: str) -> dict[str, object] | None:
        """What was found, or None where it is not known."""
        if self.connection is None:
            return None
        try:
            row = self.connection.execute("select found from settled where key = ?", (asked,)).fetchone()
            return None if row is None else json.loads(row[0])
        except (sqlite3.Error, ValueError):
            return None

    def put(self, found: dict[str, dict[str, object]]) -> None:
        """Keep what was found, by key."""
        if self.connection is None or not found:
            return
        rows = [(asked, json.dumps(value)) for asked, value in found.items()]
        try:
            with self.connection:
                self.connection.executemany("insert or replace into settled values (?, ?)", rows)
        except sqlite3.Error:
            return
