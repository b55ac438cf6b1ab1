"""The virtual distributor's registers, as the highvisor emulates them.

An access is decoded, performed as far as it does not concern single interrupts, and then changes one interrupt after
the other, from the lowest number on; all of it, but the first, under the distributor's lock.

Not modelled: accesses of other sizes than 1, 2 and 4 bytes, of which the syndrome never tells; the part of an unaligned
access that lies in the next word, which Linux drops. No property speaks of either.
"""

from model.threads import advanced, given_up, vcpu_of, with_vcpu
from model.vgic.design import OUT, Range, Register, Trait, VgicDesign, place
from model.vgic.pending import is_edge, is_enabled, key_of, recomputed, summary, with_irq
from model.vgic.state import IMPLEMENTED, PRIVATE, SGIS, Exit, Vcpu, VgicState, VirtualIrq, flag
from model.vgic.threads import branched, vm_number, vm_of, with_vm
from spec.citations import gic, linux, rule
from spec.gic.state import U10
from spec.words import (
    U1,
    U2,
    U3,
    U4,
    U5,
    U8,
    U32,
    add,
    bit,
    bits,
    choose,
    clear,
    every,
    find,
    mask,
    put,
    put_all,
    select,
    sub,
)

VGIC = "virt/kvm/arm/vgic.c"
FIELD = {
    Register.ISENABLER: 1,
    Register.ICENABLER: 1,
    Register.ISPENDR: 1,
    Register.ICPENDR: 1,
    Register.ICFGR: 2,
    Register.IPRIORITYR: 8,
    Register.ITARGETSR: 8,
    Register.CPENDSGIR: 8,
    Register.SPENDSGIR: 8,
}
"""The registers that have a field for each interrupt, and its width."""
LANES = tuple(
    ((size << 2) | low, mask(8 * size) << 8 * low & 0xFFFFFFFF)
    for size in (1, 2, 4)
    for low in range(4)
)
"""By size and the lowest two bits of the offset: which bits of the word an access covers."""
PLACES = {
    width: tuple((case, sum(((lanes >> n * width) & 1) << n for n in range(32 // width))) for case, lanes in LANES)
    for width in (2, 8)
}
"""For fields of a width, by the same: the fields that an access covers, one bit for each."""
POSITIONS = tuple((1 << position, position) for position in range(32))
IIDR = 0x4B00043B


def register_at(design: VgicDesign, offset: U32) -> tuple[Register, U32] | None:
    """The register at an offset, and the offset in it; None where the design has none."""
    return found_in(design.registers, offset)


def found_in(registers: tuple[Range, ...], offset: U32) -> tuple[Register, U32] | None:
    """The one of these registers at an offset, and the offset in it; None where there is none of them."""
    for line in registers:
        if every(offset >= line.base, offset < line.base + line.length):
            return line.register, sub(offset, line.base, 32)
    return None


def disables(design: VgicDesign, vcpu: Vcpu) -> bool:
    """Whether the vCPU's access is a store to GICD_ICENABLER."""
    found = register_at(design, vcpu.access.offset)
    return every(vcpu.access.write == 1, found is not None and found[0] is Register.ICENABLER)


def shifted(design: VgicDesign, register: Register, inner: U32) -> U2:
    """By how many bytes an access's data are moved in the word: the offset in it.

    Linux 3.12 halves the offset in GICD_ICFGR first, as if the register were the bitmap in which it is kept.
    """
    halved = register is Register.ICFGR and Trait.CONFIG_LANES not in design.traits
    return bits(inner, 2, 1) if halved else bits(inner, 1, 0)


@rule(linux(VGIC, "vgic_reg_access"))
def written(low: U2, size: U4, value: U32) -> U32:
    """What an access stores in its word, and 0 in the bytes that it does not cover."""
    moved_up = select((value, value << 8, value << 16, value << 24), low)
    return moved_up & find(LANES, (size << 2) | low, 0)


@rule(linux(VGIC, "vgic_reg_access"))
def loaded(low: U2, size: U4, word: U32) -> U32:
    """What an access loads from its word."""
    moved_down = select((word, word >> 8, word >> 16, word >> 24), low)
    return moved_down & find(((1, 0xFF), (2, 0xFFFF)), size, 0xFFFFFFFF)


def first_irq(width: int, inner: U32) -> U10:
    """The first interrupt in the word of a register with fields of a width."""
    return bits((inner >> 2) << {1: 5, 2: 4, 8: 2}[width], 9, 0)


def field_of(word: U32, width: int, position: U5) -> U8:
    """The field of a word at a position."""
    return select(tuple(bits(word, n * width + width - 1, n * width) for n in range(32 // width)), position)


@rule(linux(VGIC, "vgic_handle_mmio"))
def decode(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Where there is no register, Linux 3.12 leaves the access to user space."""
    vcpu = vcpu_of(state, cpu)
    if register_at(design, vcpu.access.offset) is not None:
        return advanced(state, cpu)
    if Trait.RESERVED_ZERO in design.traits:
        nothing = put(vcpu.access, "value", choose(vcpu.access.write == 1, vcpu.access.value, 0))
        return with_vcpu(state, cpu, put_all(vcpu, ("access", "at"), (nothing, place("run"))))
    return given_up(with_vcpu(state, cpu, put_all(vcpu, ("at", "exit"), (OUT, Exit.RESERVED))), cpu, True)


@rule(linux(VGIC, "vgic_handle_mmio"), linux(VGIC, "handle_mmio_misc"), linux(VGIC, "handle_mmio_sgi_reg"))
def perform(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """A load gets its value, GICD_CTLR and GICD_SGIR are written; a store to other registers is still to be done."""
    vcpu = vcpu_of(state, cpu)
    access = vcpu.access
    found = register_at(design, access.offset)
    if found is None:
        return branched(design, state, cpu, True)
    register, inner = found
    low = shifted(design, register, inner)
    if access.write == 0:
        value = loaded(low, access.size, word_of(design, state, cpu, register, inner))
        return branched(design, with_vcpu(state, cpu, put(vcpu, "access", put(access, "value", value))), cpu, True)
    data = written(low, access.size, access.value)
    if register is Register.CTLR:
        enabled = choose(inner == 0, bit(data, 0), vm_of(state, cpu).enabled)
        return branched(design, with_vm(state, cpu, put(vm_of(state, cpu), "enabled", enabled)), cpu, True)
    if register is Register.SGIR:
        return branched(design, sgi_sent(design, state, cpu, data), cpu, True)
    left = left_of(register, low, access.size, data, inner)
    return branched(design, with_vcpu(state, cpu, put(vcpu, "left", left)), cpu, left == 0)


def left_of(register: Register, low: U2, size: U4, data: U32, inner: U32) -> U32:
    """The interrupts that a store to a register changes, by their place in its word."""
    width = FIELD.get(register)
    if width is None:
        return 0
    if width == 1:
        return data
    first = first_irq(width, inner)
    fixed = every(first < PRIVATE, register in (Register.ICFGR, Register.ITARGETSR))
    return choose(fixed, 0, find(PLACES[width], (size << 2) | low, 0))


@rule(linux(VGIC, "handle_mmio_misc"), gic("4.3.2"))
def word_of(design: VgicDesign, state: VgicState, cpu: int, register: Register, inner: U32) -> U32:
    """The word of a register that a load sees."""
    vm = vm_of(state, cpu)
    match register:
        case Register.CTLR:
            return choose(inner == 0, vm.enabled, 0)
        case Register.TYPER:
            return (sub(vm.count, 1, 4) << 5) | (IMPLEMENTED // 32 - 1)
        case Register.IIDR:
            return IIDR
    width = FIELD.get(register)
    if width is None:
        return 0
    first, number, word = first_irq(width, inner), vcpu_of(state, cpu).number, 0
    for position in range(32 // width):
        irq = first + position
        record = state.irqs.get(key_of(vm_number(state, cpu), number, irq))
        word = word | (shown(register, number, irq, record) << (position * width))
    return word


@rule(linux(VGIC, "vgic_get_target_reg"), linux(VGIC, "vgic_cfg_expand"), gic("4.3.12"))
def shown(register: Register, number: U3, irq: U10, record: VirtualIrq) -> U8:
    """The field that a register shows of an interrupt."""
    match register:
        case Register.ISENABLER | Register.ICENABLER:
            return choose(is_enabled(irq, record), 1, 0)
        case Register.ISPENDR | Register.ICPENDR:
            return record.pending
        case Register.ICFGR:
            return choose(is_edge(irq, record), 2, 0)
        case Register.IPRIORITYR:
            return record.priority
        case Register.ITARGETSR:
            return flag(choose(irq < PRIVATE, number, record.target))
    return record.sources


@rule(linux(VGIC, "vgic_dispatch_sgi"), gic("4.3.15"))
def targets(design: VgicDesign, sender: U3, count: U4, data: U32) -> U8:
    """The vCPUs to which a write to GICD_SGIR sends an SGI.

    In Linux 3.12 a list of targets that is not empty becomes all but the sender.
    """
    listed, everybody = bits(data, 23, 16), sub(flag(count), 1, 8)
    others = clear(everybody, flag(sender))
    meant = listed if Trait.TARGET_LIST in design.traits else choose(listed == 0, 0, others)
    if Trait.SGI_BROADCAST in design.traits:
        return everybody
    return find(((0, meant), (1, others), (2, flag(sender))), bits(data, 25, 24), listed)


@rule(linux(VGIC, "vgic_dispatch_sgi"))
def sgi_sent(design: VgicDesign, state: VgicState, cpu: int, data: U32) -> VgicState:
    """The SGI is pending at each target, from this vCPU."""
    vm, sender, irq = vm_number(state, cpu), vcpu_of(state, cpu).number, bits(data, 3, 0)
    chosen = targets(design, sender, vm_of(state, cpu).count, data)
    for vcpu in state.vcpus:
        reached = every(vcpu.vm == vm, chosen & flag(vcpu.number) > 0)
        key = (vm, vcpu.number, irq)
        record = state.irqs.get(key)
        sent = put_all(record, ("pending", "sources"), (1, record.sources | flag(sender)))
        state = with_irq(design, state, key, choose(reached, sent, record), summary(design, state, key))
    return state


@rule(linux(VGIC, "handle_mmio_set_enable_reg"), linux(VGIC, "handle_mmio_set_pending_reg"))
def write_one(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The store changes the first of the interrupts that are left, and comes back for the next one."""
    vcpu = vcpu_of(state, cpu)
    access = vcpu.access
    found = register_at(design, access.offset)
    if found is None or found[0] not in FIELD:
        return advanced(state, cpu)
    register, inner = found
    width = FIELD[register]
    lowest = vcpu.left & sub(0, vcpu.left, 32)
    position = find(POSITIONS, lowest, 0)
    number = add(first_irq(width, inner), position, 10)
    data = written(shifted(design, register, inner), access.size, access.value)
    key = key_of(vcpu.vm, vcpu.number, number)
    record = state.irqs.get(key)
    exist = sub(flag(vm_of(state, cpu).count), 1, 8) if Trait.TARGETS_EXIST in design.traits else 0xFF
    changed = written_irq(design, register, number, record, field_of(data, width, position), exist)
    state = with_irq(design, state, key, changed, summary(design, state, key))
    left = clear(vcpu.left, lowest)
    at = choose(left == 0, vcpu.at + 1, vcpu.at)
    return with_vcpu(state, cpu, put_all(vcpu, ("left", "at"), (left, at)))


@rule(linux(VGIC, "vgic_set_target_reg"), linux(VGIC, "handle_mmio_cfg_reg"), gic("4.3.7"))
def written_irq(
    design: VgicDesign, register: Register, irq: U10, record: VirtualIrq, value: U8, exist: U8
) -> VirtualIrq:
    """An interrupt after a write of its field; `exist` are the vCPUs that GICD_ITARGETSR may name."""
    match register:
        case Register.ISENABLER:
            return put(record, "enabled", choose(irq < SGIS, 0, 1))
        case Register.ICENABLER:
            return put(record, "enabled", 0)
        case Register.ISPENDR:
            return pended(design, irq, record, 1)
        case Register.ICPENDR:
            return pended(design, irq, record, 0)
        case Register.ICFGR:
            return retriggered(design, record, bit(value, 1))
        case Register.IPRIORITYR:
            return put(record, "priority", value)
        case Register.ITARGETSR:
            named = value & exist
            return put(record, "target", find(POSITIONS[:8], named & sub(0, named, 8), 0))
    sources = choose(register is Register.SPENDSGIR, record.sources | value, clear(record.sources, value))
    return put_all(record, ("sources", "pending"), (sources, choose(sources == 0, 0, 1)))


@rule(linux(VGIC, "vgic_cfg_compress"), gic("3.2.4"), gic("4.3.13"))
def retriggered(design: VgicDesign, record: VirtualIrq, edge: U1) -> VirtualIrq:
    """An interrupt that is edge-triggered from now on (1) or level-sensitive (0).

    What an edge or its guest has pended stays pending, and the line counts where it is level-sensitive; Linux 3.12
    keeps the one bit that stands for either.
    """
    changed = put(record, "edge", edge)
    if Trait.LINE_APART not in design.traits:
        return changed
    latch = choose(record.edge == 1, record.pending, record.soft)
    kept = (choose(edge == 1, 0, latch), choose(edge == 1, latch, record.line | latch))
    return put_all(changed, ("soft", "pending"), kept)


@rule(linux(VGIC, "handle_mmio_clear_pending_reg"), gic("4.3.8"), gic("4.3.7"))
def pended(design: VgicDesign, irq: U10, record: VirtualIrq, value: U1) -> VirtualIrq:
    """An interrupt after a write to GICD_ISPENDR (1) or GICD_ICPENDR (0).

    Linux 3.12 changes the one bit that also stands for the line, and of SGIs too.
    """
    plain = put(record, "pending", value)
    if Trait.LINE_APART not in design.traits:
        return plain
    apart = put_all(record, ("soft", "pending"), (value, record.line | value))
    return choose(irq < SGIS, record, choose(is_edge(irq, record), plain, apart))


@rule(linux(VGIC, "vgic_update_state"), linux(VGIC, "vgic_handle_mmio"))
def update(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Behind a store that may have changed what is pending, it is computed anew, and vCPUs will be kicked."""
    vcpu = vcpu_of(state, cpu)
    found = register_at(design, vcpu.access.offset)
    if found is None or found[0] not in design.updating or vcpu.access.write == 0:
        return advanced(state, cpu)
    return advanced(recomputed(design, with_vcpu(state, cpu, put(vcpu, "updated", 1)), cpu), cpu)
