"""Injection: a device's line, or user space with KVM_IRQ_LINE, tells the virtual distributor of a change."""

from model.threads import advanced, agent_of, with_agent
from model.vgic.design import Trait, VgicDesign
from model.vgic.pending import computed, in_flight, is_edge, is_enabled, key_of, noted, summary, with_irq
from model.vgic.state import IMPLEMENTED, PRIVATE, SGIS, VgicState, VirtualIrq
from spec.citations import gic, linux, rule
from spec.gic.state import U10
from spec.words import U1, U3, U4, U16, bits, choose, either, every, negate, put, put_all

VGIC = "virt/kvm/arm/vgic.c"
LAST_LINE = 127
"""KVM_ARM_IRQ_GIC_MAX: the largest number that KVM_IRQ_LINE takes."""


@rule(linux("arch/arm/kvm/arm.c", "kvm_vm_ioctl_irq_line"))
def line_refused(design: VgicDesign, vcpu: U3, count: U4, irq: U16) -> bool:
    """Whether KVM_IRQ_LINE refuses a number: an SGI's, one beyond the last, or a private one of a vCPU that is none."""
    bounded = every(Trait.LINE_BOUNDED in design.traits, irq > LAST_LINE)
    return either(irq < SGIS, bounded, every(irq < PRIVATE, vcpu >= count))


@rule(linux(VGIC, "kvm_vgic_inject_irq"), linux(VGIC, "vgic_update_irq_pending"))
def inject(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The agent's line goes to the distributor, unless its number is refused.

    A number beyond the distributor's arrays, or a target that is no vCPU, ends in memory of somebody else.
    """
    agent = agent_of(state, cpu)
    vm = state.vms[agent.vm]
    if line_refused(design, agent.vcpu, vm.count, agent.irq):
        return advanced(state, cpu)
    if agent.irq >= IMPLEMENTED:
        return advanced(put(state, "crashed", 1), cpu)
    number = bits(agent.irq, 9, 0)
    key = key_of(agent.vm, agent.vcpu, number)
    record = state.irqs.get(key)
    if every(number >= PRIVATE, record.target >= vm.count):
        return advanced(put(state, "crashed", 1), cpu)
    changed = lined(design, number, record, agent.level)
    accepted = injected(design, number, record, agent.level)
    open_now = every(accepted, is_enabled(number, changed), negate(in_flight(number, changed)))
    before = summary(design, state, key)
    now = computed(design, vm.enabled, key, changed)
    raised = every(open_now, either(is_edge(number, record), agent.level == 1))
    state = with_irq(design, state, key, changed, choose(raised, before | now, before))
    state = noted(state, cpu, choose(raised, now, 0))
    return advanced(with_agent(state, cpu, put(agent, "updated", choose(open_now, 1, 0))), cpu)


@rule(linux(VGIC, "vgic_validate_injection"))
def injected(design: VgicDesign, irq: U10, record: VirtualIrq, level: U1) -> bool:
    """Whether a line's level changes anything: a rising edge that is not pending yet, or another level."""
    known = record.line if Trait.LINE_APART in design.traits else record.pending
    edge = every(either(level == 1, Trait.FALLING_EDGES in design.traits), record.pending == 0)
    return choose(is_edge(irq, record), edge, negate(known == level))


@rule(linux(VGIC, "vgic_update_irq_pending"), gic("3.2.4"))
def lined(design: VgicDesign, irq: U10, record: VirtualIrq, level: U1) -> VirtualIrq:
    """The interrupt behind a change of its line."""
    soft = record.soft if Trait.LINE_APART in design.traits else 0
    asserted = choose(is_edge(irq, record), 1, level | soft)
    pending = choose(injected(design, irq, record, level), asserted, record.pending)
    return put_all(record, ("line", "pending"), (level, pending))
