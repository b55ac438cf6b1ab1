"""Core registers and SPSR as the current mode sees them: which bank a register number names."""

from typing import Protocol, TypeVar

import attrs

from spec.citations import arm, rule
from spec.operations import CoreNumber
from spec.processor import Banked, FiqBank, General, Processor
from spec.psr import Mode, mode
from spec.registers import Banking, read_banked, write_banked
from spec.words import U32, choose, find, put


class Banks(Protocol):
    """What PL1 and PL0 registers live in: a processor, or a context saved in memory."""

    @property
    def cpsr(self) -> int: ...
    @property
    def general(self) -> General: ...
    @property
    def banked(self) -> Banked: ...
    @property
    def fiq(self) -> FiqBank: ...


S = TypeVar("S", bound=Banks)

SHARED = ("r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7")
HIGH = ("r8_usr", "r9_usr", "r10_usr", "r11_usr", "r12_usr")
BELOW_HYP = (
    (Mode.FIQ, (*SHARED, "r8_fiq", "r9_fiq", "r10_fiq", "r11_fiq", "r12_fiq", "sp_fiq", "lr_fiq")),
    (Mode.SVC, (*SHARED, *HIGH, "sp_svc", "lr_svc")),
    (Mode.IRQ, (*SHARED, *HIGH, "sp_irq", "lr_irq")),
    (Mode.ABT, (*SHARED, *HIGH, "sp_abt", "lr_abt")),
    (Mode.UND, (*SHARED, *HIGH, "sp_und", "lr_und")),
)
USER = (*SHARED, *HIGH, "sp_usr", "lr_usr")
"""r0 to r14 of User and System mode."""
CORE = Banking(USER, (*BELOW_HYP, (Mode.HYP, (*SHARED, *HIGH, "sp_hyp", "lr_usr"))))
"""r0 to r14 as each mode sees them."""
CORE_BELOW_HYP = Banking(USER, (*BELOW_HYP, (Mode.HYP, (*SHARED, *HIGH, None, "lr_usr"))))
"""The same without Hyp mode's own SP, which is no register of PL1."""


@rule(arm("B1.3.2"), arm("B1.3.3"))
def read_spsr(cpu: Processor, unknown: U32) -> U32:
    """The SPSR of the current mode; User and System mode have none, and the read gives `unknown`."""
    banked = cpu.banked
    table = (
        (Mode.SVC, banked.spsr_svc),
        (Mode.ABT, banked.spsr_abt),
        (Mode.UND, banked.spsr_und),
        (Mode.IRQ, banked.spsr_irq),
        (Mode.FIQ, cpu.fiq.spsr_fiq),
        (Mode.HYP, cpu.hyp.spsr_hyp),
    )
    return find(table, mode(cpu.cpsr), unknown)


@rule(arm("B1.3.2"), arm("B1.3.3"))
def write_spsr(cpu: Processor, value: U32) -> Processor:
    """The SPSR of the current mode replaced; without effect in User and System mode, which have none."""
    current, banked = mode(cpu.cpsr), cpu.banked
    if current == Mode.HYP:
        return put(cpu, "hyp", put(cpu.hyp, "spsr_hyp", value))
    return attrs.evolve(
        cpu,
        banked=attrs.evolve(
            banked,
            spsr_svc=choose(current == Mode.SVC, value, banked.spsr_svc),
            spsr_abt=choose(current == Mode.ABT, value, banked.spsr_abt),
            spsr_und=choose(current == Mode.UND, value, banked.spsr_und),
            spsr_irq=choose(current == Mode.IRQ, value, banked.spsr_irq),
        ),
        fiq=put(cpu.fiq, "spsr_fiq", choose(current == Mode.FIQ, value, cpu.fiq.spsr_fiq)),
    )


@rule(arm("B1.3.2"))
def read_core(cpu: Processor, n: CoreNumber) -> U32:
    """Core register r0 to r14 as the current mode sees it; Hyp mode sees SP_hyp and LR_usr."""
    return read_banked(cpu, CORE, mode(cpu.cpsr), n)


@rule(arm("B1.3.2"))
def write_core(cpu: Processor, n: CoreNumber, value: U32) -> Processor:
    """Core register r0 to r14 of the current mode replaced; Hyp mode writes SP_hyp and LR_usr."""
    written = write_below_hyp(cpu, n, value)
    if mode(cpu.cpsr) == Mode.HYP:
        return put(written, "hyp", put(cpu.hyp, "sp_hyp", choose(n == 13, value, cpu.hyp.sp_hyp)))
    return written


def read_below_hyp(context: Banks, n: int) -> int:
    """`read_core` on any record with CPSR and the banks of PL1 and PL0."""
    return read_banked(context, CORE_BELOW_HYP, mode(context.cpsr), n)


def write_below_hyp(context: S, n: int, value: int) -> S:
    """`write_core` on any record with CPSR and the banks of PL1 and PL0: a processor, or a context saved in memory."""
    return write_banked(context, CORE_BELOW_HYP, mode(context.cpsr), n, value)
