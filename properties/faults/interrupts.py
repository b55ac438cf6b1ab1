"""Wrong designs of virtual interrupts: bugs that KVM/ARM had, and each step left out."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from attrs import evolve

from model.design import Design
from model.designs.vgic import VGIC, WITHOUT_VGIC
from model.designs.vgic_variations import NEW_ARM, NEW_V2, VGIC_REPAIRS, stop_siblings
from model.routines import without
from model.vgic.design import ROUTINES, Register, Trait, VgicDesign
from properties.faults.fault import Excuse, Fault
from properties.faults.generated import slug
from spec.citations import linux, paper

NEW = "virt/kvm/arm/vgic/vgic.c"
BY_ROUTINE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run": ("level", "edge", "overflow", "signal", "physical", "moving", "two VMs"),
        "block": ("edge", "sleep"),
        "access": ("SGI", "enabling", "moving"),
        "inject": ("edge", "level"),
    }
)
"""The situations in which a routine's steps matter, the most telling first."""
BY_STEP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run: await power": ("power",),
        "run: check signals": ("signal",),
        "run: mask interrupts": ("physical",),
        "run: unmask interrupts": ("physical",),
        "flush: prune": ("moving", "enabling"),
        "flush: kick": ("moving in turns", "moving"),
        "sync: kick": ("moving in turns",),
        "enter: GICH_VMCR": ("taking turns",),
        "enter: GICH_APR": ("taking turns",),
        "exit: GICH_HCR": ("spurious ends",),
        "exit: GICH_VMCR": ("interface",),
        "run: handle the exit": ("edge",),
        "sync: lock": ("level", "edge"),
        "access: decode": ("loading",),
        "access: change interrupts": ("enabling",),
    }
)
"""The situations in which one step matters, where they are others."""
BY_DEVIATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sgi-to-its-targets": ("SGI",),
        "kick-requests": ("edge",),
        "status-mirrored": ("signal",),
        "configuration-lanes": ("registers", "loading"),
        "targets-exist": ("registers", "numbers"),
        "disabled-distributor-silent": ("sleep", "enabling an edge"),
        "one-list-register-per-sgi": ("two sources",),
        "list-registers-pruned": ("enabling an edge", "moving"),
        "line-apart": ("enabling",),
        "reserved-offsets-zero": ("registers",),
        "summary-exact": ("level",),
        "targets-followed": ("moving while active",),
        "sgi-pending-registers": ("registers",),
    }
)
"""The situations in which a repair matters."""

assert set(BY_DEVIATION) == {variation.id for variation, _, _ in VGIC_REPAIRS}


def changed(change: Callable[[VgicDesign], VgicDesign], design: Design) -> Design:
    """The design with its virtual interrupts changed."""
    return evolve(design, vgic=change(design.vgic))


def unheeding(trait: Trait, vgic: VgicDesign) -> VgicDesign:
    """The design that does not heed something."""
    return evolve(vgic, traits=vgic.traits - {trait})


def unlocked(vgic: VgicDesign) -> VgicDesign:
    """The design that synchronises list registers without the distributor's lock."""
    return evolve(vgic, run=without(without(vgic.run, "sync: lock"), "sync: unlock"))


def kicks_no_target(vgic: VgicDesign) -> VgicDesign:
    """The design in which whoever gives an interrupt up tells its next target nothing."""
    updating = tuple(register for register in vgic.updating if register is not Register.ITARGETSR)
    return evolve(vgic, run=without(vgic.run, "flush: kick"), updating=updating)


def sources_overwritten(vgic: VgicDesign) -> VgicDesign:
    """The design in which another source of an SGI takes the place of one that may be active."""
    return evolve(vgic, traits=vgic.traits - {Trait.ONE_PER_SGI} | {Trait.SOURCE_OVERWRITTEN})


def stop_unchecked(vgic: VgicDesign) -> VgicDesign:
    """The design in which a guest that stops its machine stops its vCPUs, but not one on its way in."""
    return evolve(stop_siblings(vgic), run=vgic.run)


def all_ends_reported(vgic: VgicDesign) -> VgicDesign:
    """The design that asks for a maintenance interrupt at each end."""
    return evolve(vgic, traits=vgic.traits | {Trait.ENDS_REPORTED})


def without_one(routine: str, name: str, vgic: VgicDesign) -> VgicDesign:
    """The design without one step."""
    return evolve(vgic, **{routine: without(vgic.steps(routine), name)})  # type: ignore[arg-type]


def historical() -> Iterator[Fault]:
    """Bugs that KVM/ARM had with its virtual interrupts, other than those of Linux 3.12."""
    for identifier, element, statement, source, change, scenarios in (
        (
            "inject-irq-number-unchecked", "numbers of KVM_IRQ_LINE",
            "user space may raise a line that the distributor has no room for",
            linux("arch/arm/kvm/arm.c", "kvm_vm_ioctl_irq_line", "4.1"), partial(unheeding, Trait.LINE_BOUNDED),
            ("numbers",),
        ),
        (
            "spi-retarget-without-kick", "the kick of a new target",
            "a vCPU that gives up an interrupt which has another target now does not kick that one",
            linux(NEW, "vgic_prune_ap_list", "4.17"), kicks_no_target, ("moving",),
        ),
        (
            "eoied-lr-not-reclaimed", "an ended list register is free",
            "a list register whose interrupt ended with a maintenance interrupt stays in use",
            linux(VGIC, "vgic_process_maintenance", "3.10"), partial(unheeding, Trait.ENDED_FREED), ("level",),
        ),
        (
            "lr-sync-without-dist-lock", "the lock of the sync",
            "list registers are synchronised without the distributor's lock",
            linux(VGIC, "kvm_vgic_sync_hwstate", "3.10"), unlocked, ("level",),
        ),
        (
            "sgi-second-source-hits-active", "the source of an active SGI",
            "another source of an SGI takes the list register in which the first one is active",
            linux(NEW_V2, "vgic_v2_populate_lr", "4.17"), sources_overwritten, ("two sources",),
        ),
        (
            "level-ap-hides-eoi", "a level once",
            "a level-sensitive interrupt that is active becomes pending in its list register while its line is high",
            linux(NEW_V2, "vgic_v2_populate_lr", "4.17"), partial(unheeding, Trait.LEVEL_ONCE), ("level",),
        ),
        (
            "poweroff-missed-at-entry", "the check for power before the entry",
            "a vCPU that was powered off on its way in enters its guest",
            linux(NEW_ARM, "kvm_arch_vcpu_ioctl_run", "4.4"), stop_unchecked, ("power",),
        ),
    ):  # fmt: skip
        yield Fault(
            identifier, element, statement, (source,), partial(changed, change), frozenset(), "history", scenarios
        )


def no_end_reported(vgic: VgicDesign) -> VgicDesign:
    """The design in which no end of an interrupt asks for a maintenance interrupt."""
    return evolve(vgic, traits=vgic.traits | {Trait.ENDS_SILENT})


def no_distributor(vgic: VgicDesign) -> VgicDesign:
    """The design in which the highvisor emulates no register of the distributor: user space has to."""
    return evolve(vgic, registers=(), traits=vgic.traits - {Trait.RESERVED_ZERO})


def in_user_space(vgic: VgicDesign) -> VgicDesign:
    """The design in which user space emulates the CPU interface too, and sets the pins of each vCPU."""
    return WITHOUT_VGIC


def structural() -> Iterator[Fault]:
    """What if a part of how interrupts are virtualized were not there?"""
    for identifier, element, statement, change, scenarios in (
        (
            "all-ends-reported", "list registers", "every interrupt asks for a maintenance interrupt at its end",
            all_ends_reported, ("edge",),
        ),
        (
            "no-end-reported", "maintenance interrupts", "no interrupt asks for a maintenance interrupt at its end",
            no_end_reported, ("level",),
        ),
        (
            "interrupts-in-user-space", "virtual CPU interface", "user space emulates the interrupt controller",
            in_user_space, ("pins",),
        ),
        (
            "no-virtual-distributor", "virtual distributor",
            "each access of a guest to its distributor, the sending of an IPI too, is left to user space",
            no_distributor, ("SGI",),
        ),
    ):  # fmt: skip
        yield Fault(
            identifier, element, statement, (paper("3.5"),), partial(changed, change), frozenset(), "structure",
            scenarios,
        )  # fmt: skip


def step_faults(design: VgicDesign) -> Iterator[Fault]:
    """Each step of the routines left out."""
    for routine in ROUTINES:
        for step in design.steps(routine):
            yield Fault(
                f"without/vgic-{slug(step.name)}", f"'{step.name}' of interrupts",
                f"'{step.name}' is left out of what is done for virtual interrupts", step.sources,
                partial(changed, partial(without_one, routine, step.name)), frozenset(), "step",
                BY_STEP.get(step.name, BY_ROUTINE[routine]),
            )  # fmt: skip


SAVES_A_LOOK = Excuse(
    "the check saves a look at the interrupts: without it nothing is found there",
    (linux(VGIC, "__kvm_vgic_flush_hwstate"),),
)
DECIDED_ANEW = Excuse(
    "each flush decides anew whether it needs a maintenance interrupt, and without one nothing stays empty meanwhile",
    (linux(VGIC, "__kvm_vgic_flush_hwstate"),),
)
ONLY_A_FLAG = Excuse(
    "a thread that runs is not woken, and it puts itself on the queue again before it sleeps; that the queue would "
    "lead to a stack that is gone is not modelled",
    (linux("virt/kvm/kvm_main.c", "kvm_vcpu_block"),),
)
EXCUSES: Mapping[str, Excuse] = MappingProxyType(
    {
        "without/vgic-flush-check": SAVES_A_LOOK,
        "without/vgic-sync-underflow": DECIDED_ANEW,
        "without/vgic-block-finish": ONLY_A_FLAG,
    }
)
"""Faults that nothing catches, each with the reason why it may stand."""
DEFERRED: Mapping[str, str] = MappingProxyType(
    {
        "active-write-races-lr-sync": "needs GICD_ISACTIVER and GICD_ICACTIVER, which Linux 3.12 does not emulate",
        "active-halt-skips-first-spis": "needs GICD_ISACTIVER and GICD_ICACTIVER, which Linux 3.12 does not emulate",
        "hw-irq-active-pending-lr": "needs interrupts that are linked to physical ones",
        "eoi-of-spilled-active-irq": "needs active interrupts that are in no list register, which Linux 3.12 never has",
        "wfi-uses-stale-pmr": "needs a check for pending interrupts that looks at the guest's priority mask",
    }
)
"""Bugs of virtual interrupts whose features the model does not have yet."""
