"""What an action is in plain words: who does it, what it is, and which manual or step of the design says so."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import frozen

from model import guards, system
from model.action import Action
from model.actions import (
    GuestExecutes,
    GuestTrapsUnforeseen,
    HighvisorHandles,
    HostExecutes,
    HostRunsVcpu,
    HypFaults,
    InterfaceChanges,
    InterruptTaken,
    LowvisorSteps,
    SignalChanges,
    UserSpaceAnswers,
    UserSpaceRuns,
    UserSpaceWrites,
)
from model.design import Design, ExitCode, Handler
from model.highvisor import exits
from model.highvisor import run as kvm_run
from model.parts import system_part_of
from model.state import State, Where
from properties.traces.changes import class_name, register_name
from properties.traces.tellers import TELLERS
from spec import accesses, exceptions, execute, operations, status
from spec.citations import Citation
from spec.coprocessor.row import Form, Row
from spec.operations import CoprocessorAccess, Instruction, MemoryOutcome, Operation
from spec.outcome import Event
from spec.words import bits

CONDITIONS = ("EQ", "NE", "CS", "CC", "MI", "PL", "VS", "VC", "HI", "LS", "GE", "LT", "GT", "LE", "AL", "AL")
SHAREABILITY = ("no other processor", "Inner Shareable", "Outer Shareable", "full system")
FAULT: Mapping[int, str] = MappingProxyType(
    {
        MemoryOutcome.OK: "",
        MemoryOutcome.STAGE1_FAULT: ", which faults at stage 1",
        MemoryOutcome.STAGE2_FAULT: ", which faults at stage 2",
        MemoryOutcome.EXTERNAL_ABORT: ", which aborts externally",
    }
)
SIZES = ("B", "H", "")
RETURNS = ("SUBS PC, LR", "LDM with return", "RFE", "ERET")


@frozen
class Account:
    """An action in words: who acts, what happens, and the sources that justify it."""

    who: str
    what: str
    sources: tuple[Citation, ...] = ()


def account(design: Design, before: State, action: Action, after: State) -> Account:
    """What one step of a run is, in words."""
    part = system_part_of(action)
    if part is not None:
        teller = TELLERS[part.name]
        who, what, rule = teller.told(design, part.of(before), action, part.of(after))
        return Account(who, what, teller.sources_of(design, part.of(before), action, rule))
    match action:
        case HostRunsVcpu(_, vcpu):
            return Account("host", f"runs vCPU{vcpu}", _sources(system.host_calls))
        case UserSpaceAnswers() | UserSpaceWrites() | UserSpaceRuns():
            return _user_space(action)
        case GuestExecutes(_, instruction):
            return _executed("guest", before, action, after, instruction)
        case HostExecutes(_, instruction):
            return _executed("host", before, action, after, instruction)
        case GuestTrapsUnforeseen(_, ec):
            return Account("guest", f"traps with the reserved EC 0x{ec:02x}", _sources(exceptions.take_hyp_trap))
        case SignalChanges(_, signal, level):
            what = f"{signal.replace('_', ' ')} input {'asserted' if level else 'released'}"
            return Account("device", what)
        case InterfaceChanges(_, register, value):
            changed = f"the GIC changes {register.upper()} to {value:#x}"
            return Account("device", changed, _sources(system.interface_changed))
        case InterruptTaken(_, signal):
            who = "guest" if before.processors[action.cpu].thread.where is Where.GUEST else "host"
            kind = f"physical {signal}" if signal in guards.PHYSICAL else signal.replace("_", " ")
            return Account(who, f"takes a {kind}", _sources(guards.TAKEN[signal][1], system.interrupted))
        case LowvisorSteps() | HypFaults():
            return _lowvisor(design, before, action)
        case HighvisorHandles():
            return _highvisor(design, before, action)
    return Account("", type(action).__name__, _sources(system.step))


def _user_space(action: UserSpaceAnswers | UserSpaceWrites | UserSpaceRuns) -> Account:
    match action:
        case UserSpaceAnswers(_, vcpu, value):
            return Account("user space", f"answers vCPU{vcpu}'s access with 0x{value:x}", _sources(kvm_run.answer))
        case UserSpaceWrites(_, vcpu, run):
            what = f"exit reason {run.exit_reason}, length {run.length}, data 0x{run.data:x}"
            return Account("user space", f"writes into what it shares with vCPU{vcpu}'s kernel: {what}")
        case UserSpaceRuns(_, vcpu, interrupted):
            signal = ", with a signal pending" if interrupted else ""
            return Account("user space", f"calls KVM_RUN for vCPU{vcpu}{signal}", _sources(kvm_run.kvm_run))


def _sources(*rules: Any) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(source for rule in rules for source in getattr(rule, "sources", ())))


def cited(sources: Iterable[Citation]) -> str:
    """The citations in one line, the sections of one document and the functions of one file together."""
    by_document: dict[str, list[str]] = {}
    for source in sources:
        file, _, function = source.section.partition(" ")
        in_file = "/" in file
        document = f"{source.document} {file}" if in_file else source.document
        by_document.setdefault(document, []).append(function if in_file else source.section)
    return "; ".join(f"{document} {', '.join(sections)}" for document, sections in by_document.items())


def _executed(who: str, before: State, action: Action, after: State, instruction: Instruction) -> Account:
    cpu, left = before.processors[action.cpu].cpu, after.processors[action.cpu].cpu
    outcome = execute.execute(cpu, instruction, getattr(action, "choices", operations.Choices()))
    what = instruction_text(instruction)
    sources = rules_of(instruction.operation)
    if outcome.cpu != left:
        return Account(who, what, sources)
    if outcome.event in (Event.TRAPPED, Event.CALLED, Event.STAGE2_ABORT):
        reported = class_name(left.hyp.hsr)
        entered = _sources(exceptions.take_hvc if outcome.event is Event.CALLED else exceptions.take_hyp_trap)
        return Account(who, f"{what} -> {outcome.event.value} ({reported})", tuple(dict.fromkeys(sources + entered)))
    if outcome.event is Event.COMPLETED:
        return Account(who, what, sources)
    return Account(who, f"{what} -> {outcome.event.value}", sources)


def rules_of(operation: Operation) -> tuple[Citation, ...]:
    """The sources for what an operation does: those of a coprocessor register's row, else of the rule for its kind."""
    match operation:
        case CoprocessorAccess(row):
            return row.sources
        case operations.Wfi() | operations.Wfe():
            return _sources(execute.wait)
        case operations.Hvc():
            return _sources(exceptions.take_hvc)
        case operations.Svc():
            return _sources(exceptions.take_svc)
        case operations.ExceptionReturn():
            return _sources(status.exception_return)
        case operations.ReadBanked() | operations.WriteBanked():
            return _sources(status.banked_access)
        case operations.WriteCpsr():
            return _sources(status.write_cpsr)
        case operations.Load() | operations.Store() | operations.Fetch():
            faults = operation.fault == MemoryOutcome.STAGE2_FAULT
            return _sources(accesses.stage2_abort if faults else accesses.memory_access)
        case operations.LoadExclusive() | operations.StoreExclusive():
            return _sources(accesses.loaded)
        case operations.Bxj():
            return _sources(execute.branch_jazelle)
        case operations.FloatingPoint() | operations.OtherCoprocessor():
            return _sources(execute.decided)
        case operations.Smc() | operations.Bkpt() | operations.Udf():
            return _sources(execute.call)
    return _sources(execute.perform)


def instruction_text(instruction: Instruction) -> str:
    """An instruction as an assembler's reader knows it, such as `MCR p15: TPIDRURW <- r3`."""
    text = operation_text(instruction.operation)
    return text if instruction.condition >= 0xE else f"{text}, if {CONDITIONS[instruction.condition]}"


def operation_text(operation: Operation) -> str:
    """An operation as an assembler's reader knows it."""
    writer = TEXTS.get(type(operation))
    return writer(operation) if writer else type(operation).__name__.upper()


def core(number: int) -> str:
    """The name of a core register of the current mode."""
    return {13: "SP", 14: "LR"}.get(number, f"r{number}")


def _coprocessor(access: CoprocessorAccess) -> str:
    row, memory = access.row, access.row.form is Form.MEMORY
    registers = core(access.rt) if row.form is Form.WORD else f"{core(access.rt)}, {core(access.rt2)}"
    register = f"{row.name.removesuffix('_64')}{_encoding(access, row)}"
    if row.coprocessor == 10 and row.form is Form.WORD:
        return f"VMRS {registers} <- {register}" if access.read else f"VMSR {register} <- {registers}"
    names = {Form.WORD: ("MCR", "MRC"), Form.DOUBLE: ("MCRR", "MRRC"), Form.MEMORY: ("LDC", "STC")}
    other = "memory" if memory else registers
    name = f"{names[Form(row.form)][access.read]} p{row.coprocessor}"
    return f"{name}: {other} <- {register}" if access.read else f"{name}: {register} <- {other}"


def _encoding(access: CoprocessorAccess, row: Row) -> str:
    """Which of several encodings of a row it is."""
    if len(row.opc1) * len(row.crn) * len(row.crm) * len(row.opc2) == 1:
        return ""
    return f" (opc1 {access.opc1}, c{access.crn}, c{access.crm}, opc2 {access.opc2})"


def _load(load: operations.Load) -> str:
    name = f"LDR{'S' if load.sign_extends else ''}{SIZES[load.size]}"
    other = "" if load.described else ", with write-back"
    return f"{name} {core(load.rt)} <- [0x{load.address:08x}]{other}{FAULT[load.fault]}"


def _store(store: operations.Store) -> str:
    other = "" if store.described else ", with write-back"
    return f"STR{SIZES[store.size]} {core(store.rt)} -> [0x{store.address:08x}]{other}{FAULT[store.fault]}"


TEXTS: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        CoprocessorAccess: _coprocessor,
        operations.Load: _load,
        operations.Store: _store,
        operations.Compute: lambda o: f"computes {core(o.rd)} = 0x{o.value:08x}, NZCV = {o.flags:04b}",
        operations.Branch: lambda o: f"B 0x{o.target:08x}",
        operations.Fetch: lambda o: f"fetches an instruction{FAULT[o.fault]}",
        operations.LoadExclusive: lambda o: f"LDREX {core(o.rt)}",
        operations.StoreExclusive: lambda o: f"STREX {core(o.rd)}",
        operations.Preload: lambda _: "PLD",
        operations.Barrier: lambda o: f"DSB, {SHAREABILITY[o.shareability]}",
        operations.Yield: lambda _: "NOP",
        operations.Svc: lambda o: f"SVC #{o.imm}",
        operations.Hvc: lambda o: f"HVC #{o.imm}",
        operations.Smc: lambda o: f"SMC #{o.imm}",
        operations.WriteCpsr: lambda o: f"MSR CPSR <- 0x{o.value:08x}",
        operations.ReadCpsr: lambda o: f"MRS {core(o.rd)} <- {'SPSR' if o.saved else 'CPSR'}",
        operations.ReadBanked: lambda o: f"MRS {core(o.rd)} <- {register_name(o.register)}",
        operations.WriteBanked: lambda o: f"MSR {register_name(o.register)} <- {core(o.rn)}",
        operations.ExceptionReturn: lambda o: f"{RETURNS[o.form]}: return from exception",
        operations.StoreReturnState: lambda _: "SRS",
        operations.Bxj: lambda o: f"BXJ {core(o.rm)}",
        operations.FloatingPoint: lambda o: f"{'Advanced SIMD' if o.simd else 'VFP'} instruction",
        operations.OtherCoprocessor: lambda o: f"instruction for coprocessor p{o.coprocessor}",
    }
)
"""The words for each kind of operation that is not simply its name."""


def step_name(design: Design, state: State, cpu: int) -> str:
    """The name of the lowvisor step that a processor takes next; behind a routine's last step, what follows it."""
    thread = state.processors[cpu].thread
    steps = design.routine(thread.routine)
    return steps[thread.index].name if thread.index < len(steps) else f"{thread.routine}: end"


def _lowvisor(design: Design, before: State, action: Action) -> Account:
    thread = before.processors[action.cpu].thread
    steps = design.routine(thread.routine)
    name = step_name(design, before, action.cpu)
    if isinstance(action, HypFaults):
        return Account("lowvisor", f'takes an Undefined Instruction exception at "{name}"', _sources(system.hyp_faults))
    sources = steps[thread.index].sources if thread.index < len(steps) else _sources(system.finished)
    return Account("lowvisor", name, sources)


def _highvisor(design: Design, before: State, action: HighvisorHandles) -> Account:
    thread = before.processors[action.cpu].thread
    image = before.vcpus[thread.vcpu].image
    handled = exits.handle_exit(design, image, thread.code, action.answer, action.data)
    code = ExitCode(thread.code).name if thread.code in set(ExitCode) else str(thread.code)
    trap = thread.code in (ExitCode.HVC, ExitCode.DATA_ABORT, ExitCode.PREF_ABORT)
    reason = f" ({class_name(image.hsr)})" if trap else ""
    rules = [HANDLED_BY.get(exits.handler_of(design, bits(image.hsr, 31, 26)), exits.handle_trap)] if trap else []
    what = f"handles exit {code}{reason}: {handled.progress.value}; then {handled.result.value}"
    return Account("highvisor", what, _sources(exits.handle_exit, *rules))


HANDLED_BY: Mapping[Handler, Callable[..., Any]] = MappingProxyType(
    {
        Handler.WFX: exits.wait,
        Handler.CP15_32: exits.emulate_cp15,
        Handler.CP15_64: exits.emulate_cp15,
        Handler.HVC: exits.hypervisor_call,
        Handler.GUEST_ABORT: exits.guest_abort,
    }
)
"""The rule of each handler that has one."""
