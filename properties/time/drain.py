"""The fair drain: what becomes of a state when nothing new happens, time passes, and everybody does what is due.

The host takes interrupts, does queued work and runs every vCPU that may run. A guest that gets interrupt 27 stops its
timer and ends the interrupt, as the handler of a one-shot timer does; it stays as it is otherwise, and waits (WFI) only
where another vCPU needs the processor. Time passes only when nothing is due. The drain has one next step in each state.
"""

from collections.abc import Hashable, Iterator

from model.timer import system as time
from model.timer.design import GUEST, TimerDesign
from model.timer.soft import distance
from model.timer.state import ACTIVE, PENDING, TimeState
from model.timer.system import TimeAction
from properties.time.grain import merged
from properties.time.states import live
from properties.time.steps import wants
from spec.timer.counters import count_behind
from spec.words import field_names

MOST_STEPS = 2000
"""How many steps of the drain may follow a state; it goes in circles long before."""
MOST_REMEMBERED = 200_000
ENDLESS = (f"anybody: the drain took more than {MOST_STEPS} steps",)

REMEMBERED: dict[TimerDesign, dict[Hashable, tuple[str, ...]]] = {}
"""What the drain has found out, by design."""


def lost(design: TimerDesign, state: TimeState) -> tuple[str, ...]:
    """The vCPUs whose timer does not reach its guest, in words."""
    state = TimeState(*(getattr(state, name) for name in field_names(TimeState)))
    known = REMEMBERED.setdefault(design, {})
    if len(known) > MOST_REMEMBERED:
        known.clear()
    way: dict[Hashable, None] = {}
    key = live(design, state)
    found = known.get(key)
    while found is None:
        way[key] = None
        action = next_action(design, state)
        if action is None:
            found = waiting(state)
        else:
            state = merged(design, state, action)
            key = live(design, state)
            found = waiting(state) if key in way else known.get(key)
            found = ENDLESS if found is None and len(way) > MOST_STEPS else found
    for passed in way:
        known[passed] = found
    return found


def waiting(state: TimeState) -> tuple[str, ...]:
    """The vCPUs whose guests want interrupt 27 and have not got it."""
    numbers = range(len(state.vcpus))
    return tuple(f"vCPU{n}" for n in numbers if wants(state, n) and state.vcpus[n].enabled == 1)


def next_action(design: TimerDesign, state: TimeState) -> TimeAction | None:
    """The next step of the drain; None where nothing is due any more, now or later."""
    everybody = (due(design, state, cpu) for cpu in range(len(state.cores) + 1))
    return next((action for action in everybody if action is not None), None) or scheduled(design, state)


def scheduled(design: TimerDesign, state: TimeState) -> TimeAction | None:
    """What follows where nobody has anything to do: the host runs who may run, a guest makes room, time passes."""
    ready = [number for number in range(len(state.vcpus)) if time.may_run(state, number)]
    for cpu, core in enumerate(state.cores):
        if ready and core.busy == 0 and core.masked == 0:
            return time.HostResumes(cpu, ready[0])
    for cpu, core in enumerate(state.cores):
        yields = time.GuestIdles(cpu)
        if ready and core.busy == 1 and time.time_guard(design, state, yields):
            return yields
    ticks = min(ahead(state), default=0)
    return time.TimePasses(len(state.cores), ticks) if ticks else None


def expired(state: TimeState) -> TimeAction | None:
    """What is due of the software timers and their work; processors wait for that."""
    for number, vcpu in enumerate(state.vcpus):
        if vcpu.queued == 1:
            return time.WorkRuns(len(state.cores), number)
        if vcpu.running == 1 and vcpu.left == 0:
            return time.SoftTimerExpires(len(state.cores), number)
    return None


def due(design: TimerDesign, state: TimeState, cpu: int) -> TimeAction | None:
    """What a processor, or what is of none, has to do next; None where it has nothing to do, or waits."""
    apart = expired(state)
    if apart is not None or cpu == len(state.cores):
        return apart
    core = state.cores[cpu]
    if core.irq == 1 and core.masked == 0:
        return time.HostTakesKick(cpu)
    if core.busy == 0:
        return None
    vcpu = state.vcpus[core.vcpu]
    if vcpu.at != GUEST:
        return time.TimerSteps(cpu)
    if vcpu.listed & ACTIVE:
        return time.GuestWritesCtl(cpu, 0) if vcpu.own_ctl else time.GuestCompletes(cpu)
    if vcpu.listed == PENDING:
        return time.GuestTakes(cpu)
    leaves = time.GuestTakenOut(cpu)
    return leaves if time.time_guard(design, state, leaves) else None


def ahead(state: TimeState) -> Iterator[int]:
    """How far it is to what is still to come: a guest's timer, or a software timer."""
    for number, vcpu in enumerate(state.vcpus):
        found = distance(state, number) if vcpu.own_ctl & 1 else 0
        if found:
            yield found
        if vcpu.running == 1 and vcpu.left:
            yield vcpu.left
    for core in state.cores:
        if core.busy == 1 and core.ctl & 1:
            found = max(core.cval - count_behind(state.now, core.off), 0)
            if found:
                yield found
