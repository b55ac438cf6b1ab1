"""What an instruction of Non-secure PL1, PL0 or Hyp mode software does: one outcome for each operation and choice.

`execute` is total: a rule never raises. What an UNPREDICTABLE instruction may do is the closed list of
`spec.operations.Unpredictable`.
"""

from enum import Enum

from attrs import frozen

from spec import banking, exceptions, interrupts, syndrome
from spec.citations import arm, rule
from spec.coprocessor.row import Effect, Form, Row
from spec.exceptions import AbortKind
from spec.operations import (
    Barrier,
    Bkpt,
    Branch,
    Bxj,
    Choices,
    Clrex,
    Compute,
    CoprocessorAccess,
    ExceptionReturn,
    Fetch,
    FloatingPoint,
    Hvc,
    Instruction,
    Isb,
    Load,
    LoadExclusive,
    MemoryOutcome,
    OtherCoprocessor,
    Preload,
    ReadBanked,
    ReadCpsr,
    ReturnForm,
    Sev,
    Smc,
    Store,
    StoreExclusive,
    StoreReturnState,
    Svc,
    Udf,
    Unpredictable,
    Wfe,
    Wfi,
    WriteBanked,
    WriteCpsr,
    Yield,
)
from spec.processor import Processor
from spec.psr import (
    advance_it,
    condition_holds,
    current_condition,
    is_hyp,
    is_legal_guest,
    is_pl1,
    is_user,
    it_state,
    mode,
)
from spec.registers import REGISTERS, read, write
from spec.syndrome import ExceptionClass, FaultStatus
from spec.traps import (
    Decision,
    Verdict,
    condition_fields,
    coprocessor_decision,
    floating_point_decision,
    other_coprocessor_decision,
    smc_traps,
    wait_traps,
)
from spec.words import U2, U32, add, bit, bits, choose, clear, either, every, mask, negate, put, put_all, sub


class Event(Enum):
    """What became of an instruction."""

    COMPLETED = "completed"
    SKIPPED = "failed its condition"
    SUSPENDED = "suspended the processor"
    TRAPPED = "trapped to Hyp mode"
    CALLED = "called Hyp mode"
    UNDEFINED = "took an Undefined Instruction exception"
    SUPERVISOR_CALL = "took a Supervisor Call exception"
    PREFETCH_ABORT = "took a Prefetch Abort exception"
    DATA_ABORT = "took a Data Abort exception"
    STAGE2_ABORT = "took an abort to Hyp mode for a stage 2 fault"
    SECURE_CALL = "entered Monitor mode"


@frozen
class Outcome:
    """The processor after an instruction, and what became of it."""

    cpu: Processor
    event: Event
    scope: U2 = 0
    """How far maintenance or a barrier reaches: 0 this processor, 1 Inner Shareable, 2 Outer, 3 the full system."""


@rule(arm("A8.3"), arm("B1.14.1"))
def execute(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """The outcome of one instruction; one that fails its condition is stepped over, or traps as the choice says.

    Only traps whose syndrome can report the condition may be taken then: after an SMC nobody could tell.
    """
    condition = current_condition(instruction.condition, cpu.cpsr)
    if condition_holds(condition, cpu.cpsr):
        return perform(cpu, instruction, choices)
    if choices.traps_failed_condition == 1:
        attempted = perform(cpu, instruction, choices)
        if attempted.event is Event.TRAPPED and bits(attempted.cpu.hyp.hsr, 31, 30) == 0:
            return attempted
    return Outcome(stepped(cpu, cpu, instruction), Event.SKIPPED)


@rule(arm("A2.5.2"))
def stepped(before: Processor, after: Processor, instruction: Instruction) -> Processor:
    """The processor with PC and IT state moved past the instruction; an ARM instruction is always 4 bytes long."""
    short = every(bit(before.cpsr, 5) == 1, instruction.wide == 0)
    pc = add(before.pc, choose(short, 2, 4), 32)
    return put_all(after, ("cpsr", "pc"), (advance_it(after.cpsr), pc))


@rule(arm("A8.8"), arm("B9.3"))
def perform(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """The outcome of an instruction whose condition holds, by its operation."""
    operation = instruction.operation
    match operation:
        case CoprocessorAccess():
            decision = coprocessor_decision(cpu, instruction, choices)
            return decided(cpu, instruction, choices, decision)
        case FloatingPoint():
            return decided(cpu, instruction, choices, floating_point_decision(cpu, instruction, choices))
        case OtherCoprocessor():
            return decided(cpu, instruction, choices, other_coprocessor_decision(cpu, instruction))
        case Load() | Store() | Fetch() | LoadExclusive() | StoreExclusive() | Preload() | StoreReturnState():
            return memory_access(cpu, instruction, choices)
        case Wfi() | Wfe():
            return wait(cpu, instruction, choices)
        case Svc() | Hvc() | Smc() | Bkpt() | Udf():
            return call(cpu, instruction, choices)
        case WriteCpsr() | ReadCpsr() | ReadBanked() | WriteBanked() | ExceptionReturn():
            return status_access(cpu, instruction, choices)
    return unprivileged(cpu, instruction, choices)


@rule(arm("A8.8"), arm("B1.8.1"))
def decided(cpu: Processor, instruction: Instruction, choices: Choices, decision: Decision) -> Outcome:
    """The outcome of a coprocessor instruction once the verdict on it is known."""
    match decision.verdict:
        case Verdict.TRAPPED:
            return Outcome(exceptions.take_hyp_trap(cpu, decision.hsr, cpu.pc), Event.TRAPPED)
        case Verdict.UNDEFINED:
            return undefined(cpu)
        case Verdict.UNPREDICTABLE:
            return unpredictable(cpu, instruction, choices)
    if isinstance(instruction.operation, FloatingPoint):
        vfp = put_all(cpu.vfp, ("d0", "fpscr"), (instruction.operation.value, cpu.vfp.fpscr | 1))
        return completed(cpu, put(cpu, "vfp", vfp), instruction)
    return transfer(cpu, instruction, choices)


def completed(before: Processor, after: Processor, instruction: Instruction, scope: U2 = 0) -> Outcome:
    """An instruction that executed and goes on to the next one."""
    return Outcome(stepped(before, after, instruction), Event.COMPLETED, scope)


@rule(arm("B1.9.1"))
def undefined(cpu: Processor) -> Outcome:
    """The outcome of an UNDEFINED instruction; HCR.TGE can route it to Hyp mode, which counts as a trap."""
    taken = exceptions.take_undefined(cpu)
    if is_hyp(taken.cpsr):
        return Outcome(taken, Event.TRAPPED)
    return Outcome(taken, Event.UNDEFINED)


@rule(arm("A2.1"), arm("Glossary UNPREDICTABLE"))
def unpredictable(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """The outcome of an UNPREDICTABLE instruction: UNDEFINED, no effect, or an UNKNOWN value in a core register.

    It never gives access to anything that the current privilege level could not reach by a predictable instruction.
    """
    match choices.unpredictable:
        case Unpredictable.UNDEFINED:
            return undefined(cpu)
        case Unpredictable.HAVOC:
            spoilt = put(cpu.general, "r0", bits(choices.unknown, 31, 0))
            return completed(cpu, put(cpu, "general", spoilt), instruction)
    return completed(cpu, cpu, instruction)


FORCED_BROADCAST = ("BPIALL", "ICIALLU")


@rule(arm("B4.1.65"), arm("B3.10.5"))
def maintenance_scope(cpu: Processor, row: Row) -> U2:
    """How far a maintenance operation reaches: HCR.FB makes the local ones of PL1 reach the Inner Shareable domain."""
    local = row.name in FORCED_BROADCAST or (row.effect is Effect.TLB and not row.name.endswith("IS"))
    forced = every(bit(cpu.hyp.hcr, 9) == 1, negate(is_hyp(cpu.cpsr)))
    return choose(either(not local, forced), 1, 0)


@rule(arm("B3.17"), arm("B4.1"), arm("C11"), arm("B8.1"))
def transfer(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """The outcome of a coprocessor access that is permitted and does not trap, by the row's effect."""
    access = instruction.operation
    assert isinstance(access, CoprocessorAccess)
    row = access.row
    match row.effect:
        case Effect.MAINTENANCE | Effect.TLB:
            return completed(cpu, cpu, instruction, maintenance_scope(cpu, row))
        case Effect.SET_WAY:
            return completed(cpu, set_way(cpu, row, choices), instruction)
        case Effect.BARRIER:
            return completed(cpu, cpu, instruction, 3)
        case Effect.NOTHING:
            return completed(cpu, cpu, instruction)
        case Effect.TRANSLATE:
            return completed(cpu, write(cpu, "par", choices.unknown), instruction)
    if access.read:
        return completed(cpu, delivered(cpu, access, coprocessor_value(cpu, row)), instruction)
    return completed(cpu, coprocessor_write(cpu, access), instruction)


@rule(arm("B4.2.1"), arm("B4.1.65"))
def set_way(cpu: Processor, row: Row, choices: Choices) -> Processor:
    """A set/way operation on this processor's cache: an invalidate loses dirty data unless HCR.SWIO cleans first."""
    loses = every(row.name == "DCISW", bit(cpu.hyp.hcr, 1) == 0)
    after = choose(loses, bits(choices.unknown, 31, 0), cpu.local.caches | 1)
    return put(cpu, "local", put(cpu.local, "caches", after))


@rule(arm("B4.1"), arm("B8.1"), arm("B4.1.107"), arm("B4.1.106"))
def coprocessor_value(cpu: Processor, row: Row) -> int:
    """The value that a permitted read delivers: 32 bits, or 64 for MRRC."""
    below_hyp = negate(is_hyp(cpu.cpsr))
    match row.effect:
        case Effect.SHADOW:
            shadow = cpu.hyp.vpidr if row.state == "midr" else cpu.hyp.vmpidr
            return choose(below_hyp, shadow, read(cpu, row.state or ""))
        case Effect.INTERRUPT_STATUS:
            return interrupts.interrupt_status(cpu)
        case Effect.PHYSICAL_COUNT:
            return cpu.timer.cntpct
        case Effect.VIRTUAL_COUNT:
            return sub(cpu.timer.cntpct, cpu.timer.cntvoff, 64)
        case Effect.TIMER_VALUE:
            return bits(sub(read(cpu, row.state or ""), counter(cpu, row), 64), 31, 0)
    return read(cpu, row.state) if row.state is not None else 0


def counter(cpu: Processor, row: Row) -> int:
    """The counter that a timer compares with: the virtual one for CNTV, else the physical one."""
    offset = cpu.timer.cntvoff if row.name.startswith("CNTV") else 0
    return sub(cpu.timer.cntpct, offset, 64)


@rule(arm("A8.8.107"), arm("A8.8.108"))
def delivered(cpu: Processor, access: CoprocessorAccess, value: int) -> Processor:
    """The processor with a value read by MRC or MRRC in its core registers; STC puts it into memory."""
    if access.row.form is Form.MEMORY:
        return cpu
    cpu = banking.write_core(cpu, access.rt, bits(value, 31, 0))
    if access.row.form is Form.DOUBLE:
        cpu = banking.write_core(cpu, access.rt2, bits(value, 63, 32))
    return cpu


@rule(arm("B4.1"), arm("C11"), arm("C12.8"), arm("B8.1"))
def coprocessor_write(cpu: Processor, access: CoprocessorAccess) -> Processor:
    """The processor after a permitted MCR, MCRR or LDC; read-only, constant and zero registers ignore it."""
    row = access.row
    if row.state is None or row.effect not in WRITABLE:
        return cpu
    value = banking.read_core(cpu, access.rt)
    if row.form is Form.DOUBLE:
        value = value | (banking.read_core(cpu, access.rt2) << 32)
    before, width = read(cpu, row.state), REGISTERS[row.state].width
    match row.effect:
        case Effect.SET_BITS:
            value = before | value
        case Effect.CLEAR_BITS:
            value = clear(before, value)
        case Effect.TIMER_VALUE:
            extended = value | choose(bit(value, 31) == 1, 0xFFFFFFFF00000000, 0)
            value = add(counter(cpu, row), extended, 64)
        case Effect.STORAGE:
            if width == 64 and row.form is Form.WORD:
                value = clear(before, 0xFFFFFFFF) | value
        case Effect.CHANNEL:
            return write(cpu, "dbgdtrtx", value)
        case Effect.OS_LOCK:
            return write(cpu, "dbgoslsr", clear(cpu.debug.dbgoslsr, 2) | choose(value == OS_LOCK_KEY, 2, 0))
    return write(cpu, row.state, value & IMPLEMENTED.get(row.state, mask(width)))


IMPLEMENTED = {"vbar": 0xFFFFFFE0}
"""The bits that a write can change, of registers whose other bits read as zero."""
WRITABLE = (
    Effect.STORAGE, Effect.SET_BITS, Effect.CLEAR_BITS, Effect.TIMER_VALUE, Effect.CHANNEL, Effect.OS_LOCK,
)  # fmt: skip
OS_LOCK_KEY = 0xC5ACCE55


@rule(arm("B1.9.6"), arm("B1.9.5"), arm("B3.13.6"), arm("A3.4"))
def memory_access(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """The outcome of a load, store or fetch by what memory answers; stage 2 answers only where HCR.VM is set."""
    operation = instruction.operation
    fault = getattr(operation, "fault", MemoryOutcome.OK)
    unknown = bits(choices.unknown, 31, 0)
    if fault == MemoryOutcome.STAGE2_FAULT and bit(cpu.hyp.hcr, 0) == 1:
        return stage2_abort(cpu, instruction, unknown)
    if fault != MemoryOutcome.OK:
        external = fault == MemoryOutcome.EXTERNAL_ABORT
        kind = AbortKind.EXTERNAL if external else AbortKind.STAGE1
        status = FaultStatus.SYNCHRONOUS_EXTERNAL if external else FaultStatus.TRANSLATION_1
        if isinstance(operation, Fetch):
            iss = syndrome.iss_prefetch_abort(0, 0, status)
            taken = exceptions.take_prefetch_abort(cpu, kind, iss, cpu.pc, 0, unknown)
            return Outcome(taken, Event.TRAPPED if is_hyp(taken.cpsr) else Event.PREFETCH_ABORT)
        assert isinstance(operation, Load | Store)
        iss = syndrome.iss_data_abort(0, 0, 0, 0, 0, 0, 0, 1 if isinstance(operation, Store) else 0, status)
        taken = exceptions.take_data_abort(cpu, kind, iss, operation.address, 0, instruction.wide, unknown)
        return Outcome(taken, Event.TRAPPED if is_hyp(taken.cpsr) else Event.DATA_ABORT)
    return completed(cpu, loaded(cpu, instruction, choices), instruction)


@rule(arm("B3.13.6"), arm("B3.13.7"))
def stage2_abort(cpu: Processor, instruction: Instruction, unknown: U32) -> Outcome:
    """A stage 2 translation fault, with the instruction syndrome of a single-register access."""
    operation = instruction.operation
    if isinstance(operation, Fetch):
        iss = syndrome.iss_prefetch_abort(0, 0, FaultStatus.TRANSLATION_3)
        taken = exceptions.take_prefetch_abort(cpu, AbortKind.STAGE2, iss, cpu.pc, operation.ipa_page, unknown)
        return Outcome(taken, Event.STAGE2_ABORT)
    assert isinstance(operation, Load | Store)
    stores = 1 if isinstance(operation, Store) else 0
    iss = syndrome.iss_data_abort(1, 2, 0, operation.rt, 0, 0, 0, stores, FaultStatus.TRANSLATION_3)
    taken = exceptions.take_data_abort(
        cpu, AbortKind.STAGE2, iss, operation.address, operation.ipa_page, instruction.wide, unknown
    )
    return Outcome(taken, Event.STAGE2_ABORT)


@rule(arm("A3.4.1"), arm("A8.8.63"))
def loaded(cpu: Processor, instruction: Instruction, choices: Choices) -> Processor:
    """The processor after a memory access that succeeded; exclusives use the local monitor."""
    operation = instruction.operation
    match operation:
        case Load(rt, _, value):
            return banking.write_core(cpu, rt, value)
        case LoadExclusive(rt, value):
            return put(banking.write_core(cpu, rt, value), "local", put(cpu.local, "exclusive", 1))
        case StoreExclusive(rd):
            status = choose(cpu.local.exclusive == 1, 0, 1)
            return put(banking.write_core(cpu, rd, status), "local", put(cpu.local, "exclusive", 0))
    return cpu


@rule(arm("B1.8.13"), arm("B1.8.14"), arm("B1.14.9"))
def wait(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """WFI and WFE: no effect where something to wake it is pending, a trap where HCR asks for one, else suspension."""
    for_event = isinstance(instruction.operation, Wfe)
    wakes = interrupts.wfe_wakes(cpu) if for_event else interrupts.wfi_wakes(cpu)
    if wait_traps(cpu, for_event, negate(wakes)):
        cv, cond = condition_fields(cpu, instruction, choices)
        hsr = syndrome.hsr(ExceptionClass.WFX, instruction.wide, syndrome.iss_wfx(cv, cond, 1 if for_event else 0))
        return Outcome(exceptions.take_hyp_trap(cpu, hsr, cpu.pc), Event.TRAPPED)
    if wakes:
        local = put(cpu.local, "event", 0) if for_event else cpu.local
        return completed(cpu, put(cpu, "local", local), instruction)
    suspended = put(cpu, "local", put(cpu.local, "waiting", 1))
    return Outcome(stepped(cpu, suspended, instruction), Event.SUSPENDED)


@rule(arm("B1.9.2"), arm("B1.9.4"), arm("B9.3.14"), arm("B9.3.4"), arm("C3.3"))
def call(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """SVC, HVC, SMC, BKPT and UDF."""
    match instruction.operation:
        case Svc(imm):
            taken = exceptions.take_svc(cpu, imm, instruction.wide)
            return Outcome(taken, Event.TRAPPED if is_hyp(taken.cpsr) else Event.SUPERVISOR_CALL)
        case Hvc(imm):
            if is_user(cpu.cpsr):
                return undefined(cpu)
            if either(it_state(cpu.cpsr) != 0, instruction.condition != 0xE):
                return unpredictable(cpu, instruction, choices)
            return Outcome(exceptions.take_hvc(cpu, imm), Event.CALLED)
        case Smc():
            if is_user(cpu.cpsr):
                return undefined(cpu)
            if smc_traps(cpu):
                hsr = syndrome.hsr(ExceptionClass.SMC, 1, 0)
                return Outcome(exceptions.take_hyp_trap(cpu, hsr, cpu.pc), Event.TRAPPED)
            return Outcome(stepped(cpu, cpu, instruction), Event.SECURE_CALL)
        case Bkpt():
            taken = exceptions.take_breakpoint(cpu, bits(choices.unknown, 31, 0))
            return Outcome(taken, Event.TRAPPED if is_hyp(taken.cpsr) else Event.PREFETCH_ABORT)
    return undefined(cpu)


@rule(arm("B9.3.1"), arm("B9.3.8"), arm("B9.3.9"), arm("B9.3.10"), arm("B9.3.12"))
def status_access(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """Reads and writes of CPSR, SPSR and banked registers, and returns from exceptions."""
    operation = instruction.operation
    unknown = bits(choices.unknown, 31, 0)
    match operation:
        case ReadCpsr(rd, saved):
            if saved == 1:
                return completed(cpu, banking.write_core(cpu, rd, banking.read_spsr(cpu, unknown)), instruction)
            return completed(cpu, banking.write_core(cpu, rd, visible_cpsr(cpu)), instruction)
        case WriteCpsr(value):
            return write_cpsr(cpu, instruction, choices, value)
        case ReadBanked(_, register) | WriteBanked(_, register):
            return banked_access(cpu, instruction, choices, register)
    return exception_return(cpu, instruction, choices)


@rule(arm("B1.3.3"), arm("B9.3.8"))
def visible_cpsr(cpu: Processor) -> U32:
    """CPSR as MRS delivers it: IT, J and T read as zero; at PL0 the mode and mask bits, which are UNKNOWN, do too."""
    return choose(is_user(cpu.cpsr), cpu.cpsr & 0xF80F0200, clear(cpu.cpsr, 0x0700FC20))


@rule(arm("B1.3.3"), arm("B9.3.12"), arm("B1.3.1"))
def write_cpsr(cpu: Processor, instruction: Instruction, choices: Choices, value: U32) -> Outcome:
    """CPS, MSR and SETEND: PL0 changes flags and endianness only; a mode that PL1 may not enter is UNPREDICTABLE."""
    writable = choose(is_user(cpu.cpsr), 0xF80F0200, 0xF80F03DF)
    after = clear(cpu.cpsr, writable) | (value & writable)
    forbidden = either(
        every(negate(is_hyp(cpu.cpsr)), negate(is_legal_guest(after))),
        every(is_hyp(cpu.cpsr), mode(after) != mode(cpu.cpsr)),
    )
    if forbidden:
        return unpredictable(cpu, instruction, choices)
    return completed(cpu, put(cpu, "cpsr", after), instruction)


@rule(arm("B9.3.9"), arm("B9.3.10"), arm("B9.2.3"))
def banked_access(cpu: Processor, instruction: Instruction, choices: Choices, register: str) -> Outcome:
    """MRS and MSR (banked): PL1 reaches the banks of other PL1 modes, never those of Hyp mode."""
    operation = instruction.operation
    assert isinstance(operation, ReadBanked | WriteBanked)
    suffix = register.rpartition("_")[2]
    if either(is_user(cpu.cpsr), every(suffix == "hyp", negate(is_hyp(cpu.cpsr))), names_current(cpu, suffix)):
        return unpredictable(cpu, instruction, choices)
    if isinstance(operation, ReadBanked):
        return completed(cpu, banking.write_core(cpu, operation.rd, read(cpu, register)), instruction)
    return completed(cpu, write(cpu, register, banking.read_core(cpu, operation.rn)), instruction)


@rule(arm("B9.2.3"))
def names_current(cpu: Processor, suffix: str) -> bool:
    """Whether a banked form names a register of the current mode, which is UNPREDICTABLE."""
    modes = {"usr": (0x10, 0x1F), "fiq": (0x11,), "irq": (0x12,), "svc": (0x13,), "abt": (0x17,), "und": (0x1B,)}
    return either(*(mode(cpu.cpsr) == number for number in modes.get(suffix, ())))


@rule(arm("B9.3.2"), arm("B9.3.3"), arm("B9.3.6"), arm("B9.3.13"), arm("B9.3.20"))
def exception_return(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """A return from exception: in Hyp mode only ERET; UNPREDICTABLE at PL0 and to modes that PL1 may not enter."""
    operation = instruction.operation
    assert isinstance(operation, ExceptionReturn)
    if is_hyp(cpu.cpsr):
        if operation.form == ReturnForm.ERET:
            return Outcome(exceptions.return_from_hyp(cpu), Event.COMPLETED)
        return undefined(cpu)
    link = banking.read_core(cpu, 14)
    from_memory = either(operation.form == ReturnForm.RFE, operation.form == ReturnForm.LDM)
    target = choose(from_memory, operation.target, link)
    spsr = banking.read_spsr(cpu, bits(choices.unknown, 31, 0))
    saved = choose(operation.form == ReturnForm.RFE, operation.saved, spsr)
    legal = every(is_pl1(cpu.cpsr), exceptions.is_legal_return(cpu, saved))
    if legal:
        return Outcome(exceptions.return_from_pl1(cpu, target, saved), Event.COMPLETED)
    return unpredictable(cpu, instruction, choices)


@rule(arm("A8.8"), arm("B1.14.10"), arm("B4.1.65"))
def unprivileged(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """Instructions that every mode may execute: computation, branches, hints and barriers."""
    match instruction.operation:
        case Compute(rd, value, flags):
            after = banking.write_core(cpu, rd, value)
            return completed(cpu, put(after, "cpsr", clear(cpu.cpsr, 0xF0000000) | (flags << 28)), instruction)
        case Branch(target):
            return Outcome(put_all(cpu, ("cpsr", "pc"), (advance_it(cpu.cpsr), clear(target, 1))), Event.COMPLETED)
        case Bxj(rm):
            return branch_jazelle(cpu, instruction, choices, banking.read_core(cpu, rm))
        case Clrex():
            return completed(cpu, put(cpu, "local", put(cpu.local, "exclusive", 0)), instruction)
        case Sev():
            return completed(cpu, put(cpu, "local", put(cpu.local, "event", 1)), instruction)
        case Isb():
            hyp = put(cpu.hyp, "hcptr_in_force", cpu.hyp.hcptr)
            return completed(cpu, put(cpu, "hyp", hyp), instruction)
        case Barrier(shareability):
            return completed(cpu, cpu, instruction, barrier_scope(cpu, shareability))
        case Yield():
            return completed(cpu, cpu, instruction)
    return completed(cpu, cpu, instruction)


@rule(arm("B4.1.65"))
def barrier_scope(cpu: Processor, shareability: U2) -> U2:
    """How far a DMB or DSB reaches: below Hyp mode at least as far as HCR.BSU says."""
    minimum = choose(is_hyp(cpu.cpsr), 0, bits(cpu.hyp.hcr, 11, 10))
    return choose(shareability >= minimum, shareability, minimum)


@rule(arm("B1.14.10"), arm("A8.8.28"), arm("B3.13.6"))
def branch_jazelle(cpu: Processor, instruction: Instruction, choices: Choices, target: U32) -> Outcome:
    """BXJ: HSTR.TJDBX traps it; on the trivial Jazelle implementation it otherwise behaves as BX.

    Inside an IT block, unless it is the last instruction there, it is UNPREDICTABLE.
    """
    if bits(it_state(cpu.cpsr), 2, 0) != 0:
        return unpredictable(cpu, instruction, choices)
    if every(bit(cpu.hyp.hstr, 17) == 1, negate(is_hyp(cpu.cpsr))):
        cv, cond = condition_fields(cpu, instruction, choices)
        assert isinstance(instruction.operation, Bxj)
        hsr = syndrome.hsr(ExceptionClass.BXJ, 1, syndrome.iss_bxj(cv, cond, instruction.operation.rm))
        return Outcome(exceptions.take_hyp_trap(cpu, hsr, cpu.pc), Event.TRAPPED)
    cpsr = advance_it(cpu.cpsr)
    cpsr = choose(bit(target, 0) == 1, cpsr | 0x20, clear(cpsr, 0x20))
    return Outcome(put_all(cpu, ("cpsr", "pc"), (cpsr, clear(target, 1))), Event.COMPLETED)
