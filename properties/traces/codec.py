"""Traces as JSON, without loss: what is written is read back equal, and what is damaged is refused with its place.

A word wider than 8 bits is written in hexadecimal, an enumeration by its member's name, a row of the coprocessor
catalogue by its own name, and an operand that has its default value not at all.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from model import actions
from model.action import Action
from model.actions import LowvisorSteps
from model.guards import TAKEN
from model.hyp import system as hyp
from model.hyp.system import HypSteps
from model.memory import actions as memory
from model.memory.actions import ThreadSteps
from model.parts import SYSTEM_PARTS
from model.power import system as power
from model.power.system import PowerSteps
from model.timer import system as time
from model.timer.system import TimerSteps
from model.topology import TOPOLOGIES
from model.vgic import guest
from model.vgic import system as vgic
from model.vgic.guest import GuestUse
from model.vgic.system import VgicSteps
from properties.property import Trace
from spec import operations
from spec.coprocessor.decode import ROW
from spec.coprocessor.row import Row
from spec.operations import Operation
from spec.processor import Signals
from spec.registers import REGISTERS, declared
from spec.words import Width, mask

FORMAT, VERSION = "kvmarm-trace", 1
MOST_REPETITIONS = 100_000
NATURAL = Width(64)
"""The size of an operand whose declaration gives none."""
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)
LONGEST_QUOTE = 40
REPEATED = (LowvisorSteps, ThreadSteps, VgicSteps, TimerSteps, PowerSteps, HypSteps)
"""The kinds of action of which a run of equal ones is written once, with how often it is taken."""


class BadTrace(Exception):
    """A saved trace that cannot be read or run: one line that says where and why."""


ABSTRACT = tuple(part.action for part in SYSTEM_PARTS)


def _concrete(module: Any, base: type) -> Mapping[str, type]:
    kinds = (kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, base))
    return MappingProxyType({kind.__name__: kind for kind in kinds if kind not in (base, *ABSTRACT)})


KINDS: Mapping[type, Mapping[str, type]] = MappingProxyType(
    {
        Action: {
            name: kind
            for module in (actions, memory, vgic, time, power, hyp)
            for name, kind in _concrete(module, Action).items()
        },
        Operation: _concrete(operations, Operation),
        GuestUse: _concrete(guest, GuestUse),
    }
)
"""The classes that are told apart by their name, below the class that a declaration names."""

WIDTHS: Mapping[tuple[str, str], Width] = MappingProxyType(
    {
        ("SignalChanges", "level"): Width(1),
        ("GuestTrapsUnforeseen", "ec"): Width(6),
        ("TlbLoads", "pointer"): Width(1),
        **{(name, "slot"): Width(1) for name in ("UserSetsSlot", "UserDeletesSlot")},
    }
)
"""Widths of operands that their declarations leave open, by class and field."""

NAMES: Mapping[tuple[str, str], Sequence[str]] = MappingProxyType(
    {
        ("SignalChanges", "signal"): tuple(declared(Signals)),
        ("InterruptTaken", "signal"): tuple(TAKEN),
        ("ReadBanked", "register"): tuple(REGISTERS),
        ("WriteBanked", "register"): tuple(REGISTERS),
        ("InterfaceChanges", "register"): tuple(n for n, r in REGISTERS.items() if r.component == "gich"),
    }
)
"""The names that an operand may be, by class and field."""


def encode_trace(trace: Trace) -> dict[str, Any]:
    """The trace as a JSON object; BadTrace where an operand is no concrete value of its declared type."""
    actions: list[dict[str, Any]] = []
    for action, equal in groupby(trace.actions):
        written, times = encode_action(action), len(list(equal))
        if isinstance(action, REPEATED) and times > 1:
            actions.append({**written, "times": times})
        else:
            actions += [written] * times
    return {
        "format": FORMAT,
        "version": VERSION,
        "property": trace.property,
        "design": trace.design,
        "fault": trace.fault,
        "topology": trace.topology,
        "explanation": trace.explanation,
        "actions": actions,
    }


def decode_trace(data: Any) -> Trace:
    """The trace that a JSON object says; BadTrace where it does not say one."""
    texts = ("property", "design", "topology", "explanation")
    _check_names("trace", data, ("format", "version", "fault", "actions", *texts), ())
    if data["format"] != FORMAT or type(data["version"]) is not int or data["version"] != VERSION:
        found = f"{_quoted(data['format'])} version {_quoted(data['version'])}"
        raise BadTrace(f"format: {found} is not {FORMAT} version {VERSION}")
    words = {name: _text(name, data[name]) for name in texts}
    if words["topology"] not in TOPOLOGIES:
        raise BadTrace(f"topology: there is no topology {_quoted(words['topology'])}")
    fault = None if data["fault"] is None else _text("fault", data["fault"])
    if not isinstance(data["actions"], list):
        raise BadTrace(f"actions: {_quoted(data['actions'])} is no list")
    actions: list[Action] = []
    for number, item in enumerate(data["actions"]):
        actions += _repeated(f"actions[{number}]", item)
    return Trace(fault=fault, actions=tuple(actions), **words)


def encode_action(action: Action) -> dict[str, Any]:
    """One action as a JSON object; BadTrace where an operand is no concrete value of its declared type."""
    written: dict[str, Any] = _encode(type(action).__name__, Action, action)
    return written


def decode_action(data: Any, at: str = "action") -> Action:
    """The action that a JSON object says; BadTrace, naming `at`, where it does not say one."""
    action: Action = _decode(at, Action, data)
    return action


def _repeated(at: str, data: Any) -> list[Action]:
    times = 1
    if isinstance(data, dict) and "times" in data and data.get("class") in [kind.__name__ for kind in REPEATED]:
        times = _word(f"{at}.times", Width(32, limit=MOST_REPETITIONS + 1), data["times"])
        if times == 0:
            raise BadTrace(f"{at}.times: an action that is not taken")
        data = {name: value for name, value in data.items() if name != "times"}
    return [decode_action(data, at)] * times


def _encode(at: str, kind: Any, value: Any) -> Any:
    if isinstance(kind, Width) or kind is int:
        return _encode_word(at, kind if isinstance(kind, Width) else NATURAL, value, kind is not int)
    if kind in (bool, str):
        if type(value) is not kind:
            raise BadTrace(f"{at}: {_quoted(value)} is no {kind.__name__}")
        return value
    if kind is Row:
        if not isinstance(value, Row) or ROW.get(value.name) != value:
            raise BadTrace(f"{at}: {_quoted(getattr(value, 'name', value))} is no row of the catalogue")
        return value.name
    if issubclass(kind, Enum):
        if value not in tuple(kind):
            raise BadTrace(f"{at}: {_quoted(value)} is no {kind.__name__}")
        return kind(value).name
    return _encode_record(at, kind, value)


def _encode_word(at: str, width: Width, value: Any, hexadecimal: bool) -> int | str:
    if not isinstance(value, int):
        raise BadTrace(f"{at}: {_quoted(value)} is no concrete word")
    _check_fits(at, width, value)
    return f"0x{value:0{(width.bits + 3) // 4}x}" if hexadecimal and width.bits > 8 else int(value)


def _encode_record(at: str, kind: Any, value: Any) -> dict[str, Any]:
    name = type(value).__name__
    if (KINDS[kind].get(name) if kind in KINDS else kind) is not type(value):
        raise BadTrace(f"{at}: {name} is no kind of {kind.__name__} that can be written")
    written = {"class": name} if kind in KINDS else {}
    cls: Any = type(value)
    for field in attrs.fields(cls):
        operand = getattr(value, field.name)
        _check_named(f"{at}.{field.name}", name, field.name, operand)
        encoded = _encode(f"{at}.{field.name}", _kind_of(cls, field.name), operand)
        if field.default is attrs.NOTHING or operand != field.default:
            written[field.name] = encoded
    return written


def _decode(at: str, kind: Any, data: Any) -> Any:
    if isinstance(kind, Width) or kind is int:
        return _word(at, kind if isinstance(kind, Width) else NATURAL, data)
    if kind is bool:
        if type(data) is not bool:
            raise BadTrace(f"{at}: {_quoted(data)} is neither true nor false")
        return data
    if kind is str:
        return _text(at, data)
    if kind is Row:
        return _member(at, ROW, data, "row of the catalogue")
    if issubclass(kind, Enum):
        return _member(at, kind.__members__, data, kind.__name__)
    return _decode_record(at, kind, data)


def _decode_record(at: str, kind: Any, data: Any) -> Any:
    tags: tuple[str, ...] = ()
    cls: Any = kind
    if kind in KINDS:
        if not isinstance(data, dict) or "class" not in data:
            raise BadTrace(f"{at}: {_quoted(data)} is no object with a class")
        cls, tags = _member(f"{at}.class", KINDS[kind], data["class"], kind.__name__), ("class",)
    fields = attrs.fields(cls)
    required = (field.name for field in fields if field.default is attrs.NOTHING)
    optional = (field.name for field in fields if field.default is not attrs.NOTHING)
    _check_names(at, data, (*tags, *required), tuple(optional))
    operands = {name: value for name, value in data.items() if name not in tags}
    decoded = {name: _decode(f"{at}.{name}", _kind_of(cls, name), value) for name, value in operands.items()}
    for name, value in decoded.items():
        _check_named(f"{at}.{name}", cls.__name__, name, value)
    return cls(**decoded)


def _kind_of(cls: type, name: str) -> Any:
    return WIDTHS.get((cls.__name__, name)) or declared(cls)[name]


def _check_names(at: str, data: Any, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not isinstance(data, dict):
        raise BadTrace(f"{at}: {_quoted(data)} is no object")
    for name in required:
        if name not in data:
            raise BadTrace(f"{at}: {name} is missing")
    for name in data:
        if name not in required and name not in optional:
            raise BadTrace(f"{at}: {_quoted(name)} is no field of it")


def _check_named(at: str, cls: str, field: str, value: Any) -> None:
    if (cls, field) in NAMES and value not in NAMES[cls, field]:
        raise BadTrace(f"{at}: {_quoted(value)} is no name that {cls} takes")


def _check_fits(at: str, width: Width, value: int) -> None:
    largest = mask(width.bits) if width.limit is None else width.limit - 1
    if not 0 <= value <= largest:
        shown = f"0x{value:x}" if 0 <= value <= mask(128) else "the value"
        raise BadTrace(f"{at}: {shown} does not fit 0 to 0x{largest:x}")


def _word(at: str, width: Width, data: Any) -> int:
    if isinstance(data, str) and HEXADECIMAL.fullmatch(data):
        data = int(data, 16)
    if type(data) is not int:
        raise BadTrace(f"{at}: {_quoted(data)} is no whole number")
    _check_fits(at, width, data)
    return data


def _text(at: str, data: Any) -> str:
    if not isinstance(data, str):
        raise BadTrace(f"{at}: {_quoted(data)} is no text")
    try:
        data.encode()
    except UnicodeEncodeError:
        raise BadTrace(f"{at}: the text is not valid Unicode") from None
    return data


def _member(at: str, members: Mapping[str, Any], data: Any, noun: str) -> Any:
    if not isinstance(data, str) or data not in members:
        raise BadTrace(f"{at}: {_quoted(data)} is no {noun}")
    return members[data]


def _quoted(data: Any) -> str:
    if isinstance(data, dict | list):
        return "an object" if isinstance(data, dict) else "a list"
    if isinstance(data, int) and abs(data) > mask(128):
        return "a number of more than 128 bits"
    shown = ascii(data)
    return shown if len(shown) <= LONGEST_QUOTE else f"{shown[:LONGEST_QUOTE]}..."


def dumps(trace: Trace) -> str:
    """The trace as the text of a file: one action on each line."""
    data = encode_trace(trace)
    actions = data.pop("actions")
    head = "".join(f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in data.items())
    lines = ",\n".join(f"  {json.dumps(action)}" for action in actions)
    return f'{{\n{head} "actions": [\n{lines}\n ]\n}}\n'


def loads(text: str | bytes) -> Trace:
    """The trace that a text holds; BadTrace where it is no JSON or no trace."""
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise BadTrace(f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise BadTrace(f"byte {error.start}: not encoded in UTF-8") from None
    except RecursionError:
        raise BadTrace("the JSON is nested too deeply") from None
    except ValueError as error:
        raise BadTrace(f"no JSON: {str(error).splitlines()[0]}") from None
    return decode_trace(data)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise BadTrace(f"{_quoted(twice)} is given twice in one object")
    return result


def read_trace(path: Path | str) -> Trace:
    """The trace in a file; BadTrace, naming the file, where there is none."""
    try:
        return loads(Path(path).read_bytes())
    except OSError as error:
        raise BadTrace(f"{path}: {error.strerror}") from None
    except BadTrace as error:
        raise BadTrace(f"{path}: {error}") from None


def write_trace(path: Path | str, trace: Trace) -> None:
    """Write a trace into a file, all of it or nothing; OSError where that fails."""
    write_whole(path, dumps(trace))


def write_whole(path: Path | str, text: str) -> None:
    """Write a text into a file, all of it or nothing; OSError where that fails, and the file is then as it was.

    What is no regular file, such as a terminal, is written to directly.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8")
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except FileExistsError:
        raise
    except BaseException:
        part.unlink(missing_ok=True)
        raise
