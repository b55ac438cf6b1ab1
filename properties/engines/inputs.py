"""Inputs for rules, derived from declared types: symbolic values, random values and Hypothesis strategies.

A type becomes a `Shape`: words and truth values in a frame of records and tuples. Where a type leaves the frame open
(which operation, which row of the catalogue, an optional part), its shape has alternatives, each one frame.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, IntEnum
from functools import cache
from random import Random
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import define

from properties.engines.frames import (
    Constant,
    Maps,
    Members,
    NotDerivable,
    Record,
    Shape,
    Strategy,
    Truths,
    Words,
    among,
    one_of,
)
from properties.engines.maps import Set, Symbolic, words_of
from properties.engines.symbolic import Truth, Word, is_number, is_record, record_fields
from spec.coprocessor.decode import ROWS, holds
from spec.coprocessor.row import Row, Trap
from spec.operations import CoprocessorAccess, ReadBanked, WriteBanked
from spec.processor import Banked, FiqBank
from spec.registers import REGISTERS
from spec.sparse import Of, Sparse
from spec.words import Width, either, every, member

_TUPLE_LENGTHS = (0, 1, 2)
"""The lengths in which a tuple of any length is tried."""


@cache
def banked_names() -> tuple[str, ...]:
    """The registers that MRS and MSR (banked register) can name in Non-secure state, as `spec.registers` names them."""
    banks = {field.name for cls in (Banked, FiqBank) for field in attrs.fields(cls)}
    hyp = {"sp_hyp", "elr_hyp", "spsr_hyp"}
    return tuple(name for name in REGISTERS if name in banks or name in hyp or name.endswith("_usr"))


def _rows() -> Shape:
    return among(ROWS)


def _traps() -> Shape:
    return among(dict.fromkeys(trap for row in ROWS for trap in row.traps))


def _covers(access: CoprocessorAccess) -> Any:
    return holds(access.row, access.opc1, access.crn, access.crm, access.opc2)


def _accesses() -> Shape:
    def access(row: Row) -> Shape:
        parts: list[tuple[str, Shape]] = []
        for name, hint in field_hints(CoprocessorAccess).items():
            held = getattr(row, name, None) if name in ("opc1", "crn", "crm", "opc2") else None
            if name == "row":
                parts.append((name, Constant(row)))
            elif held is not None:
                parts.append((name, Constant(held[0]) if len(held) == 1 else Members(held)))
            else:
                parts.append((name, shape(hint)))
        return Record(CoprocessorAccess, tuple(parts), _covers, named=True)

    return one_of(access(row) for row in ROWS)


_STATED: Mapping[type, Callable[[], Shape]] = {Row: _rows, Trap: _traps, CoprocessorAccess: _accesses}
"""Types whose values are a table's, not every combination of their fields."""
_CONNECTED: Mapping[type, Callable[[Any], Any]] = {CoprocessorAccess: _covers}
"""What connects the fields of a record, beyond their widths."""


@cache
def field_hints(cls: type) -> Mapping[str, Any]:
    """The declared type of each field of a record class, with its annotations."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in attrs.fields(cls)}


@cache
def shape(hint: Any) -> Shape:
    """The shape of a declared type; NotDerivable where its declaration does not say which values it has."""
    if isinstance(hint, Shape):
        return hint
    width = width_of(hint)
    if width is not None:
        return Words(width)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        of = map_of(hint)
        return shape(arguments[0]) if of is None else _map(of)
    if origin in (Union, types.UnionType):
        return one_of(shape(argument) for argument in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        item = shape(arguments[0])
        return one_of(_tuple([item] * length) for length in _TUPLE_LENGTHS)
    if origin is tuple:
        return _tuple([shape(argument) for argument in arguments])
    if hint is bool:
        return Truths()
    if hint is None or hint is type(None):
        return Constant(None)
    if hint in _STATED:
        return _STATED[hint]()
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return Members(tuple(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return among(hint)
    if isinstance(hint, type) and attrs.has(hint):
        return _record(hint)
    raise NotDerivable(f"{hint}: neither a width, an enumeration, a record nor a stated domain")


def shapes(hint: Any) -> Iterator[Shape]:
    """The alternatives of a declared type, one frame each: operations by class, coprocessor accesses by row."""
    return shape(hint).alternatives()


def map_of(hint: Any) -> Of | None:
    """What a declared type says of the keys and values of a sparse map, if it is one."""
    return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Of)), None)


def _map(of: Of) -> Shape:
    keys = tuple((str(number), Words(width)) for number, width in enumerate(of.keys))
    return Maps(Record(tuple, keys), shape(of.value), of.default)


def _tuple(items: list[Shape]) -> Shape:
    return Record(tuple, tuple((str(number), item) for number, item in enumerate(items)))


def _record(cls: type) -> Shape:
    kinds = _kinds(cls)
    if kinds:
        return one_of(_named(kind) for kind in kinds)
    parts: list[tuple[str, Shape]] = []
    for (name, alias), hint in zip(record_fields(cls), field_hints(cls).values(), strict=True):
        if hint is str and cls in (ReadBanked, WriteBanked):
            parts.append((alias, among(banked_names())))
            continue
        try:
            parts.append((alias, shape(hint)))
        except NotDerivable as problem:
            raise NotDerivable(f"{cls.__name__}.{name}: {problem}") from None
    return Record(cls, tuple(parts), _CONNECTED.get(cls))


def _named(kind: type) -> Shape:
    found = shape(kind)
    return attrs.evolve(found, named=True) if isinstance(found, Record) else found


def _kinds(cls: type) -> list[type]:
    """The concrete classes below a class, by name; attrs leaves a dead twin of each slotted class behind."""
    found: dict[str, type] = {}
    below: type
    for below in cls.__subclasses__():
        if attrs.has(below) and "__attrs_attrs__" in vars(below):
            for kind in _kinds(below) or [below]:
                found[f"{kind.__module__}.{kind.__qualname__}"] = kind
    return list(found.values())


def width_of(hint: Any) -> Width | None:
    """The width that a type declares, if it is a word's."""
    if isinstance(hint, Width):
        return hint
    if get_origin(hint) is Annotated:
        return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Width)), None)
    return None


def like(template: Any) -> Shape:
    """The shape of values with the frame of a given one: its declared words are free, all else is as it is there."""
    return _like(template, None)


def _like(value: Any, hint: Any) -> Shape:
    if isinstance(value, Sparse) and map_of(hint) is not None:
        return shape(hint)
    if width_of(hint) is not None or hint is bool:
        return shape(hint)
    if isinstance(value, tuple):
        arguments = get_args(hint)
        several = len(arguments) == 2 and arguments[1] is Ellipsis
        hints = [arguments[0]] * len(value) if several else arguments or [None] * len(value)
        return _tuple([_like(item, item_hint) for item, item_hint in zip(value, hints, strict=True)])
    if is_record(value) and type(value) not in _STATED:
        names = zip(record_fields(value.__class__), field_hints(value.__class__).values(), strict=True)
        parts = tuple((alias, _like(getattr(value, name), inner)) for (name, alias), inner in names)
        return Record(type(value), parts, _CONNECTED.get(type(value)))
    return Constant(value)


def symbolic(hint: Any, prefix: str) -> Any:
    """A value of a type with one frame, whose words are free variables named `prefix.path`; equal calls share it."""
    return shape(hint).symbolic(prefix)


def draw(hint: Any, random: Random) -> Any:
    """A random concrete value of a type."""
    return shape(hint).draw(random)


def strategy(hint: Any) -> Strategy:
    """A Hypothesis strategy for a type."""
    return shape(hint).strategy()


@define
class _Obligations:
    """Conditions under which a value is of its declared type, those that plainly hold left out."""

    found: list[tuple[str, Any]]

    def collect(self, value: Any, hint: Any, path: str) -> None:
        width = width_of(hint)
        if width is not None:
            self.word(value, width, path)
        elif isinstance(value, Sparse | Symbolic):
            self.map(value, map_of(hint), path)
        elif get_origin(hint) is Annotated:
            self.collect(value, get_args(hint)[0], path)
        elif hint is bool:
            self.note(path, isinstance(value, (bool, Truth)))
        elif isinstance(hint, type) and issubclass(hint, IntEnum):
            self.note(path, isinstance(value, hint) or (is_number(value) and member(value, hint)))
        elif isinstance(value, tuple) and not hasattr(value, "_fields"):
            hints = get_args(hint)
            if len(hints) == 2 and hints[1] is Ellipsis:
                hints = (hints[0],) * len(value)
            for number, item in enumerate(value):
                self.collect(item, hints[number] if number < len(hints) else None, f"{path}[{number}]")
        elif get_origin(hint) in (Union, types.UnionType):
            self.union(value, get_args(hint), path)
        elif is_record(value):
            if isinstance(hint, type) and attrs.has(hint):
                self.note(path, isinstance(value, hint))
            prefix = f"{path}." if path else ""
            for name, inner in field_hints(value.__class__).items():
                self.collect(getattr(value, name), inner, prefix + name)
            if type(value) in _CONNECTED:
                self.note(path, _CONNECTED[type(value)](value))

    def map(self, value: Any, of: Of | None, path: str) -> None:
        if of is None:
            return
        held: list[tuple[Any, Any]] = (
            [(update.key, update.value) for update in value.updates if isinstance(update, Set)]
            if isinstance(value, Symbolic)
            else list(value.entries.items())
        )
        for key, item in held:
            for word, width in zip(words_of(key), of.keys, strict=True):
                self.word(word, width, f"{path} key")
            self.collect(item, of.value, f"{path} value")

    def union(self, value: Any, hints: tuple[Any, ...], path: str) -> None:
        tried = []
        for hint in hints:
            inner = _Obligations([])
            inner.collect(value, hint, path)
            mismatch = (hint is type(None)) != (value is None)
            tried.append(not mismatch and every(*(condition for _, condition in inner.found)))
        self.note(path, either(*tried))

    def word(self, value: Any, width: Width, path: str) -> None:
        top = width.limit or 1 << width.bits
        if isinstance(value, Word):
            if value.bound >= top:
                self.note(path, value < top)
        else:
            self.note(path, isinstance(value, int) and not isinstance(value, bool) and 0 <= value < top)

    def note(self, path: str, condition: Any) -> None:
        if condition is not True:
            self.found.append((path, condition))


def misfits(value: Any, hint: Any = None) -> list[tuple[str, Any]]:
    """Each attribute path whose value is not plainly of its declared type, with the condition under which it is.

    The condition is False where it is plainly not. `hint` is the declared type of anything that is no record.
    """
    obligations = _Obligations([])
    obligations.collect(value, hint, "")
    return obligations.found


def fits(value: Any, hint: Any = None) -> Any:
    """Whether every word fits its declared width and every enumeration is a member, as one truth value."""
    return every(*(condition for _, condition in misfits(value, hint)))


def constraints(value: Any, hint: Any = None) -> tuple[Any, ...]:
    """What must be assumed of a fresh symbolic value for it to be of its declared type, as truth values."""
    return tuple(condition for _, condition in misfits(value, hint))


def check_fits(value: Any, hint: Any = None) -> None:
    """Check a concrete value at a border; ValueError names the first attribute that does not fit its declaration."""
    for path, condition in misfits(value, hint):
        problem = "does not fit its declared type" if condition is False else "is symbolic"
        raise ValueError(f"{path or 'value'} {problem}")
