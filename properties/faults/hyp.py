"""Wrong set-ups of Hyp mode: bugs that KVM/ARM had, and each step left out."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from attrs import evolve

from model.design import Design
from model.designs.hyp import step
from model.designs.hyp_variations import HYP_REPAIRS
from model.hyp.design import ROUTINES, Do, HypDesign, Trait
from model.routines import before_step, swapped, without
from properties.faults.fault import Excuse, Fault
from properties.faults.generated import slug
from spec.citations import linux

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


def without_one(routine: str, name: str, hyp: HypDesign) -> HypDesign:
    """The design without one step."""
    return evolve(hyp, **{routine: without(hyp.steps(routine), name)})  # type: ignore[arg-type]


def one_table(hyp: HypDesign) -> HypDesign:
    """The design in which the identity map is in the runtime tables, where it stays for processors that come later."""
    return evolve(hyp, traits=hyp.traits - {Trait.TWO_TABLES})


def fields_kept(hyp: HypDesign) -> HypDesign:
    """The design that sets fields of control registers over whatever was in them."""
    return evolve(hyp, traits=hyp.traits - {Trait.FIELDS_CLEARED})


def mmu_on_early(hyp: HypDesign) -> HypDesign:
    """The design that switches the MMU on before it sets the last of the registers by which that translates."""
    return evolve(hyp, cpu=swapped(hyp.cpu, "cpu: HMAIR1"))


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
            linux(ARM, "init_hyp_mode", "3.9"), partial(without_one, "init", "init: hotplug"), ("plugging in",),
        ),
        (
            "idmap-overlaps-hyp-va", "tables of its own for the identity map",
            "the identity map of the initialisation code is in the tables that map VMs and vCPUs, unchecked",
            linux("arch/arm/kvm/mmu.c", "kvm_mmu_init", "3.9"), one_table, ("among objects", "starting KVM"),
        ),
        (
            "hyp-registers-not-cleared", "cleared fields of HTCR, VTCR and HSCTLR",
            "the set-up sets fields of control registers over whatever was in them",
            linux("arch/arm/kvm/init.S", "__do_hyp_init"), fields_kept, ("starting KVM",),
        ),
        (
            "mmu-on-before-its-attributes", "HMAIR1 before HSCTLR",
            "the set-up switches Hyp mode's MMU on before it sets HMAIR1",
            linux("arch/arm/kvm/init.S", "__do_hyp_init"), mmu_on_early, ("starting KVM",),
        ),
        (
            "boot-tables-freed", "boot tables that stay",
            "the boot tables are freed although processors may come later",
            linux("arch/arm/kvm/arm.c", "init_hyp_mode"), boot_tables_freed, ("plugging in",),
        ),
    ):  # fmt: skip
        yield Fault(
            identifier, element, statement, (source,), partial(changed, change), frozenset(), "history", scenarios
        )


def step_faults(design: HypDesign) -> Iterator[Fault]:
    """Each step of the routines left out."""
    for routine in ROUTINES:
        for each in design.steps(routine):
            yield Fault(
                f"without/hyp-{slug(each.name)}", f"'{each.name}' of Hyp mode's set-up",
                f"'{each.name}' is left out of how Hyp mode is set up", each.sources,
                partial(changed, partial(without_one, routine, each.name)), frozenset(), "step",
                BY_STEP.get(each.name, BY_ROUTINE[routine]),
            )  # fmt: skip


EXCUSES: Mapping[str, Excuse] = MappingProxyType({})
"""Faults that nothing catches, each with the reason why it may stand."""
