"""Whether a value is a design that can be run: types, names of registers and fields, and values that fit."""

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import field, frozen

from model.design import ROUTINES, Design
from model.lowvisor.context import Image, Vm
from model.lowvisor.moves import Alter, Copy, Inspect, Install, Load, Pop, Push, Save, SaveAs, Step, Write
from spec.coprocessor.decode import ROW
from spec.registers import REGISTERS, declared

LONGEST_QUOTE = 60


@frozen
class Flaw:
    """What is wrong with a design: in words, and the name at fault with the names that would do."""

    words: str
    name: str = ""
    known: tuple[str, ...] = field(default=(), repr=False)


def flaw_of(value: Any, kind: Any, at: str) -> Flaw | None:
    """The first thing that keeps a value from being a design that can be run, or None."""
    wrong = misfit(value, kind, at)
    if wrong is not None:
        return Flaw(wrong)
    return next(misnamed(value), None) if isinstance(value, Design) else None


def misfit(value: Any, kind: Any, at: str) -> str | None:
    """Where a value is not of its declared type, in words; None where it is."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if any(misfit(value, option, at) is None for option in arguments) else _not_a(value, kind, at)
    if origin is tuple:
        return _misfit_of_tuple(value, arguments, at)
    if origin is frozenset:
        fits = isinstance(value, frozenset) and all(isinstance(item, arguments[0]) for item in value)
        return None if fits else _not_a(value, "frozenset", at)
    if kind is None or kind is type(None):
        return None if value is None else _not_a(value, "None", at)
    if kind is int and isinstance(value, bool | Enum):
        return None if isinstance(value, int) and not isinstance(value, bool) else _not_a(value, "int", at)
    if not isinstance(value, kind):
        return _not_a(value, kind, at)
    if not attrs.has(type(value)):
        return None
    hints = get_type_hints(type(value))
    fields = (misfit(getattr(value, name), hints[name], f"{at}.{name}") for name in hints if hasattr(value, name))
    return next((wrong for wrong in fields if wrong is not None), None)


def _misfit_of_tuple(value: Any, arguments: tuple[Any, ...], at: str) -> str | None:
    if not isinstance(value, tuple):
        return _not_a(value, "tuple", at)
    kinds = [arguments[0]] * len(value) if len(arguments) == 2 and arguments[1] is Ellipsis else list(arguments)
    if len(kinds) != len(value):
        return f"{at}: it has {len(value)} items instead of {len(kinds)}"
    items = (misfit(item, kind, f"{at}[{n}]") for n, (item, kind) in enumerate(zip(value, kinds, strict=True)))
    return next((wrong for wrong in items if wrong is not None), None)


def _not_a(value: Any, kind: Any, at: str) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST_QUOTE else type(value).__name__
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    return f"{at}: {' '.join(shown.split())} is no {name}"


def misnamed(design: Design) -> Iterator[Flaw]:
    """Names in a design that nothing has, and values that do not fit their registers."""
    for routine in ROUTINES:
        for step in design.routine(routine):
            yield from _of_step(routine, step)
    for entry in design.emulated:
        if entry.row not in ROW:
            yield _no("emulated", "row of the coprocessor catalogue", entry.row, ROW)
        if entry.stored is not None and entry.stored not in declared(Image):
            yield _no(f"emulated {entry.row}", "field of the image", entry.stored, declared(Image))
    if not all(1 <= length <= 4 for length in design.mmio.lengths):
        yield Flaw(f"mmio.lengths: {design.mmio.lengths} are not lengths of 1 to 4 bytes")
    for name, pairs, limit in (("vectors", design.vectors, 0x20), ("handlers", design.handlers, 0x40)):
        for number, _ in pairs:
            if not 0 <= number < limit:
                yield Flaw(f"{name}: {number:#x} is not below {limit:#x}")


def _of_step(routine: str, step: Step) -> Iterator[Flaw]:
    at = f"{routine}, step {step.name!r}"
    move = step.move
    for name in (*_registers(move), *step.scratch):
        if name not in REGISTERS:
            yield _no(at, "register", name, REGISTERS)
            return
    saved = declared(Image)
    match move:
        case Save(names) | Load(names):
            for name in names:
                if (REGISTERS[name].component or name) not in saved:
                    yield Flaw(f"{at}: the vCPU's image has no place for the register {name!r}", name)
        case SaveAs(_, image) if image not in saved:
            yield _no(at, "field of the image", image, saved)
        case Install(_, image, vm):
            known: tuple[str, ...] = tuple(declared(Vm)) if vm else _kept()
            if image not in known:
                yield _no(at, "field of the VM" if vm else "field of the image", image, known)
        case Write(register, value):
            yield from _fits(at, register, value)
        case Alter(register, clears, sets):
            yield from _fits(at, register, clears | sets if min(clears, sets) >= 0 else -1)


def _registers(move: Any) -> tuple[str, ...]:
    match move:
        case Push(names, omitted) | Pop(names, omitted) | Save(names, omitted) | Load(names, omitted):
            return (*names, *sorted(omitted))
        case Copy(register, source):
            return (register, source)
        case Install(register) | Write(register) | Alter(register) | SaveAs(register) | Inspect(register):
            return (register,)
    return ()


def _kept() -> tuple[str, ...]:
    """The names that an image keeps a value under."""
    fields = declared(Image)
    inner = (name for name, register in REGISTERS.items() if (register.component or name) in fields)
    return (*fields, *inner)


def _fits(at: str, register: str, value: int) -> Iterator[Flaw]:
    if not 0 <= value < 1 << REGISTERS[register].width:
        yield Flaw(f"{at}: the value does not fit the {REGISTERS[register].width} bits of {register}")


def _no(at: str, kind: str, name: str, known: Mapping[str, Any] | tuple[str, ...]) -> Flaw:
    return Flaw(f"{at}: there is no {kind} {name!r}", name, tuple(known))
