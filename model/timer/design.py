"""The decisions of KVM/ARM about time that are data: the routines step by step, and what the code heeds."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType

from attrs import frozen

from model.programs import GUEST as GUEST
from model.programs import OUT as OUT
from model.programs import Programs, Routines
from spec.citations import Citation
from spec.words import U8


class Do(Enum):
    """What one step of a routine does."""

    FIRST_RUN = "makes the physical count the VM's offset, where no vCPU of it has run yet"
    CANCEL = "cancels the software timer and its work"
    SAMPLE = "tells the distributor whether the timer fires"
    FLUSH = "puts interrupt 27 into a list register where it is pending, and takes it out where it is not any more"
    MASK_IRQS = "masks interrupts"
    CHECK_SIGNAL = "backs out where a signal is pending"
    MARK_ACTIVE = "makes the physical interrupt 27 active while the virtual one is up, so that it is not signalled"
    LOAD_CNTHCTL = "takes the physical timer from PL1"
    LOAD_CNTVOFF = "writes CNTVOFF"
    LOAD_CVAL = "writes CNTV_CVAL"
    LOAD_CTL = "writes CNTV_CTL"
    ENTER = "enters the guest"
    SAVE_CTL = "reads CNTV_CTL"
    STOP = "clears CNTV_CTL.ENABLE"
    SAVE_CVAL = "reads CNTV_CVAL"
    CLEAR_CNTVOFF = "clears CNTVOFF"
    RESTORE_CNTHCTL = "gives the physical timer back to PL1"
    UNMASK_IRQS = "unmasks interrupts"
    ARM = "arms the software timer where the guest's own is on its way"
    HANDLE_EXIT = "does what the exit asks for"
    PREPARE_WAIT = "puts the thread on the vCPU's wait queue"
    CHECK_RUNNABLE = "goes on where there is an interrupt for the guest, or a signal"
    SLEEP = "gives the processor away until something wakes the thread"
    FINISH_WAIT = "takes the thread off the wait queue"
    REARM_EARLY = "arms the software timer again, and does no more, where the guest's own has not fired yet"
    QUEUE_WORK = "queues the work"
    DISARM = "notes that the software timer is not armed"
    INJECT = "tells the distributor about the timer"
    KICK = "wakes or interrupts the vCPU"
    WARN = "tells the log that an interrupt came which nobody expects"
    COPY_CTL = "copies CNTV_CTL to the vCPU"
    SILENCE = "disables the physical interrupt 27 on this processor, where user space has the VM's interrupt controller"


class Trait(Enum):
    """Something that the highvisor's code heeds or not."""

    MASKS = "whoever tells the distributor that a timer fires sets its IMASK too"
    LEVEL = "the line of interrupt 27 rises and falls with the timer; else each expiry is an edge"
    ALWAYS_STOPPED = "the exit stops the virtual timer and clears CNTVOFF whether or not the VM has an in-kernel timer"
    TIMER_WAKES = "a vCPU whose timer fires does not go to sleep"
    BY_LEVEL = "the physical interrupt is active while the timer fires, not only while a list register has interrupt 27"
    LINKED = "the end of interrupt 27 in the guest ends the physical one too"
    KEPT_OFF = "the exit saves CNTV_CTL whole, with the mask bit of a timer that is off too"
    OFFSET_ONCE = "a VM's offset is chosen once"
    IN_USER_SPACE = "user space emulates counter and timer, and guests reach them by exits"


@frozen(cache_hash=True)
class TimerStep:
    """One step of a routine, with the code that it stands for."""

    name: str
    do: Do
    sources: tuple[Citation, ...]


@frozen(cache_hash=True)
class TimerDesign(Routines[TimerStep]):
    """How a design gives guests time: its routines and what its code heeds."""

    run: tuple[TimerStep, ...]
    """The run loop of a vCPU: flush, checks, world switch in and out, sync."""
    block: tuple[TimerStep, ...]
    """What follows a trapped WFI; then the run loop."""
    expire: tuple[TimerStep, ...]
    """The software timer has expired, at once in an interrupt of the host."""
    work: tuple[TimerStep, ...]
    """The work that the expired software timer queues, in a thread of the host, at once for all that others see."""
    handler: tuple[TimerStep, ...]
    """The host takes the physical interrupt 27, at once in an interrupt of the host."""
    traits: frozenset[Trait]


ROUTINES = ("run", "block", "expire", "work", "handler")
THREADS = ("run", "block")
"""The routines in which a vCPU's thread has a program counter; the others are one action each."""
LONGEST = 64

JUMPS: Mapping[Do, Do] = MappingProxyType({Do.CHECK_SIGNAL: Do.UNMASK_IRQS, Do.CHECK_RUNNABLE: Do.FINISH_WAIT})
"""Where a step may go on instead of the next one: to the first such step behind it, or else to the end."""
PROGRAMS = Programs(THREADS, LONGEST)
place, routine_at, program, step_at = PROGRAMS.place, PROGRAMS.routine_at, PROGRAMS.program, PROGRAMS.step_at
after, ends = cache(PROGRAMS.after), cache(PROGRAMS.ends)


@cache
def jump_target(design: TimerDesign, at: U8) -> U8:
    """The program counter at which the step there goes on where it does not go on with the next one."""
    step = step_at(design, at)
    assert step is not None
    return PROGRAMS.behind(design, at, (JUMPS[step.do],))
