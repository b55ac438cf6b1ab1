"""The repairs of Hyp mode's set-up that make the reference of Linux 3.12."""

from collections.abc import Callable
from functools import partial

from attrs import evolve

from model.design import Design, Variation
from model.designs.hyp import step
from model.hyp.design import Do, HypDesign
from model.routines import after_step, before_step
from spec.citations import linux

ARM = "arch/arm/kvm/arm.c"


def with_hyp(change: Callable[[HypDesign], HypDesign], design: Design) -> Design:
    """The design with another set-up of Hyp mode."""
    return evolve(design, hyp=change(design.hyp))


def hold_hotplug_off(hyp: HypDesign) -> HypDesign:
    """No processor comes between the set-up of those that are online and the registration for those that come."""
    lock = step("init: lock hotplug", Do.LOCK_HOTPLUG, "kvm_arch_init", version="3.15")
    unlock = step("init: unlock hotplug", Do.UNLOCK_HOTPLUG, "kvm_arch_init", version="3.15")
    steps = before_step(hyp.init, "init: call every processor", lock)
    return evolve(hyp, init=after_step(steps, "init: hotplug", unlock))


def set_up_on_resume(hyp: HypDesign) -> HypDesign:
    """A processor that resumes sets its Hyp mode up, from before the first one does; one that has done so leaves it."""
    register = step("init: resume", Do.REGISTER_RESUME, "hyp_cpu_pm_init", version="3.14")
    check = step("cpu: check vectors", Do.CHECK_VECTORS, "hyp_init_cpu_notify", version="3.14")
    steps = before_step(hyp.init, "init: call every processor", register)
    return evolve(hyp, init=steps, cpu=(check, *hyp.cpu))


HYP_REPAIRS: tuple[tuple[Variation, str, Callable[[Design], Design]], ...] = tuple(
    (Variation(identifier, statement, sources), deviation, partial(with_hyp, change))
    for identifier, statement, deviation, sources, change in (
        (
            "hotplug-held-off", "no processor comes or goes while KVM sets Hyp mode up",
            "hotplug-callback-registered-late", (linux(ARM, "kvm_arch_init", "3.15"),), hold_hotplug_off,
        ),
        (
            "set-up-on-resume", "a processor that resumes sets its Hyp mode up again",
            "resumed-cpu-not-hyp-ready", (linux(ARM, "hyp_init_cpu_pm_notifier", "3.14"),), set_up_on_resume,
        ),
    )
)  # fmt: skip
"""Each repair as its variation, the deviation of Linux 3.12 that it mends, and what it changes."""
