"""Popek and Goldberg's question: can a deprivileged kernel be run by trap and emulate?

An operation is sensitive if, executed by a kernel, it reads or writes what User mode may not, or if it does something
else in User mode. Trap and emulate works where each sensitive operation takes an exception in User mode.
"""

from collections.abc import Iterator
from functools import cache

from attrs import evolve

from model.action import Action
from model.design import Design
from model.designs.catalogue import reference
from model.state import State, Where
from model.system import step
from model.topology import TOPOLOGIES, initial
from properties.engines.domain import Executed, everything
from properties.evidence import changed, executions, guests
from properties.policy import VFP
from properties.property import Enumeration, Kind, Property
from properties.traces.describe import RETURNS, operation_text
from properties.trap_completeness.confinement import confined, independent
from spec.banking import read_core
from spec.coprocessor.decode import ROWS
from spec.coprocessor.row import Gate
from spec.execute import execute
from spec.operations import (
    ExceptionReturn,
    Hvc,
    ReadBanked,
    ReadCpsr,
    ReturnForm,
    Unpredictable,
    WriteBanked,
    WriteCpsr,
)
from spec.outcome import Event
from spec.processor import Processor
from spec.psr import Mode
from spec.registers import REGISTERS, read, write_all
from spec.words import inv

INTRODUCED = (Hvc, ReadBanked, WriteBanked)
"""Instructions that came with the Virtualization Extensions; ERET did too."""
SILENT = (Event.COMPLETED, Event.SKIPPED, Event.SUSPENDED)
"""What becomes of an instruction that nobody else learns of."""
CORE = tuple(name for name, register in REGISTERS.items() if register.component == "general")
GATES = ("cpacr", "fpexc", "sctlr", "cntkctl", "pmuserenr", "dbgdscr", "teecr")
"""The registers by which a kernel says what User mode may do; they are compared apart from what they guard."""
FLAGS = 0xFF0FFE20
"""The CPSR bits that User mode may change: flags, IT, GE, endianness and instruction set."""


@cache
def of_user() -> frozenset[str]:
    """The registers that User mode may access whatever the kernel says, and its share of CPSR apart."""
    granted = {row.state for row in ROWS if row.pl0 != "-" and row.gate is Gate.NONE and row.state is not None}
    return frozenset({*CORE, *VFP, *granted, "pc", "exclusive", "event"} - {"fpexc"})


@cache
def bare(number: int) -> Processor:
    """A processor without Hyp mode's controls, in a mode, that grants User mode nothing but VFP.

    SP and LR are the same in User and Supervisor mode, so that banking alone makes no difference.
    """
    cpu = initial(TOPOLOGIES["one"], reference()).processors[0].cpu
    words = {
        "cpsr": number, "cntkctl": 0, "pmuserenr": 0, "teecr": 1, "dbgdscr": 1 << 12, "fpexc": 1 << 30, "hdcr": 0,
        "sp_svc": cpu.general.sp_usr, "lr_svc": cpu.general.lr_usr, "cnthctl": 3,
    }  # fmt: skip
    return write_all(cpu, tuple(words), tuple(words.values()))


def seen_by_mode(cpu: Processor) -> tuple[int, ...]:
    """What the current mode's own registers hold: core registers, PC, VFP, and the CPSR bits of User mode."""
    core = tuple(read_core(cpu, number) for number in range(15))
    rest = tuple(read(cpu, name) for name in sorted(of_user() - set(CORE)))
    return (*core, *rest, cpu.cpsr & FLAGS)


def privileged(before: Processor, after: Processor) -> bool:
    """Whether a kernel's step changed anything that User mode may not."""
    names = set(changed(before, after)) - of_user() - {"cpsr", "sp_svc", "lr_svc"}
    return bool(names) or (before.cpsr ^ after.cpsr) & ~FLAGS != 0


@cache
def disguised() -> tuple[Processor, ...]:
    """The kernel's processor with what User mode may not access inverted: each gate alone, and all the rest."""
    cpu = bare(Mode.SVC)
    hidden = tuple(
        name for name, register in REGISTERS.items()
        if name not in of_user() and register.component not in (None, "hyp") and name not in ("sp_svc", "lr_svc")
    )  # fmt: skip
    groups = (tuple(n for n in hidden if n not in GATES), *((n,) for n in hidden if n in GATES))
    return tuple(
        write_all(cpu, names, [inv(read(cpu, name), REGISTERS[name].width) for name in names]) for names in groups
    )


def depends(executed: Executed, seen: tuple[int, ...]) -> bool:
    """Whether what a completed step of a kernel leaves in User mode's registers depends on any others."""
    others = (execute(cpu, *executed) for cpu in disguised())
    return any(other.event in SILENT and seen_by_mode(other.cpu) != seen for other in others)


def sensitive(executed: Executed) -> bool:
    """Whether an operation is sensitive: it touches privileged state in a kernel, or differs in User mode."""
    kernel = bare(Mode.SVC)
    as_kernel, as_user = execute(kernel, *executed), execute(bare(Mode.USR), *executed)
    if as_kernel.event is not as_user.event:
        return True
    if as_kernel.event not in SILENT:
        return False
    seen = seen_by_mode(as_kernel.cpu)
    return privileged(kernel, as_kernel.cpu) or seen != seen_by_mode(as_user.cpu) or depends(executed, seen)


def silent(executed: Executed) -> bool:
    """Whether an operation may go unnoticed in User mode, for one of the outcomes that the architecture permits."""
    instruction, choices = executed
    user = bare(Mode.USR)
    return any(execute(user, instruction, evolve(choices, unpredictable=way)).event in SILENT for way in Unpredictable)


def older(executed: Executed) -> bool:
    """Whether an instruction exists without the Virtualization Extensions."""
    operation = executed[0].operation
    return not (isinstance(operation, INTRODUCED) or getattr(operation, "form", None) is ReturnForm.ERET)


@cache
def instructions() -> tuple[Executed, ...]:
    """Every operation of the domain that a processor without the Virtualization Extensions has."""
    return tuple(executed for executed in everything().guest if older(executed))


def silently_sensitive(domain: tuple[Executed, ...] | None = None) -> tuple[str, ...]:
    """The sensitive operations that take no exception in User mode, in words; by default of the whole domain."""
    found: dict[str, None] = {}
    for executed in instructions() if domain is None else domain:
        if sensitive(executed) and silent(executed):
            found[class_of(executed)] = None
    return tuple(found)


def class_of(executed: Executed) -> str:
    """The instructions that an operation stands for."""
    operation = executed[0].operation
    match operation:
        case WriteCpsr():
            return "CPS, MSR CPSR"
        case ReadCpsr(_, saved):
            return "MRS SPSR" if saved == 1 else "MRS CPSR"
        case ExceptionReturn():
            return f"{RETURNS[operation.form]}, a return from an exception"
    return operation_text(operation)


def escapes(design: Design) -> Iterator[str]:
    """What a guest's operations do, under the design's configuration, outside what is the guest's own."""
    for state in guests(design):
        if state.processors[0].cpu.cpsr & 0x1F in (Mode.SVC, Mode.USR):
            for (instruction, _), action in executions(design, state):
                after = step(design, state, action)
                if not confined_to_vm(design, state, action, after):
                    yield operation_text(instruction.operation)


def confined_to_vm(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether an operation trapped, or changed and depended on nothing but what its VM owns."""
    if after.processors[0].thread.where is Where.LOWVISOR:
        return True
    return confined(design, before, action, after) and independent(design, before, action, after)


def virtualizable(design: Design) -> Enumeration:
    """The enumeration of NOT_VIRTUALIZABLE."""
    if design.virtualization_extensions:
        entered = next(guests(design), None) is not None
        failures = tuple(dict.fromkeys(escapes(design))) if entered else ("no guest is entered",)
        return Enumeration("operations of a guest's kernel and of its programs", 2 * len(everything().guest), failures)
    return Enumeration("operations of a kernel that runs in User mode", len(instructions()), silently_sensitive())


NOT_VIRTUALIZABLE = Property(
    id="classification.not_classically_virtualizable",
    statement="No sensitive operation executes unnoticed: with the Virtualization Extensions each traps or is confined "
    "to its VM; without them some execute silently in a kernel that runs at PL0.",
    claims=("C31",),
    question="Why is ARM without the Virtualization Extensions not classically virtualizable?",
    kind=Kind.FINITE,
    about=(),
    holds=lambda *_: True,
    interesting=lambda *_: True,
    enumerate=virtualizable,
)
