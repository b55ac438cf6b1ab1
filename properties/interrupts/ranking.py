"""Why a fair drain ends: what is left to do, counted in parts of which the first that changes becomes smaller.

The first part is what was begun before and may bring anything new: accesses to the distributor, calls, signals, lines
on their way up. Then comes what is left of the interrupts, from the distributor through list registers to their end;
the vCPUs that may still wait; kicks; and how far each thread is from its guest. An interrupt among unboundedly many
counts by itself, so where the whole cannot be written, its change in a step can: only what the step touches changes.

Not modelled: a guest that makes its interface refuse what the drain would have it do; `drains` leaves it out. So what
is proved of the steps of a drain says nothing of it.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from model.threads import Wait
from model.vgic.design import GUEST, OUT, Do, VgicDesign, place
from model.vgic.holders import is_unaware
from model.vgic.pending import Key, computed, in_flight, is_edge
from model.vgic.state import PRIVATE, SGIS, Agent, Exit, Vcpu, VgicState, VirtualIrq, flag
from model.vgic.system import VgicAction
from properties.interrupts.invariants.terms import (
    asks,
    before_kick,
    has_ended,
    is_noted,
    is_used,
    is_valid,
    key_held,
    of_core,
    runs,
    span,
)
from properties.interrupts.steps import does, listed, places_of, vm_of
from spec.gic import list_registers as lists
from spec.gic.virtual_interface import maintenance
from spec.sparse import Sparse
from spec.words import bit, choose, clear, either, every, find, member, negate, put, sub

Parts = tuple[tuple[Any, ...], ...]
"""The parts of the rank, the weightiest first; each is a sum, here as its addends."""
ENDED, ACTIVE, PENDING, RAISED = 1, 2, 3, 1
"""What is left of an interrupt in a list register; and while its line is high, that the device has to lower it."""
WAITING = 1 + PENDING + RAISED + 1
"""What is left of one in the distributor: more than it is in the list register that it gets."""


def parts(design: VgicDesign, state: VgicState, records: Iterable[tuple[Key, VirtualIrq]]) -> Parts:
    """What is left to do, where of the distributors' interrupts only some count, as they are given."""
    numbers = range(len(state.vcpus))
    waits = [tells(design, state, number) for number in numbers]
    ways = [way(design, state, number) for number in numbers]
    late = [tells_late(design, state, number) for number in numbers]
    kicks = [choose(kicks_yet(design, vcpu), 1, 0) for vcpu in state.vcpus]
    return (
        tuple(begun(design, vcpu) for vcpu in state.vcpus) + tuple(choose(raises(a), 1, 0) for a in state.agents),
        tuple(find(distances(design, "access"), vcpu.at, 0) for vcpu in state.vcpus),
        tuple(vcpu.left for vcpu in state.vcpus),
        tuple(left_of(design, state, key, record) for key, record in records)
        + tuple(held_of(design, state, number, nth) for number in numbers for nth in places(state, number)),
        tuple(outdated(design, state, number, nth) for number in numbers for nth in places(state, number)),
        tuple(unrest(design, state, number) for number in numbers),
        tuple(find(distances(design, "inject"), agent.at, 0) for agent in state.agents),
        tuple(choose(late[number], 0, kicks[number]) for number in numbers),
        tuple(choose(waits[number], ways[number], 0) for number in numbers),
        tuple(choose(late[number], kicks[number], 0) for number in numbers),
        tuple(choose(waits[number], 0, ways[number]) for number in numbers),
        tuple(choose(runs(state, number), 0, 1) for number in numbers),
        tuple(core.ipi + core.irq for core in state.cores),
        tuple(sub(LAST, vcpu.cursor, 10) for vcpu in state.vcpus),
    )


WORK = 3
"""The part that counts interrupts; those before it say what may still change them as it likes."""
LAST = 1023


def rank(design: VgicDesign, state: VgicState) -> tuple[int, ...]:
    """How much is left to do in a concrete state; tuples are compared as numbers are, digit by digit."""
    return tuple(sum(part) for part in parts(design, state, state.irqs.entries.items()))


def smaller(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> Any:
    """Whether less is left to do after a step than before it: no part grows but behind one that shrinks, and one
    does."""
    records, found, shrunk = changes(before, after), [], False
    earlier, later = [(key, record) for key, record, _ in records], [(key, record) for key, _, record in records]
    old, new = parts(design, before, earlier), parts(design, after, later)
    as_it_likes = does(design, before, action) in (Do.PERFORM, Do.WRITE_ONE, Do.UPDATE)
    for number, (was, now) in enumerate(zip(old, new, strict=True)):
        if shrunk is True or (as_it_likes and number == WORK):
            break
        split = together(design, before, action, len(records)) if number == WORK else alone(before, len(was))
        sums = [(total(was, group), total(now, group)) for group in split]
        found += [either(shrunk, b <= a) for a, b in sums]
        shrunk = either(shrunk, *(b < a for a, b in sums))
    return every(*found, shrunk)


def total(addends: tuple[Any, ...], group: Iterable[int]) -> Any:
    """The sum of some addends."""
    found: Any = 0
    for number in group:
        found = found + addends[number]
    return found


def alone(state: VgicState, count: int) -> list[list[int]]:
    """The addends of which one may outweigh another: in a proof none, where none need to."""
    every_one = list(range(count))
    return [every_one] if isinstance(state.irqs, Sparse) else [[number] for number in every_one]


def together(design: VgicDesign, state: VgicState, action: VgicAction, count: int) -> list[list[int]]:
    """The same of what is left of interrupts, of which a step changes so many: it moves between one of them and a list
    register of the acting vCPU."""
    addends = count + sum(len(places(state, number)) for number in range(len(state.vcpus)))
    kind = does(design, state, action)
    if isinstance(state.irqs, Sparse) or kind not in (Do.FLUSH_ONE, Do.PRUNE, Do.SYNC_ENDED) or not count:
        return alone(state, addends)
    number = state.cores[action.cpu].vcpu
    first = count + sum(len(places(state, n)) for n in range(number))
    own = [first + nth for nth in places(state, number)]
    moved = [[*range(count), *own]] if count == 1 else [list(pair) for pair in zip(range(count), own, strict=True)]
    known = {n for group in moved for n in group}
    return [*moved, *([n] for n in range(addends) if n not in known)]


def changes(before: VgicState, after: VgicState) -> list[tuple[Key, VirtualIrq, VirtualIrq]]:
    """The interrupts that a step changes, as they were and as they are; one that it changes twice comes twice."""
    if isinstance(before.irqs, Sparse):
        keys = sorted({*before.irqs.entries, *after.irqs.entries})
        return [(key, before.irqs.get(key), after.irqs.get(key)) for key in keys]
    return [(key, was, record) for key, was, record in after.irqs.written()]


def begun(design: VgicDesign, vcpu: Vcpu) -> Any:
    """What a vCPU's thread is still to begin that may bring something new: accesses, calls, what signals ask for."""
    calls = (Exit.ACCESS, Exit.POWER_OFF, Exit.POWER_ON, Exit.STOP)
    leaves = every(vcpu.exit == Exit.SIGNAL, member(vcpu.at, leaving(design)))
    signalled = every(vcpu.signal == 1, negate(leaves))
    return choose(member(vcpu.exit, calls), 1, 0) + choose(signalled, 1, 0)


@cache
def leaving(design: VgicDesign) -> tuple[int, ...]:
    """The program counters behind those at which a thread backs out."""
    return (*places_of(design, Do.CLEAR_MODE), *span(design, Do.CLEAR_MODE, Do.HANDLE_EXIT))


def raises(agent: Agent) -> Any:
    """Whether an agent is still to raise a line."""
    return every(agent.level == 1, member(agent.at, injecting()))


def lowered(state: VgicState, key: Key) -> Any:
    """Whether an agent is still to lower the line of an interrupt."""
    those = (
        every(agent.level == 0, agent.vm == key[0], agent.irq == key[2], member(agent.at, injecting()))
        for agent in state.agents
    )
    return either(*those)


@cache
def injecting() -> tuple[int, ...]:
    """The program counters of an agent up to the step that tells the distributor."""
    return (place("inject"), place("inject", 1))


@cache
def distances(design: VgicDesign, routine: str) -> tuple[tuple[int, int], ...]:
    """How many steps are left of a routine, by program counter."""
    length = len(design.steps(routine))
    return tuple((place(routine, index), length - index) for index in range(length))


def left_of(design: VgicDesign, state: VgicState, key: Key, record: VirtualIrq) -> Any:
    """What is left of an interrupt in the distributor that a vCPU is to get: of an SGI, of each source."""
    waits = every(is_pending(design, state, key, record) > 0, negate(in_flight(key[2], record)))
    sources = bit(record.sources, 0)
    for n in range(1, 8):
        sources = sources + bit(record.sources, n)
    return choose(waits, choose(key[2] < SGIS, times(sources), WAITING), 0)


def times(count: Any) -> Any:
    """So many times what is left of a waiting interrupt."""
    return (count << 2) + (count << 1)


def is_pending(design: VgicDesign, state: VgicState, key: Key, record: VirtualIrq) -> Any:
    """The vCPUs for which an interrupt is pending."""
    return computed(design, vm_of(state, key[0]).enabled, key, record)


def places(state: VgicState, number: int) -> range:
    """The list registers of a vCPU."""
    return range(len(state.vcpus[number].saved.lrs))


def held_of(design: VgicDesign, state: VgicState, number: int, nth: int) -> Any:
    """What is left of the interrupt in a list register, and behind it in the distributor."""
    vcpu, lr = state.vcpus[number], listed(design, state, number)[nth]
    key = key_held(state, number, lr)
    record = state.irqs.get(key)
    back = put(record, "pending", choose(is_edge(key[2], record), 1, record.pending))
    elsewhere = clear(is_pending(design, state, key, back), flag(vcpu.number)) > 0
    raised = every(negate(is_edge(key[2], record)), record.line == 1)
    here = choose(is_used(vcpu, nth), 1, 0) + choose(has_ended(lr), ENDED, 0)
    here = here + choose(lr & lists.ACTIVE_BIT > 0, ACTIVE, 0) + choose(lr & lists.PENDING_BIT > 0, PENDING, 0)
    here = here + choose(every(is_valid(lr), raised, negate(lowered(state, key))), RAISED, 0)
    awaited = clear(is_pending(design, state, key, record), flag(vcpu.number)) > 0
    here = here + choose(every(lr & lists.ACTIVE_BIT > 0, awaited, negate(asks(lr))), 1, 0)
    again = either(every(has_ended(lr), raised), every(lr & lists.PENDING_BIT > 0, elsewhere))
    return here + choose(again, WAITING, 0)


def outdated(design: VgicDesign, state: VgicState, number: int, nth: int) -> Any:
    """1 where a saved list register has an interrupt as pending that its guest has got since."""
    saved, lr = state.vcpus[number].saved.lrs[nth], listed(design, state, number)[nth]
    return choose(every(saved & lists.PENDING_BIT > 0, lr & lists.PENDING_BIT == 0), 1, 0)


def unrest(design: VgicDesign, state: VgicState, number: int) -> Any:
    """How far a vCPU is from sleep, should its guest wait: 0 where it sleeps or is going to, unless something comes."""
    vcpu = state.vcpus[number]
    behind = span(design, Do.ENTER, Do.HANDLE_EXIT)
    blocks = tuple(place("block", index) for index in range(len(design.block) - 1))
    gives = either(
        vcpu.wait == Wait.ASLEEP, every(vcpu.exit == Exit.WAIT, member(vcpu.at, behind)), member(vcpu.at, blocks)
    )
    noted = is_noted(state, vcpu)
    kept = either(noted, vcpu.used > 0)
    stirred = either(kept, vcpu.noted > 0, vcpu.signal == 1, vcpu.pins > 0)
    past = either(vcpu.at == GUEST, member(vcpu.at, span(design, Do.FLUSH_END, Do.ENTER)))
    full = either(*(either(is_valid(lr), asks(lr)) for lr in listed(design, state, number)))
    calm = choose(gives, 0, 1)
    return choose(either(full, every(kept, past)), 3, choose(stirred, 2, calm))


def kicks_yet(design: VgicDesign, vcpu: Vcpu) -> Any:
    """Whether a vCPU's thread is about to kick those of its VM."""
    return every(vcpu.updated == 1, member(vcpu.at, before_kick(design)))


def waits_on(design: VgicDesign, state: VgicState, number: int, holder: int) -> Any:
    """Whether a vCPU has a list register for an SPI that is pending for another one, and does not know of it."""
    vcpu, other, found = state.vcpus[number], state.vcpus[holder], []
    for nth, lr in enumerate(listed(design, state, holder)):
        key = key_held(state, holder, lr)
        pends = is_pending(design, state, key, state.irqs.get(key)) & flag(vcpu.number) > 0
        found.append(every(is_used(other, nth), key[2] >= PRIVATE, pends, is_unaware(other.saved.lrs[nth])))
    return every(vcpu.vm == other.vm, either(*found))


def others(state: VgicState, number: int) -> list[int]:
    """All vCPUs but one."""
    return [other for other in range(len(state.vcpus)) if other != number]


def tells(design: VgicDesign, state: VgicState, number: int) -> Any:
    """Whether at the end of its flush a vCPU tells another one that it waits for the end of an interrupt there."""
    return either(*(waits_on(design, state, number, other) for other in others(state, number)))


def tells_late(design: VgicDesign, state: VgicState, number: int) -> Any:
    """Whether a vCPU is about to kick one that it has told so, and knows itself of all that waits for it."""
    behind = member(state.vcpus[number].at, telling(design))
    awaited = either(*(waits_on(design, state, other, number) for other in others(state, number)))
    return every(behind, tells(design, state, number), negate(awaited))


@cache
def telling(design: VgicDesign) -> tuple[int, ...]:
    """The program counters between the end of the flush and its kick."""
    return span(design, Do.FLUSH_END, Do.KICK)


def way(design: VgicDesign, state: VgicState, number: int) -> Any:
    """How far a vCPU's thread is from its guest, or from sleep, with the round that it has to take besides."""
    vcpu, whole = state.vcpus[number], len(order(design)) + len(design.block)
    again = every(member(vcpu.at, turning(design)), negate(vcpu.wait == Wait.QUEUED))
    there = find(order(design), vcpu.at, 0) + choose(again, len(design.block), 0)
    there = there + choose(taken_round(design, state, number), whole, 0)
    return choose(vcpu.wait == Wait.ASLEEP, 0, there)


@cache
def order(design: VgicDesign) -> tuple[tuple[int, int], ...]:
    """How many program counters lie between one and the guest: those behind the guest come first, then the routines
    that they lead to, user space, and the way in."""
    entry = [step.do for step in design.run].index(Do.ENTER) + 1
    behind = [place("run", index) for index in range(entry, len(design.run))]
    routines = [place(name, index) for name in ("access", "block") for index in range(len(design.steps(name)))]
    found = [*behind, *routines, OUT, *(place("run", index) for index in range(entry))]
    return tuple((at, distance) for distance, at in enumerate(reversed(found), 1))


@cache
def turning(design: VgicDesign) -> tuple[int, ...]:
    """The program counters of a thread that waits, from which it begins anew where somebody has woken it."""
    steps = [step.do for step in design.block]
    return tuple(place("block", n) for n in range(1, steps.index(Do.SLEEP) + 1))


def taken_round(design: VgicDesign, state: VgicState, number: int) -> Any:
    """Whether a vCPU's thread comes by its guest or its last checks, and turns back there."""
    vcpu = state.vcpus[number]
    checks = span(design, Do.CLEAR_REQUESTS, Do.CHECK_REQUESTS) if places_of(design, Do.CHECK_REQUESTS) else ()
    masked = (GUEST, *span(design, Do.MASK_IRQS, Do.ENTER))
    hit = of_core(state, number, lambda core: either(core.ipi == 1, core.irq == 1))
    inside = every(vcpu.at == GUEST, of_core(state, number, lambda core: maintenance(core.gich) == 1))
    inside = every(inside, runs(state, number))
    return either(every(vcpu.requests == 1, member(vcpu.at, checks)), every(hit, member(vcpu.at, masked)), inside)
