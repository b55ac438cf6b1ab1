"""When an asynchronous exception is taken: masking, virtual exceptions, and what ends WFI and WFE.

Among several that are not masked, which is taken first is IMPLEMENTATION DEFINED: each has its own predicate.
"""

from spec.citations import arm, rule
from spec.exceptions import AMO, FMO, IMO, TGE, VA, VF, VI
from spec.processor import Processor
from spec.psr import A_BIT, F_BIT, I_BIT, is_hyp
from spec.words import U1, U32, bit, choose, either, every, negate


def _physical_taken(cpu: Processor, signal: U1, route: int, masked_by: int) -> bool:
    routed = every((cpu.hyp.hcr & ((1 << route) | (1 << TGE))) > 0, negate(is_hyp(cpu.cpsr)))
    return every(signal == 1, either(bit(cpu.cpsr, masked_by) == 0, routed))


@rule(arm("B1.8.6"), arm("B1.8.7"))
def irq_taken(cpu: Processor) -> bool:
    """Whether an IRQ is asserted and not masked: where Hyp mode takes it from below, CPSR.I does not mask it."""
    return _physical_taken(cpu, cpu.signals.irq, IMO, I_BIT)


@rule(arm("B1.8.6"), arm("B1.8.7"))
def fiq_taken(cpu: Processor) -> bool:
    """Whether an FIQ is asserted and not masked: where Hyp mode takes it from below, CPSR.F does not mask it."""
    return _physical_taken(cpu, cpu.signals.fiq, FMO, F_BIT)


@rule(arm("B1.8.6"), arm("B1.8.7"))
def abort_taken(cpu: Processor) -> bool:
    """Whether an asynchronous abort is asserted and not masked: CPSR.A does not mask what Hyp mode takes from below."""
    return _physical_taken(cpu, cpu.signals.abort, AMO, A_BIT)


@rule(arm("B1.8.11"))
def virtual_irq_pending(cpu: Processor) -> bool:
    """Whether a virtual IRQ is pending, from HCR.VI or from the GIC."""
    return either(bit(cpu.hyp.hcr, VI) == 1, cpu.signals.virtual_irq == 1)


@rule(arm("B1.8.11"))
def virtual_fiq_pending(cpu: Processor) -> bool:
    """Whether a virtual FIQ is pending, from HCR.VF or from the GIC."""
    return either(bit(cpu.hyp.hcr, VF) == 1, cpu.signals.virtual_fiq == 1)


@rule(arm("B1.8.11"))
def virtual_abort_pending(cpu: Processor) -> bool:
    """Whether a virtual asynchronous abort is pending."""
    return bit(cpu.hyp.hcr, VA) == 1


def _signalled(cpu: Processor, pending: bool, route: int) -> bool:
    hcr = cpu.hyp.hcr
    enabled = hcr & ((1 << route) | (1 << TGE)) == 1 << route
    return every(pending, enabled, negate(is_hyp(cpu.cpsr)))


@rule(arm("B1.8.11"), arm("B1.8.6"))
def virtual_irq_taken(cpu: Processor) -> bool:
    """Whether a virtual IRQ is signalled (HCR.IMO, below Hyp mode) and CPSR.I does not mask it."""
    return every(_signalled(cpu, virtual_irq_pending(cpu), IMO), bit(cpu.cpsr, I_BIT) == 0)


@rule(arm("B1.8.11"), arm("B1.8.6"))
def virtual_fiq_taken(cpu: Processor) -> bool:
    """Whether a virtual FIQ is signalled (HCR.FMO, below Hyp mode) and CPSR.F does not mask it."""
    return every(_signalled(cpu, virtual_fiq_pending(cpu), FMO), bit(cpu.cpsr, F_BIT) == 0)


@rule(arm("B1.8.11"), arm("B1.8.6"))
def virtual_abort_taken(cpu: Processor) -> bool:
    """Whether a virtual abort is signalled (HCR.AMO, below Hyp mode) and CPSR.A does not mask it."""
    return every(_signalled(cpu, virtual_abort_pending(cpu), AMO), bit(cpu.cpsr, A_BIT) == 0)


@rule(arm("B1.8.14"))
def wfi_wakes(cpu: Processor) -> bool:
    """Whether WFI does not suspend, or ends: something is asserted, whatever CPSR masks."""
    return either(
        cpu.signals.irq == 1,
        cpu.signals.fiq == 1,
        cpu.signals.abort == 1,
        _signalled(cpu, virtual_irq_pending(cpu), IMO),
        _signalled(cpu, virtual_fiq_pending(cpu), FMO),
        _signalled(cpu, virtual_abort_pending(cpu), AMO),
    )


@rule(arm("B1.8.13"))
def wfe_wakes(cpu: Processor) -> bool:
    """Whether WFE does not suspend, or ends: the event register is set, or something that is not masked is asserted."""
    return either(
        cpu.local.event == 1,
        irq_taken(cpu),
        fiq_taken(cpu),
        abort_taken(cpu),
        virtual_irq_taken(cpu),
        virtual_fiq_taken(cpu),
        virtual_abort_taken(cpu),
    )


@rule(arm("B4.1.97"), arm("B1.8.11"))
def interrupt_status(cpu: Processor) -> U32:
    """ISR: A in bit 8, I in bit 7, F in bit 6; below Hyp mode each shows the virtual exception where HCR routes it."""
    hcr, below = cpu.hyp.hcr, negate(is_hyp(cpu.cpsr))

    def shown(route: int, virtual: bool, physical: U1) -> U1:
        return choose(every(below, bit(hcr, route) == 1), choose(virtual, 1, 0), physical)

    return (
        (shown(AMO, virtual_abort_pending(cpu), cpu.signals.abort) << A_BIT)
        | (shown(IMO, virtual_irq_pending(cpu), cpu.signals.irq) << I_BIT)
        | (shown(FMO, virtual_fiq_pending(cpu), cpu.signals.fiq) << F_BIT)
    )
