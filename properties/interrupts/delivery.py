"""What becomes of interrupts: none is lost, none comes without a cause, and nobody waits for what has come."""

from collections.abc import Iterable, Sequence
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import Wait, vcpu_of
from model.vgic.design import GUEST, OUT, Do, Register, VgicDesign
from model.vgic.distributor import written as stored
from model.vgic.pending import Key, is_edge, key_of
from model.vgic.state import IMPLEMENTED, SGIS, VgicState, VirtualIrq
from model.vgic.system import GuestActs, GuestWaits, VgicAction, VgicSteps, has_interface
from properties.interrupts.drain import lost, outcome, restless
from properties.interrupts.registers import meant_at
from properties.interrupts.steps import (
    Place,
    awaited,
    does,
    has_place,
    in_lists,
    interrupts_of,
    listed,
    named,
    none,
    runs_on,
    those,
    touched,
    wanted,
)
from properties.property import Kind, Property
from properties.quantify import each
from spec.gic.virtual_interface import maintenance
from spec.sparse import Sparse
from spec.words import bit, bits, choose, either, every, negate, same

Token = tuple[Key, int]
"""Something that waits to be delivered: an interrupt, and of an SGI the vCPU that has sent it."""
CLEARS = (Register.ICPENDR, Register.CPENDSGIR, Register.ICFGR)
PENDS = (Register.ISPENDR, Register.SPENDSGIR, Register.ICFGR)


def delivered(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of DELIVERED."""
    return not outcome(design.vgic, interrupts_of(after)).lost


def lost_text(design: Design, before: State, action: Action, after: State) -> str:
    """What is lost, in words."""
    found = outcome(design.vgic, interrupts_of(after))
    return f"when nothing is due any more, its target has not got {', '.join(found.lost)}"


def all_delivered(design: Design, state: State, circles: bool) -> bool:
    """Whether nothing waits in the end of a drain, or in its circles."""
    return not lost(design.vgic, interrupts_of(state))


DELIVERED = Property(
    id="interrupts.delivered",
    statement="Whatever came before: once nothing new happens, every enabled pending interrupt of a vCPU that is "
    "powered on reaches its guest, if that takes what its interface signals; unless a guest that does not has it "
    "active or in flight, or a vCPU that is powered off has it in a list register.",
    claims=("C22", "C24"),
    question="Can a virtual interrupt get lost, or wait for an exit that never comes?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=delivered,
    settled=all_delivered,
    interesting=lambda d, b, a, s: isinstance(a, GuestActs) and has_interface(d.vgic),
    explain=lost_text,
)


def restful(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of IDLE_SLEEPS."""
    return not outcome(design.vgic, interrupts_of(after)).restless


def all_rest(design: Design, state: State, circles: bool) -> bool:
    """Whether every guest that waits sleeps in the end of a drain; in circles none waits for ever."""
    return circles or not restless(design.vgic, interrupts_of(state))


IDLE_SLEEPS = Property(
    id="interrupts.idle_sleeps",
    statement="Once nothing new happens, a guest that takes what its interface signals, and waits for interrupts, "
    "gives its processor to the host.",
    claims=("C22",),
    question="Does an idle guest cost a processor?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=restful,
    settled=all_rest,
    interesting=lambda d, b, a, s: isinstance(a, GuestWaits),
    explain=lambda d, b, a, s: "when nothing is due any more, a guest that waits is entered again and again: "
    + ", ".join(f"vCPU{number}" for number in outcome(d.vgic, interrupts_of(s)).restless),
)


def is_quiet(design: VgicDesign, state: VgicState) -> Any:
    """Whether nothing is due: no agent has begun anything, every vCPU that may run is in its guest, with nothing there
    that interrupts it, that it could acknowledge, or that it has to complete; and no processor has anything to do."""
    found = [agent.at == OUT for agent in state.agents]
    for number, vcpu in enumerate(state.vcpus):
        inside = every(vcpu.at == GUEST, either(*(runs_on(core, number) for core in state.cores)))
        found.append(either(inside, vcpu.wait == Wait.ASLEEP, every(vcpu.pause == 1, vcpu.at == OUT)))
    if any(each is False for each in found):
        return False
    for core in state.cores:
        found.append(negate(either(core.ipi == 1, core.irq == 1)))
        found.append(either(core.busy == 0, maintenance(core.gich) == 0))
    found += [either(state.vcpus[p.vcpu].at != GUEST, negate(p.held)) for p in in_lists(design, state)]
    return every(*found)


def forgotten(design: VgicDesign, state: VgicState) -> list[tuple[Key, Any]]:
    """Interrupts, each with whether it waits in the distributor for a vCPU that is powered on, though nothing is due,
    and no vCPU that is powered off has it in a list register."""
    quiet = is_quiet(design, state)
    if quiet is False:
        return []
    found = []
    for key, record in each(state.irqs):
        waits = either(*(awaited(state, number, key, record) for number in range(len(state.vcpus))))
        off = (every(has_place(state, n, key), vcpu.pause == 1) for n, vcpu in enumerate(state.vcpus))
        found.append((key, every(quiet, waits, negate(either(*off)))))
    return found


NOT_FORGOTTEN = Property(
    id="interrupts.not_forgotten",
    statement="Where nothing is due any more, no enabled pending interrupt waits in the distributor for a vCPU that is "
    "powered on, unless one that is powered off has it in a list register.",
    claims=("C22", "C24"),
    question="Can it be that everybody rests, and an interrupt waits?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: none(forgotten(d.vgic, interrupts_of(s))),
    interesting=lambda d, b, a, s: isinstance(a, GuestActs)
    and has_interface(d.vgic)
    and bool(is_quiet(d.vgic, interrupts_of(s))),
    explain=lambda d, b, a, s: "nothing is due, and there waits "
    + ", ".join(named(key) for key in those(forgotten(d.vgic, interrupts_of(s)))),
)


def count(state: VgicState, token: Token, held: Sequence[Place]) -> int:
    """How often an edge, or a source of an SGI, is still to be delivered: from the distributor and from list registers,
    which are given.

    That it is in no more than one of these is ONE_LIST_REGISTER.
    """
    (vm, bank, irq), source = token
    key = (vm, bank, irq)
    record = state.irqs.get(key)
    edge = is_edge(irq, record)
    sent = choose(irq < SGIS, bit(record.sources, source) == 1, source == 0)
    named_so = ((place, same(place.key, key)) for place in held)
    listed = (every(edge, here, p.pending, p.source == source) for p, here in named_so if here is not False)
    return choose(every(record.pending == 1, edge, sent), 1, 0) + choose(either(*listed), 1, 0)


def tokens(held: Sequence[Place], *states: VgicState) -> list[Token]:
    """Everything that may wait in one of the states, whose list registers are given; in proofs, an arbitrary
    interrupt, from any source."""
    if isinstance(states[0].irqs, Sparse):
        entries = (entry for state in states for entry in state.irqs.entries.items())
        sent = ((key, source) for key, record in entries for source in sources_of(key, record))
        return list(dict.fromkeys((*sent, *((place.key, place.source) for place in held))))
    keys = (key for key, _ in each(states[0].irqs))
    return [(key, source) for key in keys for source in (SOURCES if (key[2] < SGIS) is not False else SOURCES[:1])]


def sources_of(key: Key, record: VirtualIrq) -> Iterable[int]:
    """The vCPUs that have sent an SGI, in a concrete state; of any other interrupt 0."""
    return [source for source in SOURCES if bit(record.sources, source)] if key[2] < SGIS else SOURCES[:1]


SOURCES = tuple(range(8))


def unchanged(design: VgicDesign, before: VgicState, after: VgicState) -> bool:
    """Whether a step has left alone what `count` looks at, as far as can be told at once; in proofs, never."""
    if not isinstance(before.irqs, Sparse) or before.irqs is not after.irqs:
        return False
    return all(listed(design, before, number) == listed(design, after, number) for number in touched(before, after))


def written(design: VgicDesign, state: VgicState, action: VgicSteps, registers: tuple[Register, ...]) -> bool:
    """Whether a step changes an interrupt as its guest has asked for, with one of these registers."""
    if does(design, state, action) is not Do.WRITE_ONE:
        return False
    found = meant_at(vcpu_of(state, action.cpu).access.offset)
    return found is not None and found[0] in registers


def acknowledged(design: VgicDesign, before: VgicState, after: VgicState, cpu: int, token: Token) -> Any:
    """Whether a guest has got something in a step."""
    own, (key, source) = (before.cores[cpu].vcpu,), token
    active = {place.position: place for place in in_lists(design, after, own)}
    found = []
    for place in in_lists(design, before, own):
        now = active.get(place.position)
        if now is not None:
            taken = every(place.held, negate(place.active), now.active, same(now.key, place.key))
            found.append(every(taken, same(place.key, key), place.source == source))
    return either(*found)


def gone(
    design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState
) -> list[tuple[Token, Any]]:
    """What may have waited, each with whether it waits no longer behind a step, without having been delivered or taken
    back by its guest."""
    if unchanged(design, before, after) or (isinstance(action, VgicSteps) and written(design, before, action, CLEARS)):
        return []
    found: list[tuple[Token, Any]] = []
    old, new = tuple(in_lists(design, before)), tuple(in_lists(design, after))
    for token in tokens(old, before):
        left = every(count(before, token, old) > 0, count(after, token, new) == 0)
        if left is not False and isinstance(action, GuestActs):
            left = every(left, negate(acknowledged(design, before, after, action.cpu, token)))
        found.append((token, left))
    return found


def anything_waits(design: VgicDesign, state: VgicState) -> bool:
    """Whether anything waits to be delivered in a concrete state."""
    held = tuple(in_lists(design, state))
    return any(count(state, token, held) for token in tokens(held, state))


def kept(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of KEPT."""
    assert isinstance(action, VgicAction)
    return none(gone(design.vgic, interrupts_of(before), action, interrupts_of(after)))


def token_text(token: Token) -> str:
    """What waits, in words."""
    key, source = token
    return named(key) + (f" from vCPU{source}" if key[2] < SGIS else "")


KEPT = Property(
    id="interrupts.kept",
    statement="An edge, and each source of an SGI, stays pending in the distributor or a list register until its guest "
    "acknowledges it or takes it back.",
    claims=("C22", "C23"),
    question="Where is an interrupt between its device and its guest?",
    kind=Kind.STEP,
    about=(VgicAction,),
    holds=kept,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.FLUSH_ONE
    and anything_waits(d.vgic, interrupts_of(b)),
    explain=lambda d, b, a, s: "lost: "
    + ", ".join(token_text(token) for token in those(gone(d.vgic, interrupts_of(b), a, interrupts_of(s)))),  # type: ignore[arg-type]
)


def uncaused(
    design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState
) -> list[tuple[Token, Any]]:
    """What may wait, each with whether it does so once more behind a step, without a device, a guest or user space that
    has asked for it."""
    if unchanged(design, before, after) or (isinstance(action, VgicSteps) and written(design, before, action, PENDS)):
        return []
    found: list[tuple[Token, Any]] = []
    old, new = tuple(in_lists(design, before)), tuple(in_lists(design, after))
    for token in tokens((*old, *new), before, after):
        more = count(after, token, new) > count(before, token, old)
        if more is not False:
            found.append((token, every(more, negate(asked_for(design, before, action, token)))))
    return found


def asked_for(design: VgicDesign, before: VgicState, action: VgicAction, token: Token) -> Any:
    """Whether a step is a device's, or a guest's that sends an SGI, which asks for just this."""
    (_, _, irq), source = token
    match does(design, before, action):
        case Do.INJECT:
            agent = before.agents[action.cpu - len(before.cores)]
            named_irq = key_of(agent.vm, agent.vcpu, bits(agent.irq, 9, 0))
            return every(agent.irq < IMPLEMENTED, same(token[0], named_irq), agent.level == 1)
        case Do.PERFORM:
            vcpu = vcpu_of(before, action.cpu)
            found = meant_at(vcpu.access.offset)
            if found is not None and found[0] is Register.SGIR:
                data = stored(bits(found[1], 1, 0), vcpu.access.size, vcpu.access.value)
                return every(irq == bits(data, 3, 0), source == vcpu.number)
    return False


def groundless(
    design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState
) -> list[tuple[Key, Any]]:
    """The interrupts in list registers, each with whether it is level-sensitive and a step of KVM makes it pending
    there, though nothing causes it."""
    if does(design, before, action) is not Do.FLUSH_ONE:
        return []
    of = touched(before, after)
    old = {(place.vcpu, place.position): place.pending for place in in_lists(design, before, of)}
    found = []
    for place in in_lists(design, after, of):
        record = before.irqs.get(place.key)
        fresh = every(place.pending, negate(old.get((place.vcpu, place.position), False)))
        idle = negate(either(is_edge(place.key[2], record), wanted(place.key, record)))
        found.append((place.key, every(fresh, idle)))
    return found


def caused(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of CAUSED."""
    assert isinstance(action, VgicAction)
    states = interrupts_of(before), action, interrupts_of(after)
    return every(none(uncaused(design.vgic, *states)), none(groundless(design.vgic, *states)))


def cause_text(design: Design, before: State, action: Action, after: State) -> str:
    """What comes without a cause, in words."""
    assert isinstance(action, VgicAction)
    states = interrupts_of(before), action, interrupts_of(after)
    edges = [token_text(token) for token in those(uncaused(design.vgic, *states))]
    return f"pending without a cause: {', '.join([*edges, *map(named, those(groundless(design.vgic, *states)))])}"


CAUSED = Property(
    id="interrupts.caused",
    statement="An interrupt becomes pending once for each edge, SGI or write that asks for it, and one that is "
    "level-sensitive only while its line is high.",
    claims=("C22",),
    question="Does a guest get an interrupt twice, or one that nobody has sent?",
    kind=Kind.STEP,
    about=(VgicAction,),
    holds=caused,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.INJECT,
    explain=cause_text,
)


PROPERTIES = (DELIVERED, IDLE_SLEEPS, NOT_FORGOTTEN, KEPT, CAUSED)
