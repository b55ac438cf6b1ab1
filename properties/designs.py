"""Designs by name: the named ones, a user's own from a file, and any of them with a fault planted into it."""

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from model.design import ROUTINES, Design, renamed
from model.designs.catalogue import DESIGNS, reference
from model.state import State
from model.topology import TOPOLOGIES, initial
from properties.property import Property, Trace
from properties.wellformed import Flaw, flaw_of
from spec.registers import REGISTERS

LONGEST_NAME = 80


class Unknown(Exception):
    """A name that nothing has, in one line with the names that come close."""


class BadDesign(Exception):
    """A design that cannot be used, in one line that names the file, the line where known, and the reason."""


def unknown(kind: str, name: str, known: Iterable[str], listed: str = "") -> Unknown:
    """The exception for a name that none of the known ones is; `listed` is what `kvmarm list` shows them under."""
    close = close_names(name, known)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    where = f"; `kvmarm list {listed}` names them all" if listed and not close else ""
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return Unknown(f"there is no {kind} {shown!r}{hint}{where}")


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Up to three of the known names that look like the given one, best first."""
    by_case = {candidate.lower(): candidate for candidate in known}
    wanted = name.lower()
    found = get_close_matches(wanted, by_case, 3, 0.6)
    found += [candidate for candidate in by_case if len(wanted) > 2 and wanted in candidate]
    return [by_case[candidate] for candidate in dict.fromkeys(found)][:3]


@cache
def resolve(name: str, fault: str | None = None) -> Design:
    """The design of that name, or of the file at that path, with a fault planted where one is named.

    Raises Unknown for a name that no design or fault has, and BadDesign for a file that defines no usable design or a
    fault that the design has no place for.
    """
    if name in DESIGNS:
        design = DESIGNS[name]()
    elif is_path(name):
        design = renamed(load(Path(name)), name)
    else:
        raise unknown("design", name, DESIGNS, "designs")
    return design if fault is None else planted(design, fault)


def named(name: str, fault: str | None) -> str:
    """What a design is called in verdicts, with the fault that is planted."""
    return name if fault is None else f"{name} with {fault}"


def is_path(name: str) -> bool:
    """Whether a name that no design has is meant as a file's."""
    return name.endswith(".py") or "/" in name or Path(name).exists()


def planted(design: Design, fault: str) -> Design:
    """The design with a fault; raises Unknown where there is no such fault, BadDesign where it does not fit."""
    from properties.faults.catalogue import FAULT

    if fault not in FAULT:
        raise unknown("fault", fault, FAULT, "faults")
    try:
        return FAULT[fault].plant(design)
    except (LookupError, StopIteration, AssertionError):
        element = FAULT[fault].element
        raise BadDesign(f"the fault {fault} cannot be planted into {design.name}, which lacks: {element}") from None


def load(path: Path) -> Design:
    """The `DESIGN` that a file defines; BadDesign where it defines none that can be run."""
    try:
        source = path.read_bytes()
        code = compile(source, str(path), "exec")
    except SyntaxError as error:
        raise BadDesign(f"{path}:{error.lineno or 1}: {error.msg}") from None
    except OSError as error:
        raise BadDesign(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadDesign(f"{path}: {_said(error)}") from None
    design = executed(path, code)
    flaw = flaw_of(design, Design, "DESIGN")
    if flaw is not None:
        line = line_naming(source.decode("utf-8", "replace"), flaw)
        close = close_names(flaw.name, flaw.known)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise BadDesign(f"{path}:{line}: {flaw.words}{hint}")
    found: Design = design
    return found


def executed(path: Path, code: Any) -> Any:
    """What the file calls DESIGN once it has run."""
    module = ModuleType("design")
    module.__file__ = str(path)
    try:
        exec(code, vars(module))
    except (Exception, SystemExit) as error:
        places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = places[-1].lineno if places else 1
        raise BadDesign(f"{path}:{line}: {type(error).__name__}: {_said(error)}{_hint(error)}") from None
    if not hasattr(module, "DESIGN"):
        raise BadDesign(f"{path}:1: it defines no DESIGN")
    return module.DESIGN


def _said(error: BaseException) -> str:
    words = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(words.split()) or type(error).__name__


def _hint(error: BaseException) -> str:
    """The step or register that a failed look-up may have meant."""
    if not isinstance(error, LookupError):
        return ""
    design = reference()
    known = [step.name for routine in ROUTINES for step in design.routine(routine)]
    close = close_names(_said(error).removeprefix("no step "), [*known, *REGISTERS])
    return f"; did you mean {' or '.join(close)}?" if close else ""


def line_naming(source: str, flaw: Flaw) -> int:
    """The first line of a file that quotes the name at fault, else the line that defines DESIGN."""
    lines = source.splitlines()
    quoted = (f'"{flaw.name}"', f"'{flaw.name}'")
    for number, line in enumerate(lines, 1):
        if flaw.name and any(name in line for name in quoted):
            return number
    return next((number for number, line in enumerate(lines, 1) if line.startswith("DESIGN")), 1)


def setting(trace: Trace) -> tuple[Design, State, Property]:
    """What a trace runs in: its design with its fault, the initial state of its topology, and its property."""
    from properties.catalogue import PROPERTY

    if trace.property not in PROPERTY:
        raise unknown("property", trace.property, PROPERTY, "properties")
    if trace.topology not in TOPOLOGIES:
        raise unknown("topology", trace.topology, TOPOLOGIES)
    design = resolve(trace.design, trace.fault)
    return design, initial(TOPOLOGIES[trace.topology], design), PROPERTY[trace.property]
