"""Progress: each step of a fair drain of interrupts leaves less to do, so it comes to a state in which nothing is due.

What a drain may do next is stated in `rest.py`, in any order. What could go round for ever is left out: a guest may see
to it that its interface refuses what it would have it do, or may have its list registers hold what it does not take,
and wait all the same.
"""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic import system as vgic
from model.vgic.design import GUEST, Do, VgicDesign
from model.vgic.guest import Acknowledges, Completes
from model.vgic.state import VgicState
from model.vgic.system import VgicAction
from properties.interrupts.delivery import is_quiet
from properties.interrupts.ranking import smaller
from properties.interrupts.rest import able, leads_on, lowers, served
from properties.interrupts.steps import does, in_lists, interrupts_of
from properties.property import Kind, Property
from spec.words import either, every, implies, negate


def drains(design: VgicDesign, state: VgicState, action: VgicAction, after: VgicState) -> Any:
    """Whether an action is one of the drain's, and none of those that can go round without an end."""
    match action:
        case vgic.LineChanges():
            return lowers(design, state, action)
        case vgic.GuestActs(cpu, Acknowledges() | Completes()):
            old, new = state.cores[cpu].gich.lrs, after.cores[cpu].gich.lrs
            return served(state, state.cores[cpu].vcpu, old, new)
    return leads_on(design, state, action)


def stuck(design: VgicDesign, state: VgicState) -> Any:
    """Whether something is due though nobody can do anything, and no guest holds an interrupt."""
    halted = negate(able(design, state))
    if halted is False:
        return False
    held = [every(state.vcpus[place.vcpu].at == GUEST, place.held) for place in in_lists(design, state)]
    return every(halted, negate(either(*held)), negate(is_quiet(design, state)))


def progresses(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> Any:
    """Whether less is left to do after an action, if it is one of the drain's."""
    drained = drains(design, before, action, after)
    return True if drained is False else implies(drained, smaller(design, before, action, after))


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
