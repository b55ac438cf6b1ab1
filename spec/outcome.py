"""What can become of an instruction, and the outcomes that many instructions share."""

from enum import Enum

from attrs import frozen

from spec import exceptions
from spec.citations import arm, rule
from spec.operations import (
    Choices,
    Instruction,
    Unpredictable,
)
from spec.processor import Processor
from spec.psr import (
    advance_it,
    is_hyp,
)
from spec.words import U2, add, bit, bits, choose, every, put, put_all


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


@rule(arm("A2.5.2"))
def stepped(before: Processor, after: Processor, instruction: Instruction) -> Processor:
    """The processor with PC and IT state moved past the instruction; an ARM instruction is always 4 bytes long."""
    short = every(bit(before.cpsr, 5) == 1, instruction.wide == 0)
    pc = add(before.pc, choose(short, 2, 4), 32)
    return put_all(after, ("cpsr", "pc"), (advance_it(after.cpsr), pc))


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
