"""The property that the proofs about interrupts rest on, all invariants together; and the properties that are proved.

What becomes of a state in a fair drain is a matter of whole runs: `interrupts.delivered` and `interrupts.idle_sleeps`
are proved by a measure (`properties/interrupts/rest.py`). `interrupts.loaded` is explored: it compares with another
distributor that is built for it.
"""

from functools import partial
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic.system import VgicAction, VgicSteps
from properties.interrupts import contents, delivery, distributor, exits, progress, stays, stores
from properties.interrupts.invariants import INVARIANTS, Invariant
from properties.interrupts.steps import interrupts_of
from properties.property import Kind, Property
from spec.words import every


def inductive(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of INDUCTIVE."""
    return every(*(invariant(design.vgic, interrupts_of(after)) for invariant in INVARIANTS.values()))


def one(invariant: Invariant, design: Design, before: State, action: Action, after: State) -> Any:
    """One of the invariants as a predicate."""
    return invariant(design.vgic, interrupts_of(after))


def broken(design: Design, before: State, action: Action, after: State) -> str:
    """The invariants that do not hold of a concrete state."""
    names = [name for name, invariant in INVARIANTS.items() if not invariant(design.vgic, interrupts_of(after))]
    return f"broken: {', '.join(names)}"


INDUCTIVE = Property(
    id="interrupts.inductive",
    statement="Every action keeps the invariants that the other proofs about interrupts rest on: what is pending is in "
    "a list register or noted for its vCPU, and who is noted looks again, or is woken or kicked.",
    claims=("C22", "C23", "C24"),
    question="Why is no virtual interrupt forgotten, however many there are?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=inductive,
    interesting=lambda design, before, action, after: isinstance(action, VgicSteps),
    explain=broken,
    conjuncts=tuple(partial(one, invariant) for invariant in INVARIANTS.values()),
)

PROVED: tuple[Property, ...] = (
    delivery.NOT_FORGOTTEN,
    progress.UNSTUCK,
    delivery.KEPT,
    delivery.CAUSED,
    contents.ONE_LIST_REGISTER,
    contents.FLUSHED,
    contents.LISTS_AGREE,
    contents.ACTIVE_KEPT,
    contents.LEVEL_ONCE,
    stays.WOKEN,
    stays.KICKED,
    stays.OFF_IS_OFF,
    stays.SIGNAL_HEARD,
    stays.CALLED_FOR,
    stays.MASKED,
    stays.INTERFACE_OFF,
    stays.SWITCHED,
    exits.EXITLESS,
    distributor.EMULATED,
    distributor.SGI_TARGETS,
    distributor.STORED_EXACTLY,
    distributor.PERFORMED,
    distributor.VMS_APART,
    stores.STORED,
)
"""The properties that are asked of symbolic states and steps."""
