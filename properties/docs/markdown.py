"""The little Markdown that the generated pages need."""

import re
from collections.abc import Iterable, Sequence

ANCHOR = re.compile(r"[^a-z0-9_.-]+")
CODE = re.compile(r"(`[^`\n]+`)")


def text(words: str) -> str:
    """Prose in which `<` and `>` are themselves, and what stands between backticks is left alone."""
    return "".join(
        piece if CODE.fullmatch(piece) else piece.replace("<", "&lt;").replace(">", "&gt;")
        for piece in CODE.split(words)
    )


def cell(words: str) -> str:
    """Prose that fits one cell of a table."""
    line = " ".join(words.split())
    return "".join(piece if CODE.fullmatch(piece) else piece.replace("|", "&#124;") for piece in CODE.split(text(line)))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already, see `cell`. Empty where there are no rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings), *lines]) + "\n"


def code(name: str) -> str:
    """A name as code; nothing where there is none."""
    return f"`{name}`" if name else ""


def codes(names: Iterable[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(code(name) for name in names)


def block(source: str) -> str:
    """A piece of Python."""
    return f"```python\n{source.rstrip()}\n```\n"


def folded(title: str, body: str) -> str:
    """Text that is folded away until the reader asks for it."""
    inner = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
    return f'??? quote "{title}"\n\n{inner}\n'


def anchor(name: str) -> str:
    """The identifier of a heading, from a name."""
    return ANCHOR.sub("-", name.lower()).strip("-")


def heading(level: int, title: str, name: str | None = None) -> str:
    """A heading that links can point to, by `name` or else by its title."""
    return f"{'#' * level} {title} {{ #{anchor(name or title)} }}\n"


def link(title: str, page: str, name: str | None = None) -> str:
    """A link to a page, relative to the page that holds it, and to a heading of it."""
    return f"[{title}]({page}{'#' + anchor(name) if name else ''})"


def page(*parts: str) -> str:
    """The parts of a page, one empty line between them; empty parts are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
