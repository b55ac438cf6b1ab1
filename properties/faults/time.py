"""Wrong designs of time: bugs that KVM/ARM had, and each step left out."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from attrs import evolve

from model.design import Design
from model.designs.timer import WITHOUT_VTIMER, step
from model.designs.timer_variations import NEW, TIMER_REPAIRS
from model.timer.design import ROUTINES, Do, TimerDesign, TimerStep, Trait
from properties.faults.fault import Excuse, Fault
from properties.faults.interrupts import ONLY_A_FLAG
from properties.faults.steps import left_out
from spec.citations import linux, paper

BY_ROUTINE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run": ("timer", "timer and signals", "preempted timer", "two timers"),
        "block": ("timer", "timer and signals"),
        "expire": ("timer", "clock"),
        "work": ("timer", "clock"),
        "handler": ("late timer",),
    }
)
"""The situations in which a routine's steps matter, the most telling first."""
BY_STEP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run: check signals": ("timer and signals",),
        "run: first run": ("timer",),
        "run: mask interrupts": ("preempted timer", "timer and signals"),
        "run: active state": ("disabling the timer's interrupt", "timer"),
        "exit: stop CNTV": ("foreign timer",),
        "expire: early": ("clock",),
    }
)
"""The situations in which one step matters, where they are others."""
BY_DEVIATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "timer-mask-is-guests": ("timer",),
        "timer-line-follows": ("timer",),
        "soft-timer-only-wakes": ("timer and user space",),
        "soft-timer-rearmed": ("clock",),
    }
)
"""The situations in which a repair matters."""

assert set(BY_DEVIATION) == {variation.id for variation, _, _ in TIMER_REPAIRS}


def changed(change: Callable[[TimerDesign], TimerDesign], design: Design) -> Design:
    """The design with its time changed."""
    return evolve(design, timer=change(design.timer))


def unheeding(trait: Trait, timer: TimerDesign) -> TimerDesign:
    """The design that does not heed something."""
    return evolve(timer, traits=timer.traits - {trait})


def ctl_copied(timer: TimerDesign) -> TimerDesign:
    """The design whose handler takes the processor's CNTV_CTL for the guest's."""
    return evolve(timer, handler=(step("handler: copy CNTV_CTL", Do.COPY_CTL, "kvm_arch_timer_handler", NEW, "4.14"),))


def left_silenced(timer: TimerDesign) -> TimerDesign:
    """The design whose handler disables the interrupt on the processor, and nobody enables it again."""
    return evolve(timer, handler=(step("handler: silence", Do.SILENCE, "kvm_arch_timer_handler", NEW, "4.15"),))


def marked_by_list(timer: TimerDesign) -> TimerDesign:
    """The design in which the physical interrupt is active only while a list register has the virtual one."""
    return unheeding(Trait.BY_LEVEL, timer)


def emulated(timer: TimerDesign) -> TimerDesign:
    """The design without virtual timers."""
    return WITHOUT_VTIMER


def with_routine(routine: str, steps: tuple[TimerStep, ...]) -> Callable[[Design], Design]:
    """How to give a design another routine."""
    return partial(changed, lambda timer: evolve(timer, **{routine: steps}))  # type: ignore[arg-type]


def historical() -> Iterator[Fault]:
    """Bugs that KVM/ARM had with its timers, other than those of Linux 3.12."""
    for identifier, element, statement, source, change, scenarios in (
        (
            "disabled-irq-timer-storm", "the active state follows the timer",
            "the physical interrupt is active only while a list register has interrupt 27",
            linux(NEW, "kvm_timer_flush_hwstate", "4.3"), marked_by_list, ("disabling the timer's interrupt",),
        ),
        (
            "vtimer-irq-left-masked-on-pcpu", "interrupt 27 of the processor",
            "the interrupt of a VM without the in-kernel timer is disabled on the processor, and stays so for all VMs",
            linux(NEW, "kvm_arch_timer_handler", "4.16"), left_silenced, ("foreign timer",),
        ),
        (
            "late-timer-isr-overwrites-ctl", "the handler of interrupt 27",
            "the handler takes the stopped timer's CNTV_CTL for the guest's",
            linux(NEW, "kvm_arch_timer_handler", "4.15"), ctl_copied, ("late timer",),
        ),
    ):  # fmt: skip
        yield Fault(
            identifier, element, statement, (source,), partial(changed, change), frozenset(), "history", scenarios
        )


def structural() -> Iterator[Fault]:
    """What if there were no virtual timers, an offset for each run, or an end that leaves the physical interrupt?"""
    for identifier, element, statement, source, change, scenarios in (
        (
            "timer-in-user-space", "virtual timers", "user space emulates counter and timer",
            paper("3.6"), emulated, ("counter",),
        ),
        (
            "offset-at-each-run", "one offset for a VM", "each KVM_RUN lets a VM's time start anew",
            linux("arch/arm/kvm/arch_timer.c", "kvm_timer_init"), partial(unheeding, Trait.OFFSET_ONCE), ("timer",),
        ),
        (
            "mask-of-stopped-timer-lost", "the mask bit of a timer that is off",
            "the exit saves CNTV_CTL as 0 where the timer is off",
            linux("arch/arm/kvm/interrupts_head.S", "save_timer_state"), partial(unheeding, Trait.KEPT_OFF),
            ("masked timer",),
        ),
        (
            "end-not-linked", "the end of interrupt 27",
            "the end of interrupt 27 in the guest leaves the physical one active",
            linux(NEW, "kvm_timer_flush_hwstate", "4.4"), partial(unheeding, Trait.LINKED), ("timer",),
        ),
        (
            "fired-timer-sleeps", "a fired timer wakes", "a vCPU whose timer has fired goes to sleep",
            linux(NEW, "kvm_cpu_has_pending_timer", "4.0"), partial(unheeding, Trait.TIMER_WAKES), ("timer",),
        ),
        (
            "foreign-timer-runs-on", "the stop of a VM without the in-kernel timer",
            "the exit from a VM without the in-kernel timer leaves its virtual timer running",
            linux("arch/arm/kvm/interrupts_head.S", "save_timer_state", "4.3"),
            partial(unheeding, Trait.ALWAYS_STOPPED), ("foreign timer",),
        ),
    ):  # fmt: skip
        yield Fault(
            identifier, element, statement, (source,), partial(changed, change), frozenset(), "structure", scenarios
        )


WHAT = "what is done for virtual timers"


def step_faults(design: TimerDesign) -> Iterator[Fault]:
    """Each step of the routines left out."""
    for routine in ROUTINES:
        steps = design.steps(routine)
        for each in steps:
            scenarios = BY_STEP.get(each.name, BY_ROUTINE[routine])
            yield left_out("timer", WHAT, steps, each, partial(with_routine, routine), scenarios)


SAMPLED_TWICE = Excuse(
    "a timer is sampled on both sides of the guest, and one that fires takes the guest out to be sampled: without the "
    "one sample the other one does it, an exit or a software timer later",
    (linux(NEW, "kvm_timer_sync_hwstate", "4.4"),),
)
NOT_OF_TIME = Excuse(
    "what a signal is owed is no matter of time: `without/vgic-run-check-signals` is caught",
    (linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_ioctl_run"),),
)
NEVER_RUNS = Excuse(
    "no guest ever runs then, and none has set a timer",
    (linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"),),
)
CANCELLED_ANYWAY = Excuse(
    "the next flush cancels the software timer whether it is armed or not, and nobody asks before",
    (linux("arch/arm/kvm/arch_timer.c", "timer_disarm"),),
)
ONLY_A_MESSAGE = Excuse(
    "the handler writes a message and does nothing else",
    (linux("arch/arm/kvm/arch_timer.c", "kvm_arch_timer_handler"),),
)
EXCUSES: Mapping[str, Excuse] = MappingProxyType(
    {
        "without/timer-flush-sample-the-timer": SAMPLED_TWICE,
        "without/timer-sync-sample-the-timer": SAMPLED_TWICE,
        "without/timer-run-check-signals": NOT_OF_TIME,
        "without/timer-enter-guest": NEVER_RUNS,
        "without/timer-work-disarm": CANCELLED_ANYWAY,
        "without/timer-block-finish": ONLY_A_FLAG,
        "without/timer-handler-warn": ONLY_A_MESSAGE,
    }
)
"""Faults that nothing catches, each with the reason why it may stand."""
