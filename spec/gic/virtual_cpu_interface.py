"""The virtual CPU interface, GICV: which virtual interrupt is signalled, and what its acknowledge and its end change.

A guest sees a GIC without Security Extensions. What the architecture leaves open is in `Choices`.

Not modelled: list registers that `lists_legal` excludes (of several that fit, the first counts), so no property speaks
of what a guest sees behind a hypervisor that writes them; the time between a change and the signal that follows from
it, so no property sees a virtual interrupt that was withdrawn and is taken all the same.
"""

from attrs import frozen

from spec.citations import gic, rule
from spec.gic import list_registers as lists
from spec.gic.list_registers import SGIS, SPIS_END, ListState
from spec.gic.priorities import dropped, is_running, level, level_bit, preempts, running
from spec.gic.state import OTHER_GROUP, SPURIOUS, U10, Choices, VirtualInterface
from spec.gic.virtual_interface import EN, EOI_COUNT, VEM, VM_ACK_CTL, VM_CBPR, VM_FIQ_EN
from spec.processor import Processor
from spec.records import quick
from spec.words import U1, U5, U6, U8, U32, add, bit, bits, choose, either, every, implies, negate, put, put_all

NONE = SPURIOUS
"""In the place of a physical interrupt to deactivate: there is none."""


@quick
@frozen
class Candidate:
    """The pending virtual interrupt of the highest priority."""

    place: U6
    """Its list register."""
    lr: U32
    """What that holds; 0 where nothing is pending."""


@rule(gic("3.3.3"), gic("5.5.3"), gic("5.5.8"))
def virtual_level(vmcr: U32, lr: U32) -> U5:
    """The preemption level of an interrupt in a list register, by the guest's binary points."""
    bpr, abpr, common = bits(vmcr, 23, 21), bits(vmcr, 20, 18), bit(vmcr, VM_CBPR)
    return level(lists.priority(lr), lists.group(lr), bpr, abpr, common)


@rule(gic("5.5.1"))
def group_enabled(vmcr: U32, lr: U32) -> bool:
    """Whether the guest enables the group of an interrupt."""
    return choose(lists.group(lr) == 1, vmcr & 2, vmcr & 1) > 0


@rule(gic("5.2.1"), gic("3.3.1"))
def candidate(interface: VirtualInterface, choices: Choices) -> Candidate:
    """The list register that is pending, not active, and of the highest priority."""
    best = Candidate(0, 0)
    for place, lr in enumerate(interface.lrs):
        shown = either(choices.hides == 1, group_enabled(interface.vmcr, lr))
        eligible = every(lists.state(lr) == ListState.PENDING, shown)
        own, other = lists.priority(lr), lists.priority(best.lr)
        wins = either(best.lr == 0, own < other, every(own == other, choices.tie == place))
        best = choose(every(eligible, wins), Candidate(place, lr), best)
    return best


@rule(gic("5.2.1"), gic("3.3.3"), gic("5.5.2"))
def signalled(interface: VirtualInterface, offer: Candidate) -> bool:
    """Whether the candidate is signalled: enabled, not masked, and of a higher level than all that is active."""
    return every(
        bit(interface.hcr, EN) == 1,
        offer.lr > 0,
        group_enabled(interface.vmcr, offer.lr),
        lists.priority(offer.lr) < bits(interface.vmcr, 31, 27),
        preempts(virtual_level(interface.vmcr, offer.lr), interface.apr),
    )


@rule(gic("5.2.1"), gic("5.5.1"))
def virtual_signals(interface: VirtualInterface, choices: Choices) -> tuple[U1, U1]:
    """The levels of the virtual IRQ and the virtual FIQ: Group 0 is an FIQ where VMFIQEn is set, all else an IRQ."""
    offer = candidate(interface, choices)
    fast = every(lists.group(offer.lr) == 0, bit(interface.vmcr, VM_FIQ_EN) == 1)
    active = signalled(interface, offer)
    return choose(every(active, negate(fast)), 1, 0), choose(every(active, fast), 1, 0)


@rule(gic("5.3"))
def interface_of(cpu: Processor) -> VirtualInterface:
    """The virtual interface that the registers of a processor with four list registers describe."""
    own = cpu.gich
    lrs = (own.gich_lr0, own.gich_lr1, own.gich_lr2, own.gich_lr3)
    return VirtualInterface(own.gich_hcr, own.gich_vmcr, own.gich_apr, lrs)


@rule(gic("5.2.1"))
def drive(cpu: Processor, interface: VirtualInterface, choices: Choices) -> Processor:
    """The processor with its virtual interrupt inputs at the levels that its virtual interface gives."""
    levels = virtual_signals(interface, choices)
    return put(cpu, "signals", put_all(cpu.signals, ("virtual_irq", "virtual_fiq"), levels))


@rule(gic("5.5.4"), gic("5.5.9"), gic("3.5.3"))
def shown(offer: Candidate, vmcr: U32, alias: U1) -> U32:
    """How a register shows an interrupt: an alias (1) only Group 1, the others Group 1 only with AckCtl."""
    group1 = lists.group(offer.lr) == 1
    direct = choose(every(group1, bit(vmcr, VM_ACK_CTL) == 0), OTHER_GROUP, lists.interrupt_id(offer.lr))
    return choose(alias == 1, choose(group1, lists.interrupt_id(offer.lr), SPURIOUS), direct)


@rule(gic("5.5.4"), gic("5.5.9"), gic("3.2.4"))
def acknowledge(interface: VirtualInterface, alias: U1, choices: Choices) -> tuple[VirtualInterface, U32]:
    """A read of GICV_IAR, or of GICV_AIAR (`alias`): the interrupt signalled becomes active; a special number, nothing.

    The physical interrupt that may be behind it was acknowledged long before.
    """
    offer = candidate(interface, choices)
    value = choose(signalled(interface, offer), shown(offer, interface.vmcr, alias), SPURIOUS)
    taken = negate(either(value == SPURIOUS, value == OTHER_GROUP))
    active = level_bit(virtual_level(interface.vmcr, offer.lr))
    lrs = tuple(
        choose(every(taken, offer.place == place), lists.acknowledged(lr), lr) for place, lr in enumerate(interface.lrs)
    )
    apr = choose(taken, interface.apr | active, interface.apr)
    return put_all(interface, ("apr", "lrs"), (apr, lrs)), value


@rule(gic("5.5.6"))
def running_priority(interface: VirtualInterface) -> U8:
    """GICV_RPR."""
    return running(interface.apr)


@rule(gic("5.5.7"), gic("5.5.11"))
def highest_pending(interface: VirtualInterface, alias: U1, choices: Choices) -> U32:
    """GICV_HPPIR, or GICV_AHPPIR (`alias`): what is pending, whether it may preempt or not."""
    offer = candidate(interface, choices)
    masked = every(choices.masks == 1, lists.priority(offer.lr) >= bits(interface.vmcr, 31, 27))
    held = either(offer.lr == 0, negate(group_enabled(interface.vmcr, offer.lr)), masked)
    return choose(held, SPURIOUS, shown(offer, interface.vmcr, alias))


@rule(gic("5.5.5"), gic("5.5.14"))
def names(value: U32, lr: U32) -> bool:
    """Whether a write to GICV_EOIR or GICV_DIR names the interrupt in a list register, and it is active."""
    sgi = every(lists.virtual_id(lr) < SGIS, lists.hw(lr) == 0)
    source = implies(sgi, lists.cpu_id(lr) == bits(value, 12, 10))
    return every(lr & lists.ACTIVE_BIT > 0, lists.virtual_id(lr) == bits(value, 9, 0), source)


@rule(gic("5.5.5"), gic("5.5.14"))
def named(interface: VirtualInterface, value: U32) -> Candidate:
    """The active list register that a write to GICV_EOIR or GICV_DIR names; `lr` is 0 where there is none."""
    found = Candidate(0, 0)
    for place, lr in reversed(tuple(enumerate(interface.lrs))):
        found = choose(names(value, lr), Candidate(place, lr), found)
    return found


@rule(gic("5.3.1"), gic("5.5.5"))
def deactivate(interface: VirtualInterface, found: Candidate) -> tuple[VirtualInterface, U10]:
    """An interrupt ends, and with it the physical one that is returned; where it is in no list register, EOICount does.

    The physical one is NONE where the list register is not linked.
    """
    missing = found.lr == 0
    hcr = choose(missing, add(interface.hcr, 1 << EOI_COUNT, 32), interface.hcr)
    lrs = tuple(
        choose(every(negate(missing), found.place == place), lists.deactivated(lr), lr)
        for place, lr in enumerate(interface.lrs)
    )
    physical = choose(lists.hw(found.lr) == 1, lists.physical_id(found.lr), NONE)
    return put_all(interface, ("hcr", "lrs"), (hcr, lrs)), physical


@rule(gic("5.5.5"), gic("5.5.10"), gic("3.2.4"))
def end_of_interrupt(
    interface: VirtualInterface, value: U32, alias: U1, choices: Choices
) -> tuple[VirtualInterface, U10]:
    """A write to GICV_EOIR, or to GICV_AEOIR (`alias`): the priority drops, and without EOImode the interrupt ends.

    Returns the physical interrupt to deactivate, or NONE. UNPREDICTABLE where nothing is active, where what is named is
    not of the running priority, and where it is of the group of the other register.
    """
    found, split = named(interface, value), bit(interface.vmcr, VEM) == 1
    group1 = lists.group(found.lr) == 1
    own_group = choose(alias == 1, group1, either(negate(group1), bit(interface.vmcr, VM_ACK_CTL) == 1))
    fits = either(found.lr == 0, every(own_group, is_running(lists.priority(found.lr), interface.apr)))
    obeyed = either(every(interface.apr > 0, fits), every(choices.mismatch == 1, found.lr > 0))
    dropping = put(interface, "apr", dropped(interface.apr))
    ended, physical = deactivate(dropping, found)
    ignored = either(bits(value, 9, 0) >= SPIS_END, negate(obeyed))
    after = choose(ignored, interface, choose(split, dropping, ended))
    return after, choose(either(ignored, split), NONE, physical)


@rule(gic("5.5.14"), gic("3.2.4"))
def deactivation(interface: VirtualInterface, value: U32, choices: Choices) -> tuple[VirtualInterface, U10]:
    """A write to GICV_DIR: with EOImode the interrupt ends, in any order; without it UNPREDICTABLE.

    Returns the physical interrupt to deactivate, or NONE.
    """
    ended, physical = deactivate(interface, named(interface, value))
    allowed = either(bit(interface.vmcr, VEM) == 1, choices.deactivates == 1)
    obeyed = every(bits(value, 9, 0) < SPIS_END, allowed)
    return choose(obeyed, ended, interface), choose(obeyed, physical, NONE)
