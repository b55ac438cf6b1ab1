"""A vCPU's registers: at reset, as CPU_ON asks for them, and as user space reads and writes them."""

from model.power.design import PowerDesign, Trait
from model.power.state import MIDR, RESET, Call, Error, Reg, Registers, Vcpu
from spec.citations import linux, psci, rule
from spec.psr import E_BIT, GUEST_MODES, T_BIT, Mode, mode
from spec.words import U8, U32, bit, choose, clear, either, every, member, negate, put_all

GUEST = "arch/arm/kvm/guest.c"
SETTABLE_3_12 = (Mode.USR, Mode.FIQ, Mode.IRQ, Mode.SVC, Mode.ABT, Mode.UND)


@rule(linux("arch/arm/kvm/psci.c", "kvm_psci_vcpu_on"), psci("CPU_ON"))
def entered(design: PowerDesign, registers: Registers, call: Call) -> Registers:
    """The registers after a CPU_ON has set its entry point, its context and the caller's endianness in them."""
    thumb = every(Trait.THUMB_PASSED in design.traits, bit(call.entry, 0) == 1)
    big = every(Trait.ENDIANNESS_PASSED in design.traits, call.big == 1)
    pc = choose(thumb, clear(call.entry, 1), call.entry)
    cpsr = choose(thumb, registers.cpsr | 1 << T_BIT, registers.cpsr)
    cpsr = choose(big, cpsr | 1 << E_BIT, cpsr)
    r0 = choose(Trait.CONTEXT_PASSED in design.traits, call.context, registers.r0)
    return put_all(registers, ("r0", "pc", "cpsr"), (r0, pc, cpsr))


@rule(linux("arch/arm/kvm/reset.c", "kvm_reset_vcpu"))
def reset() -> Registers:
    """The registers of a Cortex-A15 after a reset."""
    return RESET


@rule(linux("arch/arm/kvm/reset.c", "kvm_reset_vcpu", "5.0"), psci("CPU_ON"))
def was_reset(design: PowerDesign, vcpu: Vcpu) -> Vcpu:
    """The vCPU after the reset that it was asked for, once it is powered on; a vCPU that is off waits for that."""
    due = every(vcpu.request == 1, vcpu.pause == 0)
    registers = choose(due, entered(design, reset(), vcpu.start), vcpu.registers)
    return put_all(vcpu, ("registers", "request"), (registers, choose(due, 0, vcpu.request)))


@rule(linux(GUEST, "get_core_reg"), linux("arch/arm/kvm/coproc.c", "kvm_arm_coproc_get_reg"))
def read(registers: Registers, reg: U8) -> U32:
    """What user space reads of a register; 0 where there is none of that number."""
    value = choose(reg == Reg.MIDR, MIDR, 0)
    for number, name in NAMED:
        value = choose(reg == number, getattr(registers, name), value)
    return value


@rule(linux(GUEST, "set_core_reg"), linux("arch/arm/kvm/coproc.c", "kvm_arm_coproc_set_reg"))
def refused(design: PowerDesign, reg: U8, value: U32) -> U8:
    """Why user space may not write a value into a register; `Error.OK` where it may."""
    modes = GUEST_MODES if Trait.SYSTEM_MODE in design.traits else SETTABLE_3_12
    checked = every(Trait.MODES_CHECKED in design.traits, reg == Reg.CPSR)
    kept = every(Trait.INVARIANTS_CHECKED in design.traits, reg == Reg.MIDR)
    wrong = either(every(checked, negate(member(mode(value), modes))), every(kept, negate(value == MIDR)))
    return choose(exists(reg), choose(wrong, Error.EINVAL, Error.OK), Error.ENOENT)


@rule(linux(GUEST, "kvm_arm_get_reg"))
def exists(reg: U8) -> bool:
    """Whether there is a register of a number."""
    return member(reg, tuple(Reg))


@rule(linux(GUEST, "set_core_reg"), linux("arch/arm/kvm/coproc.c", "kvm_arm_coproc_set_reg"))
def written(registers: Registers, reg: U8, value: U32) -> Registers:
    """The registers after user space has written one, which it may."""
    values = tuple(choose(reg == number, value, getattr(registers, name)) for number, name in NAMED)
    return put_all(registers, tuple(name for _, name in NAMED), values)


NAMED = ((Reg.R0, "r0"), (Reg.PC, "pc"), (Reg.CPSR, "cpsr"), (Reg.SCTLR, "sctlr"), (Reg.REST, "rest"))
"""The registers that have a value of their own."""
