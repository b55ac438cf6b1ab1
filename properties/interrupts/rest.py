"""Where a fair drain comes to rest: what it may do next in a state, in any order, and what is owed where it can do
nothing.

A processor takes the physical interrupts that are pending before anything else. A guest acknowledges and ends what its
interface lets it, and before that the device lowers the line; where it gets nothing it waits (WFI), if another vCPU
needs a processor, or if it is asked what becomes of those that wait.

Nothing is owed to a guest that closes its interface or has ended what was not active, nor to any other one of what is
active there, or in a list register of a vCPU that is powered off.
"""

from collections.abc import Callable, Iterator
from typing import Any

from model.threads import agent_of, is_agent
from model.vgic import system as vgic
from model.vgic.design import GUEST, OUT, Do, VgicDesign
from model.vgic.guest import Acknowledges, Completes, GuestUse, guest_step
from model.vgic.lists import to_flush
from model.vgic.pending import Key, in_flight, is_edge, key_of
from model.vgic.state import END, Core, Vcpu, VgicState, VirtualIrq
from model.vgic.system import VgicAction, VgicSteps
from properties.interrupts.invariants.terms import asks, is_valid, key_held, of_core
from properties.interrupts.ranking import lowered
from properties.interrupts.steps import awaited, between, has_place, in_lists, listed, places_of, runs_on, vm_of
from properties.quantify import each, somewhere
from spec.gic import list_registers as lists
from spec.gic.state import VirtualInterface
from spec.gic.virtual_interface import maintenance
from spec.words import U32, bits, choose, either, every, find, implies, member, negate


def ways_on(state: VgicState) -> Iterator[VgicAction]:
    """Every action of a drain but for uses of GICV and what devices do; which interrupt a flush takes is left open."""
    for cpu in range(len(state.cores) + len(state.agents)):
        yield VgicSteps(cpu)
    for cpu in range(len(state.cores)):
        yield from (vgic.HostTakesInterrupts(cpu), vgic.GuestInterrupted(cpu), vgic.GuestWaits(cpu))
        yield from (vgic.HostRuns(cpu, number) for number in range(len(state.vcpus)))


def leads_on(design: VgicDesign, state: VgicState, action: VgicAction) -> Any:
    """Whether one of these actions is the drain's; it is possible then, as the proof of delivery asks."""
    cpu = action.cpu
    if is_agent(state, cpu):
        agent = agent_of(state, cpu)
        return every(negate(agent.at == OUT), negate(blocked(design, state, agent.at, agent.vm)))
    core = state.cores[cpu]
    hit = either(core.ipi == 1, core.irq == 1)
    match action:
        case vgic.HostTakesInterrupts():
            return every(hit, core.masked == 0)
        case vgic.HostRuns(_, number):
            return every(core.busy == 0, core.masked == 0, negate(hit), runnable(state, number))
        case vgic.GuestInterrupted():
            return every(either(hit, maintenance(core.gich) == 1), of_thread(state, core, is_inside))
        case vgic.GuestWaits():
            full = either(*(either(is_valid(lr), asks(lr)) for lr in core.gich.lrs))
            unpinned = of_thread(state, core, lambda vcpu: every(is_inside(vcpu), vcpu.pins == 0))
            return every(negate(hit), negate(full), unpinned)
        case VgicSteps():
            goes = of_thread(state, core, lambda v: negate(either(is_inside(v), blocked(design, state, v.at, v.vm))))
            return every(either(core.masked == 1, negate(hit)), goes)
    return False


def flush_leads_on(design: VgicDesign, state: VgicState, action: VgicSteps) -> Any:
    """Whether a flush can go on: it ends, or something waits; and it takes an interrupt that waits, the action's, if
    none does that is lower: of those that wait one is the lowest.

    Of arbitrary contents only the interrupts that were read are known, those among them that the guards found.
    """
    vcpu = state.vcpus[state.cores[action.cpu].vcpu]
    ends = vgic.vgic_guard(design, state, VgicSteps(action.cpu, END))
    takes = vgic.vgic_guard(design, state, action)

    def waits(key: Key, record: VirtualIrq) -> Any:
        return every(key[2] < END, to_flush(design, state, action.cpu, key))

    def lower(key: Key, record: VirtualIrq) -> Any:
        return every(key[2] < action.irq, waits(key, record))

    own = key_of(vcpu.vm, vcpu.number, action.irq)
    lowest = every(waits(own, state.irqs.get(own)), negate(somewhere(state.irqs, lower)))
    return every(either(ends, somewhere(state.irqs, waits)), implies(lowest, takes))


def of_thread(state: VgicState, core: Core, condition: Callable[[Vcpu], Any]) -> Any:
    """Whether something holds of the vCPU whose thread a processor runs, if it runs one."""
    return either(*(every(runs_on(core, number), condition(vcpu)) for number, vcpu in enumerate(state.vcpus)))


def is_inside(vcpu: Vcpu) -> Any:
    """Whether a vCPU is in its guest."""
    return vcpu.at == GUEST


def runnable(state: VgicState, number: int) -> Any:
    """Whether a vCPU's thread waits for a processor, or one that is powered on may call KVM_RUN."""
    vcpu = state.vcpus[number]
    return every(either(vcpu.pause == 0, negate(vcpu.at == OUT)), vgic.may_run(state, number))


def blocked(design: VgicDesign, state: VgicState, at: int, vm: int) -> Any:
    """Whether a thread is about to take a lock that somebody holds."""
    return every(member(at, places_of(design, Do.LOCK)), vm_of(state, vm).lock > 0)


def able(design: VgicDesign, state: VgicState) -> Any:
    """Whether the drain has a next step but for uses of GICV and what devices do."""
    wanted = either(*(runnable(state, number) for number in range(len(state.vcpus))))
    found = []
    for action in ways_on(state):
        needed = wanted if isinstance(action, vgic.GuestWaits) else True
        found.append(needed if needed is False else every(needed, leads_on(design, state, action)))
        if found[-1] is True:
            return True
    return either(*found)


def served(state: VgicState, number: int, old: tuple[U32, ...], new: tuple[U32, ...]) -> Any:
    """Whether a guest's use of its interface changes a list register, and ends nothing of which the line is high."""
    found, right = [], []
    for before, after in zip(old, new, strict=True):
        found.append(negate(before == after))
        ends = every(before & lists.ACTIVE_BIT > 0, after & lists.ACTIVE_BIT == 0)
        right.append(implies(ends, negate(is_driven(state, number, before))))
    return every(either(*found), *right)


def is_driven(state: VgicState, number: int, lr: U32) -> Any:
    """Whether the interrupt of a list register is level-sensitive and its line high, where devices drive any."""
    key = key_held(state, number, lr)
    record = state.irqs.get(key)
    return every(negate(is_edge(key[2], record)), record.line == 1, len(state.agents) > 0)


def lowers(design: VgicDesign, state: VgicState, action: VgicAction) -> Any:
    """Whether a device begins to lower a line whose interrupt a guest has acknowledged."""
    if not isinstance(action, vgic.LineChanges):
        return False
    found = []
    key = (action.vm, 0, action.irq)
    record = state.irqs.get(key)
    for number, vcpu in enumerate(state.vcpus):
        for lr in listed(design, state, number):
            mine = every(vcpu.vm == action.vm, lists.virtual_id(lr) == action.irq, lr & lists.ACTIVE_BIT > 0)
            found.append(every(is_inside(vcpu), mine))
    level = every(negate(is_edge(action.irq, record)), record.line == 1, action.level == 0)
    return every(level, negate(lowered(state, key)), either(*found))


def guest_goes_on(design: VgicDesign, state: VgicState) -> Any:
    """Whether some guest can acknowledge or end an interrupt, or a device lower the line of one that is active."""
    found = []
    for core in state.cores:
        for number in range(len(state.vcpus)):
            goes = every(runs_on(core, number), is_inside(state.vcpus[number]))
            if goes is not False:
                found.append(every(goes, acts(design, state, core, number)))
    return either(*found)


def acts(design: VgicDesign, state: VgicState, core: Core, number: int) -> Any:
    """The same of the guest that a processor runs."""

    def uses(use: GuestUse) -> Any:
        return served(state, number, core.gich.lrs, guest_step(core.gich, use).lrs)

    found = [uses(Acknowledges())]
    vcpu, first = state.vcpus[number], len(state.cores)
    for lr in core.gich.lrs:
        active = lr & lists.ACTIVE_BIT > 0
        found.append(every(active, uses(Completes(lists.interrupt_id(lr)))))
        for cpu, agent in enumerate(state.agents, first):
            falls = vgic.LineChanges(cpu, vcpu.vm, vcpu.number, lists.virtual_id(lr), 0)
            found.append(every(active, agent.at == OUT, lowers(design, state, falls)))
    return either(*found)


def willing(design: VgicDesign, state: VgicState, number: int) -> Any:
    """Whether a vCPU is powered on, its interface signals everything, and its guest has ended just what was active."""
    vcpu = state.vcpus[number]
    gich: VirtualInterface = of_core(state, number, lambda core: core.gich)
    loaded = member(vcpu.at, between(design, Do.LOAD_VMCR, Do.SAVE_VMCR))
    vmcr = choose(loaded, gich.vmcr, vcpu.saved.vmcr)
    loaded = member(vcpu.at, between(design, Do.LOAD_APR, Do.SAVE_APR))
    apr = choose(loaded, gich.apr, vcpu.saved.apr)
    active = either(*(place.active for place in in_lists(design, state, (number,))))
    return every(vcpu.pause == 0, vmcr & SWITCHES == SIGNALS, bits(vmcr, 31, 27) > 0, apr == choose(active, 1, 0))


SWITCHES = 1 << 9 | 1 << 3 | 1
"""GICH_VMCR.VEM, VMFIQEn and VMGrp0En: of Group 0, in which Linux 3.12 has all virtual interrupts."""
SIGNALS = 1


def owed(design: VgicDesign, state: VgicState) -> list[tuple[Key, Any]]:
    """Interrupts, each with whether it waits for a guest that takes it, in the distributor or in a list register."""
    takes, found = [willing(design, state, number) for number in range(len(state.vcpus))], []
    for key, record in each(state.irqs):
        waits = either(*(every(takes[n], awaited(state, n, key, record)) for n in range(len(takes))))
        kept = either(*(every(negate(takes[n]), keeps(design, state, n, key, record)) for n in range(len(takes))))
        found.append((key, every(waits, negate(kept))))
    found += [(place.key, every(takes[place.vcpu], place.held, place.pending)) for place in in_lists(design, state)]
    return found


def keeps(design: VgicDesign, state: VgicState, number: int, key: Key, record: VirtualIrq) -> Any:
    """Whether a vCPU has an interrupt in a list register of which KVM waits for the end: it is active there, or counts
    as in flight, or the vCPU is powered off."""
    place = state.lr_map.get((number, key[2]))
    active = find(enumerate(listed(design, state, number), 1), place, 0) & lists.ACTIVE_BIT > 0
    waits = either(active, in_flight(key[2], record), state.vcpus[number].pause == 1)
    return every(has_place(state, number, key), waits)


def goes_on(design: VgicDesign, state: VgicState) -> Any:
    """Whether the drain has a next step."""
    return either(able(design, state), guest_goes_on(design, state))


def at_rest_owes_nothing(design: VgicDesign, state: VgicState) -> Any:
    """Whether nothing is owed, or the drain can go on."""
    on = goes_on(design, state)
    return True if on is True else either(on, negate(either(*(waits for _, waits in owed(design, state)))))


def at_rest_nobody_waits_in_vain(design: VgicDesign, state: VgicState) -> Any:
    """Whether nobody has a processor whose guest takes what it gets, or the drain can go on: by its wait (WFI) too."""
    on, found = goes_on(design, state), []
    for cpu, core in enumerate(state.cores) if on is not True else ():
        waits = leads_on(design, state, vgic.GuestWaits(cpu))
        for number in range(len(state.vcpus)):
            stays = every(runs_on(core, number), willing(design, state, number))
            found.append(either(on, waits, negate(stays)))
    return every(*found)
