"""What becomes of a timer that fires: something always stands in for it, and in the end its guest is told."""

from functools import partial
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import Wait
from model.timer.design import GUEST, Trait
from model.timer.soft import distance
from model.timer.state import TimeState
from model.timer.system import GuestTakes, SoftTimerExpires, TimeAction
from model.topology import MOST_VCPUS
from properties.property import Kind, Property
from properties.time.drain import lost, waiting
from properties.time.steps import noted, of_each, stands_on, time_of, wants
from spec.words import either, every, implies


def covered_one(design: Design, state: TimeState, number: int) -> Any:
    """Whether something stands in for a vCPU's timer, if the guest has enabled it and not masked it."""
    vcpu = state.vcpus[number]
    asleep = implies(vcpu.wait == Wait.ASLEEP, stands_in(state, number))
    inside = every(*(implies(stands_on(state, cpu, number), loaded(state, cpu, number)) for cpu in cores(state)))
    if Trait.IN_USER_SPACE in design.timer.traits:
        inside = either(stands_in(state, number), noted(vcpu))
    return implies(wants(state, number), every(asleep, implies(vcpu.at == GUEST, inside)))


def cores(state: TimeState) -> range:
    """The numbers of the processors."""
    return range(len(state.cores))


def stands_in(state: TimeState, number: int) -> Any:
    """Whether the software timer will wake a vCPU in time, or has; or its guest does not want interrupt 27."""
    vcpu = state.vcpus[number]
    unwanted = every(either(vcpu.line == 1, vcpu.pending == 1), vcpu.enabled == 0)
    return either(every(vcpu.running == 1, vcpu.left <= distance(state, number)), vcpu.queued == 1, unwanted)


def loaded(state: TimeState, cpu: int, number: int) -> Any:
    """Whether the processor's timer is a vCPU's and will signal, or the distributor knows already."""
    core, vcpu = state.cores[cpu], state.vcpus[number]
    own = every(core.ctl == vcpu.own_ctl, core.cval == vcpu.own_cval, core.off == state.vms[vcpu.vm].off)
    return either(every(own, core.active == 0, core.silenced == 0), noted(vcpu))


def covered(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of COVERED."""
    state = time_of(after)
    return of_each(state, lambda number: covered_one(design, state, number))


def covered_here(number: int, design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of COVERED for one vCPU, by its number."""
    state = time_of(after)
    return True if number >= len(state.vcpus) else covered_one(design, state, number)


COVERED = Property(
    id="time.covered",
    statement="A timer that a guest has enabled and not masked is in the processor while the guest runs, and stood in "
    "for by a software timer that is not late while its vCPU sleeps, until interrupt 27 is on its way.",
    claims=("C26",),
    question="Who looks after a guest's timer while the guest does not run?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=covered,
    interesting=lambda d, b, a, s: isinstance(a, SoftTimerExpires),
    explain=lambda d, b, a, s: "nothing stands in for the timer of "
    + ", ".join(f"vCPU{n}" for n in range(len(time_of(s).vcpus)) if not covered_one(d, time_of(s), n)),
    conjuncts=tuple(partial(covered_here, number) for number in range(MOST_VCPUS)),
)


def delivered(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of DELIVERED."""
    return not lost(design.timer, time_of(after))


def all_delivered(design: Design, state: State, circles: bool) -> bool:
    """Whether nobody waits in the end of a drain, or in its circles."""
    return not waiting(time_of(state))


DELIVERED = Property(
    id="time.delivered",
    statement="Whatever came before: once nothing but time happens, every timer that a guest has enabled and not "
    "masked fires, and the guest takes its interrupt.",
    claims=("C26",),
    question="Does a timer that expires always interrupt its guest, running or not?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=delivered,
    interesting=lambda d, b, a, s: isinstance(a, GuestTakes),
    explain=lambda d, b, a, s: "when nothing is due any more, its timer has fired and interrupt 27 was not taken by "
    + ", ".join(lost(d.timer, time_of(s))),
    settled=all_delivered,
)

PROPERTIES = (COVERED, DELIVERED)
