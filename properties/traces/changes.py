"""What a step changed: the differences between two states, and each in words."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

from attrs import frozen

from model.lowvisor.moves import BANKS
from spec.psr import Mode
from spec.registers import REGISTERS
from spec.syndrome import ExceptionClass
from spec.words import bits, field_names

HISTORY = ("called_from", "trapped_from", "called_stack")
"""Fields of a processor that remember the past for properties: no part of what happens."""
REMEMBERED = ("mmio.pc", "mmio.cpsr")
"""Fields of a vCPU that do so."""


@frozen
class Change:
    """One attribute that a step changed, in words: whose it is, its name, and its values."""

    path: str
    label: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.label}  {self.old} -> {self.new}"


Text = Callable[[Any], str]
"""A value of a field in words."""
NUMBER: Text = str
WORD: Text = "{:#x}".format
YES: Text = ("no", "yes").__getitem__


def differences(owner: str, path: str, texts: Sequence[tuple[str, str, Text]], old: Any, new: Any) -> Iterator[Change]:
    """The fields of a record that changed; `texts` has for each one its name, its label and its values in words."""
    for name, label, text in texts:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield Change(f"{path}.{name}" if path else name, f"{owner} {label}".strip(), text(was), text(now))


def changes(before: Any, after: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Every attribute in which two values differ: its path, the old value and the new one, in order of declaration.

    Tuples of different lengths differ as a whole.
    """
    if before is after:
        return []
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        pairs = ((f"{path}[{n}]", a, b) for n, (a, b) in enumerate(zip(before, after, strict=True)))
    elif type(before) is type(after) and hasattr(type(before), "__attrs_attrs__"):
        prefix = f"{path}." if path else ""
        cls: Any = type(before)
        names = field_names(cls)
        pairs = ((f"{prefix}{name}", getattr(before, name), getattr(after, name)) for name in names)
    else:
        return [] if before == after else [(path, before, after)]
    return [change for inner, a, b in pairs for change in changes(a, b, inner)]


def in_words(differences: Iterable[tuple[str, Any, Any]]) -> list[Change]:
    """The differences in words, without the threads' places and the fields that remember the past."""
    result: dict[str, Change] = {}
    for path, old, new in differences:
        _, _, inner = path.partition("].")
        if inner.split(".")[0].split("[")[0] in (*HISTORY, "thread") or inner in REMEMBERED:
            continue
        if path.endswith("]"):
            path = path.rpartition("[")[0]
        result.setdefault(path, Change(path, label(path), *_values(path, old, new)))
    return list(result.values())


def label(path: str) -> str:
    """What a path below the state is called: a processor's register by its name, anything else with its owner."""
    owner, _, inner = path.partition("].")
    kind, _, number = owner.partition("[")
    name = inner.rpartition(".")[2]
    if kind == "vcpus" and inner.startswith(("run.", "mmio.")):
        shared = "user space's" if inner.startswith("run.") else "remembered"
        return f"vCPU{number} {shared} {name.replace('_', ' ')}"
    if kind == "vcpus":
        return f"vCPU{number} {name.replace('_', ' ') if inner == name else register_name(name)}"
    if kind == "vms":
        return f"VM{number} {register_name(name)}"
    if inner == "stack":
        return "Hyp stack"
    if inner.startswith("host_vfp."):
        return f"host's VFP area {register_name(name)}"
    if inner.startswith(("cpu.signals.", "cpu.local.")):
        return f"{name.replace('_', ' ')} {'signal' if '.signals.' in inner else 'state'}"
    return register_name(name)


def register_name(name: str) -> str:
    """A register's name as the manual writes it: `r3`, `SP_svc`, `TPIDRURW`."""
    if re.fullmatch(r"r\d+(_\w+)?", name):
        return name
    stem, _, mode = name.rpartition("_")
    return f"{stem.upper()}_{mode}" if stem and mode in (*BANKS, "hyp") else name.upper()


def _values(path: str, old: Any, new: Any) -> tuple[str, str]:
    name = path.rpartition(".")[2]
    return _value(name, old), _value(name, new) + _meaning(name, old, new)


def _value(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} word{'' if len(value) == 1 else 's'}"
    if isinstance(value, bool) or not isinstance(value, int):
        return value.name.lower().replace("_", " ") if isinstance(value, Enum) else str(value)
    width = REGISTERS[name].width if name in REGISTERS else 32
    return str(value) if width == 1 else f"0x{value:0{(width + 3) // 4}x}"


def _meaning(name: str, old: Any, new: Any) -> str:
    if name == "cpsr" and bits(old, 4, 0) != bits(new, 4, 0):
        return f" ({mode_name(old)} -> {mode_name(new)})"
    return f" ({class_name(new)})" if name == "hsr" else ""


def mode_name(cpsr: int) -> str:
    """The name of the mode in a concrete CPSR, such as `svc`; its number where it is no mode."""
    number = bits(cpsr, 4, 0)
    return Mode(number).name.lower() if number in set(Mode) else f"0x{number:02x}"


def class_name(hsr: int) -> str:
    """The exception class in a concrete HSR, such as `EC 0x12 HVC`."""
    ec = bits(hsr, 31, 26)
    return f"EC 0x{ec:02x} {ExceptionClass(ec).name}" if ec in set(ExceptionClass) else f"EC 0x{ec:02x}"
