"""What list registers hold: each interrupt once, for its target alone, as the distributor and KVM's map of them say."""

from functools import cache
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic.design import GUEST, Do, VgicDesign, after, place
from model.vgic.pending import Key, is_edge
from model.vgic.state import VgicState
from model.vgic.system import VgicAction, VgicSteps
from properties.interrupts.steps import (
    Place,
    does,
    forwarded,
    has_place,
    in_lists,
    interrupts_of,
    mine,
    named,
    none,
    those,
    touched,
    vm_of,
    wanted,
)
from properties.property import Kind, Property
from properties.quantify import each
from spec.gic import list_registers as lists
from spec.words import bit, either, every, member, negate, same


def once(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ONE_LIST_REGISTER."""
    return none(doubled(design.vgic, interrupts_of(after)))


def doubled(design: VgicDesign, state: VgicState) -> list[tuple[Place, Any]]:
    """The list registers, each with whether one before it holds its interrupt as well: of the same vCPU, or for an SPI
    of any vCPU of the VM."""
    places, found = list(in_lists(design, state)), []
    for number, one in enumerate(places):
        twice = (every(other.held, same(other.key, one.key)) for other in places[:number])
        found.append((one, every(one.held, either(*twice))))
    return found


def held(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether a list register gets an interrupt."""
    return does(design.vgic, interrupts_of(before), action) is Do.FLUSH_ONE and any(
        True for _ in in_lists(design.vgic, interrupts_of(after))
    )


ONE_LIST_REGISTER = Property(
    id="interrupts.one_list_register",
    statement="An interrupt is in at most one list register of its vCPU, and an SPI in one of at most one vCPU.",
    claims=("C22",),
    question="May two list registers hold the same interrupt?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=once,
    interesting=held,
    explain=lambda d, b, a, s: "in a second list register: "
    + ", ".join(f"{named(one.key)}, of vCPU{one.vcpu}" for one in those(doubled(d.vgic, interrupts_of(s)))),
)


def misplaced(design: VgicDesign, state: VgicState, number: int) -> list[tuple[Place, Any]]:
    """The list registers of a vCPU, each with whether it has something pending that is not to be delivered to it."""
    found = []
    for one in in_lists(design, state, (number,)):
        record = state.irqs.get(one.key)
        right = every(forwarded(state, one.key, record), mine(state, number, one.key, record))
        caused = either(is_edge(one.key[2], record), wanted(one.key, record))
        found.append((one, every(one.held, one.pending, negate(every(right, caused)))))
    return found


def flushed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of FLUSHED."""
    state = interrupts_of(after)
    if does(design.vgic, interrupts_of(before), action) is not Do.FLUSH_END:
        return True
    return none(misplaced(design.vgic, state, interrupts_of(before).cores[action.cpu].vcpu))


FLUSHED = Property(
    id="interrupts.flushed",
    statement="Behind each flush a vCPU's list registers hold nothing pending but enabled interrupts of its own that "
    "have a cause still.",
    claims=("C22",),
    question="Does a guest get an interrupt that was disabled, moved or withdrawn in the meantime?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=flushed,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.FLUSH_END
    and any(True for _ in in_lists(d.vgic, interrupts_of(s))),
    explain=lambda d, b, a, s: "not to be delivered: "
    + ", ".join(
        named(one.key) for one in those(misplaced(d.vgic, interrupts_of(s), interrupts_of(b).cores[a.cpu].vcpu))
    ),
)


@cache
def amid(design: VgicDesign) -> frozenset[int]:
    """The program counters from the guest until its list registers are synchronised: they may be empty already."""
    start = after(design, "run", Do.ENTER)
    steps = [step.do for step in design.run]
    ends = [n for n, do in enumerate(steps) if do is Do.SYNC_PENDING]
    last = ends[-1] if ends else len(steps) - 1
    return frozenset({GUEST, *range(start, place("run", last) + 2)})


def disagreements(design: VgicDesign, state: VgicState) -> list[tuple[str, Any]]:
    """What may not agree of list registers, lr_used and the map, each with whether it does not though nobody holds the
    lock."""
    found: list[tuple[str, Any]] = []
    for one in in_lists(design, state):
        vcpu = state.vcpus[one.vcpu]
        free = vm_of(state, vcpu.vm).lock == 0
        if free is False:
            continue
        known = every(bit(vcpu.used, one.position) == 1, state.lr_map.get((one.vcpu, one.key[2])) == one.position + 1)
        wrong = every(one.held, free, negate(known))
        found.append((f"list register {one.position} of vCPU{one.vcpu} holds an interrupt unknown to KVM", wrong))
    for number, vcpu in enumerate(state.vcpus):
        open_ = every(vm_of(state, vcpu.vm).lock == 0, negate(member(vcpu.at, amid(design))))
        for position, lr in enumerate(vcpu.saved.lrs if open_ is not False else ()):
            wrong = every(open_, bit(vcpu.used, position) == 1, lists.state(lr) == lists.ListState.INVALID)
            found.append((f"list register {position} of vCPU{number} is empty and not free", wrong))
    return found


def untracked(state: VgicState) -> list[tuple[Key, Any]]:
    """The interrupts, each with whether it counts as in flight, though no list register holds it and nobody holds the
    lock."""
    found = []
    for key, record in each(state.irqs):
        flying = every(vm_of(state, key[0]).lock == 0, record.active == 1, negate(is_edge(key[2], record)))
        if flying is False:
            continue
        held = (has_place(state, number, key) for number in range(len(state.vcpus)))
        found.append((key, every(flying, negate(either(*held)))))
    return found


def agree(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of LISTS_AGREE."""
    state = interrupts_of(after)
    return every(none(disagreements(design.vgic, state)), none(untracked(state)))


def disagreement_text(design: Design, before: State, action: Action, after: State) -> str:
    """What does not agree, in words."""
    state = interrupts_of(after)
    flying = (f"{named(key)} counts as in flight, and no list register holds it" for key in those(untracked(state)))
    return "; ".join((*those(disagreements(design.vgic, state)), *flying))


LISTS_AGREE = Property(
    id="interrupts.lists_agree",
    statement="While nobody holds the distributor's lock, KVM's map of list registers tells what they hold, and what "
    "counts as in flight is in one.",
    claims=("C23",),
    question="How does KVM know which list register is free?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=agree,
    interesting=held,
    explain=disagreement_text,
)


def disturbed(design: VgicDesign, before: VgicState, after: VgicState) -> list[tuple[Place, Any]]:
    """The list registers, each with whether its interrupt was active and is not any more behind a step, or comes from
    somebody else."""
    of = touched(before, after)
    now = {(one.vcpu, one.position): one for one in in_lists(design, after, of)}
    found = []
    for one in in_lists(design, before, of):
        other = now.get((one.vcpu, one.position))
        kept: Any = False
        if other is not None:
            kept = every(other.active, same(other.key, one.key), other.source == one.source)
        found.append((one, every(one.active, negate(kept))))
    return found


def undisturbed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ACTIVE_KEPT."""
    return none(disturbed(design.vgic, interrupts_of(before), interrupts_of(after)))


def with_active(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether an interrupt is active while list registers are filled."""
    state = interrupts_of(before)
    return does(design.vgic, state, action) is Do.FLUSH_ONE and any(one.active for one in in_lists(design.vgic, state))


ACTIVE_KEPT = Property(
    id="interrupts.active_kept",
    statement="What a guest has acknowledged stays active in its list register, from the same source, until the guest "
    "completes it.",
    claims=("C20", "C23"),
    question="Can a guest complete what it has acknowledged?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=undisturbed,
    interesting=with_active,
    explain=lambda d, b, a, s: "acknowledged, and not as it was any more: "
    + ", ".join(named(one.key) for one in those(disturbed(d.vgic, interrupts_of(b), interrupts_of(s)))),
)


def again(design: VgicDesign, before: VgicState, after: VgicState) -> list[tuple[Place, Any]]:
    """The list registers, each with whether its interrupt is level-sensitive, active, and becomes pending as well."""
    of = touched(before, after)
    old = {(one.vcpu, one.position): one.pending for one in in_lists(design, before, of)}
    found = []
    for one in in_lists(design, after, of):
        fresh = every(one.pending, negate(old.get((one.vcpu, one.position), False)))
        level = negate(is_edge(one.key[2], after.irqs.get(one.key)))
        found.append((one, every(fresh, one.active, level)))
    return found


def once_per_end(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of LEVEL_ONCE."""
    return none(again(design.vgic, interrupts_of(before), interrupts_of(after)))


def active_level(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether a level-sensitive interrupt is active behind a flush."""
    state = interrupts_of(before)
    return does(design.vgic, state, action) is Do.FLUSH_END and any(
        one.active and not is_edge(one.key[2], state.irqs.get(one.key)) for one in in_lists(design.vgic, state)
    )


LEVEL_ONCE = Property(
    id="interrupts.level_once",
    statement="A level-sensitive interrupt that is active does not become pending in its list register: whether its "
    "line is high is looked at when it ends.",
    claims=("C22",),
    question="Why does a level-sensitive interrupt ask for a maintenance interrupt at its end?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=once_per_end,
    interesting=active_level,
    explain=lambda d, b, a, s: "active and pending: "
    + ", ".join(named(one.key) for one in those(again(d.vgic, interrupts_of(b), interrupts_of(s)))),
)

PROPERTIES = (ONE_LIST_REGISTER, FLUSHED, LISTS_AGREE, ACTIVE_KEPT, LEVEL_ONCE)
