"""What holds of every reachable state of time: the invariants that the proofs assume and establish.

Most say of a thread's program counter what its processor's timer and the software timer are then.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from model.threads import Wait
from model.timer.design import GUEST, OUT, THREADS, Do, TimerDesign, place, program
from model.timer.soft import distance
from model.timer.state import PENDING, TimeState, Vcpu
from model.timer.timer import fires_saved
from properties.time.delivery import stands_in
from properties.time.steps import between, in_kernel, noted, of_each, stands_on, wants
from properties.time.timers import as_set
from spec.words import bit, choose, either, every, implies, member, negate

Invariant = Callable[[TimerDesign, TimeState], Any]


@cache
def places(design: TimerDesign) -> tuple[int, ...]:
    """Every program counter."""
    return (*(at for at, step in enumerate(program(design)) if step is not None), OUT, GUEST)


@cache
def from_to(design: TimerDesign, first: Do, last: Do) -> frozenset[int]:
    """The program counters of the run loop behind the first step of one kind, up to the last of another, all inclusive.

    The guest's is among them where it lies between; where a step is missing there are none.
    """
    steps = [step.do for step in design.run]
    if first not in steps or last not in steps:
        return frozenset()
    begin, end = steps.index(first) + 1, len(steps) - 1 - steps[::-1].index(last)
    guest = {GUEST} if begin <= steps.index(Do.ENTER) < end else set()
    return frozenset({place("run", index) for index in range(begin, end + 1)} | guest)


@cache
def begun(design: TimerDesign) -> frozenset[int]:
    """The program counters at which a thread has passed its VM's first run; none where nothing is chosen there."""
    steps = [step.do for step in design.run]
    if Do.FIRST_RUN not in steps:
        return frozenset()
    behind = steps.index(Do.FIRST_RUN) + 1
    early = {place("run", index) for index in range(behind)}
    return frozenset(at for at in places(design) if at != OUT and at not in early)


@cache
def waking(design: TimerDesign) -> frozenset[int]:
    """The program counters between the arming of the software timer and the end of a wait."""
    run = [step.do for step in design.run]
    armed = run.index(Do.ARM) + 1 if Do.ARM in run else len(run)
    block = (place("block", index) for index in range(len(design.block)))
    return frozenset({*(place("run", index) for index in range(armed, len(run))), *block})


def at_do(design: TimerDesign, do: Do) -> tuple[int, ...]:
    """The program counters of the steps of a kind."""
    found = ((name, n, step) for name in THREADS for n, step in enumerate(design.steps(name)))
    return tuple(place(name, n) for name, n, step in found if step.do is do)


def on_core(state: TimeState, condition: Callable[[int, int], Any]) -> Any:
    """Whether something holds of each thread that runs, by its processor's and its vCPU's number."""
    pairs = ((cpu, number) for cpu in range(len(state.cores)) for number in range(len(state.vcpus)))
    return every(*(implies(stands_on(state, cpu, number), condition(cpu, number)) for cpu, number in pairs))


def masked_inside(design: TimerDesign, state: TimeState) -> Any:
    """Interrupts are masked from before the entry until behind the exit, and nowhere else."""
    inside = from_to(design, Do.MASK_IRQS, Do.UNMASK_IRQS)
    running = on_core(
        state, lambda cpu, n: (state.cores[cpu].masked == 1) == member(state.vcpus[n].at, inside)
    )
    idle = every(*(implies(core.busy == 0, core.masked == 0) for core in state.cores))
    return every(running, idle, of_each(state, lambda n: either(stood_on(state, n), outside(state.vcpus[n], inside))))


def stood_on(state: TimeState, number: int) -> Any:
    """Whether a vCPU's thread runs on some processor."""
    return either(*(stands_on(state, cpu, number) for cpu in range(len(state.cores))))


def outside(vcpu: Vcpu, inside: frozenset[int]) -> Any:
    """Whether a vCPU's thread is not at one of the program counters."""
    return negate(member(vcpu.at, inside))


def one_processor(design: TimerDesign, state: TimeState) -> Any:
    """No vCPU runs on two processors; one that sleeps runs on none."""
    first, second = state.cores[0], state.cores[-1]
    apart = either(len(state.cores) == 1, first.busy == 0, second.busy == 0, negate(first.vcpu == second.vcpu))
    return every(apart, on_core(state, lambda _, n: negate(state.vcpus[n].wait == Wait.ASLEEP)))


def registers_follow(design: TimerDesign, state: TimeState) -> Any:
    """CNTVOFF, CNTHCTL and CNTV's enable are the VM's only while its thread is in the world switch."""
    offset = between(design, Do.LOAD_CNTVOFF, Do.CLEAR_CNTVOFF)
    access = between(design, Do.LOAD_CNTHCTL, Do.RESTORE_CNTHCTL)
    enabled = between(design, Do.LOAD_CTL, Do.STOP)

    def loaded(cpu: int, number: int) -> Any:
        core, vcpu = state.cores[cpu], state.vcpus[number]
        own = choose(every(in_kernel(state, number), member(vcpu.at, offset)), state.vms[vcpu.vm].off, 0)
        physical = choose(member(vcpu.at, access), 1, 3)
        return every(core.off == own, core.access == physical, either(member(vcpu.at, enabled), bit(core.ctl, 0) == 0))

    idle = (
        implies(core.busy == 0, every(core.off == 0, core.access == 3, bit(core.ctl, 0) == 0)) for core in state.cores
    )
    return every(on_core(state, loaded), *idle)


def never_silenced(design: TimerDesign, state: TimeState) -> Any:
    """The physical interrupt 27 is enabled on each processor."""
    return every(*(core.silenced == 0 for core in state.cores))


def timers_as_set(design: TimerDesign, state: TimeState) -> Any:
    """Each guest's timer is as it has set it."""
    return of_each(state, lambda number: implies(in_kernel(state, number), as_set(design, state, number)))


def offsets_chosen(design: TimerDesign, state: TimeState) -> Any:
    """A VM has its offset once one of its threads is past the first run; before that none has a software timer."""

    def chosen(number: int) -> Any:
        vcpu = state.vcpus[number]
        fresh = every(vcpu.running == 0, vcpu.queued == 0)
        ready = state.vms[vcpu.vm].ready == 1
        return implies(in_kernel(state, number), either(ready, every(fresh, outside(vcpu, begun(design)))))

    return of_each(state, chosen)


def cancelled(design: TimerDesign, state: TimeState) -> Any:
    """No software timer is armed from its cancellation until the sync arms it."""
    region = from_to(design, Do.CANCEL, Do.ARM)

    def free(number: int) -> Any:
        vcpu = state.vcpus[number]
        return implies(member(vcpu.at, region), every(vcpu.armed == 0, vcpu.running == 0, vcpu.queued == 0))

    return of_each(state, free)


def never_late(design: TimerDesign, state: TimeState) -> Any:
    """A software timer that counts expires no later than the guest's own timer."""

    def in_time(number: int) -> Any:
        vcpu = state.vcpus[number]
        return implies(vcpu.running == 1, every(in_kernel(state, number), vcpu.left <= distance(state, number)))

    return of_each(state, in_time)


def ready_to_wait(design: TimerDesign, state: TimeState) -> Any:
    """From the sync until the end of a wait a software timer counts, or has done its work, or the timer fires."""

    def watched(number: int) -> Any:
        vcpu = state.vcpus[number]
        known = either(vcpu.running == 1, vcpu.queued == 1, vcpu.line == 1, fires_saved(state, number))
        return implies(every(member(vcpu.at, waking(design)), wants(state, number)), known)

    return of_each(state, watched)


def work_is_due(design: TimerDesign, state: TimeState) -> Any:
    """Work that is queued for a vCPU that waits, or is about to, is for a timer that fires."""

    def late_enough(number: int) -> Any:
        vcpu = state.vcpus[number]
        waits = every(vcpu.queued == 1, member(vcpu.at, waking(design)), wants(state, number))
        return implies(waits, fires_saved(state, number))

    return of_each(state, late_enough)


def sleeps_covered(design: TimerDesign, state: TimeState) -> Any:
    """A vCPU that sleeps, or is about to, is woken for its timer if its guest wants that."""
    about_to = at_do(design, Do.SLEEP)

    def covered(number: int) -> Any:
        vcpu = state.vcpus[number]
        going = every(member(vcpu.at, about_to), vcpu.wait == Wait.QUEUED)
        asleep = every(vcpu.wait == Wait.ASLEEP)
        there = implies(asleep, member(vcpu.at, (place("block"),)))
        return every(there, implies(every(either(going, asleep), wants(state, number)), stands_in(state, number)))

    return of_each(state, covered)


def active_while_up(design: TimerDesign, state: TimeState) -> Any:
    """On entry the physical interrupt is active just while the virtual one is up, and in the guest never without it."""
    marked = from_to(design, Do.MARK_ACTIVE, Do.ENTER)

    def agrees(cpu: int, number: int) -> Any:
        core, vcpu = state.cores[cpu], state.vcpus[number]
        on_entry = implies(member(vcpu.at, marked), (core.active == 1) == noted(vcpu))
        return every(on_entry, implies(every(vcpu.at == GUEST, core.active == 1), noted(vcpu)))

    return on_core(state, agrees)


def line_only(design: TimerDesign, state: TimeState) -> Any:
    """Interrupt 27 is a level: nothing is latched, it is never active and pending, and foreign timers raise no line."""

    def level(number: int) -> Any:
        vcpu = state.vcpus[number]
        foreign = every(vcpu.line == 0, vcpu.listed == 0, vcpu.running == 0, vcpu.queued == 0)
        return every(vcpu.pending == 0, vcpu.listed < 3, either(in_kernel(state, number), foreign))

    return of_each(state, level)


def waits_end(design: TimerDesign, state: TimeState) -> Any:
    """Where a wait ends there is an interrupt, a timer that fires, or a signal."""
    ending = at_do(design, Do.FINISH_WAIT)

    def reason(number: int) -> Any:
        vcpu = state.vcpus[number]
        told = every(vcpu.enabled == 1, either(vcpu.line == 1, vcpu.pending == 1))
        found = either(told, vcpu.listed & PENDING > 0, vcpu.signal == 1, fires_saved(state, number))
        return implies(member(vcpu.at, ending), found)

    return of_each(state, reason)


INVARIANTS: Mapping[str, Invariant] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            masked_inside, one_processor, registers_follow, never_silenced, timers_as_set, offsets_chosen, cancelled,
            never_late, ready_to_wait, work_is_due, sleeps_covered, active_while_up, line_only, waits_end,
        )
    }
)  # fmt: skip
"""Every invariant by its name."""
