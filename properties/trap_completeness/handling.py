"""Every trap is understood, survived, and handled so that the guest goes on as if the instruction had executed."""

from model.action import Action
from model.actions import GuestExecutes, HighvisorHandles, LowvisorSteps
from model.design import Design
from model.highvisor.exits import Progress
from model.lowvisor.context import Image
from model.state import State, Where
from model.system import progress_of
from properties.property import Kind, Property
from properties.trap_completeness.steps import always, cpu_of, where
from properties.views import registers_of, view
from spec import syndrome
from spec.coprocessor.row import Form
from spec.operations import (
    Bkpt,
    Bxj,
    CoprocessorAccess,
    FloatingPoint,
    Hvc,
    Instruction,
    Load,
    MemoryOutcome,
    Operation,
    Smc,
    Store,
    Svc,
    Udf,
    Wfe,
    Wfi,
)
from spec.outcome import stepped
from spec.processor import Hyp
from spec.psr import T_BIT, advance_it, condition_holds, current_condition
from spec.syndrome import ExceptionClass
from spec.words import add, bit, bits, choose, either, every, implies, negate, same

CLASSES: dict[type[Operation], int] = {
    Wfi: ExceptionClass.WFX, Wfe: ExceptionClass.WFX, Hvc: ExceptionClass.HVC, Smc: ExceptionClass.SMC,
    Bxj: ExceptionClass.BXJ, FloatingPoint: ExceptionClass.CP_0_13, Svc: ExceptionClass.SVC_HYP,
    Udf: ExceptionClass.UNKNOWN, Bkpt: ExceptionClass.IABT,
}  # fmt: skip


def names_operation(hsr: int, instruction: Instruction) -> bool:
    """Whether a syndrome names the operation that trapped: its class, and every field that tells encodings apart."""
    operation = instruction.operation
    ec = bits(hsr, 31, 26)
    if isinstance(operation, CoprocessorAccess):
        direction = 1 if operation.read else 0
        if operation.row.form is Form.MEMORY:
            return ec == ExceptionClass.CP14_LS
        if operation.row.form is Form.DOUBLE:
            expected = ExceptionClass.CP15_64 if operation.row.coprocessor == 15 else ExceptionClass.CP14_64
            double = syndrome.decode_double_transfer(bits(hsr, 24, 0))
            fields = (double.opc1, double.crm, double.rt, double.rt2, double.read)
            wanted = (operation.opc1, operation.crm, operation.rt, operation.rt2, direction)
            return every(ec == expected, same(fields, wanted))
        if operation.row.coprocessor == 10:
            return every(choose(ec == ExceptionClass.CP10_ID, True, ec == ExceptionClass.CP_0_13))
        expected = ExceptionClass.CP15_32 if operation.row.coprocessor == 15 else ExceptionClass.CP14_32
        word = syndrome.decode_register_transfer(bits(hsr, 24, 0))
        seen = (word.opc1, word.crn, word.crm, word.opc2, word.rt, word.read)
        asked = (operation.opc1, operation.crn, operation.crm, operation.opc2, operation.rt, direction)
        return every(ec == expected, same(seen, asked))
    if isinstance(operation, Wfi | Wfe):
        return every(ec == ExceptionClass.WFX, bit(hsr, 0) == (1 if isinstance(operation, Wfe) else 0))
    if isinstance(operation, Load | Store):
        return every(ec == ExceptionClass.DABT, implies(operation.fault == STAGE2, names_access(hsr, operation)))
    expected_class = CLASSES.get(type(operation))
    return expected_class is None or ec == expected_class


STAGE2 = MemoryOutcome.STAGE2_FAULT


def names_access(hsr: int, operation: Load | Store) -> bool:
    """Whether a syndrome describes a load or store that faulted at stage 2, where it is of a form that it can."""
    seen = syndrome.decode_data_abort(bits(hsr, 24, 0))
    stores = isinstance(operation, Store)
    sign = 0 if isinstance(operation, Store) else operation.sign_extends
    described = same((seen.sas, seen.sse, seen.srt), (operation.size, sign, operation.rt))
    return every(
        seen.write == (1 if stores else 0),
        seen.isv == operation.described,
        implies(operation.described == 1, described),
    )


def syndrome_names(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of SYNDROME: at the trap HSR names the operation, and the highvisor is handed that very word."""
    if isinstance(action, GuestExecutes):
        if where(after, action) is not Where.LOWVISOR:
            return True
        return names_operation(cpu_of(after, action).hyp.hsr, action.instruction)
    if where(after, action) is not Where.HIGHVISOR:
        return True
    physical = after.processors[action.cpu]
    if physical.thread.code != 7:
        return True
    return handed_on(physical.cpu.hyp, after.vcpus[physical.thread.vcpu].image)


def handed_on(hyp: Hyp, image: Image) -> bool:
    """Whether the image holds the syndrome of the trap and, for an abort, its addresses where they are valid."""
    ec = bits(hyp.hsr, 31, 26)
    data, prefetch = ec == ExceptionClass.DABT, ec == ExceptionClass.IABT
    known = negate(every(hyp.hsr & 0x3C == 0x0C, bit(hyp.hsr, 7) == 0))
    return every(
        image.hsr == hyp.hsr,
        implies(data, image.hxfar == hyp.hdfar),
        implies(prefetch, image.hxfar == hyp.hifar),
        implies(every(either(data, prefetch), known), image.hpfar == hyp.hpfar),
    )


SYNDROME = Property(
    id="trap_completeness.syndrome_names_operation",
    statement="The syndrome that the highvisor decodes is that of the operation that trapped.",
    claims=("C3", "C31"),
    question="Can the handler mistake one operation for another?",
    kind=Kind.STEP,
    about=(GuestExecutes, LowvisorSteps),
    holds=syndrome_names,
    interesting=lambda d, b, a, s: isinstance(a, GuestExecutes) and where(s, a) is Where.LOWVISOR,
    explain=lambda d, b, a, s: f"HSR is {cpu_of(s, a).hyp.hsr:#010x}: not the operation that trapped, or not handed on",
)


def handler_survives(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HANDLED."""
    return where(after, action) is not Where.PANICKED


HANDLED = Property(
    id="trap_completeness.handled",
    statement="Every trap that a guest can raise has a handler that lets the host live.",
    claims=("C3", "C31"),
    question="Can a guest stop the machine by trapping?",
    kind=Kind.STEP,
    about=(HighvisorHandles,),
    holds=handler_survives,
    interesting=always,
    explain=lambda d, b, a, s: "the highvisor stopped the whole machine for a trap of one guest",
)


def makes_progress(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of PROGRESS: a handler that resumes has a reason why the same trap does not recur for ever."""
    if isinstance(action, HighvisorHandles):
        return progress_of(design, before, action) is not Progress.NONE
    left_vfp = before.processors[action.cpu].thread.routine == "vfp" and where(after, action) is Where.GUEST
    return bits(cpu_of(after, action).hyp.hcptr, 11, 10) != 3 if left_vfp else True


PROGRESS = Property(
    id="trap_completeness.handlers_progress",
    statement="Every handler steps over the instruction, removes the cause of the trap, injects an exception "
    "or leaves to user space.",
    claims=("C13", "C16"),
    question="Can a guest trap for the same reason for ever?",
    kind=Kind.STEP,
    about=(HighvisorHandles, LowvisorSteps),
    holds=makes_progress,
    interesting=lambda d, b, a, s: isinstance(a, HighvisorHandles),
    explain=lambda d, b, a, s: "the guest goes back to the same instruction and nothing has changed",
)


def skipped_like_executed(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of SKIPPED: PC and IT state are those behind the instruction."""
    assert isinstance(action, HighvisorHandles)
    physical = before.processors[action.cpu]
    if progress_of(design, before, action) is not Progress.SKIPPED or physical.trapped_from is None:
        return True
    given, image = physical.trapped_from, after.vcpus[physical.thread.vcpu].image
    narrow = every(bit(given.cpsr, T_BIT) == 1, bit(physical.cpu.hyp.hsr, 25) == 0)
    return every(image.pc == add(given.pc, choose(narrow, 2, 4), 32), image.cpsr == advance_it(given.cpsr))


SKIPPED = Property(
    id="trap_completeness.skipped_like_executed",
    statement="An emulated instruction leaves the guest where the executed one would: behind it, IT state advanced.",
    claims=("C31",),
    question="Can emulation lose or repeat an instruction?",
    kind=Kind.STEP,
    about=(HighvisorHandles,),
    holds=skipped_like_executed,
    interesting=lambda d, b, a, s: progress_of(d, b, a) is Progress.SKIPPED,  # type: ignore[arg-type]
    explain=lambda d, b, a, s: skip_explanation(b, a, s),
)


def skip_explanation(before: State, action: Action, after: State) -> str:
    """Where the guest goes on, beside where it trapped."""
    physical = before.processors[action.cpu]
    given, image = physical.trapped_from, after.vcpus[physical.thread.vcpu].image
    assert given is not None
    return f"trapped at PC {given.pc:#x} with CPSR {given.cpsr:#x}, goes on at {image.pc:#x} with {image.cpsr:#x}"


def failed_is_nothing(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of CONDITION: a trapped instruction whose condition fails changes PC and IT state alone."""
    assert isinstance(action, GuestExecutes)
    cpu = cpu_of(before, action)
    passes = condition_holds(current_condition(action.instruction.condition, cpu.cpsr), cpu.cpsr)
    if where(after, action) is not Where.LOWVISOR or passes:
        return True
    if after.processors[action.cpu].thread.routine == "vfp":
        return True
    expected = registers_of(stepped(cpu, cpu, action.instruction))
    return same(view(design, after, action.cpu).registers, expected)


CONDITION = Property(
    id="trap_completeness.failed_condition_is_nothing",
    statement="A trapped instruction whose condition fails has no effect but to be stepped over.",
    claims=("C31",),
    question="Why does the highvisor check conditions again?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=failed_is_nothing,
    interesting=lambda d, b, a, s: where(s, a) is Where.LOWVISOR and a.instruction.condition != 0xE,  # type: ignore[attr-defined]
    explain=lambda d, b, a, s: "the highvisor emulated an instruction that the guest did not execute",
)
