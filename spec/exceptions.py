"""Exceptions in Non-secure state: when one is taken, to which mode, what entry and return change.

For a synchronous exception PC is the address of the instruction that causes it; for an asynchronous one it is the
address of the next instruction to execute. Secure and Monitor mode are not modelled, see `spec.processor`.
"""

from enum import IntEnum
from typing import Annotated

from spec.citations import arm, rule
from spec.processor import Processor
from spec.psr import (
    A_BIT,
    E_BIT,
    F_BIT,
    GUEST_MODES,
    I_BIT,
    J_BIT,
    RESERVED,
    T_BIT,
    Mode,
    advance_it,
    is_hyp,
    is_pl1,
    is_user,
    it_state,
    mode,
)
from spec.syndrome import (
    U25,
    WALK_BIT,
    ExceptionClass,
    FaultStatus,
    decode_data_abort,
    decode_prefetch_abort,
    dfsr,
    hsr,
    ifsr,
    iss_call,
    iss_data_abort,
    iss_prefetch_abort,
)
from spec.words import U1, U16, U32, Width, add, bit, bits, choose, clear, either, every, member, negate, put, put_all

U28 = Annotated[int, Width(28)]

FMO, IMO, AMO, VF, VI, VA, TGE = 3, 4, 5, 6, 7, 8, 27
"""Bits of HCR: routing of physical FIQs, IRQs and aborts, the virtual ones, and the trap of general exceptions."""
TDE = 8
"""Bit of HDCR: debug exceptions go to Hyp mode."""
EE, TE, V, EAE = 25, 30, 13, 31
"""Bits of SCTLR and HSCTLR (endianness, Thumb), SCTLR (high vectors) and TTBCR (long descriptors)."""
REPLACED_ON_ENTRY = 0x0700FE3F
"""The CPSR fields that every exception entry sets: IT, J, E, T and M."""


class Vector(IntEnum):
    """The offset of each exception vector from its base."""

    UNDEFINED = 0x04
    CALL = 0x08
    """SVC at PL1; HVC and SVC from Hyp mode itself."""
    PREFETCH_ABORT = 0x0C
    DATA_ABORT = 0x10
    HYP_TRAP = 0x14
    """What goes to Hyp mode from PL1 and PL0, except IRQ and FIQ."""
    IRQ = 0x18
    FIQ = 0x1C


class AbortKind(IntEnum):
    """What an abort's routing depends on."""

    STAGE1 = 0
    """A fault of stage 1 translation other than alignment."""
    ALIGNMENT = 1
    EXTERNAL = 2
    """A synchronous external abort, except on a stage 2 table walk."""
    STAGE2 = 3
    """A fault of stage 2 translation, on an access or on a stage 1 table walk."""
    DEBUG = 4
    """A debug exception."""


class ExceptionMode(IntEnum):
    """The PL1 modes that take exceptions, and so bank LR and SPSR."""

    FIQ = Mode.FIQ
    IRQ = Mode.IRQ
    SVC = Mode.SVC
    ABT = Mode.ABT
    UND = Mode.UND


BANKED_FIELDS = {
    ExceptionMode.FIQ: ("fiq", "lr_fiq", "spsr_fiq"),
    ExceptionMode.IRQ: ("banked", "lr_irq", "spsr_irq"),
    ExceptionMode.SVC: ("banked", "lr_svc", "spsr_svc"),
    ExceptionMode.ABT: ("banked", "lr_abt", "spsr_abt"),
    ExceptionMode.UND: ("banked", "lr_und", "spsr_und"),
}
"""Where each mode banks LR and SPSR: the component of the processor and its two fields."""
MASKED_ON_ENTRY = {
    ExceptionMode.FIQ: (1 << A_BIT) | (1 << I_BIT) | (1 << F_BIT),
    ExceptionMode.IRQ: (1 << A_BIT) | (1 << I_BIT),
    ExceptionMode.SVC: 1 << I_BIT,
    ExceptionMode.ABT: (1 << A_BIT) | (1 << I_BIT),
    ExceptionMode.UND: 1 << I_BIT,
}
"""The CPSR mask bits that an entry to each mode sets."""
MASKED_IN_HYP = (1 << A_BIT) | (1 << I_BIT) | (1 << F_BIT)
"""The CPSR mask bits that an entry to Hyp mode sets, where SCR routes nothing to Monitor mode."""


def _enter_hyp(cpu: Processor, offset: Vector, return_address: U32, **reported: U32) -> Processor:
    hsctlr = cpu.hyp.hsctlr
    cpsr = (
        clear(cpu.cpsr, REPLACED_ON_ENTRY | MASKED_IN_HYP)
        | (Mode.HYP | MASKED_IN_HYP)
        | (bit(hsctlr, TE) << T_BIT)
        | (bit(hsctlr, EE) << E_BIT)
    )
    hyp = put_all(
        cpu.hyp,
        ("spsr_hyp", "elr_hyp", "hcptr_in_force", *reported),
        (cpu.cpsr, return_address, cpu.hyp.hcptr, *reported.values()),
    )
    pc, local = clear(cpu.hyp.hvbar, 0x1F) | offset, put(cpu.local, "waiting", 0)
    return put_all(cpu, ("cpsr", "pc", "hyp", "local"), (cpsr, pc, hyp, local))


@rule(arm("B1.8.3"), arm("B1.8.5"), arm("A3.8.3"))
def enter_hyp(cpu: Processor, offset: Vector, return_address: U32) -> Processor:
    """Entry to Hyp mode: saves CPSR and the preferred return address, masks everything, synchronises the context."""
    return _enter_hyp(cpu, offset, return_address)


@rule(arm("B1.8.3"), arm("B1.8.4"), arm("B3.13.6"))
def take_in_hyp(cpu: Processor, offset: Vector, syndrome: U32, return_address: U32) -> Processor:
    """A synchronous exception that Hyp mode takes from itself, at its own vector, with HSR written."""
    return _enter_hyp(cpu, offset, return_address, hsr=syndrome)


@rule(arm("B1.9.3"), arm("B3.13.6"))
def take_hyp_trap(cpu: Processor, syndrome: U32, return_address: U32) -> Processor:
    """The Hyp Trap exception, from PL1 or PL0: the instruction has no effect, HSR says what it was."""
    return _enter_hyp(cpu, Vector.HYP_TRAP, return_address, hsr=syndrome)


@rule(arm("B1.8.3"), arm("B1.8.5"), arm("A3.8.3"))
def enter_pl1(cpu: Processor, target: ExceptionMode, offset: Vector, lr: U32) -> Processor:
    """Entry to a PL1 mode, which saves CPSR and `lr`, masks what the mode masks, and synchronises the context."""
    component, lr_field, spsr_field = BANKED_FIELDS[target]
    masks = MASKED_ON_ENTRY[target]
    sctlr = cpu.cp15.sctlr
    cpsr = (
        clear(cpu.cpsr, REPLACED_ON_ENTRY | masks)
        | (target | masks)
        | (bit(sctlr, TE) << T_BIT)
        | (bit(sctlr, EE) << E_BIT)
    )
    pc = choose(bit(sctlr, V) == 1, 0xFFFF0000, clear(cpu.cp15.vbar, 0x1F)) | offset
    bank = put_all(getattr(cpu, component), (lr_field, spsr_field), (lr, cpu.cpsr))
    hyp, local = put(cpu.hyp, "hcptr_in_force", cpu.hyp.hcptr), put(cpu.local, "waiting", 0)
    return put_all(cpu, ("cpsr", "pc", "hyp", "local", component), (cpsr, pc, hyp, local, bank))


@rule(arm("B1.8.3"))
def next_instruction(cpu: Processor, wide: U1) -> U32:
    """The address behind the instruction at PC; `wide` is 1 for a 32-bit instruction."""
    return add(cpu.pc, 2 + (wide << 1), 32)


@rule(arm("B1.9.2"), arm("B1.8.8"))
def take_undefined(cpu: Processor, syndrome: U32 = 0) -> Processor:
    """The Undefined Instruction exception.

    `syndrome` is what HSR receives where the exception is taken to Hyp mode; 0 is class UNKNOWN.
    """
    if is_hyp(cpu.cpsr):
        return take_in_hyp(cpu, Vector.UNDEFINED, syndrome, cpu.pc)
    if every(is_user(cpu.cpsr), bit(cpu.hyp.hcr, TGE) == 1):
        return take_hyp_trap(cpu, syndrome, cpu.pc)
    lr = next_instruction(cpu, bit(cpu.cpsr, T_BIT) ^ 1)
    return enter_pl1(cpu, ExceptionMode.UND, Vector.UNDEFINED, lr)


@rule(arm("B1.9.4"), arm("B1.8.8"), arm("A2.5.2"))
def take_svc(cpu: Processor, imm: U16, wide: U1) -> Processor:
    """The Supervisor Call exception; the return address and the saved IT state are those of the next instruction."""
    after = put(cpu, "cpsr", advance_it(cpu.cpsr))
    syndrome = hsr(ExceptionClass.SVC_HYP, wide, iss_call(imm))
    lr = next_instruction(cpu, wide)
    if is_hyp(cpu.cpsr):
        return take_in_hyp(after, Vector.CALL, syndrome, lr)
    if every(is_user(cpu.cpsr), bit(cpu.hyp.hcr, TGE) == 1):
        return take_hyp_trap(after, syndrome, lr)
    return enter_pl1(after, ExceptionMode.SVC, Vector.CALL, lr)


@rule(arm("B1.9.6"), arm("A2.5.2"))
def take_hvc(cpu: Processor, imm: U16) -> Processor:
    """The Hypervisor Call exception, from PL1 or Hyp mode; the caller has seen to HVC at PL0 being UNDEFINED."""
    after = put(cpu, "cpsr", advance_it(cpu.cpsr))
    syndrome = hsr(ExceptionClass.HVC, 1, iss_call(imm))
    if is_hyp(cpu.cpsr):
        return take_in_hyp(after, Vector.CALL, syndrome, next_instruction(cpu, 1))
    return take_hyp_trap(after, syndrome, next_instruction(cpu, 1))


@rule(arm("B1.8.4"), arm("B1.8.8"), arm("B1.8.9"))
def abort_goes_to_hyp(cpu: Processor, kind: AbortKind) -> bool:
    """Whether a synchronous abort at PL1 or PL0 is taken to Hyp mode."""
    tge = bit(cpu.hyp.hcr, TGE) == 1
    debug = either(bit(cpu.hyp.hdcr, TDE) == 1, tge)
    from_user = every(is_user(cpu.cpsr), tge)
    return either(
        kind == AbortKind.STAGE2,
        every(kind == AbortKind.DEBUG, debug),
        every(member(kind, (AbortKind.ALIGNMENT, AbortKind.EXTERNAL)), from_user),
    )


@rule(arm("B3.13.7"))
def hpfar(kind: AbortKind, iss: U25, ipa_page: U28, unknown: U32) -> U32:
    """HPFAR after an abort taken to Hyp mode: IPA[39:12] in bits [31:4].

    It is UNKNOWN except for stage 2 faults on a stage 1 table walk, and Translation and Access flag faults of stage 2.
    """
    told = member(bits(iss, 5, 2), (FaultStatus.TRANSLATION_1 >> 2, FaultStatus.ACCESS_FLAG_1 >> 2))
    valid = every(kind == AbortKind.STAGE2, either(told, bit(iss, WALK_BIT) == 1))
    return choose(valid, ipa_page, bits(unknown, 27, 0)) << 4


@rule(arm("B1.9.7"), arm("B3.13.6"), arm("B3.13.7"))
def take_prefetch_abort(
    cpu: Processor, kind: AbortKind, iss: U25, address: U32, ipa_page: U28, unknown: U32
) -> Processor:
    """The Prefetch Abort exception, with `iss` from `iss_prefetch_abort`.

    `address` is the faulting virtual address and `ipa_page` bits [39:12] of the faulting intermediate physical
    address of a stage 2 fault; `unknown` is what the registers that are UNKNOWN take.
    """
    fault_address = choose(kind == AbortKind.DEBUG, unknown, address)
    if is_hyp(cpu.cpsr):
        syndrome = hsr(ExceptionClass.IABT_HYP, 0, iss)
        page = hpfar(kind, iss, ipa_page, unknown)
        return _enter_hyp(cpu, Vector.PREFETCH_ABORT, cpu.pc, hsr=syndrome, hifar=fault_address, hpfar=page)
    if abort_goes_to_hyp(cpu, kind):
        syndrome = hsr(ExceptionClass.IABT, 0, iss)
        page = hpfar(kind, iss, ipa_page, unknown)
        return _enter_hyp(cpu, Vector.HYP_TRAP, cpu.pc, hsr=syndrome, hifar=fault_address, hpfar=page)
    cause = decode_prefetch_abort(iss)
    status = ifsr(bit(cpu.cp15.ttbcr, EAE), cause.status, cause.external)
    entered = enter_pl1(cpu, ExceptionMode.ABT, Vector.PREFETCH_ABORT, add(cpu.pc, 4, 32))
    return put(entered, "cp15", put_all(cpu.cp15, ("ifsr", "ifar"), (status, fault_address)))


@rule(arm("B1.9.7"), arm("B1.8.9"))
def take_breakpoint(cpu: Processor, unknown: U32) -> Processor:
    """The debug exception of BKPT: a Prefetch Abort whose fault address register is UNKNOWN."""
    return take_prefetch_abort(cpu, AbortKind.DEBUG, iss_prefetch_abort(0, 0, FaultStatus.DEBUG), 0, 0, unknown)


@rule(arm("B1.9.8"), arm("B3.13.6"), arm("B3.13.7"))
def take_data_abort(
    cpu: Processor, kind: AbortKind, iss: U25, address: U32, ipa_page: U28, wide: U1, unknown: U32
) -> Processor:
    """The synchronous Data Abort exception, with `iss` from `iss_data_abort`.

    `address` is the faulting virtual address, `ipa_page` bits [39:12] of the faulting intermediate physical address
    of a stage 2 fault, `wide` 1 for a 32-bit instruction; `unknown` is what the registers that are UNKNOWN take.
    """
    if is_hyp(cpu.cpsr):
        syndrome = hsr(ExceptionClass.DABT_HYP, wide, iss)
        page = hpfar(kind, iss, ipa_page, unknown)
        return _enter_hyp(cpu, Vector.DATA_ABORT, cpu.pc, hsr=syndrome, hdfar=address, hpfar=page)
    if abort_goes_to_hyp(cpu, kind):
        syndrome = hsr(ExceptionClass.DABT, wide, iss)
        page = hpfar(kind, iss, ipa_page, unknown)
        return _enter_hyp(cpu, Vector.HYP_TRAP, cpu.pc, hsr=syndrome, hdfar=address, hpfar=page)
    cause = decode_data_abort(iss)
    status = dfsr(bit(cpu.cp15.ttbcr, EAE), cause.status, cause.write, cause.external, cause.maintenance)
    return _data_abort_at_pl1(cpu, status, address)


def _data_abort_at_pl1(cpu: Processor, status: U32, address: U32) -> Processor:
    entered = enter_pl1(cpu, ExceptionMode.ABT, Vector.DATA_ABORT, add(cpu.pc, 8, 32))
    return put(entered, "cp15", put_all(cpu.cp15, ("dfsr", "dfar"), (status, address)))


def _routed_to_hyp(cpu: Processor, route: int) -> bool:
    return either(is_hyp(cpu.cpsr), (cpu.hyp.hcr & ((1 << route) | (1 << TGE))) > 0)


@rule(arm("B1.9.8"), arm("B1.8.4"))
def take_abort(cpu: Processor, unknown: U32) -> Processor:
    """The physical asynchronous external abort; `unknown` is what the fault address registers take."""
    if _routed_to_hyp(cpu, AMO):
        iss = iss_data_abort(0, 0, 0, 0, 0, 0, 0, 0, FaultStatus.ASYNCHRONOUS_EXTERNAL)
        reported = {"hdfar": unknown, "hpfar": bits(unknown, 27, 0) << 4}
        if is_hyp(cpu.cpsr):
            return _enter_hyp(cpu, Vector.DATA_ABORT, cpu.pc, hsr=hsr(ExceptionClass.DABT_HYP, 0, iss), **reported)
        return _enter_hyp(cpu, Vector.HYP_TRAP, cpu.pc, hsr=hsr(ExceptionClass.DABT, 0, iss), **reported)
    return _asynchronous_abort_at_pl1(cpu, unknown)


def _asynchronous_abort_at_pl1(cpu: Processor, unknown: U32) -> Processor:
    status = dfsr(bit(cpu.cp15.ttbcr, EAE), FaultStatus.ASYNCHRONOUS_EXTERNAL, 0, 0, 0)
    return _data_abort_at_pl1(cpu, status, unknown)


@rule(arm("B1.9.10"), arm("B1.8.4"))
def take_irq(cpu: Processor) -> Processor:
    """The physical IRQ exception."""
    if _routed_to_hyp(cpu, IMO):
        return enter_hyp(cpu, Vector.IRQ, cpu.pc)
    return take_virtual_irq(cpu)


@rule(arm("B1.9.12"), arm("B1.8.4"))
def take_fiq(cpu: Processor) -> Processor:
    """The physical FIQ exception."""
    if _routed_to_hyp(cpu, FMO):
        return enter_hyp(cpu, Vector.FIQ, cpu.pc)
    return take_virtual_fiq(cpu)


@rule(arm("B1.9.11"), arm("B1.8.11"))
def take_virtual_irq(cpu: Processor) -> Processor:
    """The virtual IRQ exception, which PL1 cannot tell from a physical IRQ."""
    return enter_pl1(cpu, ExceptionMode.IRQ, Vector.IRQ, add(cpu.pc, 4, 32))


@rule(arm("B1.9.13"), arm("B1.8.11"))
def take_virtual_fiq(cpu: Processor) -> Processor:
    """The virtual FIQ exception, which PL1 cannot tell from a physical FIQ."""
    return enter_pl1(cpu, ExceptionMode.FIQ, Vector.FIQ, add(cpu.pc, 4, 32))


@rule(arm("B1.9.9"), arm("B1.8.11"))
def take_virtual_abort(cpu: Processor, unknown: U32) -> Processor:
    """The virtual asynchronous abort; taking it clears HCR.VA. `unknown` is what DFAR takes."""
    entered = _asynchronous_abort_at_pl1(cpu, unknown)
    return put(entered, "hyp", put(entered.hyp, "hcr", clear(cpu.hyp.hcr, 1 << VA)))


@rule(arm("B1.8.10"), arm("B9.3.3"), arm("A3.8.3"))
def return_from_hyp(cpu: Processor) -> Processor:
    """ERET in Hyp mode: PC from ELR_hyp, CPSR from SPSR_hyp; the return synchronises the context."""
    return return_from_pl1(cpu, cpu.hyp.elr_hyp, cpu.hyp.spsr_hyp)


@rule(arm("B1.8.10"), arm("A3.8.3"))
def return_from_pl1(cpu: Processor, target: U32, saved: U32) -> Processor:
    """A return to address `target` with CPSR `saved`, both as the form of return supplies them; it synchronises."""
    hyp = put(cpu.hyp, "hcptr_in_force", cpu.hyp.hcptr)
    return put_all(cpu, ("cpsr", "pc", "hyp"), (saved, target, hyp))


@rule(arm("B1.8.10"), arm("B1.3.1"), arm("B1.8.8"))
def is_legal_return(cpu: Processor, saved: U32) -> bool:
    """Whether the current mode may return from an exception to CPSR `saved`; otherwise it is UNPREDICTABLE.

    User and System mode have no SPSR; only Hyp mode may return to Hyp mode, and with HCR.TGE not to PL1.
    """
    current, from_hyp = mode(cpu.cpsr), is_hyp(cpu.cpsr)
    to_pl1 = is_pl1(saved)
    return every(
        negate(member(current, (Mode.USR, Mode.SYS))),
        either(member(mode(saved), GUEST_MODES), every(from_hyp, is_hyp(saved))),
        negate(every(from_hyp, to_pl1, bit(cpu.hyp.hcr, TGE) == 1)),
        either(bit(saved, T_BIT) == 1, it_state(saved) == 0),
        bit(saved, J_BIT) == 0,
        saved & RESERVED == 0,
    )
