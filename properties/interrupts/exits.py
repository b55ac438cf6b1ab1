"""What list registers save: a guest uses its virtual CPU interface without an exit, unless KVM has asked for one."""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import with_core
from model.vgic.design import Do, VgicDesign
from model.vgic.pending import Key
from model.vgic.state import VgicState
from model.vgic.system import GuestActs, VgicSteps
from properties.interrupts.invariants.terms import asks, end_matters, is_noted
from properties.interrupts.steps import does, in_lists, interrupts_of, named, none, those
from properties.property import Kind, Property
from spec.gic import list_registers as lists
from spec.gic.virtual_interface import UIE, maintenance
from spec.words import bit, either, every, implies, negate, put, same


def asked_in_vain(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[Key, Any]]:
    """The interrupts in list registers at the end of a flush, each with whether its end asks for a maintenance
    interrupt for no reason, or that of an underflow does: it is an edge, no other source and no other target waits, and
    everything fitted."""
    if does(design, before, action) is not Do.FLUSH_END:
        return []
    number, found = before.cores[action.cpu].vcpu, []
    vcpu = after.vcpus[number]
    for place in in_lists(design, after, (number,)):
        ran_out = every(len(vcpu.saved.lrs) == 1, is_noted(after, vcpu))
        matters = end_matters(design, after, vcpu, place.key, after.irqs.get(place.key))
        underflow = every(bit(vcpu.saved.hcr, UIE) == 1, negate(is_noted(after, vcpu)))
        end = every(asks(place.lr), negate(either(matters, ran_out)))
        found.append((place.key, every(place.held, either(underflow, end))))
    return found


def keeps_to_itself(before: VgicState, action: Action, after: VgicState) -> Any:
    """Whether a guest that uses its interface changes nothing else, and is taken out by that only if it was asked
    for."""
    if not isinstance(action, GuestActs):
        return True
    old, new = before.cores[action.cpu].gich, after.cores[action.cpu].gich
    others = with_core(after, action.cpu, put(after.cores[action.cpu], "gich", old))
    ended = [
        every(was & lists.ACTIVE_BIT > 0, now & lists.ACTIVE_BIT == 0, asks(was))
        for was, now in zip(old.lrs, new.lrs, strict=True)
    ]
    comes = every(maintenance(new) == 1, maintenance(old) == 0)
    return every(same(before, others), implies(comes, either(bit(new.hcr, UIE) == 1, *ended)))


def exitless(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of EXITLESS."""
    old, new = interrupts_of(before), interrupts_of(after)
    return every(keeps_to_itself(old, action, new), none(asked_in_vain(design.vgic, old, action, new)))


def why(design: Design, before: State, action: Action, after: State) -> str:
    """What is wrong about a step, in words."""
    vain = those(asked_in_vain(design.vgic, interrupts_of(before), action, interrupts_of(after)))
    asked = f"the end of {', '.join(map(named, vain))} asks for a maintenance interrupt for nothing"
    return asked if vain else "the guest is taken out for nothing, or changes more than its own interface"


EXITLESS = Property(
    id="interrupts.exitless",
    statement="A guest acknowledges and completes interrupts without an exit, unless at its entry one was "
    "level-sensitive, another source of an SGI or another target waited, or list registers ran out.",
    claims=("C20",),
    question="Why do list registers save exits?",
    kind=Kind.STEP,
    about=(GuestActs, VgicSteps),
    holds=exitless,
    interesting=lambda d, b, a, s: isinstance(a, GuestActs),
    explain=why,
)

PROPERTIES = (EXITLESS,)
