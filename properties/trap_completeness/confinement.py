"""A guest's operation changes only what is its VM's own, and depends on nothing that is hidden from it."""

from model.action import Action
from model.actions import GuestExecutes
from model.design import Design
from model.state import State, Where
from model.system import step, with_physical
from properties import policy
from properties.property import Kind, Property
from properties.trap_completeness.steps import cpu_of, difference, operation_of, where
from properties.views import view
from spec.operations import (
    CoprocessorAccess,
    Wfe,
    Wfi,
)
from spec.processor import Processor
from spec.registers import REGISTERS, read, write_all
from spec.words import inv, put, same


def confined(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of CONFINED."""
    if where(after, action) is Where.SECURE:
        return False
    trapped = where(after, action) is not Where.GUEST
    return policy.changed_only(cpu_of(before, action), cpu_of(after, action), trapped)


def _confined_explanation(design: Design, before: State, action: Action, after: State) -> str:
    if where(after, action) is Where.SECURE:
        return "the guest reached the secure firmware"
    foreign = [n for n in REGISTERS if policy.owner(n) not in (policy.Owner.WORLD, policy.Owner.HINT)]
    foreign += [] if policy.vfp_given(cpu_of(before, action)) else policy.VFP
    return "the guest changed " + difference(cpu_of(before, action), cpu_of(after, action), foreign)


CONFINED = Property(
    id="trap_completeness.confined",
    statement="An operation of a guest changes only state that belongs to its VM.",
    claims=("C12", "C27", "C31"),
    question="Which sensitive operations must trap?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=confined,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), CoprocessorAccess) and where(s, a) is Where.GUEST,
    explain=_confined_explanation,
)


def other_world(cpu: Processor) -> Processor:
    """A processor that differs from this one in every bit: what the second run of a comparison hides."""
    names = tuple(REGISTERS)
    return write_all(cpu, names, [inv(read(cpu, name), REGISTERS[name].width) for name in names])


def independent_of(design: Design, before: State, action: Action, after: State, hidden: Processor) -> bool:
    """Whether the VM experiences the same where everything hidden from it is replaced by `hidden`'s values."""
    physical = before.processors[action.cpu]
    changed = put(physical, "cpu", policy.with_hidden(design, physical.cpu, hidden))
    other = step(design, with_physical(before, action, changed), action)
    return same(view(design, after, action.cpu), view(design, other, action.cpu))


def independent(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of INDEPENDENT, with one stated second run; the proof takes any."""
    if isinstance(operation_of(action), Wfi | Wfe):
        return True
    return independent_of(design, before, action, after, other_world(cpu_of(before, action)))


INDEPENDENT = Property(
    id="trap_completeness.independent",
    statement="What a guest experiences of an operation does not depend on anything hidden from its VM.",
    claims=("C10", "C12", "C28"),
    question="Can a guest learn anything about the host or another VM?",
    kind=Kind.NON_INTERFERENCE,
    about=(GuestExecutes,),
    holds=independent,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), CoprocessorAccess) and operation_of(a).read,  # type: ignore[attr-defined]
    explain=lambda d, b, a, s: "the guest's registers afterwards depend on state that is hidden from it",
)
