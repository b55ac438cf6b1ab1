"""Stores to the virtual distributor have their effects: each interrupt whose field one covers is changed."""

from typing import Any

from model.action import Action
from model.vgic.design import Do, Register, VgicDesign
from model.vgic.distributor import FIELD
from model.vgic.pending import Key
from model.vgic.state import PRIVATE, VgicState, flag
from model.vgic.system import VgicSteps
from properties.interrupts.distributor import SHOWN, WORDS, as_stored, covered_by, is_left, stored, stored_to
from properties.interrupts.steps import does, interrupts_of, named, none, those, vm_of
from properties.property import Kind, Property
from spec.words import either, every, member, negate, same, sub


def overlooked(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[tuple[Key, str], Any]]:
    """The interrupts whose fields a store covers, each with whether it is not among those that it will change."""
    if does(design, before, action) is not Do.PERFORM or (found := stored(before, action)) is None:
        return []
    vcpu, number, register, inner = found
    stores = every(vcpu.access.write == 1, member(vcpu.access.size, (1, 2, 4)))
    texts: list[tuple[tuple[Key, str], Any]] = []
    for key in stored_to(before, vcpu, register, inner):
        covered, value = covered_by(before, number, register, inner, key)
        fixed = every(key[2] < PRIVATE, register in (Register.ICFGR, Register.ITARGETSR))
        asked = either(value > 0, FIELD[register] > 1)
        here = every(stores, covered, key[2] >> WORDS[register] == inner >> 2, asked, negate(fixed))
        left = is_left(after.vcpus[number].left, register, key)
        texts.append(((key, "is not changed, which the store covers"), every(here, negate(left))))
    return texts


def passed_over(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[tuple[Key, str], Any]]:
    """Interrupts of a store, each with whether it is its turn, and it does not become what was stored.

    One that changes to another value than that is `wrongly_written`, where the register shows the value; which one of
    several targets it gets is KVM's choice, and so is what becomes of one that is to have none of those that exist.
    """
    if does(design, before, action) is not Do.WRITE_ONE or (found := stored(before, action)) is None:
        return []
    vcpu, number, register, inner = found
    texts: list[tuple[tuple[Key, str], Any]] = []
    lowest, exist = vcpu.left & sub(0, vcpu.left, 32), sub(flag(vm_of(before, vcpu.vm).count), 1, 8)
    for key in stored_to(before, vcpu, register, inner):
        covered, value = covered_by(before, number, register, inner, key)
        alike = either(register not in SHOWN, same(before.irqs.get(key), after.irqs.get(key)))
        named_one = either(register is not Register.ITARGETSR, value & exist > 0)
        turn = every(covered, alike, named_one, key[2] >> WORDS[register] == inner >> 2, is_left(lowest, register, key))
        wrong = every(turn, negate(as_stored(before, register, vcpu.vm, value, after, key)))
        texts.append(((key, "does not become what was stored"), wrong))
    return texts


def missed(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[tuple[Key, str], Any]]:
    """The interrupts that a store ought to change, each with whether it does not."""
    return [*overlooked(design, before, action, after), *passed_over(design, before, action, after)]


STORED = Property(
    id="interrupts.stored",
    statement="A store to the distributor changes every interrupt whose field it covers, as the register that the "
    "architecture has there does.",
    claims=("C21",),
    question="Does each store of a guest to its distributor have an effect, and the right one?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=lambda d, b, a, s: none(missed(d.vgic, interrupts_of(b), a, interrupts_of(s))),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.WRITE_ONE,
    explain=lambda d, b, a, s: "; ".join(
        f"{named(key)} {text}" for key, text in those(missed(d.vgic, interrupts_of(b), a, interrupts_of(s)))
    ),
)

PROPERTIES: tuple[Property, ...] = (STORED,)
