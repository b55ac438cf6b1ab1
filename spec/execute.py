"""What an instruction of Non-secure PL1, PL0 or Hyp mode software does: one outcome for each operation and choice.

`execute` is total: a rule never raises. What an UNPREDICTABLE instruction may do is the closed list of
`spec.operations.Unpredictable`.
"""

from spec import banking, exceptions, interrupts, syndrome
from spec.accesses import memory_access
from spec.citations import arm, rule
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
    OtherCoprocessor,
    Preload,
    ReadBanked,
    ReadCpsr,
    Sev,
    Smc,
    Store,
    StoreExclusive,
    StoreReturnState,
    Svc,
    Udf,
    Wfe,
    Wfi,
    WriteBanked,
    WriteCpsr,
    Yield,
)
from spec.outcome import Event, Outcome, completed, stepped, undefined, unpredictable
from spec.processor import Processor
from spec.psr import (
    advance_it,
    condition_holds,
    current_condition,
    is_hyp,
    is_user,
    it_state,
)
from spec.status import status_access
from spec.syndrome import ExceptionClass
from spec.transfers import transfer
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
from spec.words import U2, U32, bit, bits, choose, clear, either, every, negate, put, put_all


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
