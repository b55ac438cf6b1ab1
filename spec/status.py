"""Reads and writes of program status and banked registers, and returns from exceptions."""

from spec import banking, exceptions
from spec.citations import arm, rule
from spec.operations import (
    Choices,
    ExceptionReturn,
    Instruction,
    ReadBanked,
    ReadCpsr,
    ReturnForm,
    WriteBanked,
    WriteCpsr,
)
from spec.outcome import Event, Outcome, completed, undefined, unpredictable
from spec.processor import Processor
from spec.psr import (
    is_hyp,
    is_legal_guest,
    is_pl1,
    is_user,
    mode,
)
from spec.registers import read, write
from spec.words import U32, bits, choose, clear, either, every, negate, put


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
