"""Which operations of PL1 and PL0 software are permitted, UNDEFINED, or trap to Hyp mode, and with which syndrome.

Each rule is an ordered chain of guards; the first that holds decides. Nothing here changes state.
"""

from enum import Enum

from attrs import frozen

from spec import syndrome
from spec.citations import arm, rule, trm
from spec.coprocessor.decode import in_tidcp_space
from spec.coprocessor.row import Effect, Form, Gate, Row, Trap
from spec.operations import Choices, CoprocessorAccess, FloatingPoint, Instruction, OtherCoprocessor
from spec.processor import Processor
from spec.psr import is_hyp, is_pl1, is_user
from spec.registers import read
from spec.syndrome import ExceptionClass
from spec.timer.access import granted
from spec.words import U1, U4, U32, bit, bits, choose, either, every, implies, negate, select

TGE, TDE = 27, 8


class Verdict(Enum):
    """What becomes of an operation before it executes."""

    PERMITTED = "executes"
    UNDEFINED = "is UNDEFINED"
    UNPREDICTABLE = "is UNPREDICTABLE"
    TRAPPED = "traps to Hyp mode"


@frozen
class Decision:
    """The verdict on an operation, with the syndrome that HSR reports where it traps."""

    verdict: Verdict
    hsr: U32 = 0


PERMITTED = Decision(Verdict.PERMITTED)
UNDEFINED = Decision(Verdict.UNDEFINED)
UNPREDICTABLE = Decision(Verdict.UNPREDICTABLE)


def trapped(hsr: U32) -> Decision:
    """The verdict of a trap with this syndrome."""
    return Decision(Verdict.TRAPPED, hsr)


@rule(arm("B1.14.1"), arm("B3.13.6"))
def condition_fields(cpu: Processor, instruction: Instruction, choices: Choices) -> tuple[U1, U4]:
    """HSR.CV and HSR.COND for an instruction that traps."""
    reported = syndrome.reported_condition(
        instruction.condition, cpu.cpsr, choices.thumb_condition_valid, choices.reports_condition
    )
    return bit(reported, 24), bits(reported, 23, 20)


@rule(arm("B1.14.15"), arm("B1.14.12"), arm("B1.14.2"), arm("B4.1.22"))
def control_traps(cpu: Processor, trap: Trap, read_access: bool) -> bool:
    """Whether one control bit of Hyp mode traps an access; HDCR.TDE and HCR.TGE imply the debug traps."""
    if not (trap.reads if read_access else trap.writes):
        return False
    word = read(cpu, trap.register.lower())
    implied = every(
        trap.name in ("TDA", "TDOSA", "TDRA"), either(bit(cpu.hyp.hdcr, TDE) == 1, bit(cpu.hyp.hcr, TGE) == 1)
    )
    return either(bit(word, trap.bit) == trap.when, implied)


@rule(arm("B3.15.2"), arm("C12.8"), arm("B8.1"), arm("B1.11"))
def gate_open(cpu: Processor, gate: Gate) -> bool:
    """Whether the enable that the row's gate names is set: for PL0 alone, except CP15BEN and FPEXC.EN."""
    user = is_user(cpu.cpsr)
    match gate:
        case Gate.NONE:
            return True
        case Gate.CP15BEN:
            return bit(cpu.cp15.sctlr, 5) == 1
        case Gate.FPEXC_EN:
            return bit(cpu.vfp.fpexc, 30) == 1
        case Gate.PMUSERENR_EN:
            return implies(user, bit(cpu.monitors.pmuserenr, 0) == 1)
        case Gate.UDCCDIS:
            return implies(user, bit(cpu.debug.dbgdscr, 12) == 0)
        case Gate.TEECR_XED:
            return implies(user, bit(cpu.cp15.teecr, 0) == 0)
    return implies(user, granted(cpu.timer.cntkctl, gate))


@rule(arm("B3.15.2"))
def row_accessible(cpu: Processor, row: Row, read_access: bool) -> bool:
    """Whether the current privilege may access the row in this direction, all its enables included."""
    letter = "r" if read_access else "w"
    allowed = choose(is_user(cpu.cpsr), letter in row.pl0, letter in row.pl1)
    return every(allowed, gate_open(cpu, row.gate), row.effect is not Effect.UNDEFINED)


@rule(arm("B1.14"), arm("B3.15.2"))
def coprocessor_decision(cpu: Processor, instruction: Instruction, choices: Choices) -> Decision:
    """The verdict on an access to CP10, CP14 or CP15 by its row of the catalogue."""
    access = instruction.operation
    assert isinstance(access, CoprocessorAccess)
    match access.row.coprocessor:
        case 15:
            return cp15_decision(cpu, instruction, choices)
        case 14:
            return cp14_decision(cpu, instruction, choices)
    return cp10_decision(cpu, instruction, choices)


@rule(arm("B3.15.2"), arm("B1.14.3"), arm("B1.14.14"))
def cp15_decision(cpu: Processor, instruction: Instruction, choices: Choices) -> Decision:
    """The verdict on a CP15 access: HSTR and TIDCP first, then the register's own checks, then its own traps."""
    access = instruction.operation
    assert isinstance(access, CoprocessorAccess)
    row = access.row
    if row.form is Form.MEMORY:
        return UNDEFINED
    accessible = row_accessible(cpu, row, access.read)
    early = every(negate(is_hyp(cpu.cpsr)), traps_before_decode(cpu, access))
    user_undefined = every(is_user(cpu.cpsr), negate(accessible), choices.user_trap == 0)
    if early:
        return UNDEFINED if user_undefined else trapped(transfer_syndrome(cpu, instruction, choices))
    if access.row.name in ("CP15_C4_UNALLOCATED", "CP15_DOUBLE_C4_UNALLOCATED"):
        return UNPREDICTABLE
    if negate(accessible):
        return UNDEFINED
    if every(negate(is_hyp(cpu.cpsr)), row_traps(cpu, row, access.read)):
        return trapped(transfer_syndrome(cpu, instruction, choices))
    return PERMITTED


HSTR_T = tuple(0 if n in (4, 14) else 1 << n for n in range(16))
"""The bit HSTR.Tn for each n; bits 4 and 14 are reserved."""


@rule(arm("B1.14.3"), arm("B1.14.14"))
def traps_before_decode(cpu: Processor, access: CoprocessorAccess) -> bool:
    """Whether HSTR.Tn or HCR.TIDCP traps a CP15 encoding, whatever register it names; there is no T4 and no T14."""
    hstr = cpu.hyp.hstr
    number = access.crm if access.row.form is Form.DOUBLE else access.crn
    listed = (hstr & select(HSTR_T, number)) > 0
    if access.row.form is Form.DOUBLE:
        return listed
    return either(listed, every(bit(cpu.hyp.hcr, 20) == 1, in_tidcp_space(access.crn, access.crm)))


@rule(arm("B1.14"))
def row_traps(cpu: Processor, row: Row, read_access: bool) -> bool:
    """Whether one of the row's own trap controls applies to an access in this direction."""
    return either(*(control_traps(cpu, trap, read_access) for trap in row.traps))


@rule(arm("B1.14.15"), arm("B1.14.16"), arm("B1.14.10"), arm("B1.14.11"), trm("4.3"))
def cp14_decision(cpu: Processor, instruction: Instruction, choices: Choices) -> Decision:
    """The verdict on a CP14 access: the register's own checks, then its own traps; trace registers may not exist."""
    access = instruction.operation
    assert isinstance(access, CoprocessorAccess)
    row = access.row
    exists = choices.trace_implemented == 1 if row.state == "trace" else True
    if negate(every(exists, row_accessible(cpu, row, access.read))):
        return UNDEFINED
    if every(negate(is_hyp(cpu.cpsr)), row_traps(cpu, row, access.read)):
        return trapped(transfer_syndrome(cpu, instruction, choices))
    return PERMITTED


@rule(arm("B1.11.1"))
def cpacr_permits_vfp(cpu: Processor) -> bool:
    """Whether CPACR grants CP10 and CP11 to the current mode; Hyp mode ignores CPACR."""
    grant = bits(cpu.cp15.cpacr, 21, 20)
    equal = grant == bits(cpu.cp15.cpacr, 23, 22)
    permitted = either(grant == 3, every(grant == 1, negate(is_user(cpu.cpsr))))
    return either(is_hyp(cpu.cpsr), every(equal, permitted))


@rule(arm("B1.14.2"), arm("B1.14.12"))
def cp10_decision(cpu: Processor, instruction: Instruction, choices: Choices) -> Decision:
    """The verdict on VMRS and VMSR: CPACR and FPEXC.EN first, then HCPTR, then the ID group traps.

    HCPTR.TCP10 unlike TCP11 is UNPREDICTABLE, and is taken not to trap.
    """
    access = instruction.operation
    assert isinstance(access, CoprocessorAccess)
    row = access.row
    if negate(every(cpacr_permits_vfp(cpu), row_accessible(cpu, row, access.read))):
        return UNDEFINED
    if bits(cpu.hyp.hcptr, 11, 10) == 3:
        return vfp_trap(cpu, instruction, choices, 0)
    if every(negate(is_hyp(cpu.cpsr)), row_traps(cpu, row, access.read)):
        return trapped(transfer_syndrome(cpu, instruction, choices))
    return PERMITTED


@rule(arm("B1.14.12"), arm("B3.13.6"))
def vfp_trap(cpu: Processor, instruction: Instruction, choices: Choices, simd: U1) -> Decision:
    """The verdict where HCPTR disables VFP: a trap from PL1 and PL0, UNDEFINED in Hyp mode."""
    if is_hyp(cpu.cpsr):
        return UNDEFINED
    cv, cond = condition_fields(cpu, instruction, choices)
    iss = syndrome.iss_coprocessor(cv, cond, simd, choose(simd == 1, 0, 0xA))
    return trapped(syndrome.hsr(ExceptionClass.CP_0_13, 1, iss))


@rule(arm("B1.11.1"), arm("B1.14.12"))
def floating_point_decision(cpu: Processor, instruction: Instruction, choices: Choices) -> Decision:
    """The verdict on a VFP or Advanced SIMD instruction: every UNDEFINED cause comes before the Hyp trap."""
    operation = instruction.operation
    assert isinstance(operation, FloatingPoint)
    cpacr, hcptr = cpu.cp15.cpacr, cpu.hyp.hcptr
    disabled = either(
        negate(cpacr_permits_vfp(cpu)),
        every(operation.simd == 1, bit(cpacr, 31) == 1, negate(is_hyp(cpu.cpsr))),
        every(operation.upper_bank == 1, bit(cpacr, 30) == 1),
        bit(cpu.vfp.fpexc, 30) == 0,
    )
    if disabled:
        return UNDEFINED
    if either(bits(hcptr, 11, 10) == 3, every(operation.simd == 1, bit(hcptr, 15) == 1)):
        return vfp_trap(cpu, instruction, choices, operation.simd)
    return PERMITTED


@rule(arm("B1.14.12"), trm("HCPTR"))
def other_coprocessor_decision(cpu: Processor, instruction: Instruction) -> Decision:
    """The verdict on coprocessors that the Cortex-A15 lacks: CPACR reads as denying, so UNDEFINED comes first."""
    assert isinstance(instruction.operation, OtherCoprocessor)
    return UNDEFINED


@rule(arm("B3.13.6"))
def transfer_syndrome(cpu: Processor, instruction: Instruction, choices: Choices) -> U32:
    """HSR for a trapped coprocessor transfer, by its form and coprocessor; such instructions are 32 bits wide."""
    access = instruction.operation
    assert isinstance(access, CoprocessorAccess)
    cv, cond = condition_fields(cpu, instruction, choices)
    cp15 = access.row.coprocessor == 15
    direction = 1 if access.read else 0
    if access.row.form is Form.DOUBLE:
        ec = ExceptionClass.CP15_64 if cp15 else ExceptionClass.CP14_64
        iss = syndrome.iss_double_transfer(cv, cond, access.opc1, access.rt2, access.rt, access.crm, direction)
        return syndrome.hsr(ec, 1, iss)
    if access.row.form is Form.MEMORY:
        iss = syndrome.iss_load_store_coprocessor(cv, cond, 0, access.rt, 1, 2, direction)
        return syndrome.hsr(ExceptionClass.CP14_LS, 1, iss)
    classes = {15: ExceptionClass.CP15_32, 14: ExceptionClass.CP14_32, 10: ExceptionClass.CP10_ID}
    iss = syndrome.iss_register_transfer(
        cv, cond, access.opc2, access.opc1, access.crn, access.rt, access.crm, direction
    )
    return syndrome.hsr(classes[access.row.coprocessor], 1, iss)


@rule(arm("B1.14.9"))
def wait_traps(cpu: Processor, for_event: bool, would_suspend: bool) -> bool:
    """Whether HCR.TWI or HCR.TWE traps a WFI or WFE: only one that would suspend the processor."""
    control = bit(cpu.hyp.hcr, 14 if for_event else 13)
    return every(control == 1, would_suspend, negate(is_hyp(cpu.cpsr)))


@rule(arm("B1.14.8"))
def smc_traps(cpu: Processor) -> bool:
    """Whether HCR.TSC traps an SMC; from PL0 the instruction is UNDEFINED and does not trap."""
    return every(bit(cpu.hyp.hcr, 19) == 1, is_pl1(cpu.cpsr))
