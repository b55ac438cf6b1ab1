"""What becomes of interrupts: none is lost, none comes without a cause, and nobody waits for what has come."""

from collections import Counter
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic.design import Do, Register, VgicDesign
from model.vgic.distributor import register_at
from model.vgic.pending import Key, is_edge
from model.vgic.state import SGIS, VgicState
from model.vgic.system import GuestActs, GuestWaits, VgicAction, VgicSteps
from model.vgic.threads import vcpu_of
from properties.interrupts.drain import lost, outcome, restless
from properties.interrupts.steps import does, high, in_lists, interrupts_of, listed, named, touched, wanted
from properties.property import Kind, Property
from spec.words import bits

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
    "powered on reaches its guest.",
    claims=("C22", "C24"),
    question="Can a virtual interrupt get lost, or wait for an exit that never comes?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=delivered,
    settled=all_delivered,
    interesting=lambda d, b, a, s: isinstance(a, GuestActs),
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
    statement="Once nothing new happens, a guest that waits for interrupts gives its processor to the host.",
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


def waiting(design: VgicDesign, state: VgicState, of: tuple[int, ...] | None = None) -> "Counter[Token]":
    """How often each edge, and each source of an SGI, is still to be delivered; in list registers of some vCPUs."""
    found: Counter[Token] = Counter()
    for key, record in state.irqs.entries.items():
        if record.pending == 1 and key[2] < SGIS:
            found.update((key, source) for source in range(8) if record.sources >> source & 1)
        elif record.pending == 1 and is_edge(key[2], record):
            found[key, 0] += 1
    for place in in_lists(design, state, of):
        if place.pending and is_edge(place.key[2], state.irqs.get(place.key)):
            found[place.key, place.source] += 1
    return found


def unchanged(design: VgicDesign, before: VgicState, after: VgicState, of: tuple[int, ...]) -> bool:
    """Whether a step has left alone what `waiting` counts, as far as can be told at once."""
    same = before.irqs is after.irqs
    return same and all(listed(design, before, number) == listed(design, after, number) for number in of)


def written(design: VgicDesign, state: VgicState, action: VgicSteps, registers: tuple[Register, ...]) -> bool:
    """Whether a step changes an interrupt as its guest has asked for, with one of these registers."""
    if does(design, state, action) is not Do.WRITE_ONE:
        return False
    found = register_at(design, vcpu_of(state, action.cpu).access.offset)
    return found is not None and found[0] in registers


def acknowledged(design: VgicDesign, before: VgicState, after: VgicState, cpu: int) -> set[Token]:
    """What a guest has got in a step."""
    own = (before.cores[cpu].vcpu,)
    active = {(place.position, place.key) for place in in_lists(design, after, own) if place.active}
    return {
        (place.key, place.source)
        for place in in_lists(design, before, own)
        if not place.active and (place.position, place.key) in active
    }


def gone(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> set[Token]:
    """What waits no longer behind a step without having been delivered, or taken back by its guest."""
    if isinstance(action, VgicSteps) and written(design, before, action, CLEARS):
        return set()
    of = touched(before, after)
    if unchanged(design, before, after, of):
        return set()
    left = set(waiting(design, before, of)) - set(waiting(design, after, of))
    if left and isinstance(action, GuestActs):
        left -= acknowledged(design, before, after, action.cpu)
    return left


def kept(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of KEPT."""
    assert isinstance(action, VgicAction)
    return not gone(design.vgic, interrupts_of(before), action, interrupts_of(after))


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
    and bool(waiting(d.vgic, interrupts_of(b))),
    explain=lambda d, b, a, s: "lost: "
    + ", ".join(token_text(token) for token in gone(d.vgic, interrupts_of(b), a, interrupts_of(s))),  # type: ignore[arg-type]
)


def uncaused(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> set[Token]:
    """What waits once more behind a step, without a device, a guest or user space that has asked for it."""
    if isinstance(action, VgicSteps) and written(design, before, action, PENDS):
        return set()
    of = touched(before, after)
    if unchanged(design, before, after, of):
        return set()
    old = waiting(design, before, of)
    more = {token for token, count in waiting(design, after, of).items() if count > old[token]}
    if not more or not isinstance(action, VgicSteps):
        return more
    match does(design, before, action):
        case Do.INJECT:
            agent = before.agents[action.cpu - len(before.cores)]
            return {token for token in more if token[0][2] != agent.irq or agent.level == 0}
        case Do.PERFORM:
            vcpu = vcpu_of(before, action.cpu)
            found = register_at(design, vcpu.access.offset)
            if found is not None and found[0] is Register.SGIR:
                return {t for t in more if t[0][2] != bits(vcpu.access.value, 3, 0) or t[1] != vcpu.number}
    return more


def groundless(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> set[Key]:
    """The level-sensitive interrupts that a step of KVM makes pending in a list register though nothing causes them."""
    if does(design, before, action) is not Do.FLUSH_ONE:
        return set()
    of = touched(before, after)
    held = {(place.vcpu, place.position) for place in in_lists(design, before, of) if place.pending}
    now = (place for place in in_lists(design, after, of) if place.pending)
    fresh = [place.key for place in now if (place.vcpu, place.position) not in held]
    records = ((key, before.irqs.get(key)) for key in fresh)
    return {key for key, record in records if not is_edge(key[2], record) and not (wanted(key, record) or high(record))}


def caused(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of CAUSED."""
    assert isinstance(action, VgicAction)
    states = interrupts_of(before), action, interrupts_of(after)
    return not (uncaused(design.vgic, *states) or groundless(design.vgic, *states))


def cause_text(design: Design, before: State, action: Action, after: State) -> str:
    """What comes without a cause, in words."""
    assert isinstance(action, VgicAction)
    states = interrupts_of(before), action, interrupts_of(after)
    edges = [token_text(token) for token in uncaused(design.vgic, *states)]
    return f"pending without a cause: {', '.join([*edges, *map(named, groundless(design.vgic, *states))])}"


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


PROPERTIES = (DELIVERED, IDLE_SLEEPS, KEPT, CAUSED)
