"""Core registers and SPSR as the current mode sees them: which bank a register number names."""

from typing import Protocol, TypeVar

import attrs

from spec.citations import arm, rule
from spec.operations import CoreNumber
from spec.processor import Banked, FiqBank, General, Processor
from spec.psr import Mode, mode
from spec.words import U32, choose, either, find, negate, put, select


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
    current, g, b, f = mode(cpu.cpsr), cpu.general, cpu.banked, cpu.fiq
    fiq, irq, svc, abt, und = (current == m for m in (Mode.FIQ, Mode.IRQ, Mode.SVC, Mode.ABT, Mode.UND))
    sp = choose(svc, b.sp_svc, choose(irq, b.sp_irq, choose(abt, b.sp_abt, choose(und, b.sp_und, g.sp_usr))))
    lr = choose(svc, b.lr_svc, choose(irq, b.lr_irq, choose(abt, b.lr_abt, choose(und, b.lr_und, g.lr_usr))))
    return select(
        (
            g.r0, g.r1, g.r2, g.r3, g.r4, g.r5, g.r6, g.r7,
            choose(fiq, f.r8_fiq, g.r8_usr),
            choose(fiq, f.r9_fiq, g.r9_usr),
            choose(fiq, f.r10_fiq, g.r10_usr),
            choose(fiq, f.r11_fiq, g.r11_usr),
            choose(fiq, f.r12_fiq, g.r12_usr),
            choose(current == Mode.HYP, cpu.hyp.sp_hyp, choose(fiq, f.sp_fiq, sp)),
            choose(fiq, f.lr_fiq, lr),
        ),
        n,
    )  # fmt: skip


@rule(arm("B1.3.2"))
def write_core(cpu: Processor, n: CoreNumber, value: U32) -> Processor:
    """Core register r0 to r14 of the current mode replaced; Hyp mode writes SP_hyp and LR_usr."""
    written = write_below_hyp(cpu, n, value)
    if mode(cpu.cpsr) == Mode.HYP:
        return put(written, "hyp", put(cpu.hyp, "sp_hyp", choose(n == 13, value, cpu.hyp.sp_hyp)))
    return written


def write_below_hyp(context: S, n: int, value: int) -> S:
    """`write_core` on any record with CPSR and the banks of PL1 and PL0: a processor, or a context saved in memory."""
    current, g, b, f = mode(context.cpsr), context.general, context.banked, context.fiq
    fiq, irq, svc, abt, und = (current == m for m in (Mode.FIQ, Mode.IRQ, Mode.SVC, Mode.ABT, Mode.UND))
    r8, r9, r10, r11, r12, sp, lr = (n == k for k in range(8, 15))
    shared, own_lr = negate(fiq), negate(either(fiq, irq, svc, abt, und))
    own_sp = own_lr & (current != Mode.HYP)
    return attrs.evolve(  # type: ignore[misc]
        context,
        general=General(
            choose(n == 0, value, g.r0), choose(n == 1, value, g.r1), choose(n == 2, value, g.r2),
            choose(n == 3, value, g.r3), choose(n == 4, value, g.r4), choose(n == 5, value, g.r5),
            choose(n == 6, value, g.r6), choose(n == 7, value, g.r7),
            choose(r8 & shared, value, g.r8_usr), choose(r9 & shared, value, g.r9_usr),
            choose(r10 & shared, value, g.r10_usr), choose(r11 & shared, value, g.r11_usr),
            choose(r12 & shared, value, g.r12_usr),
            choose(sp & own_sp, value, g.sp_usr), choose(lr & own_lr, value, g.lr_usr),
        ),
        banked=Banked(
            choose(sp & svc, value, b.sp_svc), choose(lr & svc, value, b.lr_svc), b.spsr_svc,
            choose(sp & abt, value, b.sp_abt), choose(lr & abt, value, b.lr_abt), b.spsr_abt,
            choose(sp & und, value, b.sp_und), choose(lr & und, value, b.lr_und), b.spsr_und,
            choose(sp & irq, value, b.sp_irq), choose(lr & irq, value, b.lr_irq), b.spsr_irq,
        ),
        fiq=FiqBank(
            choose(r8 & fiq, value, f.r8_fiq), choose(r9 & fiq, value, f.r9_fiq),
            choose(r10 & fiq, value, f.r10_fiq), choose(r11 & fiq, value, f.r11_fiq),
            choose(r12 & fiq, value, f.r12_fiq),
            choose(sp & fiq, value, f.sp_fiq), choose(lr & fiq, value, f.lr_fiq), f.spsr_fiq,
        ),
    )  # fmt: skip
