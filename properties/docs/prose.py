"""Moves of the lowvisor in words."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from model.lowvisor import moves
from model.lowvisor.moves import Move
from spec.controls import CONTROLS
from spec.coprocessor import controls
from spec.coprocessor.row import Trap
from spec.words import mask

OTHERS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {"fpexc": {"EN": 30, "EX": 31}, "cntv_ctl": {"ENABLE": 0, "IMASK": 1, "ISTATUS": 2}}
)
"""Bits by name of registers that control nothing below Hyp mode."""


@cache
def bit_names(register: str) -> Mapping[int, str]:
    """The names of a control register's bits, as far as they are known."""
    catalogued = {
        value.bit: value.name
        for value in vars(controls).values()
        if isinstance(value, Trap) and value.register.lower() == register
    }
    named = {number: name for name, number in {**CONTROLS, **OTHERS}.get(register, {}).items()}
    return MappingProxyType({**named, **catalogued})


def named_bits(register: str, value: int) -> str:
    """The bits of a value that are one, by name, else by number."""
    names = bit_names(register)
    positions = [n for n in range(64) if value >> n & 1]
    return ", ".join(names.get(n, f"bit {n}") for n in positions) or "nothing"


def register_name(name: str) -> str:
    """A register as ARM writes it: upper case, the mode that banks it in lower case, core registers as they are."""
    stem, _, mode = name.partition("_")
    if stem[0] == "r" and stem[1:].isdigit():
        return name.removesuffix("_usr")
    return f"{stem.upper()}_{mode}" if mode in (*moves.BANKS, "hyp") else name.upper()


def registers(names: Iterable[str]) -> str:
    """Register names with commas, runs of general registers as ranges."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _number(runs[-1][-1]) is not None and _number(runs[-1][-1]) == (_number(name) or 0) - 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(
        register_name(r[0]) if len(r) == 1 else f"{register_name(r[0])}-{register_name(r[-1])}" for r in runs
    )


def _number(name: str) -> int | None:
    stem = name.removesuffix("_usr")
    return int(stem[1:]) if stem[0] == "r" and stem[1:].isdigit() else None


def describe(move: Move) -> str:
    """What a move does, as a phrase."""
    match move:
        case moves.Push(names, omitted):
            return f"push {registers(names)}{_omitted(omitted)}"
        case moves.Pop(names, omitted):
            return f"pop {registers(names)}{_omitted(omitted)}"
        case moves.Save(names, omitted):
            return f"save {registers(names)} to the vCPU{_omitted(omitted)}"
        case moves.Load(names, omitted):
            return f"load {registers(names)} from the vCPU{_omitted(omitted)}"
        case moves.SaveAs(register, image):
            return f"save {register_name(register)} as the vCPU's {image}"
        case moves.Install(register, image, vm, allowed):
            owner = "VM" if vm else "vCPU"
            return f"write {register_name(register)} with the {owner}'s {image}{_allowed(register, allowed)}"
        case moves.Write(register, value):
            return f"write {register_name(register)} with {f'{named_bits(register, value)} alone' if value else 0}"
        case moves.Alter(register, clears, sets, or_lines):
            return f"in {register_name(register)} {_altered(register, clears, sets, or_lines)}"
        case moves.Copy(register, origin):
            return f"write {register_name(register)} with {register_name(origin)}"
        case moves.SaveVfp(guest):
            return f"save the VFP registers of the {'guest' if guest else 'host'}"
        case moves.LoadVfp(guest):
            return f"load the VFP registers of the {'guest' if guest else 'host'}"
        case moves.Inspect(register):
            return f"read {register_name(register)} to decide what follows"
        case moves.TranslateFaultAddress():
            return "translate the faulting address with ATS1CPR, keeping the guest's PAR"
        case moves.Isb():
            return "synchronise the context (ISB)"
        case moves.Clrex():
            return "clear the exclusive monitor (CLREX)"
    return type(move).__name__


def _omitted(names: frozenset[str]) -> str:
    return f", leaving out {registers(sorted(names))}" if names else ""


def _allowed(register: str, allowed: int | None) -> str:
    if allowed is None:
        return ""
    others = allowed ^ mask(32)
    if others.bit_count() < allowed.bit_count():
        return f", all but {named_bits(register, others)}"
    return f", only {named_bits(register, allowed)}"


def _altered(register: str, clears: int, sets: int, or_lines: bool) -> str:
    said = []
    if clears:
        said.append(f"clear {named_bits(register, clears)}")
    if sets:
        said.append(f"set {named_bits(register, sets)}")
    if or_lines:
        said.append("set the interrupt lines that user space raised")
    return "; ".join(said) or "change nothing"
