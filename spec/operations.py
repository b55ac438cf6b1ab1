"""Every kind of operation that Non-secure PL1 and PL0 software can perform, as data.

An operation is what an instruction asks for; whether it is permitted, traps or executes is the business of
`spec.traps` and `spec.execute`. Coprocessor registers are one operation for each row of the catalogue.

Not modelled: Rt = 15 in coprocessor transfers (APSR flags on a read, UNPREDICTABLE on a write), which reaches no state
that another register number does not; memory contents, so a load returns an arbitrary word (isolation of memory is
stated with stage 2); instruction fetch as such: its faults are the operation `Fetch`.
"""

from enum import IntEnum
from typing import Annotated

from attrs import frozen

from spec.citations import arm, rule
from spec.coprocessor.row import Row
from spec.psr import T_BIT
from spec.words import U1, U2, U4, U16, U32, Width, bit, either, every, implies

CoreNumber = Annotated[int, Width(4, limit=15)]
"""A core register number from 0 to 14."""


class MemoryOutcome(IntEnum):
    """What the memory system answers to an access: the environment's choice until translation is modelled."""

    OK = 0
    STAGE1_FAULT = 1
    STAGE2_FAULT = 2
    EXTERNAL_ABORT = 3


class ReturnForm(IntEnum):
    """The instructions that return from an exception at PL1."""

    SUBS_PC_LR = 0
    LDM = 1
    RFE = 2
    ERET = 3


class Unpredictable(IntEnum):
    """The closed list of outcomes that the specification grants an UNPREDICTABLE instruction."""

    UNDEFINED = 0
    NOP = 1
    HAVOC = 2
    """The registers that the current mode could write anyway take an UNKNOWN value."""


@frozen
class Operation:
    """What one instruction asks the processor to do."""


@frozen
class Compute(Operation):
    """Any integer instruction: a core register and the flags take new values."""

    rd: CoreNumber
    value: U32
    flags: U4


@frozen
class Branch(Operation):
    """Any branch."""

    target: U32


AccessSize = Annotated[int, Width(2, limit=3)]
"""The size of a load or store: 0 a byte, 1 a halfword, 2 a word."""


@frozen
class Load(Operation):
    """A load from memory into a core register, which gets `value`; `fault` is what the memory system answers."""

    rt: CoreNumber
    address: U32
    value: U32
    fault: MemoryOutcome = MemoryOutcome.OK
    ipa_page: Annotated[int, Width(28)] = 0
    size: AccessSize = 2
    sign_extends: U1 = 0
    described: U1 = 1
    """0 for the forms that a syndrome does not describe (HSR.ISV): those that write a base or several registers."""


@frozen
class Store(Operation):
    """A store of a core register to memory; `size` and `described` are as for a load."""

    rt: CoreNumber
    address: U32
    fault: MemoryOutcome = MemoryOutcome.OK
    ipa_page: Annotated[int, Width(28)] = 0
    size: AccessSize = 2
    described: U1 = 1


@frozen
class Fetch(Operation):
    """An instruction fetch that faults."""

    fault: MemoryOutcome = MemoryOutcome.STAGE1_FAULT
    ipa_page: Annotated[int, Width(28)] = 0


@frozen
class LoadExclusive(Operation):
    """LDREX: a load that also sets the local exclusive monitor."""

    rt: CoreNumber
    value: U32


@frozen
class StoreExclusive(Operation):
    """STREX: writes 0 to `rd` and stores where the monitor is set, else writes 1; clears the monitor."""

    rd: CoreNumber


@frozen
class Clrex(Operation):
    """CLREX: clears the local exclusive monitor."""


@frozen
class Preload(Operation):
    """PLD and PLI: hints to the memory system."""


@frozen
class Barrier(Operation):
    """DMB and DSB, with the shareability they ask for: 0 none, 1 Inner, 2 Outer, 3 Full."""

    shareability: U2


@frozen
class Isb(Operation):
    """ISB: synchronises the context."""


@frozen
class Wfi(Operation):
    """WFI: suspend until an interrupt."""


@frozen
class Wfe(Operation):
    """WFE: suspend until an event."""


@frozen
class Sev(Operation):
    """SEV: set the event register of every processor."""


@frozen
class Yield(Operation):
    """YIELD and NOP."""


@frozen
class Svc(Operation):
    """SVC: supervisor call."""

    imm: U16


@frozen
class Hvc(Operation):
    """HVC: hypervisor call."""

    imm: U16


@frozen
class Smc(Operation):
    """SMC: secure monitor call."""

    imm: U4


@frozen
class Bkpt(Operation):
    """BKPT: software breakpoint."""


@frozen
class Udf(Operation):
    """UDF and every other instruction that is UNDEFINED whoever executes it."""


@frozen
class WriteCpsr(Operation):
    """CPS, MSR CPSR and SETEND: `value` replaces the CPSR bits that the current mode may write."""

    value: U32


@frozen
class ReadCpsr(Operation):
    """MRS from CPSR or, at PL1, from the current SPSR."""

    rd: CoreNumber
    saved: U1


@frozen
class ReadBanked(Operation):
    """MRS (banked register): `register` is a name in `spec.registers`."""

    rd: CoreNumber
    register: str


@frozen
class WriteBanked(Operation):
    """MSR (banked register)."""

    rn: CoreNumber
    register: str


@frozen
class ExceptionReturn(Operation):
    """A return from exception at PL1; for LDM and RFE memory supplies `target` and, for RFE, `saved`."""

    form: ReturnForm
    target: U32
    saved: U32


@frozen
class StoreReturnState(Operation):
    """SRS: stores LR and SPSR of the current mode to memory."""


@frozen
class Bxj(Operation):
    """BXJ: a branch that could enter Jazelle state; on a trivial implementation it is BX."""

    rm: CoreNumber


@frozen
class FloatingPoint(Operation):
    """A VFP or Advanced SIMD instruction that is no system register transfer: `d0` and FPSCR take new values."""

    simd: U1
    upper_bank: U1
    """1 where the instruction names d16-d31."""
    value: Annotated[int, Width(64)]


@frozen
class OtherCoprocessor(Operation):
    """An instruction for a coprocessor from 0 to 9, 12 or 13; the Cortex-A15 implements none of them."""

    coprocessor: U4


@frozen
class CoprocessorAccess(Operation):
    """A transfer between core registers and a coprocessor register, by its row of the catalogue.

    For rows that stand for several encodings the fields opc1, crn, crm, opc2 say which; `value` is the word that memory
    holds for LDC.
    """

    row: Row
    read: bool
    opc1: U4
    crn: U4
    crm: U4
    opc2: Annotated[int, Width(3)]
    rt: CoreNumber
    rt2: CoreNumber


@frozen
class Instruction:
    """One instruction: its operation, its condition field and its size in the instruction stream."""

    operation: Operation
    condition: U4 = 0xE
    """The condition field of an ARM instruction; in Thumb state the IT block supplies the condition."""
    wide: U1 = 1
    """1 for a 32-bit instruction, 0 for a 16-bit Thumb instruction."""


@frozen
class Choices:
    """What the architecture leaves open: UNKNOWN values, IMPLEMENTATION DEFINED and UNPREDICTABLE outcomes."""

    unknown: Annotated[int, Width(64)] = 0
    """The value of anything UNKNOWN; never the hidden state of another context."""
    unpredictable: Unpredictable = Unpredictable.UNDEFINED
    traps_failed_condition: U1 = 0
    """IMPLEMENTATION DEFINED: whether an instruction that fails its condition may still trap."""
    thumb_condition_valid: U1 = 1
    """IMPLEMENTATION DEFINED: HSR.CV for instructions of Thumb state."""
    reports_condition: U1 = 0
    """IMPLEMENTATION DEFINED: whether a passed condition is reported as it is rather than as 0b1110."""
    user_trap: U1 = 0
    """IMPLEMENTATION DEFINED: whether a PL0 access that is UNDEFINED, in HSTR or TIDCP space, traps to Hyp instead."""
    trace_implemented: U1 = 0
    """IMPLEMENTATION DEFINED: whether CP14 gives access to trace registers and HCPTR.TTA exists."""


NARROW = (Compute, Branch, Load, Store, Fetch, Wfi, Wfe, Sev, Yield, Svc, Bkpt, Udf, WriteCpsr)
"""The operations that have a 16-bit Thumb form."""


@rule(arm("A6.2"), arm("A6.3"))
def is_encodable(instruction: Instruction, cpsr: U32) -> bool:
    """Whether the current instruction set has the instruction in the size it claims: 16 bits only in Thumb state.

    No load extends the sign of a whole word.
    """
    narrow = isinstance(instruction.operation, NARROW)
    sized = either(instruction.wide == 1, every(bit(cpsr, T_BIT) == 1, narrow))
    if isinstance(instruction.operation, Load):
        return every(sized, implies(instruction.operation.sign_extends == 1, instruction.operation.size < 2))
    return sized
