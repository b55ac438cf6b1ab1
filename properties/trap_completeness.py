"""Trap completeness: whatever a guest does is its own affair, is virtualised, or is seen by the hypervisor."""

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from model.design import Design
from model.highvisor.exits import Progress, handle_exit
from model.lowvisor.context import Image
from model.state import State, Where
from model.system import (
    PHYSICAL,
    TAKEN,
    Action,
    GuestExecutes,
    GuestTrapsUnforeseen,
    HighvisorHandles,
    HostExecutes,
    InterruptTaken,
    LowvisorSteps,
    progress_of,
    step,
    with_physical,
)
from properties import policy
from properties.property import Kind, Property
from properties.views import registers_of, view
from spec import exceptions, syndrome
from spec.coprocessor.decode import ROW, ROWS
from spec.coprocessor.row import Effect, Form, Row
from spec.execute import Event, execute, stepped
from spec.operations import (
    Barrier,
    Bkpt,
    Bxj,
    CoprocessorAccess,
    ExceptionReturn,
    FloatingPoint,
    Hvc,
    Instruction,
    Load,
    MemoryOutcome,
    Operation,
    ReadBanked,
    ReadCpsr,
    Smc,
    Store,
    Svc,
    Udf,
    Wfe,
    Wfi,
    WriteBanked,
    WriteCpsr,
)
from spec.processor import Hyp, Processor
from spec.psr import T_BIT, Mode, advance_it, condition_holds, current_condition, is_hyp
from spec.registers import REGISTERS, read, write_all
from spec.syndrome import ExceptionClass
from spec.words import add, bit, bits, choose, clear, either, every, implies, inv, negate, put, same


def _where(state: State, action: Action) -> Where:
    return state.processors[action.cpu].thread.where


def _cpu(state: State, action: Action) -> Processor:
    return state.processors[action.cpu].cpu


def operation_of(action: Action) -> Operation:
    """The operation of an action that executes an instruction."""
    assert isinstance(action, GuestExecutes | HostExecutes)
    return action.instruction.operation


def _always(design: Design, before: State, action: Action, after: State) -> bool:
    return True


def _trapped(design: Design, before: State, action: Action, after: State) -> bool:
    return _where(after, action) is Where.LOWVISOR


def difference(before: Any, after: Any, names: Iterable[str]) -> str:
    """The first few registers in which two states differ, with their values."""
    found = [
        f"{name.upper()} {read(before, name):#x} -> {read(after, name):#x}"
        for name in names
        if read(before, name) != read(after, name)
    ]
    return ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")


def confined(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of CONFINED."""
    if _where(after, action) is Where.SECURE:
        return False
    trapped = _where(after, action) is not Where.GUEST
    return policy.changed_only(_cpu(before, action), _cpu(after, action), trapped)


def _confined_explanation(design: Design, before: State, action: Action, after: State) -> str:
    if _where(after, action) is Where.SECURE:
        return "the guest reached the secure firmware"
    foreign = [n for n in REGISTERS if policy.owner(n) not in (policy.Owner.WORLD, policy.Owner.HINT)]
    foreign += [] if policy.vfp_given(_cpu(before, action)) else policy.VFP
    return "the guest changed " + difference(_cpu(before, action), _cpu(after, action), foreign)


CONFINED = Property(
    id="trap_completeness.confined",
    statement="An operation of a guest changes only state that belongs to its VM.",
    claims=("C12", "C27", "C31"),
    question="Which sensitive operations must trap?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=confined,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), CoprocessorAccess) and _where(s, a) is Where.GUEST,
    explain=_confined_explanation,
)


def other_world(cpu: Processor) -> Processor:
    """A processor that differs from this one in every bit: what the second run of a comparison hides."""
    names = tuple(REGISTERS)
    return write_all(cpu, names, [inv(read(cpu, name), REGISTERS[name].width) for name in names])


def independent_of(design: Design, before: State, action: Action, after: State, hidden: Processor) -> bool:
    """Whether the VM experiences the same where everything hidden from it is replaced by `hidden`'s values."""
    physical = before.processors[action.cpu]
    changed = put(physical, "cpu", policy.with_hidden(design, physical.cpu, hidden))
    other = step(design, with_physical(before, action, changed), action)
    return same(view(design, after, action.cpu), view(design, other, action.cpu))


def independent(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of INDEPENDENT, with one stated second run; the proof takes any."""
    if isinstance(operation_of(action), Wfi | Wfe):
        return True
    return independent_of(design, before, action, after, other_world(_cpu(before, action)))


INDEPENDENT = Property(
    id="trap_completeness.independent",
    statement="What a guest experiences of an operation does not depend on anything hidden from its VM.",
    claims=("C10", "C12", "C28"),
    question="Can a guest learn anything about the host or another VM?",
    kind=Kind.NON_INTERFERENCE,
    about=(GuestExecutes,),
    holds=independent,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), CoprocessorAccess) and operation_of(a).read,  # type: ignore[attr-defined]
    explain=lambda d, b, a, s: "the guest's registers afterwards depend on state that is hidden from it",
)


def waits(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of WAITS."""
    return _cpu(after, action).local.waiting == 0


WAITS = Property(
    id="trap_completeness.waits_yield",
    statement="A guest that waits for an interrupt or an event gives the processor back to the host.",
    claims=("C31",),
    question="Why are WFI and WFE trapped?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=waits,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), Wfi | Wfe) and _where(s, a) is Where.LOWVISOR,
    explain=lambda d, b, a, s: "the guest suspended the physical processor: nothing else runs on it until an interrupt",
)


def interrupts_reach_host(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of INTERRUPTS: while a guest runs, an asserted interrupt can be taken, and leaves the guest."""
    if isinstance(action, InterruptTaken):
        goes = Where.LOWVISOR if action.signal in PHYSICAL else Where.GUEST
        return _where(before, action) is not Where.GUEST or _where(after, action) is goes
    if _where(after, action) is not Where.GUEST:
        return True
    cpu = _cpu(after, action)
    return every(*(implies(getattr(cpu.signals, name) == 1, TAKEN[name][0](cpu)) for name in PHYSICAL))


INTERRUPTS = Property(
    id="trap_completeness.interrupts_reach_host",
    statement="A physical interrupt or abort that arrives while a guest runs takes it out, whatever it has masked.",
    claims=("C17", "C19"),
    question="Why do physical interrupts trap to Hyp mode?",
    kind=Kind.STEP,
    about=(GuestExecutes, InterruptTaken, LowvisorSteps),
    holds=interrupts_reach_host,
    interesting=lambda d, b, a, s: isinstance(a, InterruptTaken) and _where(b, a) is Where.GUEST,
    explain=lambda d, b, a, s: f"a physical interrupt did not reach the host: the processor runs {_where(s, a).value}",
)


def maintenance_reaches(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of MAINTENANCE."""
    assert isinstance(action, GuestExecutes)
    operation = operation_of(action)
    local = isinstance(operation, Barrier) or (
        isinstance(operation, CoprocessorAccess) and operation.row.effect in (Effect.MAINTENANCE, Effect.TLB)
    )
    if not local:
        return True
    outcome = execute(_cpu(before, action), action.instruction, action.choices)
    return outcome.scope >= 1 if outcome.event is Event.COMPLETED else True


MAINTENANCE = Property(
    id="trap_completeness.maintenance_reaches_every_processor",
    statement="A guest's TLB, branch predictor and instruction cache maintenance and its barriers reach every "
    "processor its vCPU may have run on.",
    claims=("C15",),
    question="Why HCR.FB and HCR.BSU?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=maintenance_reaches,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), Barrier) and _where(s, a) is Where.GUEST,
    explain=lambda d, b, a, s: "it stayed on this processor; after a migration the vCPU would see stale entries",
)


CLASSES: dict[type[Operation], int] = {
    Wfi: ExceptionClass.WFX, Wfe: ExceptionClass.WFX, Hvc: ExceptionClass.HVC, Smc: ExceptionClass.SMC,
    Bxj: ExceptionClass.BXJ, FloatingPoint: ExceptionClass.CP_0_13, Svc: ExceptionClass.SVC_HYP,
    Udf: ExceptionClass.UNKNOWN, Bkpt: ExceptionClass.IABT, Load: ExceptionClass.DABT, Store: ExceptionClass.DABT,
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
    expected_class = CLASSES.get(type(operation))
    return expected_class is None or ec == expected_class


def syndrome_names(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of SYNDROME: at the trap HSR names the operation, and the highvisor is handed that very word."""
    if isinstance(action, GuestExecutes):
        if _where(after, action) is not Where.LOWVISOR:
            return True
        return names_operation(_cpu(after, action).hyp.hsr, action.instruction)
    if _where(after, action) is not Where.HIGHVISOR:
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
    interesting=_trapped,
    explain=lambda d, b, a, s: f"HSR is {_cpu(s, a).hyp.hsr:#010x}: not the operation that trapped, or not handed on",
)


def handler_survives(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HANDLED."""
    return _where(after, action) is not Where.PANICKED


HANDLED = Property(
    id="trap_completeness.handled",
    statement="Every trap that a guest can raise has a handler that lets the host live.",
    claims=("C3", "C31"),
    question="Can a guest stop the machine by trapping?",
    kind=Kind.STEP,
    about=(HighvisorHandles,),
    holds=handler_survives,
    interesting=_always,
    explain=lambda d, b, a, s: "the highvisor stopped the whole machine for a trap of one guest",
)


def makes_progress(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of PROGRESS: a handler that resumes has a reason why the same trap does not recur for ever."""
    if isinstance(action, HighvisorHandles):
        return progress_of(design, before, action) is not Progress.NONE
    left_vfp = before.processors[action.cpu].thread.routine == "vfp" and _where(after, action) is Where.GUEST
    return bits(_cpu(after, action).hyp.hcptr, 11, 10) != 3 if left_vfp else True


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
    cpu = _cpu(before, action)
    passes = condition_holds(current_condition(action.instruction.condition, cpu.cpsr), cpu.cpsr)
    if _where(after, action) is not Where.LOWVISOR or passes:
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
    interesting=lambda d, b, a, s: _where(s, a) is Where.LOWVISOR and a.instruction.condition != 0xE,  # type: ignore[attr-defined]
    explain=lambda d, b, a, s: "the highvisor emulated an instruction that the guest did not execute",
)


MONITORS = tuple(
    row.name for row in ROWS if any(t.name == "TPM" for t in row.traps) and row.name not in ("PMSWINC", "PMOVSSET")
)
"""The performance monitors' registers that a guest's kernel finds, as zeros."""
WITHHELD_ROWS = ("CNTP_TVAL", "CNTP_CTL", "CNTP_CVAL", "PMSWINC", "PMOVSSET")
"""Registers that exist but that KVM/ARM does not offer to guests: an access is UNDEFINED in the guest."""
OFFERED_CLASSES = (ExceptionClass.WFX, ExceptionClass.CP_0_13, ExceptionClass.DABT, ExceptionClass.IABT)
"""Classes whose operations a guest may use, so that UNDEF is never the answer."""
OFFERED_READS = ("ACTLR", "L2CTLR", "L2ECTLR", "CBAR", *MONITORS)
OFFERED_WRITES = ("ACTLR", "L2CTLR", "L2ECTLR", "DCISW", "DCCSW", "DCCISW", *MONITORS)
"""Rows that KVM/ARM emulates for a guest's kernel, by direction: UNDEF is never the answer to them."""


def expected_undef(cpu: Processor) -> Processor:
    """The Undefined Instruction exception as hardware takes it at PL1."""
    return exceptions.take_undefined(put(cpu, "hyp", put(cpu.hyp, "hcr", clear(cpu.hyp.hcr, 1 << 27))))


def injected_like_hardware(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of INJECTED: mode, PC, CPSR, LR and SPSR of the injected exception are what hardware would give."""
    assert isinstance(action, HighvisorHandles)
    physical = before.processors[action.cpu]
    if progress_of(design, before, action) is not Progress.INJECTED or physical.trapped_from is None:
        return True
    image, given = after.vcpus[physical.thread.vcpu].image, physical.trapped_from
    if image.cpsr & 0x1F == Mode.UND:
        return every(
            offered_nothing(before.vcpus[physical.thread.vcpu].image),
            same(_entered(expected_undef(given), "und"), _entered(image, "und")),
        )
    prefetch = bits(physical.cpu.hyp.hsr, 31, 26) == 0x20
    offset, vector = (4, exceptions.Vector.PREFETCH_ABORT) if prefetch else (8, exceptions.Vector.DATA_ABORT)
    expected = exceptions.enter_pl1(given, exceptions.ExceptionMode.ABT, vector, (given.pc + offset) & 0xFFFFFFFF)
    return same(_entered(expected, "abt"), _entered(image, "abt"))


def offered_nothing(image: Image) -> bool:
    """Whether UNDEF is a proper answer to the trap at hand: not for an operation that the guest may use."""
    ec = bits(image.hsr, 31, 26)
    word = syndrome.decode_register_transfer(bits(image.hsr, 24, 0))
    accesses = [
        every(word.read == (1 if names is OFFERED_READS else 0), named_by(word, ROW[name]))
        for names in (OFFERED_READS, OFFERED_WRITES)
        for name in names
    ]
    transfer = every(ec == ExceptionClass.CP15_32, either(*accesses))
    kernel = (image.cpsr & 0x1F) != Mode.USR
    return every(*(ec != offered for offered in OFFERED_CLASSES), negate(every(transfer, kernel)))


def named_by(word: syndrome.RegisterTransfer, row: Row) -> bool:
    """Whether a decoded syndrome names the one encoding of a row."""
    fields = (row.opc1[0], row.crn[0], row.crm[0], row.opc2[0])
    return same((word.opc1, word.crn, word.crm, word.opc2), fields)


def _entered(state: Any, mode: str) -> tuple[int, ...]:
    return (state.cpsr, state.pc, read(state, f"lr_{mode}"), read(state, f"spsr_{mode}"))


INJECTED = Property(
    id="trap_completeness.injected_like_hardware",
    statement="An exception that the highvisor injects looks to the guest as if the hardware had raised it, and is "
    "raised only for what the guest may not use.",
    claims=("C31",),
    question="Can a guest's own handlers be misled?",
    kind=Kind.STEP,
    about=(HighvisorHandles,),
    holds=injected_like_hardware,
    interesting=lambda d, b, a, s: progress_of(d, b, a) is Progress.INJECTED,  # type: ignore[arg-type]
    explain=lambda d, b, a, s: injection_explanation(b, a, s),
)


def injection_explanation(before: State, action: Action, after: State) -> str:
    """The return address that the handler finds beside the one that the architecture gives."""
    physical = before.processors[action.cpu]
    image, given = after.vcpus[physical.thread.vcpu].image, physical.trapped_from
    if given is None or image.cpsr & 0x1F != Mode.UND:
        return f"LR_abt is {image.banked.lr_abt:#x}"
    if not offered_nothing(before.vcpus[physical.thread.vcpu].image):
        return "UNDEF was injected for an operation that the guest may use"
    return f"LR_und is {image.banked.lr_und:#x}; the architecture gives {expected_undef(given).banked.lr_und:#x}"


UNTRAPPED_ROWS = (
    "SCTLR", "TTBR0", "TTBR1", "TTBCR", "TTBR0_64", "TTBR1_64", "DACR", "CONTEXTIDR", "CPACR", "VBAR", "MAIR0", "MAIR1",
    "TPIDRURW", "TPIDRURO", "TPIDRPRW", "DFSR", "IFSR", "DFAR", "IFAR", "PAR", "CSSELR", "CTR", "CLIDR", "CCSIDR",
    "ID_PFR0", "ID_PFR1", "ID_MMFR0", "ID_MMFR1", "ID_ISAR0", "TLBTR", "MIDR", "MPIDR", "TLBIALL", "TLBIMVA",
    "TLBIALLIS",
    "ICIALLU", "ICIALLUIS", "ICIMVAU", "DCCMVAC", "DCCIMVAC", "DCIMVAC", "DCCMVAU", "BPIALL", "CNTVCT", "CNTV_CTL",
    "CNTV_TVAL", "CNTV_CVAL", "CNTPCT", "CNTKCTL",
)  # fmt: skip
"""Registers that a guest kernel uses all the time: the paper's design gives direct access to them (C15, C25)."""


def needs_no_trap(operation: Operation) -> bool:
    """Whether an operation is the guest's own affair, and must cost no exit."""
    if isinstance(operation, CoprocessorAccess):
        return operation.row.name in UNTRAPPED_ROWS
    if isinstance(operation, Load | Store):
        return operation.fault != MemoryOutcome.STAGE2_FAULT
    return isinstance(
        operation, Svc | Udf | Bkpt | WriteCpsr | ReadCpsr | ExceptionReturn | ReadBanked | WriteBanked | Barrier
    )


def no_needless_trap(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of NEEDLESS."""
    return _where(after, action) is Where.GUEST or negate(needs_no_trap(operation_of(action)))


NEEDLESS = Property(
    id="trap_completeness.no_needless_trap",
    statement="A guest's system calls, exceptions, mode changes, stage 1 registers and virtual timer never trap.",
    claims=("C15", "C25"),
    question="Why is trapping in kernel mode useful?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=no_needless_trap,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), Svc) and _where(s, a) is Where.GUEST,
    explain=lambda d, b, a, s: "the guest was left for something that is its own affair",
)


def host_untrapped(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HOST_UNTRAPPED."""
    if isinstance(action, HostExecutes) and isinstance(operation_of(action), Hvc):
        return True
    if _where(before, action) is not Where.HOST:
        return True
    return negate(is_hyp(_cpu(after, action).cpsr))


HOST_UNTRAPPED = Property(
    id="trap_completeness.host_untrapped",
    statement="While the host runs, nothing but HVC enters Hyp mode: no instruction, exception or interrupt.",
    claims=("C4", "C18"),
    question="What does KVM/ARM cost the host while no VM runs?",
    kind=Kind.STEP,
    about=(HostExecutes, InterruptTaken),
    holds=host_untrapped,
    interesting=lambda d, b, a, s: isinstance(a, HostExecutes),
    explain=lambda d, b, a, s: "the host's operation entered Hyp mode",
)


def survives_unforeseen(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of UNFORESEEN: with the trap's class in the image, the dispatch does not stop the machine."""
    physical = after.processors[action.cpu]
    if physical.thread.where is not Where.LOWVISOR:
        return physical.thread.where is Where.GUEST
    image = evolve(after.vcpus[physical.thread.vcpu].image, hsr=physical.cpu.hyp.hsr)
    return handle_exit(design, image, 7).result.name != "HOST_CRASHED"


UNFORESEEN = Property(
    id="trap_completeness.unforeseen_survived",
    statement="An exception class that ARMv7 reserves does not stop the machine when a newer processor raises it.",
    claims=("C3",),
    question="What if the processor knows a trap that the code does not?",
    kind=Kind.STEP,
    about=(GuestTrapsUnforeseen,),
    holds=survives_unforeseen,
    interesting=_always,
    explain=lambda d, b, a, s: "the dispatch table has a hole, and hitting it stops the machine",
)

PROPERTIES = (
    CONFINED,
    INDEPENDENT,
    WAITS,
    INTERRUPTS,
    MAINTENANCE,
    SYNDROME,
    HANDLED,
    PROGRESS,
    INJECTED,
    SKIPPED,
    CONDITION,
    NEEDLESS,
    HOST_UNTRAPPED,
    UNFORESEEN,
)
