"""What hostile guests and user space, and any host, might do to time next, for random walks."""

from random import Random

from model.design import Design
from model.timer import system as time
from model.timer.design import GUEST
from model.timer.state import TimeState
from model.timer.system import TimeAction
from properties.time.drain import ahead
from spec.timer.counters import count_behind

WORDS = (0, 1, 2, 1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1)
TICKS = (1, 2, 1 << 20, 1 << 40)
"""Ticks that pass: no walk gets around the counter, of which explorations and searches know nothing."""


def proposed(random: Random, design: Design, state: TimeState) -> TimeAction:
    """An action that may be possible next: of a guest, a thread, the host, user space, or time itself."""
    cpu = random.randrange(len(state.cores) + 1)
    if cpu == len(state.cores):
        return apart(random, state, cpu)
    core = state.cores[cpu]
    if random.random() < 0.15:
        return random.choice((time.HostTakesKick, time.TimerInterruptTaken, time.HostSuspends))(cpu)
    if core.busy == 0:
        return time.HostResumes(cpu, random.randrange(len(state.vcpus)))
    if state.vcpus[core.vcpu].at == GUEST:
        return in_guest(random, state, cpu)
    return time.TimerSteps(cpu)


def apart(random: Random, state: TimeState, cpu: int) -> TimeAction:
    """Time passes, software timers expire, their work is done, the clock is stepped, signals come."""
    vcpu = random.randrange(len(state.vcpus))
    match random.randrange(6):
        case 0:
            return time.TimePasses(cpu, random.choice(TICKS))
        case 1:
            return time.TimePasses(cpu, min(ahead(state), default=1))
        case 2:
            return time.SoftTimerExpires(cpu, vcpu)
        case 3:
            return time.WorkRuns(cpu, vcpu)
        case 4:
            return time.ClockStepped(cpu, random.choice(TICKS))
    return time.ThreadSignalled(cpu, vcpu)


def in_guest(random: Random, state: TimeState, cpu: int) -> TimeAction:
    """What a guest does next, with its timer above all."""
    count = count_behind(state.now, state.cores[cpu].off)
    near = (count + random.choice((-2, -1, 0, 1, 2, 1000))) % (1 << 64)
    match random.randrange(9):
        case 0 | 1:
            return time.GuestWritesCtl(cpu, random.randrange(4))
        case 2:
            return time.GuestWritesCval(cpu, near if random.random() < 0.8 else random.choice(WORDS))
        case 3:
            return time.GuestWritesTval(cpu, random.choice(WORDS) % (1 << 32))
        case 4:
            return random.choice((time.GuestTakes, time.GuestCompletes))(cpu)
        case 5:
            return time.GuestEnables(cpu, random.getrandbits(1))
        case 6:
            return time.GuestTraps(cpu, random.random() < 0.3)
        case 7:
            return time.GuestIdles(cpu)
    return random.choice((time.GuestTakenOut, time.GuestReadsCount))(cpu)
