"""The distributor, GICD: when an interrupt is pending, active and forwarded, and what changes that.

The rules of one interrupt take and give its `Irq`; a rule of the whole distributor looks it up. Which of several equal
interrupts is the highest is IMPLEMENTATION DEFINED: `highest` says which may be, and the caller names one.

Not modelled: two processors that acknowledge one SPI at the same time (one access follows the other, so that the second
finds it active); the delay between a change and its effect, so no property sees an interrupt that was disabled and
still arrives.
"""

from collections.abc import Callable

from spec.citations import gic, rule, trm
from spec.gic.list_registers import PPIS_END, SGIS, SPIS_END
from spec.gic.state import U10, Distributor, Irq
from spec.words import (
    U1,
    U2,
    U3,
    U8,
    U32,
    bit,
    bits,
    choose,
    clear,
    either,
    every,
    find,
    inv,
    mask,
    put,
    put_all,
    select,
)

CPUS = 8
"""The most processors that a distributor serves."""
SECURITY = 10
"""Bit of GICD_TYPER: the GIC has the Security Extensions."""
CPU_BITS = tuple(1 << cpu for cpu in range(CPUS))
UP_TO = tuple(mask(last + 1) for last in range(CPUS))

Key = tuple[U3, U10]
"""The bank and the number of an interrupt."""


@rule(gic("2.2.1"), gic("4.1.4"))
def key(cpu: U3, number: U10) -> Key:
    """Where an interrupt is kept: SGIs and PPIs once for each processor."""
    return choose(number < PPIS_END, cpu, 0), number


@rule(gic("4.3.2"))
def implemented(distributor: Distributor, number: U10) -> bool:
    """Whether GICD_TYPER.ITLinesNumber says that there is such an interrupt."""
    return every(number < SPIS_END, number >> 5 <= bits(distributor.typer, 4, 0))


@rule(gic("4.3.2"))
def processors(distributor: Distributor) -> U8:
    """Bit n for each processor n that GICD_TYPER.CPUNumber says there is."""
    return select(UP_TO, bits(distributor.typer, 7, 5))


@rule(gic("3.2.4"), gic("4.3.7"))
def pending(irq: Irq, number: U10) -> bool:
    """Whether an interrupt is pending: an SGI from some source, any other by its latch or its level-sensitive line."""
    signal = either(irq.latch == 1, every(irq.edge == 0, irq.line == 1))
    return choose(number < SGIS, irq.sources > 0, signal)


@rule(gic("4.3.5"), trm("8.3.1"))
def enabled(irq: Irq, number: U10) -> bool:
    """Whether an interrupt is enabled: SGIs always are, which the architecture leaves to the implementation."""
    return either(number < SGIS, irq.enabled == 1)


@rule(gic("3.2.4"))
def line_changed(irq: Irq, level: U1) -> Irq:
    """The signal of a PPI or an SPI changes: a rising edge is latched where the interrupt is edge-triggered."""
    rises = every(irq.edge == 1, irq.line == 0, level == 1)
    return put_all(irq, ("line", "latch"), (level, choose(rises, 1, irq.latch)))


@rule(gic("3.2.4"), gic("4.4.4"))
def acknowledged(irq: Irq, number: U10, source: U3) -> Irq:
    """The interrupt becomes active: one source of an SGI, or the latch, is served, but a high level stays pending."""
    left = choose(number < SGIS, clear(irq.sources, select(CPU_BITS, source)), irq.sources)
    return put_all(irq, ("active", "latch", "sources"), (1, 0, left))


@rule(gic("3.2.4"), gic("4.4.5"), gic("4.4.15"))
def ended(irq: Irq) -> Irq:
    """The interrupt is no longer active; what is pending stays so."""
    return put(irq, "active", 0)


@rule(gic("4.3.15"))
def sgi_targets(sgir: U32, cpu: U3) -> U8:
    """The processors that a write to GICD_SGIR addresses: a list, all but the writer, or the writer; else none."""
    own = select(CPU_BITS, cpu)
    return find(((0, bits(sgir, 23, 16)), (1, inv(own, CPUS)), (2, own)), bits(sgir, 25, 24), 0)


@rule(gic("4.3.15"), gic("3.2.4"))
def send_sgi(distributor: Distributor, cpu: U3, sgir: U32, ns: U1) -> Distributor:
    """A processor writes GICD_SGIR: the SGI is pending from it at all it addresses, and at no other.

    With Security Extensions only where the SGI is of the group that NSATT names, for Non-secure writes (`ns`) Group 1.
    """
    targets, number = sgi_targets(sgir, cpu) & processors(distributor), bits(sgir, 3, 0)
    own, secure, group = select(CPU_BITS, cpu), bit(distributor.typer, SECURITY), ns | bit(sgir, 15)
    irqs = distributor.irqs
    for target in range(CPUS):
        irq = irqs.get((target, number))
        sent = every(bit(targets, target) == 1, either(secure == 0, irq.group == group))
        irqs = irqs.set((target, number), choose(sent, put(irq, "sources", irq.sources | own), irq))
    return put(distributor, "irqs", irqs)


@rule(gic("3.2.2"), gic("4.3.5"), gic("4.3.12"))
def forwards(groups: U2, cpu: U3, at: Key, irq: Irq) -> bool:
    """Whether an interrupt is a candidate at a processor: pending, not active, enabled, of an enabled group, its own.

    `groups` has bit n where both the distributor and the CPU interface enable Group n.
    """
    bank, number = at
    own = choose(number < PPIS_END, bank == cpu, irq.targets & select(CPU_BITS, cpu) > 0)
    group_enabled = choose(irq.group == 1, groups & 2, groups & 1) > 0
    return every(enabled(irq, number), group_enabled, irq.active == 0, own, pending(irq, number))


@rule(gic("3.3.1"), gic("3.3.2"))
def highest(distributor: Distributor, groups: U2, cpu: U3, number: U10) -> bool:
    """Whether an interrupt may be the one of the highest priority that is forwarded to a processor."""
    at = key(cpu, number)
    found = distributor.irqs.get(at)

    def better(other: Key, irq: Irq) -> bool:
        return every(forwards(groups, cpu, other, irq), irq.priority < found.priority)

    return every(forwards(groups, cpu, at, found), distributor.irqs.none_where(better))


@rule(gic("3.2.2"))
def quiet(distributor: Distributor, groups: U2, cpu: U3) -> bool:
    """Whether no interrupt is forwarded to a processor."""
    return distributor.irqs.none_where(lambda at, irq: forwards(groups, cpu, at, irq))


def _changed(distributor: Distributor, cpu: U3, number: U10, change: Callable[[Irq], Irq]) -> Distributor:
    at = key(cpu, number)
    irq = distributor.irqs.get(at)
    after = choose(implemented(distributor, number), change(irq), irq)
    return put(distributor, "irqs", distributor.irqs.set(at, after))


@rule(gic("3.2.4"))
def signal(distributor: Distributor, cpu: U3, number: U10, level: U1) -> Distributor:
    """The signal of a PPI of a processor, or of an SPI, goes to a level."""
    return _changed(distributor, cpu, number, lambda irq: line_changed(irq, level))


@rule(gic("4.4.15"), gic("5.5.5"))
def deactivate(distributor: Distributor, cpu: U3, number: U10, ns: U1) -> Distributor:
    """An interrupt ends, by a write or because a guest ended a list register linked to it; 1023 ends nothing.

    With Security Extensions a Non-secure access (`ns`) ends only Group 1; a list register's end is such an access.
    """
    hidden = ns & bit(distributor.typer, SECURITY)

    def end(irq: Irq) -> Irq:
        return choose(either(hidden == 0, irq.group == 1), ended(irq), irq)

    return _changed(distributor, cpu, number, end)
