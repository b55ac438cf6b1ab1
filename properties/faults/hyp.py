"""Wrong set-ups of Hyp mode: bugs that KVM/ARM had, other decisions, and steps left out or exchanged."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from attrs import evolve

from model.design import Design
from model.designs.hyp import step
from model.designs.hyp_variations import HYP_REPAIRS
from model.hyp.design import ROUTINES, Do, HypDesign, HypStep, Trait
from model.routines import before_step, without
from properties.faults.fault import Excuse, Fault
from properties.faults.steps import exchanged, left_out
from spec.citations import Citation, linux

ARM = "arch/arm/kvm/arm.c"
BY_ROUTINE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"init": ("starting KVM", "plugging in", "sleeping"), "cpu": ("starting KVM", "sleeping")}
)
"""The situations in which a routine's steps matter, the most telling first."""
BY_STEP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"init: check the mode": ("starting KVM without Hyp mode",), "cpu: check vectors": ("sleeping",)}
)
"""The situations in which one step matters, where they are others."""
BY_DEVIATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"hotplug-held-off": ("plugging in",), "set-up-on-resume": ("sleeping",)}
)
"""The situations in which a repair matters."""

assert set(BY_DEVIATION) == {variation.id for variation, _, _ in HYP_REPAIRS}


def changed(change: Callable[[HypDesign], HypDesign], design: Design) -> Design:
    """The design with another set-up of Hyp mode."""
    return evolve(design, hyp=change(design.hyp))


def with_routine(routine: str, steps: tuple[HypStep, ...]) -> Callable[[Design], Design]:
    """How to give a design another routine."""
    return partial(changed, lambda hyp: evolve(hyp, **{routine: steps}))  # type: ignore[arg-type]


def no_notifier(hyp: HypDesign) -> HypDesign:
    """The design that does nothing about processors that come later."""
    return evolve(hyp, init=without(hyp.init, "init: hotplug"))


def one_table(hyp: HypDesign) -> HypDesign:
    """The design in which the identity map is in the runtime tables, where it stays for processors that come later."""
    return evolve(hyp, traits=hyp.traits - {Trait.TWO_TABLES})


def fields_kept(hyp: HypDesign) -> HypDesign:
    """The design that sets fields of control registers over whatever was in them."""
    return evolve(hyp, traits=hyp.traits - {Trait.FIELDS_CLEARED})


def boot_tables_freed(hyp: HypDesign) -> HypDesign:
    """The design that frees the boot tables, as one without CPU hotplug may."""
    free = step("init: free the boot tables", Do.FREE_BOOT, "free_boot_hyp_pgd", "arch/arm/kvm/mmu.c")
    return evolve(hyp, init=before_step(hyp.init, "init: ready", free))


def historical() -> Iterator[Fault]:
    """Bugs that KVM/ARM had with Hyp mode's set-up, other than those of Linux 3.12."""
    for identifier, element, statement, source, change, scenarios in (
        (
            "hotplugged-cpu-not-hyp-ready", "Hyp mode on processors that come later",
            "Hyp mode is set up on the processors that are online when KVM starts, and on no other",
            linux(ARM, "init_hyp_mode", "3.9"), no_notifier, ("plugging in",),
        ),
        (
            "idmap-overlaps-hyp-va", "tables of its own for the identity map",
            "the identity map of the initialisation code is in the tables that map VMs and vCPUs, unchecked",
            linux("arch/arm/kvm/mmu.c", "kvm_mmu_init", "3.9"), one_table, ("among objects", "starting KVM"),
        ),
    ):  # fmt: skip
        yield wrong(identifier, element, statement, source, change, "history", scenarios)


def structural() -> Iterator[Fault]:
    """Decisions about Hyp mode's set-up that are taken otherwise."""
    for identifier, element, statement, source, change, scenarios in (
        (
            "hyp-registers-not-cleared", "cleared fields of HTCR, VTCR and HSCTLR",
            "the set-up sets fields of control registers over whatever was in them",
            linux("arch/arm/kvm/init.S", "__do_hyp_init"), fields_kept, ("starting KVM",),
        ),
        (
            "boot-tables-freed", "boot tables that stay",
            "the boot tables are freed although processors may come later",
            linux("arch/arm/kvm/arm.c", "init_hyp_mode"), boot_tables_freed, ("plugging in",),
        ),
    ):  # fmt: skip
        yield wrong(identifier, element, statement, source, change, "structure", scenarios)


def wrong(
    identifier: str, element: str, statement: str, source: Citation, change: Callable[[HypDesign], HypDesign],
    family: str, scenarios: tuple[str, ...],
) -> Fault:  # fmt: skip
    """A fault of Hyp mode's set-up."""
    return Fault(identifier, element, statement, (source,), partial(changed, change), frozenset(), family, scenarios)


SWAPS = (
    ("init", "init: resume", ("sleeping",)),
    ("init", "init: hotplug", ("plugging in",)),
    ("cpu", "cpu: HTCR", ("starting KVM",)),
    ("cpu", "cpu: HMAIR1", ("starting KVM",)),
    ("cpu", "cpu: trampoline", ("starting KVM",)),
    ("cpu", "cpu: runtime tables", ("starting KVM",)),
)
"""The steps whose place before the next one is a decision, with the situations in which it matters."""
WHAT = "Hyp mode's set-up"


def step_faults(design: HypDesign) -> Iterator[Fault]:
    """Each step of the routines left out, and neighbours exchanged where their order is a decision."""
    for routine in ROUTINES:
        steps = design.steps(routine)
        for each in steps:
            scenarios = BY_STEP.get(each.name, BY_ROUTINE[routine])
            yield left_out("hyp", WHAT, steps, each, partial(with_routine, routine), scenarios)
    for routine, name, scenarios in SWAPS:
        yield exchanged("hyp", WHAT, design.steps(routine), name, partial(with_routine, routine), scenarios)


EXCUSES: Mapping[str, Excuse] = MappingProxyType({})
"""Faults that nothing catches, each with the reason why it may stand."""
