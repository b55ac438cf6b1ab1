"""Loads, stores and fetches, by what the memory system answers."""

from spec import banking, exceptions, syndrome
from spec.citations import arm, rule
from spec.exceptions import AbortKind
from spec.operations import (
    Choices,
    Fetch,
    Instruction,
    Load,
    LoadExclusive,
    MemoryOutcome,
    Store,
    StoreExclusive,
)
from spec.outcome import Event, Outcome, completed
from spec.processor import Processor
from spec.psr import (
    is_hyp,
)
from spec.syndrome import FaultStatus
from spec.words import U32, bit, bits, choose, put


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
    signed = operation.sign_extends if isinstance(operation, Load) else 0
    size, described = operation.size, operation.described
    iss = syndrome.iss_data_abort(described, size, signed, operation.rt, 0, 0, 0, stores, FaultStatus.TRANSLATION_3)
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
