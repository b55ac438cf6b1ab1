"""Registers by name: where each lives in a record and how wide it is, derived from the records' declarations."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

import attrs
from attrs import frozen

from spec.processor import Processor
from spec.words import Width, put, put_all

S = TypeVar("S")


@frozen
class Register:
    """One attribute of the processor state: its name, the component record that holds it, its field and its width."""

    name: str
    component: str | None
    field: str
    width: int

    @property
    def path(self) -> str:
        """The attribute path below the processor, such as `cp15.sctlr`."""
        return f"{self.component}.{self.field}" if self.component else self.field


@cache
def declared(cls: type) -> Mapping[str, Any]:
    """The declared type of each field of a record class: a `Width` for a word, a class for a nested record."""
    hints = get_type_hints(cls, include_extras=True)
    result: dict[str, Any] = {}
    for field in attrs.fields(cls):
        hint = hints[field.name]
        widths = [extra for extra in get_args(hint)[1:] if isinstance(extra, Width)]
        result[field.name] = widths[0] if widths else hint
    return MappingProxyType(result)


def _registers() -> Mapping[str, Register]:
    found: dict[str, Register] = {}
    for name, kind in declared(Processor).items():
        if isinstance(kind, Width):
            found[name] = Register(name, None, name, kind.bits)
        else:
            for field, width in declared(kind).items():
                found[field] = Register(field, name, field, width.bits)
    return MappingProxyType(found)


REGISTERS: Mapping[str, Register] = _registers()


def read(state: Any, name: str) -> int:
    """The value of a register by name, in a processor or in any record with the same components."""
    register = REGISTERS[name]
    record = state if register.component is None else getattr(state, register.component)
    return getattr(record, register.field)  # type: ignore[no-any-return]


def write(state: S, name: str, value: int) -> S:
    """The state with a register replaced, by name; the value must fit the register."""
    register = REGISTERS[name]
    if register.component is None:
        return put(state, register.field, value)
    component = put(getattr(state, register.component), register.field, value)
    return put(state, register.component, component)


@cache
def _places(names: tuple[str, ...]) -> tuple[tuple[str | None, tuple[str, ...], tuple[int, ...]], ...]:
    groups: dict[str | None, list[int]] = {}
    for position, name in enumerate(names):
        groups.setdefault(REGISTERS[name].component, []).append(position)
    return tuple(
        (component, tuple(REGISTERS[names[p]].field for p in positions), tuple(positions))
        for component, positions in groups.items()
    )


def write_all(state: S, names: tuple[str, ...], values: Sequence[int]) -> S:
    """The state with several registers replaced, by name in the order of the values."""
    for component, fields, positions in _places(names):
        chosen = [values[p] for p in positions]
        if component is None:
            state = put_all(state, fields, chosen)
        else:
            state = put(state, component, put_all(getattr(state, component), fields, chosen))
    return state
