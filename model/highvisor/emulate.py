"""Stepping over an emulated instruction, and putting an exception into a vCPU."""


from attrs import evolve

from model.design import Design
from model.lowvisor.context import Image
from spec import psr
from spec.citations import linux, rule
from spec.psr import Mode
from spec.registers import write
from spec.words import U32, add, bit, bits, choose, clear, either, insert

EMULATE = "arch/arm/kvm/emulate.c"


@rule(linux(EMULATE, "kvm_condition_valid"))
def condition_valid(image: Image) -> bool:
    """Whether a trapped instruction's condition holds: from HSR where class and CV give it, else from the IT state."""
    hsr, cpsr = image.hsr, image.cpsr
    it = psr.it_state(cpsr)
    from_it = choose(it == 0, 0xE, bits(it, 7, 4))
    condition = choose(bit(hsr, 24) == 1, bits(hsr, 23, 20), from_it)
    return either(bits(hsr, 31, 30) != 0, psr.condition_holds(condition, cpsr))


@rule(linux(EMULATE, "kvm_skip_instr"), linux(EMULATE, "kvm_adjust_itstate"))
def skip_instruction(image: Image, advances_it: bool) -> Image:
    """The vCPU after its PC and IT state have moved past the trapped instruction, whose size HSR.IL gives."""
    short = (bit(image.cpsr, psr.T_BIT) == 1) & (bit(image.hsr, 25) == 0)
    pc = add(image.pc, choose(short, 2, 4), 32)
    return evolve(image, pc=pc, cpsr=psr.advance_it(image.cpsr) if advances_it else image.cpsr)


@rule(linux(EMULATE, "exc_vector_base"))
def exception_vector_base(image: Image) -> U32:
    """The guest's exception vectors: VBAR, or the high vectors where SCTLR.V is set."""
    return choose(bit(image.cp15.sctlr, 13) == 1, 0xFFFF0000, image.cp15.vbar)


@rule(linux(EMULATE, "kvm_inject_undef"), linux(EMULATE, "inject_abt"))
def injected_cpsr(image: Image, mode: Mode, masks: U32) -> U32:
    """CPSR at the guest's handler: its mode, the masks, no IT state, instruction set and endianness from SCTLR."""
    cpsr = psr.with_it(clear(image.cpsr, (1 << psr.J_BIT) | (1 << psr.E_BIT) | (1 << psr.T_BIT)), 0)
    cpsr = insert(cpsr, psr.T_BIT, psr.T_BIT, bit(image.cp15.sctlr, 30))
    cpsr = insert(cpsr, psr.E_BIT, psr.E_BIT, bit(image.cp15.sctlr, 25))
    return insert(cpsr, 4, 0, mode) | masks


def inject_undef(design: Design, image: Image, after_call: bool) -> Image:
    """The vCPU with an Undefined Instruction exception; `after_call` where the saved PC is behind an HVC."""
    table = design.injection
    if after_call:
        offsets = (table.undef_call_arm, table.undef_call_thumb)
    else:
        offsets = (table.undef_arm, table.undef_thumb)
    return _enter(image, Mode.UND, 1 << psr.I_BIT, offsets, 4, design.injection.to_live_register)


def inject_abort(design: Design, image: Image, prefetch: bool, address: U32) -> Image:
    """The vCPU with a prefetch or data abort at `address`; the status is the debug-event code, a generic hint."""
    table = design.injection
    masks = (1 << psr.I_BIT) | (1 << psr.A_BIT)
    status = choose(bit(image.cp15.ttbcr, 31) == 1, 0x222, 2)
    if prefetch:
        offsets = (table.prefetch_arm, table.prefetch_thumb)
        image = write(write(image, "ifar", address), "ifsr", status)
        return _enter(image, Mode.ABT, masks, offsets, 12, design.injection.to_live_register)
    offsets = (table.data_arm, table.data_thumb)
    image = write(write(image, "dfar", address), "dfsr", status)
    return _enter(image, Mode.ABT, masks, offsets, 16, design.injection.to_live_register)


def _enter(image: Image, mode: Mode, masks: int, offsets: tuple[int, int], vector: int, live: bool) -> Image:
    """The vCPU at a vector of its own; where `live`, the SPSR in memory is left as it was."""
    name = mode.name.lower()
    arm_offset, thumb_offset = (offset & 0xFFFFFFFF for offset in offsets)
    lr = add(image.pc, choose(bit(image.cpsr, psr.T_BIT) == 1, thumb_offset, arm_offset), 32)
    entered = write(image, f"lr_{name}", lr)
    if not live:
        entered = write(entered, f"spsr_{name}", image.cpsr)
    pc = add(exception_vector_base(image), vector, 32)
    return evolve(entered, cpsr=injected_cpsr(image, mode, masks), pc=pc)
