"""The repairs of time that make the reference of Linux 3.12."""

from collections.abc import Callable
from functools import partial

from attrs import evolve

from model.design import Design, Variation
from model.designs.timer import step
from model.routines import after_step, before_step, without
from model.timer.design import Do, TimerDesign, Trait
from spec.citations import arm, linux

NEW = "virt/kvm/arm/arch_timer.c"


def with_timer(change: Callable[[TimerDesign], TimerDesign], design: Design) -> Design:
    """The design with other time."""
    return evolve(design, timer=change(design.timer))


def heeding(traits: tuple[Trait, ...], timer: TimerDesign) -> TimerDesign:
    """The design that heeds more."""
    return evolve(timer, traits=timer.traits | frozenset(traits))


def leave_mask(timer: TimerDesign) -> TimerDesign:
    """IMASK is the guest's alone; while the virtual interrupt is up the physical one is active instead, on entry."""
    mark = step("run: active state", Do.MARK_ACTIVE, "kvm_timer_flush_hwstate", NEW, "4.3")
    run = after_step(timer.run, "run: check signals", mark)
    traits = timer.traits - {Trait.MASKS} | {Trait.BY_LEVEL, Trait.LINKED}
    return evolve(timer, run=run, traits=traits)


def follow_level(timer: TimerDesign) -> TimerDesign:
    """The line of interrupt 27 is the timer's output, as each sync and each flush finds it."""
    return heeding((Trait.LEVEL,), sampled_on_entry(timer))


def sampled_on_entry(timer: TimerDesign) -> TimerDesign:
    """The timer is sampled before each flush of list registers too, once its software timer is cancelled."""
    name = "flush: sample the timer"
    if any(each.name == name for each in timer.run):
        return timer
    cancel = next(each for each in timer.run if each.do is Do.CANCEL)
    sample = step(name, Do.SAMPLE, "kvm_timer_flush_hwstate", NEW, "4.0")
    run = before_step(without(timer.run, cancel.name), "flush: interrupt 27", cancel)
    return evolve(timer, run=before_step(run, "flush: interrupt 27", sample))


def only_wake(timer: TimerDesign) -> TimerDesign:
    """The work of the software timer only wakes the vCPU, whose own thread samples the timer before it runs."""
    work = without(timer.work, "work: inject")
    return heeding((Trait.TIMER_WAKES,), evolve(sampled_on_entry(timer), work=work))


def rearm(timer: TimerDesign) -> TimerDesign:
    """A software timer that comes early is armed again."""
    again = step("expire: early", Do.REARM_EARLY, "kvm_timer_expire", NEW, "4.6")
    return evolve(timer, expire=before_step(timer.expire, "expire: queue the work", again))


TIMER_REPAIRS: tuple[tuple[Variation, str, Callable[[Design], Design]], ...] = tuple(
    (Variation(identifier, statement, sources), deviation, partial(with_timer, change))
    for identifier, statement, deviation, sources, change in (
        (
            "timer-mask-is-guests", "the host never sets the mask bit of a guest's timer",
            "D15", (linux(NEW, "kvm_timer_flush_hwstate", "4.3"), arm("B4.1.30")), leave_mask,
        ),
        (
            "timer-line-follows", "the line of interrupt 27 rises and falls with the timer's output",
            "timer-line-not-lowered", (linux(NEW, "kvm_timer_update_state", "4.4"), arm("B8.1.5")), follow_level,
        ),
        (
            "soft-timer-only-wakes", "the software timer only wakes the vCPU, whose own thread samples its timer",
            "soft-timer-injects-off-thread", (linux(NEW, "kvm_timer_inject_irq_work", "4.0"),), only_wake,
        ),
        (
            "soft-timer-rearmed", "a software timer that comes early is armed again",
            "soft-timer-early-expiry", (linux(NEW, "kvm_timer_expire", "4.6"),), rearm,
        ),
    )
)  # fmt: skip
"""Each repair as its variation, the deviation of Linux 3.12 that it mends, and what it changes."""
