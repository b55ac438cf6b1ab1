"""What a permitted access to a coprocessor register does, by the effect of its row."""

from spec import banking, interrupts
from spec.citations import arm, rule
from spec.coprocessor.row import Effect, Form, Row
from spec.operations import (
    Choices,
    CoprocessorAccess,
    Instruction,
)
from spec.outcome import Outcome, completed
from spec.processor import Processor
from spec.psr import (
    is_hyp,
)
from spec.registers import REGISTERS, read, write
from spec.timer import counters, timers
from spec.words import U2, bit, bits, choose, clear, either, every, mask, negate, put

FORCED_BROADCAST = ("BPIALL", "ICIALLU")


@rule(arm("B4.1.65"), arm("B3.10.5"))
def maintenance_scope(cpu: Processor, row: Row) -> U2:
    """How far a maintenance operation reaches: HCR.FB makes the local ones of PL1 reach the Inner Shareable domain."""
    local = row.name in FORCED_BROADCAST or (row.effect is Effect.TLB and not row.name.endswith("IS"))
    forced = every(bit(cpu.hyp.hcr, 9) == 1, negate(is_hyp(cpu.cpsr)))
    return choose(either(not local, forced), 1, 0)


@rule(arm("B3.17"), arm("B4.1"), arm("C11"), arm("B8.1"))
def transfer(cpu: Processor, instruction: Instruction, choices: Choices) -> Outcome:
    """The outcome of a coprocessor access that is permitted and does not trap, by the row's effect."""
    access = instruction.operation
    assert isinstance(access, CoprocessorAccess)
    row = access.row
    match row.effect:
        case Effect.MAINTENANCE | Effect.TLB:
            return completed(cpu, cpu, instruction, maintenance_scope(cpu, row))
        case Effect.SET_WAY:
            return completed(cpu, set_way(cpu, row, choices), instruction)
        case Effect.BARRIER:
            return completed(cpu, cpu, instruction, 3)
        case Effect.NOTHING:
            return completed(cpu, cpu, instruction)
        case Effect.TRANSLATE:
            return completed(cpu, write(cpu, "par", choices.unknown), instruction)
    if access.read:
        return completed(cpu, delivered(cpu, access, coprocessor_value(cpu, row, choices)), instruction)
    return completed(cpu, coprocessor_write(cpu, access), instruction)


@rule(arm("B4.2.1"), arm("B4.1.65"))
def set_way(cpu: Processor, row: Row, choices: Choices) -> Processor:
    """A set/way operation on this processor's cache: an invalidate loses dirty data unless HCR.SWIO cleans first."""
    loses = every(row.name == "DCISW", bit(cpu.hyp.hcr, 1) == 0)
    after = choose(loses, bits(choices.unknown, 31, 0), cpu.local.caches | 1)
    return put(cpu, "local", put(cpu.local, "caches", after))


@rule(arm("B4.1"), arm("B8.1"), arm("B4.1.105"), arm("B4.1.106"))
def coprocessor_value(cpu: Processor, row: Row, choices: Choices) -> int:
    """The value that a permitted read delivers: 32 bits, or 64 for MRRC."""
    below_hyp = negate(is_hyp(cpu.cpsr))
    match row.effect:
        case Effect.SHADOW:
            shadow = cpu.hyp.vpidr if row.state == "midr" else cpu.hyp.vmpidr
            return choose(below_hyp, shadow, read(cpu, row.state or ""))
        case Effect.INTERRUPT_STATUS:
            return interrupts.interrupt_status(cpu)
        case Effect.PHYSICAL_COUNT:
            return counters.physical_count(cpu.timer)
        case Effect.VIRTUAL_COUNT:
            return counters.virtual_count(cpu.timer)
        case Effect.TIMER_VALUE:
            return timers.tval(cpu.timer, timer_of(row))
        case Effect.TIMER_CONTROL:
            return timers.ctl_value(cpu.timer, timer_of(row), bits(choices.unknown, 31, 0))
    return read(cpu, row.state) if row.state is not None else 0


def timer_of(row: Row) -> timers.GenericTimer:
    """The timer whose register a row is."""
    return next(timer for timer in timers.GenericTimer if row.state in (timer.ctl, timer.cval))


@rule(arm("A8.8.107"), arm("A8.8.108"))
def delivered(cpu: Processor, access: CoprocessorAccess, value: int) -> Processor:
    """The processor with a value read by MRC or MRRC in its core registers; STC puts it into memory."""
    if access.row.form is Form.MEMORY:
        return cpu
    cpu = banking.write_core(cpu, access.rt, bits(value, 31, 0))
    if access.row.form is Form.DOUBLE:
        cpu = banking.write_core(cpu, access.rt2, bits(value, 63, 32))
    return cpu


@rule(arm("B4.1"), arm("C11"), arm("C12.8"), arm("B8.1"))
def coprocessor_write(cpu: Processor, access: CoprocessorAccess) -> Processor:
    """The processor after a permitted MCR, MCRR or LDC; read-only, constant and zero registers ignore it."""
    row = access.row
    if row.state is None or row.effect not in WRITABLE:
        return cpu
    value = banking.read_core(cpu, access.rt)
    if row.form is Form.DOUBLE:
        value = value | (banking.read_core(cpu, access.rt2) << 32)
    before, width = read(cpu, row.state), REGISTERS[row.state].width
    match row.effect:
        case Effect.SET_BITS:
            value = before | value
        case Effect.CLEAR_BITS:
            value = clear(before, value)
        case Effect.TIMER_VALUE:
            return put(cpu, "timer", timers.with_tval(cpu.timer, timer_of(row), value))
        case Effect.TIMER_CONTROL:
            return put(cpu, "timer", timers.with_ctl(cpu.timer, timer_of(row), value))
        case Effect.STORAGE:
            if width == 64 and row.form is Form.WORD:
                value = clear(before, 0xFFFFFFFF) | value
        case Effect.CHANNEL:
            return write(cpu, "dbgdtrtx", value)
        case Effect.OS_LOCK:
            return write(cpu, "dbgoslsr", clear(cpu.debug.dbgoslsr, 2) | choose(value == OS_LOCK_KEY, 2, 0))
    return write(cpu, row.state, value & IMPLEMENTED.get(row.state, mask(width)))


IMPLEMENTED = {"vbar": 0xFFFFFFE0}
"""The bits that a write can change, of registers whose other bits read as zero."""


WRITABLE = (
    Effect.STORAGE, Effect.SET_BITS, Effect.CLEAR_BITS, Effect.TIMER_VALUE, Effect.TIMER_CONTROL,
    Effect.CHANNEL, Effect.OS_LOCK,
)  # fmt: skip


OS_LOCK_KEY = 0xC5ACCE55
