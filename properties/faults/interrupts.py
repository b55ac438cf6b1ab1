"""Wrong designs of virtual interrupts: bugs that KVM/ARM had, and each step left out."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from attrs import evolve

from model.design import Design
from model.designs.vgic import ARM, VGIC, WITHOUT_VGIC, step
from model.designs.vgic_variations import NEW_ARM, NEW_V2, VGIC_REPAIRS, stop_siblings
from model.routines import before_step, without
from model.vgic.design import ROUTINES, Do, Register, Trait, VgicDesign, VgicStep
from properties.faults.fault import Excuse, Fault
from properties.faults.steps import left_out
from spec.citations import gic, linux, paper

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
        "disabled-distributor-updated": ("enabling an edge",),
        "one-list-register-per-sgi": ("two sources",),
        "list-registers-pruned": ("enabling an edge", "moving"),
        "line-apart": ("enabling", "clearing before a wait"),
        "reserved-offsets-zero": ("registers",),
        "summary-exact": ("level",),
        "targets-followed": ("moving while active",),
        "single-list-register-asks-at-end": ("one list register",),
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


def with_trait(trait: Trait, vgic: VgicDesign) -> VgicDesign:
    """The design whose code heeds something more, or does what it should not."""
    return evolve(vgic, traits=vgic.traits | {trait})


def without_trait(trait: Trait, vgic: VgicDesign) -> VgicDesign:
    """The design that heeds one thing less."""
    return evolve(vgic, traits=vgic.traits - {trait})


def with_routine(routine: str, steps: tuple[VgicStep, ...]) -> Callable[[Design], Design]:
    """How to give a design another routine."""
    return partial(changed, lambda vgic: evolve(vgic, **{routine: steps}))  # type: ignore[arg-type]


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


def no_distributor(vgic: VgicDesign) -> VgicDesign:
    """The design in which the highvisor emulates no register of the distributor: user space has to."""
    return evolve(vgic, registers=(), traits=vgic.traits - {Trait.RESERVED_ZERO})


def mistaken(register: Register, other: Register, vgic: VgicDesign) -> VgicDesign:
    """The design in which one register of the distributor does what another one does."""
    ranges = (evolve(line, register=other) if line.register is register else line for line in vgic.registers)
    return evolve(vgic, registers=tuple(ranges))


def retired_early(vgic: VgicDesign) -> VgicDesign:
    """The design in which a store to GICD_ICENABLER takes back what is pending in list registers, and forgets what is
    active."""
    give_back = step("access: prune", Do.PRUNE, "vgic_prune_ap_list", NEW, "4.7")
    retire = step("access: retire disabled interrupts", Do.RETIRE, "vgic_retire_disabled_irqs")
    access = before_step(before_step(vgic.access, "access: update", retire), retire.name, give_back)
    return evolve(vgic, access=access)


def signals_checked_early(vgic: VgicDesign) -> VgicDesign:
    """The design that looks for signals before it masks interrupts."""
    (check,) = (one for one in vgic.run if one.do is Do.CHECK_SIGNAL)
    return evolve(vgic, run=before_step(without(vgic.run, check.name), "run: mask interrupts", check))


def in_user_space(vgic: VgicDesign) -> VgicDesign:
    """The design in which user space emulates the CPU interface too, and sets the pins of each vCPU."""
    return WITHOUT_VGIC


def structural() -> Iterator[Fault]:
    """What if a part of how interrupts are virtualized were not there, or were another one?"""
    section = paper("3.5")
    for identifier, element, statement, source, change, scenarios in (
        (
            "all-ends-reported", "list registers", "every interrupt asks for a maintenance interrupt at its end",
            section, partial(with_trait, Trait.ENDS_REPORTED), ("edge",),
        ),
        (
            "no-end-reported", "maintenance interrupts", "no interrupt asks for a maintenance interrupt at its end",
            section, partial(with_trait, Trait.ENDS_SILENT), ("level",),
        ),
        (
            "interrupts-in-user-space", "virtual CPU interface", "user space emulates the interrupt controller",
            section, in_user_space, ("pins",),
        ),
        (
            "no-virtual-distributor", "virtual distributor",
            "each access of a guest to its distributor, the sending of an IPI too, is left to user space",
            section, no_distributor, ("SGI",),
        ),
        (
            "sgi-to-everybody", "the targets of an SGI", "an SGI goes to every vCPU of the VM",
            gic("4.3.15"), partial(with_trait, Trait.SGI_BROADCAST), ("SGI",),
        ),
        (
            "falling-edge-pends", "an edge", "a falling line pends an edge-triggered interrupt too",
            gic("3.2.4"), partial(with_trait, Trait.FALLING_EDGES), ("edge",),
        ),
        (
            "edge-dropped", "a list register gives back what is pending",
            "an edge that a list register gives back is forgotten",
            linux(NEW_V2, "vgic_v2_fold_lr_state", "4.7"), partial(with_trait, Trait.EDGE_DROPPED),
            ("enabling an edge",),
        ),
        (
            "enable-set-disables", "GICD_ISENABLER", "a store to GICD_ISENABLER does what one to GICD_ICENABLER does",
            gic("4.3.5"), partial(mistaken, Register.ISENABLER, Register.ICENABLER), ("enabling an edge",),
        ),
        (
            "kicker-asks-itself", "a kick leaves no request for the vCPU that kicks",
            "a vCPU that kicks those of its VM leaves a request for itself, too",
            linux(NEW, "vgic_kick_vcpus", "4.7"), partial(without_trait, Trait.KICKER_SPARED),
            ("moving while active",),
        ),
        (
            "holders-told-again", "whoever waits for an interrupt of another vCPU tells that one once",
            "a vCPU tells those that hold what is pending for it at each of its flushes, though they know",
            linux(NEW, "vgic_prune_ap_list", "4.17"), partial(without_trait, Trait.HOLDERS_TOLD_ONCE),
            ("waiting for another vCPU",),
        ),
        (
            "priority-not-stored", "GICD_IPRIORITYR", "a store to GICD_IPRIORITYR changes nothing",
            gic("4.3.11"), partial(mistaken, Register.IPRIORITYR, Register.IGROUPR), ("loading",),
        ),
        (
            "disabled-active-forgotten", "an active interrupt that is disabled",
            "a store to GICD_ICENABLER empties list registers in which interrupts are active",
            linux(VGIC, "vgic_retire_disabled_irqs"), retired_early, ("enabling an edge",),
        ),
        (
            "signals-checked-unmasked", "the order of masking and checking",
            "the run loop looks for signals before it masks interrupts",
            linux(ARM, "kvm_arch_vcpu_ioctl_run"), signals_checked_early, ("signal",),
        ),
    ):  # fmt: skip
        yield Fault(
            identifier, element, statement, (source,), partial(changed, change), frozenset(), "structure", scenarios
        )


WHAT = "what is done for virtual interrupts"


def step_faults(design: VgicDesign) -> Iterator[Fault]:
    """Each step of the routines left out."""
    for routine in ROUTINES:
        steps = design.steps(routine)
        for one in steps:
            scenarios = BY_STEP.get(one.name, BY_ROUTINE[routine])
            yield left_out("vgic", WHAT, steps, one, partial(with_routine, routine), scenarios)


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
SEEN_BY_PROOF = Excuse(
    "interrupts.progress is refuted, which is asked in a proof alone: a run needs more interrupts than list registers, "
    "and one that is active at another vCPU",
    (linux(NEW, "vgic_kick_vcpus", "4.7"),),
)
EXCUSES: Mapping[str, Excuse] = MappingProxyType(
    {
        "kicker-asks-itself": SEEN_BY_PROOF,
        "without/vgic-flush-check": SAVES_A_LOOK,
        "without/vgic-sync-underflow": DECIDED_ANEW,
        "without/vgic-block-finish": ONLY_A_FLAG,
    }
)
"""Faults that no search catches, each with the reason: why it may stand, or what sees it instead."""
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
