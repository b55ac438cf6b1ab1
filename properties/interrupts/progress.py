"""Progress: each step of a fair drain of interrupts leaves less to do, so it comes to a state in which nothing is due.

What a drain may do next is stated here in any order: whoever can go on may be the next, but a processor takes the
physical interrupts that are pending before anything else. What could go round for ever is left out: a guest may see to
it that its interface refuses what it would have it do, or may have its list registers hold what it does not take, and
wait all the same.
"""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import is_agent, vcpu_of
from model.vgic import system as vgic
from model.vgic.design import GUEST, OUT, Do, VgicDesign
from model.vgic.guest import Acknowledges, Completes
from model.vgic.holders import is_told
from model.vgic.pending import is_edge
from model.vgic.state import PRIVATE, VgicState, flag
from model.vgic.system import VgicAction, VgicSteps
from properties.interrupts.delivery import is_quiet
from properties.interrupts.invariants.terms import asks, is_noted, is_valid
from properties.interrupts.ranking import is_pending, lowered, others, smaller, tells, waits_on
from properties.interrupts.steps import does, in_lists, interrupts_of, listed, places_of, runs_on, vm_of
from properties.property import Kind, Property
from properties.quantify import each
from spec.gic import list_registers as lists
from spec.gic.virtual_interface import maintenance
from spec.words import either, every, implies, member, negate


def drains(design: VgicDesign, state: VgicState, action: VgicAction, after: VgicState) -> Any:
    """Whether an action is one of the drain's, and none of those that can go round without an end."""
    cpu = action.cpu
    if is_agent(state, cpu):
        return isinstance(action, VgicSteps) or lowers(design, state, action)
    core = state.cores[cpu]
    match action:
        case VgicSteps():
            return either(core.masked == 1, every(core.ipi == 0, core.irq == 0))
        case vgic.HostRuns(_, vcpu):
            return runnable(state, vcpu)
        case vgic.HostTakesInterrupts() | vgic.GuestInterrupted():
            return True
        case vgic.GuestWaits():
            full = either(*(either(is_valid(lr), asks(lr)) for lr in core.gich.lrs))
            return every(core.ipi == 0, core.irq == 0, vcpu_of(state, cpu).pins == 0, negate(full))
        case vgic.GuestActs(_, Acknowledges() | Completes()):
            return served(state, cpu, after)
    return False


def told_truly(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> Any:
    """Whether at the end of its flush a vCPU tells only those that have what is pending for it, and do not know it."""
    if does(design, before, action) is not Do.FLUSH_END:
        return True
    number, found = before.cores[action.cpu].vcpu, []
    fresh = after.vcpus[number].updated > before.vcpus[number].updated
    for other in others(before, number):
        new = every(is_noted(after, after.vcpus[other]), negate(is_noted(before, before.vcpus[other])))
        found.append(implies(new, waits_on(design, before, number, other)))
    return every(*found, implies(fresh, tells(design, before, number)))


def held_known(design: VgicDesign, state: VgicState) -> Any:
    """Whether what a vCPU waits for by KVM's map, and is to tell, is in a list register of the other one; of any
    interrupt."""
    found = []
    for key, record in each(state.irqs):
        for number, vcpu in enumerate(state.vcpus):
            for other in others(state, number):
                pends = every(key[2] >= PRIVATE, is_pending(design, state, key, record) & flag(vcpu.number) > 0)
                sibling = every(key[0] == vcpu.vm, state.vcpus[other].vm == vcpu.vm)
                there = every(sibling, is_told(design, state, other, key[2]))
                found.append(implies(every(pends, there), waits_on(design, state, number, other)))
    return every(*found)


def able(design: VgicDesign, state: VgicState) -> Any:
    """Whether the drain has a next step but for uses of GICV: somebody goes on, is interrupted, or may run."""
    free = [runnable(state, number) for number in range(len(state.vcpus))]
    found = []
    for agent in state.agents:
        begun = every(negate(agent.at == OUT), negate(blocked(design, state, agent.at, agent.vm)))
        found.append(begun)
    for core in state.cores:
        if any(each is True for each in found):
            return True
        hit = either(core.ipi == 1, core.irq == 1)
        found.append(every(core.busy == 0, either(hit, *free)))
        for number, vcpu in enumerate(state.vcpus):
            inside, here = vcpu.at == GUEST, runs_on(core, number)
            if every(inside, here) is not False:
                found.append(every(inside, here, either(hit, maintenance(core.gich) == 1, *free)))
            goes = either(hit, negate(blocked(design, state, vcpu.at, vcpu.vm)))
            found.append(every(here, negate(inside), goes))
    return either(*found)


def runnable(state: VgicState, number: int) -> Any:
    """Whether a vCPU's thread waits for a processor, or one that is powered on may call KVM_RUN."""
    vcpu = state.vcpus[number]
    return every(either(vcpu.pause == 0, negate(vcpu.at == OUT)), vgic.may_run(state, number))


def blocked(design: VgicDesign, state: VgicState, at: int, vm: int) -> Any:
    """Whether a thread is about to take a lock that somebody holds."""
    return every(member(at, places_of(design, Do.LOCK)), vm_of(state, vm).lock > 0)


def stuck(design: VgicDesign, state: VgicState) -> Any:
    """Whether something is due though nobody can do anything, and no guest holds an interrupt."""
    halted = negate(able(design, state))
    if halted is False:
        return False
    held = [every(state.vcpus[place.vcpu].at == GUEST, place.held) for place in in_lists(design, state)]
    return every(halted, negate(either(*held)), negate(is_quiet(design, state)))


def served(state: VgicState, cpu: int, after: VgicState) -> Any:
    """Whether a guest's use of its interface changes a list register, and ends nothing of which the line is high."""
    number, found, right = vcpu_of(state, cpu), [], []
    for old, new in zip(state.cores[cpu].gich.lrs, after.cores[cpu].gich.lrs, strict=True):
        key = (number.vm, 0, lists.virtual_id(old))
        record = state.irqs.get(key)
        found.append(negate(old == new))
        ends = every(old & lists.ACTIVE_BIT > 0, new & lists.ACTIVE_BIT == 0)
        high = every(negate(is_edge(key[2], record)), record.line == 1, len(state.agents) > 0)
        right.append(implies(ends, negate(high)))
    return every(either(*found), *right)


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
            found.append(every(vcpu.at == GUEST, mine))
    level = every(negate(is_edge(action.irq, record)), record.line == 1, action.level == 0)
    return every(level, negate(lowered(state, key)), either(*found))


def progresses(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> Any:
    """Whether less is left to do after an action, if it is one of the drain's.

    Who waits at the end of a flush is taken to be true, which `interrupts.called_for` asks of explored runs.
    """
    drained = drains(design, before, action, after)
    if drained is False:
        return True
    told = told_truly(design, before, action, after)
    known = held_known(design, before) if does(design, before, action) is Do.FLUSH_END else True
    return every(known, implies(every(drained, told), smaller(design, before, action, after)))


def holds(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of PROGRESS."""
    assert isinstance(action, VgicAction)
    return progresses(design.vgic, interrupts_of(before), action, interrupts_of(after))


PROGRESS = Property(
    id="interrupts.progress",
    statement="Every step of a drain leaves less to do, unless a guest's interface refuses what it is to get: nobody "
    "is interrupted, kicked or entered again and again while an interrupt waits.",
    claims=("C22", "C24"),
    question="Does it come to an end, once nothing new happens?",
    kind=Kind.STEP,
    about=(VgicAction,),
    holds=holds,
    interesting=lambda d, b, a, s: isinstance(a, vgic.GuestInterrupted),
    explain=lambda d, b, a, s: "a step of the drain leaves no less to do than there was",
)
UNSTUCK = Property(
    id="interrupts.unstuck",
    statement="While anything is due, somebody can do it: nobody waits for a lock or a processor that is never free.",
    claims=("C22",),
    question="Can it be that nobody goes on, though there is something to do?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: negate(stuck(d.vgic, interrupts_of(s))),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.LOCK,
    explain=lambda d, b, a, s: "something is due, and nobody can go on",
)
