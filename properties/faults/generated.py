"""The faults that the reference design itself implies: each trap bit, moved register, step and neighbour."""

import re
from collections.abc import Iterator
from functools import partial

from attrs import evolve

from model.design import ROUTINES, Design
from model.designs.catalogue import without_registers
from model.designs.variations import replace_move
from model.lowvisor.moves import (
    Alter,
    Clrex,
    Copy,
    Install,
    Load,
    LoadVfp,
    Move,
    Pop,
    Push,
    Save,
    SaveAs,
    SaveVfp,
    Step,
    Write,
)
from model.routines import swapped, without
from properties.faults.fault import Fault
from spec.citations import Citation, arm
from spec.controls import CONTROLS, SOURCES
from spec.syndrome import ExceptionClass

ADDED_BITS = (
    "HCR.TVM", "HCR.TTLB", "HCR.TPU", "HCR.TPC", "HCR.TID1", "HCR.TID2", "HCR.TID3", "HCR.TGE", "HSTR.T1", "HSTR.T2",
    "HSTR.T7", "HSTR.T13",
)  # fmt: skip
"""Traps that the design does not want: each costs exits for a guest's own affairs."""


def slug(name: str) -> str:
    """A step's name as part of an id."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-").lower()


def touched(move: Move) -> frozenset[str]:
    """The registers that a move reads or writes."""
    match move:
        case Push(registers) | Pop(registers) | Save(registers) | Load(registers):
            return frozenset(registers)
        case Alter(register) | Write(register, _) | Install(register) | SaveAs(register):
            return frozenset({register})
        case Copy(register, source):
            return frozenset({register, source})
        case SaveVfp() | LoadVfp():
            return frozenset({"d0", "fpscr", "fpexc"})
        case Clrex():
            return frozenset({"exclusive"})
    return frozenset()


REACHED_BY = {
    "interrupt": frozenset({"HOST.IRQ"}),
    "vfp": frozenset({"d0"}),
    "trap": frozenset({"HCR.TSC"}),
    "call": frozenset(),
    "entry": frozenset(),
    "exit": frozenset(),
    "back": frozenset(),
}
"""What leads to a routine of the lowvisor, besides the hypervisor call."""


def control_faults(design: Design) -> Iterator[Fault]:
    """Each control bit that the entry sets, left out of the entry."""
    for step in design.entry:
        if isinstance(step.move, Alter) and step.move.register in CONTROLS:
            register = step.move.register
            for name, number in CONTROLS[register].items():
                if step.move.sets >> number & 1:
                    control = f"{register.upper()}.{name}"
                    spoilt = evolve(step.move, sets=step.move.sets & ~(1 << number))
                    yield Fault(
                        f"without/{control}", control, f"{control} is not set while a guest runs",
                        (SOURCES[register], *step.sources), partial(with_entry_move, step.name, spoilt),
                        frozenset({control, register}), "trap bit",
                    )  # fmt: skip
    for name, number in (("PL1PCEN", 1),):
        control = f"CNTHCTL.{name}"
        yield Fault(
            f"without/{control}", control, "CNTHCTL.PL1PCEN stays set: a guest may use the physical timer",
            (arm("B4.1.22"),), partial(with_entry_move, "enter: CNTHCTL", Alter("cnthctl", 0, number)),
            frozenset({control, "cntp_ctl", "cntp_cval"}), "trap bit",
        )  # fmt: skip
    for control in ADDED_BITS:
        register, _, name = control.partition(".")
        yield Fault(
            f"extra/{control}", f"no {control}", f"{control} is set while a guest runs, which the design avoids",
            (SOURCES[register.lower()],), partial(with_control, register.lower(), CONTROLS[register.lower()][name]),
            frozenset({control}), "trap bit",
        )  # fmt: skip


def with_entry_move(name: str, move: Move, design: Design) -> Design:
    """The design with another move at a step of its entry."""
    return evolve(design, entry=replace_move(design.entry, name, move))


def with_control(register: str, number: int, design: Design) -> Design:
    """The design that sets one more control bit on entry and clears it on exit."""

    def more(step: Step, sets: bool) -> Step:
        if isinstance(step.move, Alter) and step.move.register == register:
            changed = evolve(
                step.move,
                sets=step.move.sets | (1 << number if sets else 0),
                clears=step.move.clears | (0 if sets else 1 << number),
            )
            return evolve(step, move=changed)
        return step

    return evolve(
        design,
        entry=tuple(more(step, True) for step in design.entry),
        exit=tuple(more(step, False) for step in design.exit),
    )


def register_faults(design: Design) -> Iterator[Fault]:
    """Each register of each block left out of that block; and each register of the switch left out of it altogether."""
    switched: dict[str, tuple[Citation, ...]] = {}
    for routine in ROUTINES:
        for step in design.routine(routine):
            if isinstance(step.move, Push | Pop | Save | Load):
                for register in step.move.registers:
                    if routine in ("entry", "exit"):
                        switched.setdefault(register, step.sources)
                    yield Fault(
                        f"omit/{slug(step.name)}/{register}", f"{register.upper()} in '{step.name}'",
                        f"'{step.name}' leaves out {register.upper()}", step.sources,
                        partial(with_omission, routine, step.name, register),
                        frozenset({register}) | REACHED_BY[routine], "register",
                    )  # fmt: skip
    for register, sources in switched.items():
        yield Fault(
            f"unswitched/{register}", register.upper(), f"{register.upper()} is not part of the world switch",
            sources, partial(without_register, register), frozenset({register}), "register",
        )  # fmt: skip


def with_omission(routine: str, name: str, register: str, design: Design) -> Design:
    """The design in which one block leaves out one register."""
    steps = design.routine(routine)
    move = next(step.move for step in steps if step.name == name)
    assert isinstance(move, Push | Pop | Save | Load)
    spoilt = evolve(move, omitted=move.omitted | {register})
    return evolve(design, **{routine: replace_move(steps, name, spoilt)})  # type: ignore[arg-type]


def without_register(register: str, design: Design) -> Design:
    """The design whose world switch does not move a register."""
    return without_registers(design, register)


def step_faults(design: Design) -> Iterator[Fault]:
    """Each step left out, and each pair of neighbours exchanged."""
    for routine in ROUTINES:
        steps = design.routine(routine)
        for position, step in enumerate(steps):
            yield Fault(
                f"without/{slug(step.name)}", step.name, f"the step '{step.name}' is left out", step.sources,
                partial(without_step, routine, step.name), touched(step.move) | REACHED_BY[routine], "step",
            )  # fmt: skip
            if position + 1 < len(steps):
                other = steps[position + 1]
                yield Fault(
                    f"swap/{slug(step.name)}/{slug(other.name)}", f"'{step.name}' before '{other.name}'",
                    f"'{other.name}' comes before '{step.name}'", (*step.sources, *other.sources),
                    partial(with_swap, routine, step.name),
                    touched(step.move) | touched(other.move) | REACHED_BY[routine], "order",
                )  # fmt: skip


def without_step(routine: str, name: str, design: Design) -> Design:
    """The design without one step of a routine."""
    return evolve(design, **{routine: without(design.routine(routine), name)})  # type: ignore[arg-type]


def with_swap(routine: str, name: str, design: Design) -> Design:
    """The design in which a step and the one behind it are exchanged."""
    return evolve(design, **{routine: swapped(design.routine(routine), name)})  # type: ignore[arg-type]


HANDLED_CLASSES = {0x01: "WFX", 0x03: "CP15_32", 0x12: "HVC", 0x20: "IABT", 0x24: "DABT"}


def handler_faults(design: Design) -> Iterator[Fault]:
    """Each handler that a guest reaches and that does more than inject UNDEF, and each emulated register, left out."""
    for ec, name in HANDLED_CLASSES.items():
        yield Fault(
            f"without/handler-{name.lower()}", f"handler {name}",
            f"the highvisor has no handler for traps of class {ExceptionClass(ec).name}", (arm("B3.13.6"),),
            partial(without_handler, ec), frozenset({f"EC.{name}"}), "handler",
        )  # fmt: skip
    for entry in design.emulated:
        yield Fault(
            f"without/emulated-{entry.row.lower()}", f"emulated {entry.row}",
            f"the highvisor does not emulate {entry.row}", (arm("B4.1"),), partial(without_emulated, entry.row),
            frozenset({f"ROW.{entry.row}"}), "handler",
        )  # fmt: skip


def without_handler(ec: int, design: Design) -> Design:
    """The design without a handler for one exception class."""
    return evolve(design, handlers=tuple((c, h) for c, h in design.handlers if c != ec))


def without_emulated(row: str, design: Design) -> Design:
    """The design without one line of its emulation table."""
    return evolve(design, emulated=tuple(entry for entry in design.emulated if entry.row != row))


def generated(design: Design) -> tuple[Fault, ...]:
    """Every fault that the design implies, in a fixed order."""
    return (
        *control_faults(design),
        *register_faults(design),
        *step_faults(design),
        *handler_faults(design),
    )

