"""What a command writes: tables and texts, progress, and whole files."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from pathlib import Path
from threading import Lock

from properties.command.status import BadInput

PLAIN_WIDTH = 120
NARROWEST, WIDEST = 80, 160
WRITING = Lock()
"""Held while a file is written, so that an interruption does not leave a part of one."""


class PipeClosed(Exception):
    """Nobody reads standard output any more."""


def emit(text: str) -> None:
    """Write to standard output at once; PipeClosed where nobody reads it any more, BadInput where that fails."""
    if not text or sys.stdout is None:
        return
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise PipeClosed from None
    except OSError as error:
        raise BadInput(f"standard output: {error.strerror}") from None


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def width() -> int:
    """The columns to fill: the terminal's within limits, else a fixed number."""
    if not is_terminal():
        return PLAIN_WIDTH
    return max(NARROWEST, min(WIDEST, os.get_terminal_size(sys.stdout.fileno()).columns))


COLOURS = {
    "proved": "green", "explored": "green", "tested": "green", "violated": "bold red", "unknown": "yellow",
    "caught": "green", "equivalent": "cyan", "excused": "cyan", "open": "yellow",
}  # fmt: skip


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], wrapped: Sequence[int] = (-1,)) -> str:
    """Aligned columns under their titles; the columns of the `wrapped` numbers take the width that is left.

    Words that are verdicts are coloured on a terminal; anywhere else the text is plain.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    wraps = {number % len(titles) for number in wrapped}
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, title in enumerate(titles):
        grid.add_column(title, no_wrap=number not in wraps, overflow="fold", justify="left")
    for row in rows:
        grid.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    stream = StringIO()
    terminal = is_terminal()
    console = Console(
        file=stream, width=width(), force_terminal=terminal, color_system="standard" if terminal else None,
        no_color=not terminal or "NO_COLOR" in os.environ, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    console.print(grid)
    lines = stream.getvalue().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def progress() -> Callable[[str], None]:
    """What shows how far long work has come: one changing line on a terminal's standard error, else nothing."""
    if sys.stderr is None or not sys.stderr.isatty():
        return lambda message: None
    columns = os.get_terminal_size(sys.stderr.fileno()).columns or NARROWEST

    def show(message: str) -> None:
        line = " ".join(message.split())[: columns - 1]
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()

    return show


def complain(message: str) -> None:
    """One line on standard error, under the command's name."""
    if sys.stderr is not None:
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        printable = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
        try:
            sys.stderr.write(f"{start}kvmarm: {printable}\n")
            sys.stderr.flush()
        except OSError:
            return


def clear_progress() -> None:
    """Take the progress line away."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def check_writable(path: Path) -> None:
    """Refuse, before long work starts, a file that could not be written at its end."""
    if path.is_dir():
        raise BadInput(f"{path}: Is a directory")
    if path.exists() and not path.is_file():
        return
    folder = path.absolute().parent
    if not folder.is_dir():
        reason = "Not a directory" if folder.exists() else "No such directory"
        raise BadInput(f"{path}: {reason}: {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"{path}: Permission denied")


def write_file(path: Path, text: str) -> None:
    """Write a file, all of it or nothing."""
    from properties.traces import write_whole

    try:
        with WRITING:
            write_whole(path, text)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
