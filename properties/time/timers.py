"""The timers of guests: kept as the guest has set them, by one of hardware and software at a time, and never early."""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.timer.design import OUT, Do, TimerDesign, Trait, place
from model.timer.state import PENDING, TimeState
from model.timer.system import SoftTimerExpires, TimeAction, TimerSteps, WorkRuns
from properties.property import Kind, Property
from properties.time.steps import between, does, due, held, in_kernel, of_each, time_of
from spec.words import either, every, implies, member, negate, same


def kept(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of KEPT."""
    state = time_of(after)
    return of_each(state, lambda number: implies(in_kernel(state, number), as_set(design.timer, state, number)))


def as_set(design: TimerDesign, state: TimeState, number: int) -> Any:
    """Whether a vCPU's timer is as its guest has set it."""
    vcpu = state.vcpus[number]
    ctl = held(state, number, "ctl", between(design, Do.LOAD_CTL, Do.SAVE_CTL))
    cval = held(state, number, "cval", between(design, Do.LOAD_CVAL, Do.SAVE_CVAL))
    return every(ctl == vcpu.own_ctl, cval == vcpu.own_cval)


def kept_text(design: Design, before: State, action: Action, after: State) -> str:
    """The timers that are not as their guests have set them, in words."""
    state, found = time_of(after), []
    for number, vcpu in enumerate(state.vcpus):
        if in_kernel(state, number) and not as_set(design.timer, state, number):
            ctl = held(state, number, "ctl", between(design.timer, Do.LOAD_CTL, Do.SAVE_CTL))
            cval = held(state, number, "cval", between(design.timer, Do.LOAD_CVAL, Do.SAVE_CVAL))
            written = f"its guest has written {vcpu.own_ctl} and {vcpu.own_cval:#x}"
            found.append(f"vCPU{number} has CNTV_CTL {ctl} and CNTV_CVAL {cval:#x}, and {written}")
    return "; ".join(found)


KEPT = Property(
    id="time.timer_kept",
    statement="CNTV_CTL and CNTV_CVAL of a guest are always what it has written, in the processor or saved.",
    claims=("C6", "C25"),
    question="Does a guest find its timer as it has left it?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=kept,
    interesting=lambda d, b, a, s: does(d.timer, time_of(b), a) is Do.SAVE_CTL
    and any(vcpu.own_ctl for vcpu in time_of(b).vcpus),
    explain=kept_text,
)


def one_armed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ONE_ARMED."""
    state, timer = time_of(after), design.timer
    places = between(timer, Do.LOAD_CTL, Do.STOP) | arming(timer)

    def alone(number: int) -> Any:
        vcpu = state.vcpus[number]
        free = every(vcpu.armed == 0, vcpu.running == 0, vcpu.queued == 0)
        loaded = either(*(every(core.busy == 1, core.vcpu == number) for core in state.cores))
        return implies(every(loaded, member(vcpu.at, places)), free)

    return of_each(state, alone)


def arming(design: TimerDesign) -> frozenset[int]:
    """The program counters of the steps that arm the software timer."""
    return frozenset(place("run", n) for n, step in enumerate(design.run) if step.do is Do.ARM)


ONE_ARMED = Property(
    id="time.one_armed",
    statement="At most one timer works for a vCPU: the processor's while it runs, the host's software timer while it "
    "does not.",
    claims=("C26",),
    question="Which timer is in charge of a vCPU?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=one_armed,
    interesting=lambda d, b, a, s: does(d.timer, time_of(b), a) is Do.ARM and any(v.armed for v in time_of(s).vcpus),
    explain=lambda d, b, a, s: "the software timer is armed of "
    + ", ".join(f"vCPU{n}" for n, vcpu in enumerate(time_of(s).vcpus) if vcpu.armed or vcpu.running or vcpu.queued),
)


def announced(design: TimerDesign, before: TimeState, action: Action, after: TimeState, number: int) -> Any:
    """Whether a vCPU's interrupt 27 comes one way nearer to its guest in a step without a cause."""
    old, new = before.vcpus[number], after.vcpus[number]
    told = either(every(old.line == 0, new.line == 1), every(old.pending == 0, new.pending == 1))
    flushed = does(design, before, action) is Do.FLUSH and before.cores[action.cpu].vcpu == number
    listed = every(flushed, new.listed & PENDING > 0, old.line == 0)
    return every(either(told, listed), negate(due(before, number)))


def never_early(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of NEVER_EARLY."""
    old, new = time_of(before), time_of(after)
    return of_each(old, lambda number: negate(announced(design.timer, old, action, new, number)))


NEVER_EARLY = Property(
    id="time.never_early",
    statement="Interrupt 27 becomes pending, and a flush leaves it in a list register, only while the guest's timer "
    "fires: never before its compare value, and not for a timer that the guest has stopped.",
    claims=("C26",),
    question="Does a guest get a timer interrupt too early, or one that it has called off?",
    kind=Kind.STEP,
    about=(TimerSteps, SoftTimerExpires, WorkRuns),
    holds=never_early,
    interesting=lambda d, b, a, s: any(
        new.listed > old.listed for old, new in zip(time_of(b).vcpus, time_of(s).vcpus, strict=True)
    ),
    explain=lambda d, b, a, s: "without a timer that fires: interrupt 27 of "
    + ", ".join(
        f"vCPU{n}" for n in range(len(time_of(b).vcpus)) if announced(d.timer, time_of(b), a, time_of(s), n)
    ),
)

SAVED = ("ctl", "cval", "enabled", "line", "pending", "listed")
"""What user space can save of a stopped vCPU's timer and interrupt 27."""


def stopped_still(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of STOPPED_STILL."""
    if Trait.IN_USER_SPACE in design.timer.traits:
        return True
    old, new = time_of(before), time_of(after)
    pairs = zip(old.vcpus, new.vcpus, strict=True)
    return every(
        *(
            implies(then.at == OUT, every(*(same(getattr(then, name), getattr(now, name)) for name in SAVED)))
            for then, now in pairs
        )
    )


STOPPED_STILL = Property(
    id="time.stopped_still",
    statement="The timer and interrupt 27 of a vCPU whose thread is in user space stay as they are: what is saved one "
    "after the other belongs together.",
    claims=("C26",),
    question="Can user space save a VM's timers and interrupts in two steps?",
    kind=Kind.STEP,
    about=(SoftTimerExpires, WorkRuns),
    holds=stopped_still,
    interesting=lambda d, b, a, s: any(vcpu.at == OUT for vcpu in time_of(b).vcpus) and isinstance(a, SoftTimerExpires),
    explain=lambda d, b, a, s: "; ".join(
        f"{name} of vCPU{n} goes from {getattr(old, name)} to {getattr(new, name)}"
        for n, (old, new) in enumerate(zip(time_of(b).vcpus, time_of(s).vcpus, strict=True))
        for name in SAVED
        if getattr(old, name) != getattr(new, name)
    ),
)

PROPERTIES = (KEPT, ONE_ARMED, NEVER_EARLY, STOPPED_STILL)
