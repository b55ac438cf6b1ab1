"""The MkDocs hook that fills the navigation: an entry that names a directory stands for the pages in it."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """The configuration with the directories of its navigation replaced by their pages, in order of name."""
    config["nav"] = expanded(config["nav"], Path(config["docs_dir"]))
    return config


def expanded(entries: list[Any], docs: Path) -> list[Any]:
    """A navigation in which each directory is replaced by its pages, the index first."""
    result: list[Any] = []
    for entry in entries:
        if isinstance(entry, str) and entry.endswith("/"):
            found = (page.relative_to(docs).as_posix() for page in (docs / entry).glob("*.md"))
            result.extend(sorted(found, key=_place))
        elif isinstance(entry, dict):
            result.append({t: expanded(v, docs) if isinstance(v, list) else v for t, v in entry.items()})
        else:
            result.append(entry)
    return result


def _place(page: str) -> tuple[bool, str]:
    """The index first, and a package before its modules."""
    return not page.endswith("/index.md"), page.removesuffix(".md")
