"""Stated domains of time for the engines of concrete steps: which actions, where, and with which values."""

from collections.abc import Iterator

from attrs import frozen

from model.design import Design
from model.timer import system as time
from model.timer.design import GUEST, TimerDesign
from model.timer.state import TimeState
from model.timer.system import TimeAction
from properties.time.drain import ahead
from properties.time.grain import forced_on


@frozen
class TimeDomain:
    """What may happen in a search over time; empty tuples leave kinds of action out."""

    name: str
    runs: tuple[tuple[int, int], ...] = ()
    """Which processor may run which vCPU."""
    ctls: tuple[int, ...] = (0, 1)
    """What guests write to CNTV_CTL."""
    tvals: tuple[int, ...] = (2,)
    """What guests write to CNTV_TVAL."""
    waits: bool = True
    """Whether guests wait."""
    exits: tuple[bool, ...] = ()
    """Whether guests trap for something else: to the kernel (False), to user space (True)."""
    reads: bool = False
    """Whether guests read their counter."""
    enables: tuple[int, ...] = ()
    """Whether guests enable and disable interrupt 27."""
    preempts: bool = False
    """Whether the host takes processors from vCPUs' threads."""
    signals: tuple[int, ...] = ()
    """The vCPUs that get signals."""
    steps_clock: bool = False
    """Whether the host's clock is stepped forward."""
    late: bool = False
    """Whether interrupt 27 comes late."""
    merges: bool = True
    """Whether steps are merged to the stated grain."""

    def of_processor(self, design: Design, state: TimeState, cpu: int) -> list[TimeAction]:
        """What may happen on one processor, or apart from them, in a fixed order."""
        if cpu >= len(state.cores):
            found = list(self.apart(state, cpu))
        elif state.cores[cpu].busy == 0:
            found = [*self.arrives(cpu), *(time.HostResumes(cpu, vcpu) for core, vcpu in self.runs if core == cpu)]
        else:
            found = [*self.arrives(cpu), *self.thread(design.timer, state, cpu)]
        return [action for action in found if time.time_guard(design.timer, state, action)]

    def follows(self, design: Design, state: TimeState, cpu: int) -> TimeAction | None:
        """The step of a processor that belongs to the one before, at the stated grain."""
        return forced_on(design.timer, state, cpu) if self.merges else None

    def arrives(self, cpu: int) -> Iterator[TimeAction]:
        """The host takes interrupts."""
        yield time.HostTakesKick(cpu)
        if self.late:
            yield time.TimerInterruptTaken(cpu)

    def apart(self, state: TimeState, cpu: int) -> Iterator[TimeAction]:
        """Time passes up to what comes next, or to just before; software timers and their work follow."""
        ticks = min(ahead(state), default=0)
        yield from (time.TimePasses(cpu, some) for some in (ticks, ticks - 1) if some > 0)
        for number, vcpu in enumerate(state.vcpus):
            yield time.SoftTimerExpires(cpu, number)
            yield time.WorkRuns(cpu, number)
            if self.steps_clock and vcpu.running == 1 and vcpu.left:
                yield time.ClockStepped(cpu, vcpu.left)
        for number in self.signals:
            if state.vcpus[number].signal == 0:
                yield time.ThreadSignalled(cpu, number)

    def thread(self, design: TimerDesign, state: TimeState, cpu: int) -> Iterator[TimeAction]:
        """What may happen to a vCPU's thread that runs."""
        core = state.cores[cpu]
        vcpu = state.vcpus[core.vcpu]
        if self.preempts:
            yield time.HostSuspends(cpu)
        yield time.TimerSteps(cpu)
        if vcpu.at != GUEST:
            return
        yield time.GuestTakenOut(cpu)
        yield time.GuestTakes(cpu)
        yield time.GuestCompletes(cpu)
        yield from (time.GuestWritesCtl(cpu, value) for value in self.ctls if value != vcpu.own_ctl)
        yield from (time.GuestWritesTval(cpu, value) for value in self.tvals)
        yield from (time.GuestEnables(cpu, value) for value in self.enables)
        yield from (time.GuestTraps(cpu, to_user) for to_user in self.exits)
        if self.reads:
            yield time.GuestReadsCount(cpu)
        if self.waits:
            yield time.GuestIdles(cpu)
