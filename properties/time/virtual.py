"""Virtual time itself: it passes as physical time does, is each VM's own, and costs no exits."""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import vcpu_of
from model.timer.design import GUEST, Do, Trait
from model.timer.state import TimeState
from model.timer.system import (
    GuestReadsCount,
    GuestWritesCtl,
    GuestWritesCval,
    GuestWritesTval,
    TimeAction,
    TimePasses,
    TimerSteps,
)
from properties.property import Kind, Property
from properties.time.steps import does, in_guests, time_of
from spec.words import add, choose, either, every, implies, same


def passed(action: Action) -> Any:
    """How many ticks an action takes."""
    return action.ticks if isinstance(action, TimePasses) else 0


def monotonic(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of MONOTONIC: the count grows by these ticks, and a VM's offset is that of its first run."""
    old, new = time_of(before), time_of(after)
    kept = [
        implies(
            every(vm.timer == 1, either(vm.ready == 1, then.ready == 1)),
            every(then.ready == 1, same(then.off, choose(vm.ready == 1, vm.off, old.now))),
        )
        for vm, then in zip(old.vms, new.vms, strict=True)
    ]
    return every(same(new.now, add(old.now, passed(action), 64)), *kept)


MONOTONIC = Property(
    id="time.monotonic",
    statement="The virtual time of a VM is 0 when it first runs and advances from then on, modulo 2^64, by exactly the "
    "ticks that pass, whatever any guest, the host or user space does.",
    claims=("C28",),
    question="Can a guest's clock jump, or run backwards?",
    kind=Kind.STEP,
    about=(TimeAction,),
    holds=monotonic,
    interesting=lambda d, b, a, s: isinstance(a, TimePasses) and any(vm.ready for vm in time_of(b).vms),
    explain=lambda d, b, a, s: "; ".join(
        f"VM{n}'s offset goes from {old.off:#x} to {new.off:#x}, and its time jumps"
        for n, (old, new) in enumerate(zip(time_of(b).vms, time_of(s).vms, strict=True))
        if old.off != new.off
    ),
)


def own_offset(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of OWN_OFFSET."""
    state = time_of(after)
    if Trait.IN_USER_SPACE in design.timer.traits:
        return True

    def shown(cpu: int, number: int) -> Any:
        vm = state.vms[state.vcpus[number].vm]
        begun = implies(vm.timer == 1, vm.ready == 1)
        return every(begun, state.cores[cpu].off == choose(vm.timer == 1, vm.off, 0))

    return in_guests(state, shown)


OWN_OFFSET = Property(
    id="time.own_offset",
    statement="While a guest runs, on whichever processor, CNTVOFF is its VM's, chosen when it first ran: all vCPUs of "
    "a VM see one time, and no other VM's.",
    claims=("C28",),
    question="Does a guest's time depend on where it runs, or on who ran there before?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=own_offset,
    interesting=lambda d, b, a, s: does(d.timer, time_of(b), a) is Do.ENTER,
    explain=lambda d, b, a, s: "; ".join(
        f"on CPU{cpu} CNTVOFF is {core.off:#x}, that of VM{vcpu.vm} {time_of(s).vms[vcpu.vm].off:#x}"
        for cpu, core in enumerate(time_of(s).cores)
        if core.busy
        for vcpu in (time_of(s).vcpus[core.vcpu],)
    ),
)

DIRECT_KINDS = (GuestReadsCount, GuestWritesCtl, GuestWritesCval, GuestWritesTval)


def direct(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of DIRECT."""
    return vcpu_of(time_of(after), action.cpu).at == GUEST


DIRECT = Property(
    id="time.direct",
    statement="A guest that reads its counter or sets its timer goes on at once, without an exit.",
    claims=("C25",),
    question="Why are there virtual timers?",
    kind=Kind.STEP,
    about=DIRECT_KINDS,
    holds=direct,
    interesting=lambda *_: True,
    explain=lambda d, b, a, s: "the guest is left, and waits for user space",
)


def physical_kept(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of PHYSICAL_KEPT."""
    state: TimeState = time_of(after)
    return in_guests(state, lambda cpu, number: state.cores[cpu].access == 1)


PHYSICAL_KEPT = Property(
    id="time.physical_kept",
    statement="While a guest runs, an access to the physical timer traps, and a read of the physical counter does not.",
    claims=("C25", "C27"),
    question="Who owns the physical timer?",
    kind=Kind.STATE,
    about=(TimeAction,),
    holds=physical_kept,
    interesting=lambda d, b, a, s: isinstance(a, TimerSteps) and does(d.timer, time_of(b), a) is Do.ENTER,
    explain=lambda d, b, a, s: "; ".join(
        f"on CPU{cpu} CNTHCTL is {core.access:#x}" for cpu, core in enumerate(time_of(s).cores) if core.busy
    ),
)

PROPERTIES = (MONOTONIC, OWN_OFFSET, DIRECT, PHYSICAL_KEPT)
