"""The physical CPU interface, GICC: signals, acknowledge, priority drop and deactivation.

`ns` is 1 for a Non-secure access to a GIC with Security Extensions, 0 for a Secure one and on a GIC without them.

Not modelled: the bypass of a disabled interface; GICC_PMR changes that a Non-secure access would hide behind a Secure
one in between; so no property speaks about Secure software.
"""

from spec.citations import gic, rule
from spec.gic.distributor import acknowledged as made_active
from spec.gic.distributor import deactivate, forwards, key
from spec.gic.list_registers import SGIS, SPIS_END
from spec.gic.priorities import IDLE, dropped, highest, is_running, level, level_bit, nonsecure_view, preempts, running
from spec.gic.state import OTHER_GROUP, SPURIOUS, U10, Choices, CpuInterface, Distributor, Irq
from spec.words import U1, U2, U3, U5, U8, U32, bit, bits, choose, either, every, negate, put, put_all

ACK_CTL, FIQ_EN, CBPR, EOI_MODE_S, EOI_MODE_NS = 2, 3, 4, 9, 10
"""Bits of GICC_CTLR."""


@rule(gic("4.3.1"), gic("4.4.1"))
def enabled_groups(distributor: Distributor, interface: CpuInterface) -> U2:
    """Bit n where Group n is enabled in the distributor and in the CPU interface."""
    return distributor.ctlr & interface.ctlr & 3


@rule(gic("3.3.3"), gic("4.4.3"))
def interrupt_level(interface: CpuInterface, irq: Irq) -> U5:
    """The preemption level of an interrupt at a CPU interface."""
    return level(irq.priority >> 3, irq.group, interface.bpr, interface.abpr, bit(interface.ctlr, CBPR))


@rule(gic("3.3.3"), gic("4.4.2"))
def signalled(distributor: Distributor, interface: CpuInterface, cpu: U3, number: U10) -> bool:
    """Whether an interrupt that is the highest there is passes the priority mask and preempts what is active.

    The number 1023 stands for none.
    """
    at = key(cpu, number)
    irq = distributor.irqs.get(at)
    return every(
        number < SPIS_END,
        forwards(enabled_groups(distributor, interface), cpu, at, irq),
        irq.priority < interface.pmr,
        preempts(interrupt_level(interface, irq), interface.apr | interface.nsapr),
    )


@rule(gic("4.4.1"), gic("2.3.2"))
def signals(distributor: Distributor, interface: CpuInterface, cpu: U3, number: U10) -> tuple[U1, U1]:
    """The levels of IRQ and FIQ, with the highest interrupt there is: Group 0 is an FIQ where FIQEn is set."""
    fast = every(distributor.irqs.get(key(cpu, number)).group == 0, bit(interface.ctlr, FIQ_EN) == 1)
    active = signalled(distributor, interface, cpu, number)
    return choose(every(active, negate(fast)), 1, 0), choose(every(active, fast), 1, 0)


@rule(gic("4.4.4"), gic("4.4.9"), gic("3.5.3"))
def shown(interface: CpuInterface, irq: Irq, number: U10, source: U3, ns: U1, alias: U1) -> U32:
    """How a register shows an interrupt to an access: special numbers hide Group 0 from some, Group 1 from others."""
    whole = number | (choose(number < SGIS, source, 0) << 10)
    only_group1 = either(ns == 1, alias == 1)
    other = every(irq.group == 1, bit(interface.ctlr, ACK_CTL) == 0)
    return choose(only_group1, choose(irq.group == 1, whole, SPURIOUS), choose(other, OTHER_GROUP, whole))


@rule(gic("4.4.4"), gic("4.4.9"), gic("3.2.4"))
def acknowledge(
    distributor: Distributor, interface: CpuInterface, cpu: U3, number: U10, source: U3, ns: U1, alias: U1
) -> tuple[Distributor, CpuInterface, U32]:
    """A read of GICC_IAR, or of GICC_AIAR (`alias`), where `number` is the highest interrupt, 1023 for none.

    `source` is one that an SGI is pending from. A special number in the answer changes nothing.
    """
    at = key(cpu, number)
    irq = distributor.irqs.get(at)
    possible = signalled(distributor, interface, cpu, number)
    value = choose(possible, shown(interface, irq, number, source, ns, alias), SPURIOUS)
    taken = bits(value, 9, 0) < SPIS_END
    active = choose(taken, level_bit(interrupt_level(interface, irq)), 0)
    levels = (
        interface.apr | choose(irq.group == 0, active, 0),
        interface.nsapr | choose(irq.group == 1, active, 0),
    )
    irqs = distributor.irqs.set(at, choose(taken, made_active(irq, number, source), irq))
    return put(distributor, "irqs", irqs), put_all(interface, ("apr", "nsapr"), levels), value


@rule(gic("4.4.1"))
def split(interface: CpuInterface, ns: U1) -> bool:
    """Whether the end of an interrupt is apart from its priority drop (EOImode), for this kind of access."""
    return choose(ns == 1, bit(interface.ctlr, EOI_MODE_NS), bit(interface.ctlr, EOI_MODE_S)) == 1


@rule(gic("4.4.5"), gic("4.4.10"), gic("3.2.4"))
def end_of_interrupt(
    distributor: Distributor, interface: CpuInterface, cpu: U3, value: U32, ns: U1, alias: U1, choices: Choices
) -> tuple[Distributor, CpuInterface]:
    """A write to GICC_EOIR, or to GICC_AEOIR (`alias`): the priority drops, and without EOImode the interrupt ends.

    UNPREDICTABLE where what is named is not the active interrupt of the running priority, or of the other register's
    group; a Non-secure write never touches Group 0.
    """
    number = bits(value, 9, 0)
    irq = distributor.irqs.get(key(cpu, number))
    only_group1 = either(ns == 1, alias == 1)
    reached = either(irq.group == 1, ns == 0)
    own_group = either(choose(only_group1, irq.group == 1, irq.group == 0), bit(interface.ctlr, ACK_CTL) == 1)
    own, other = choose(irq.group == 1, (interface.nsapr, interface.apr), (interface.apr, interface.nsapr))
    first = every(highest(own | other) & own > 0, is_running(irq.priority >> 3, own))
    fits = every(either(irq.active == 1, split(interface, ns)), own_group, first)
    obeyed = every(number < SPIS_END, reached, either(fits, choices.mismatch == 1))
    drop = put_all(
        interface,
        ("apr", "nsapr"),
        (
            choose(irq.group == 0, dropped(interface.apr), interface.apr),
            choose(irq.group == 1, dropped(interface.nsapr), interface.nsapr),
        ),
    )
    ends = choose(every(obeyed, negate(split(interface, ns))), number, SPURIOUS)
    return deactivate(distributor, cpu, ends, ns), choose(obeyed, drop, interface)


@rule(gic("4.4.15"), gic("3.2.4"))
def deactivation(
    distributor: Distributor, interface: CpuInterface, cpu: U3, value: U32, ns: U1, choices: Choices
) -> Distributor:
    """A write to GICC_DIR: with EOImode the interrupt ends, in any order; without it UNPREDICTABLE."""
    allowed = either(split(interface, ns), choices.deactivates == 1)
    return deactivate(distributor, cpu, choose(allowed, bits(value, 9, 0), SPURIOUS), ns)


@rule(gic("4.4.7"), gic("4.4.11"))
def highest_pending(
    distributor: Distributor,
    interface: CpuInterface,
    cpu: U3,
    number: U10,
    source: U3,
    ns: U1,
    alias: U1,
    choices: Choices,
) -> U32:
    """GICC_HPPIR, or GICC_AHPPIR (`alias`), where `number` is the highest interrupt, 1023 for none."""
    at = key(cpu, number)
    irq = distributor.irqs.get(at)
    masked = every(choices.masks == 1, irq.priority >= interface.pmr)
    there = every(number < SPIS_END, forwards(enabled_groups(distributor, interface), cpu, at, irq), negate(masked))
    return choose(there, shown(interface, irq, number, source, ns, alias), SPURIOUS)


@rule(gic("4.4.6"), gic("3.5.1"))
def running_priority(interface: CpuInterface, ns: U1) -> U8:
    """GICC_RPR: a Non-secure read sees Group 0 as 0, and the lower half of the priorities as all there are."""
    value = running(interface.apr | interface.nsapr)
    return choose(every(ns == 1, negate(value == IDLE)), nonsecure_view(value), value)
