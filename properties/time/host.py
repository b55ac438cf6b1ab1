"""The host's own time and its progress: nothing of a guest's timer is left when the host runs."""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import vcpu_of
from model.timer.design import Do, Trait
from model.timer.state import PENDING
from model.timer.system import TimeAction, TimerSteps
from model.timer.timer import fires_loaded, fires_saved, interrupts
from properties.property import Kind, Property
from properties.time.steps import does, noted, time_of
from spec.words import either, every, implies, negate


def undisturbed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of UNDISTURBED."""
    cores = time_of(after).cores
    return every(*(implies(core.masked == 0, every(core.off == 0, core.access == 3)) for core in cores))


UNDISTURBED = Property(
    id="time.host_undisturbed",
    statement="While the host runs with interrupts on, its virtual counter shows the physical count, and the physical "
    "timer is its own.",
    claims=("C5", "C27", "C28"),
    question="Does the host's clock jump when a guest has run?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=undisturbed,
    interesting=lambda d, b, a, s: does(d.timer, time_of(b), a) is Do.UNMASK_IRQS,
    explain=lambda d, b, a, s: "; ".join(
        f"on CPU{cpu} CNTVOFF is {core.off:#x} and CNTHCTL {core.access:#x}"
        for cpu, core in enumerate(time_of(s).cores)
        if core.masked == 0
    ),
)


def progresses(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of PROGRESSES."""
    state = time_of(after)
    return every(*(implies(core.masked == 0, negate(interrupts(state, core))) for core in state.cores))


PROGRESSES = Property(
    id="time.host_progresses",
    statement="While the host runs with interrupts on, no virtual timer signals an interrupt that nobody would end.",
    claims=("C5",),
    question="Can a guest's timer keep the host from doing anything else?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=progresses,
    interesting=lambda d, b, a, s: does(d.timer, time_of(b), a) is Do.STOP
    and fires_loaded(time_of(b), time_of(b).cores[a.cpu]),
    explain=lambda d, b, a, s: "the virtual timer keeps signalling on "
    + ", ".join(f"CPU{cpu}" for cpu, core in enumerate(time_of(s).cores) if interrupts(time_of(s), core)),
)


def entered_again(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of NO_STORM."""
    state = time_of(before)
    if does(design.timer, state, action) is not Do.ENTER or Trait.MASKS in design.timer.traits:
        return True
    core, vcpu = state.cores[action.cpu], vcpu_of(state, action.cpu)
    return negate(every(interrupts(state, core), noted(vcpu)))


NO_STORM = Property(
    id="time.no_storm",
    statement="A guest is not entered with its timer signalling when the distributor knows of that already: it would "
    "be left again at once, for nothing. A timer that is masked when it is told signals nothing more.",
    claims=("C26",),
    question="Does a timer that has fired let its guest get on?",
    kind=Kind.STEP,
    about=(TimerSteps,),
    holds=entered_again,
    interesting=lambda d, b, a, s: does(d.timer, time_of(b), a) is Do.ENTER and noted(vcpu_of(time_of(b), a.cpu)),
    explain=lambda d, b, a, s: f"vCPU{time_of(b).cores[a.cpu].vcpu} is entered, and its timer takes it out again",
)



def has_reason(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of WAITS."""
    state = time_of(before)
    if does(design.timer, state, action) is not Do.FINISH_WAIT:
        return True
    vcpu = vcpu_of(state, action.cpu)
    told = every(vcpu.enabled == 1, either(vcpu.line == 1, vcpu.pending == 1))
    return either(told, vcpu.listed & PENDING > 0, vcpu.signal == 1, fires_saved(state, state.cores[action.cpu].vcpu))


WAITS = Property(
    id="time.waits",
    statement="A vCPU whose guest waits goes on only for interrupt 27, its timer or a signal.",
    claims=("C26",),
    question="Does a guest that waits for its timer cost a processor meanwhile?",
    kind=Kind.STEP,
    about=(TimerSteps,),
    holds=has_reason,
    interesting=lambda d, b, a, s: does(d.timer, time_of(b), a) is Do.FINISH_WAIT,
    explain=lambda d, b, a, s: f"vCPU{time_of(b).cores[a.cpu].vcpu} goes on for nothing",
)

PROPERTIES = (UNDISTURBED, PROGRESSES, NO_STORM, WAITS)
