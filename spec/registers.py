"""Registers by name: where each lives in a record and how wide it is, derived from the records' declarations."""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

import attrs
from attrs import frozen

from spec.processor import Processor
from spec.words import Width, choose, either, every, negate, put, put_all, select

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


@frozen(eq=False)
class Banking:
    """Which register a number names in each mode: `common` in the modes that `banked` has no row for.

    A place that is None names no register of the state at hand: it reads as zero and ignores writes.
    """

    common: tuple[str | None, ...]
    banked: tuple[tuple[int, tuple[str | None, ...]], ...]

    @cached_property
    def names(self) -> Mapping[int, tuple[str | None, ...]]:
        """The names of each mode that has names of its own."""
        return MappingProxyType({int(mode): names for mode, names in self.banked})

    @cached_property
    def places(self) -> tuple[tuple[str, int, bool, tuple[int, ...]], ...]:
        """Each register once: its number, whether it is the common one, and the modes that name it, or name another."""
        found: list[tuple[str, int, bool, tuple[int, ...]]] = []
        for number, common in enumerate(self.common):
            others = tuple(mode for mode, names in self.banked if names[number] != common)
            if common is not None:
                found.append((common, number, True, others))
            own = dict.fromkeys(names[number] for _, names in self.banked if names[number] != common)
            found += [
                (name, number, False, tuple(mode for mode, names in self.banked if names[number] == name))
                for name in own
                if name is not None
            ]
        return tuple(found)


def read_banked(state: Any, banking: Banking, mode: int, number: int) -> int:
    """The register that a number names in a mode, merged into one value; a number beyond the last reads the last."""
    if isinstance(mode, int) and isinstance(number, int):
        name = select(banking.names.get(mode, banking.common), number)
        return 0 if name is None else read(state, name)
    table: list[int] = []
    for position, common in enumerate(banking.common):
        value = 0 if common is None else read(state, common)
        for own, names in banking.banked:
            name = names[position]
            if name != common:
                value = choose(mode == own, 0 if name is None else read(state, name), value)
        table.append(value)
    return select(tuple(table), number)


def write_banked(state: S, banking: Banking, mode: int, number: int, value: int) -> S:
    """The state with the register replaced that a number names in a mode; a number beyond the last changes nothing."""
    if isinstance(mode, int) and isinstance(number, int):
        names = banking.names.get(mode, banking.common)
        name = names[number] if number < len(names) else None
        return state if name is None else write(state, name, value)
    in_modes: dict[tuple[int, ...], Any] = {}
    changed: list[tuple[str, int]] = []
    for name, position, common, modes in banking.places:
        if modes not in in_modes:
            in_modes[modes] = either(*(mode == own for own in modes))
        here = every(number == position, negate(in_modes[modes]) if common else in_modes[modes])
        changed.append((name, choose(here, value, read(state, name))))
    return write_all(state, tuple(name for name, _ in changed), [new for _, new in changed])
