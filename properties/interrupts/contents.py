"""What list registers hold: each interrupt once, for its target alone, as the distributor and KVM's map of them say."""

from functools import cache
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic.design import GUEST, Do, VgicDesign, after, place
from model.vgic.pending import is_edge, key_of
from model.vgic.state import PRIVATE, VgicState
from model.vgic.system import VgicAction, VgicSteps
from properties.interrupts.steps import Place, does, forwarded, high, in_lists, interrupts_of, mine, named, touched
from properties.property import Kind, Property
from spec.gic import list_registers as lists
from spec.words import bit


def once(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ONE_LIST_REGISTER."""
    return not doubled(design.vgic, interrupts_of(after))


def doubled(design: VgicDesign, state: VgicState) -> list[Place]:
    """The list registers whose interrupt another one of the same vCPU, or for an SPI of any vCPU, holds as well."""
    seen, found = set[object](), []
    for one in in_lists(design, state):
        owner = one.key if one.key[2] >= PRIVATE else (one.vcpu, one.key)
        if owner in seen:
            found.append(one)
        seen.add(owner)
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
    + ", ".join(f"{named(one.key)}, of vCPU{one.vcpu}" for one in doubled(d.vgic, interrupts_of(s))),
)


def misplaced(design: VgicDesign, state: VgicState, number: int) -> list[Place]:
    """The list registers of a vCPU with something pending that is not to be delivered to it."""
    found = []
    for one in in_lists(design, state, (number,)):
        record = state.irqs.get(one.key)
        right = forwarded(state, one.key, record) and mine(state, number, one.key, record)
        level = is_edge(one.key[2], record) or high(record) or record.pending == 1
        if one.pending and not (right and level):
            found.append(one)
    return found


def flushed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of FLUSHED."""
    state = interrupts_of(after)
    if does(design.vgic, interrupts_of(before), action) is not Do.FLUSH_END:
        return True
    return not misplaced(design.vgic, state, interrupts_of(before).cores[action.cpu].vcpu)


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
        named(one.key) for one in misplaced(d.vgic, interrupts_of(s), interrupts_of(b).cores[a.cpu].vcpu)
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


def disagreements(design: VgicDesign, state: VgicState) -> list[str]:
    """Where list registers, lr_used, the map and irq_active do not agree though nobody holds the lock, in words."""
    found = []
    free = {vm for vm, each in enumerate(state.vms) if each.lock == 0}
    for one in in_lists(design, state):
        vcpu, number = state.vcpus[one.vcpu], one.key[2]
        known = bit(vcpu.used, one.position) == 1 and state.lr_map.get((one.vcpu, number)) == one.position + 1
        if vcpu.vm in free and not known:
            found.append(f"list register {one.position} of vCPU{one.vcpu} holds {named(one.key)} unknown to KVM")
    for number, vcpu in enumerate(state.vcpus):
        empty = [lists.state(lr) == 0 and bit(vcpu.used, n) == 1 for n, lr in enumerate(vcpu.saved.lrs)]
        if vcpu.vm in free and vcpu.at not in amid(design) and any(empty):
            found.append(f"list register {empty.index(True)} of vCPU{number} is empty and not free")
    for key, record in state.irqs.entries.items():
        if key[0] in free and record.active == 1 and not is_edge(key[2], record):
            owners = [n for n, vcpu in enumerate(state.vcpus) if key_of(vcpu.vm, vcpu.number, key[2]) == key]
            if not any(state.lr_map.get((n, key[2])) for n in owners):
                found.append(f"{named(key)} counts as in flight, and no list register holds it")
    return found


def agree(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of LISTS_AGREE."""
    return not disagreements(design.vgic, interrupts_of(after))


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
    explain=lambda d, b, a, s: "; ".join(disagreements(d.vgic, interrupts_of(s))),
)


def disturbed(design: VgicDesign, before: VgicState, after: VgicState) -> list[Place]:
    """The active interrupts that behind a step are not active any more, or come from somebody else."""
    of = touched(before, after)
    now = {(one.vcpu, one.position): one for one in in_lists(design, after, of)}
    found = []
    for one in in_lists(design, before, of):
        other = now.get((one.vcpu, one.position))
        same = other is not None and other.active and (other.key, other.source) == (one.key, one.source)
        if one.active and not same:
            found.append(one)
    return found


def undisturbed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ACTIVE_KEPT."""
    return not disturbed(design.vgic, interrupts_of(before), interrupts_of(after))


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
    + ", ".join(named(one.key) for one in disturbed(d.vgic, interrupts_of(b), interrupts_of(s))),
)


def again(design: VgicDesign, before: VgicState, after: VgicState) -> list[Place]:
    """The level-sensitive interrupts that are active and become pending as well."""
    of = touched(before, after)
    old = {(one.vcpu, one.position) for one in in_lists(design, before, of) if one.pending}
    return [
        one
        for one in in_lists(design, after, of)
        if one.pending and one.active and (one.vcpu, one.position) not in old
        and not is_edge(one.key[2], after.irqs.get(one.key))
    ]  # fmt: skip


def once_per_end(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of LEVEL_ONCE."""
    return not again(design.vgic, interrupts_of(before), interrupts_of(after))


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
    + ", ".join(named(one.key) for one in again(d.vgic, interrupts_of(b), interrupts_of(s))),
)

PROPERTIES = (ONE_LIST_REGISTER, FLUSHED, LISTS_AGREE, ACTIVE_KEPT, LEVEL_ONCE)
