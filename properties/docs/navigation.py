"""The MkDocs hook that fills the navigation: an entry that names a directory stands for the pages in it."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """The configuration with the directories of its navigation replaced by their pages, in order of name."""
    config["nav"] = [_expanded(entry, Path(config["docs_dir"])) for entry in config["nav"]]
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    if isinstance(entry, list):
        return [_expanded(inner, docs) for inner in entry]
    if isinstance(entry, dict):
        return {title: _expanded(inner, docs) for title, inner in entry.items()}
    if isinstance(entry, str) and entry.endswith("/"):
        found = (page.relative_to(docs).as_posix() for page in (docs / entry).glob("*.md"))
        return sorted(found, key=lambda page: (not page.endswith("/index.md"), page))
    return entry
