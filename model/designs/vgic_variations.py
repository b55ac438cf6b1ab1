"""The repairs of virtual interrupts that make the reference of Linux 3.12."""

from collections.abc import Callable
from functools import partial

from attrs import evolve

from model.design import Design, Variation
from model.designs.vgic import VGIC, step
from model.routines import after_step, before_step, without
from model.vgic.design import Do, Range, Register, Trait, VgicDesign
from spec.citations import gic, linux

NEW = "virt/kvm/arm/vgic/vgic.c"
NEW_V2 = "virt/kvm/arm/vgic/vgic-v2.c"
MMIO = "virt/kvm/arm/vgic/vgic-mmio.c"
MMIO_V2 = "virt/kvm/arm/vgic/vgic-mmio-v2.c"
NEW_ARM = "virt/kvm/arm/arm.c"


def with_vgic(change: Callable[[VgicDesign], VgicDesign], design: Design) -> Design:
    """The design with other virtual interrupts."""
    return evolve(design, vgic=change(design.vgic))


def heeding(traits: tuple[Trait, ...], vgic: VgicDesign) -> VgicDesign:
    """The design that heeds more."""
    return evolve(vgic, traits=vgic.traits | frozenset(traits))


def prune(vgic: VgicDesign) -> VgicDesign:
    """Before each flush, list registers give back what is not to be delivered here any more; nothing else empties
    them. Whoever gets it instead is kicked."""
    give_back = step("flush: prune", Do.PRUNE, "vgic_prune_ap_list", NEW, "4.7")
    kick = step("flush: kick", Do.KICK, "vgic_prune_ap_list", NEW, "4.17")
    steps = after_step(before_step(vgic.run, "flush: check", give_back), "flush: unlock", kick)
    return evolve(vgic, run=steps, access=without(vgic.access, "access: retire disabled interrupts"))


def follow_targets(vgic: VgicDesign) -> VgicDesign:
    """An interrupt waits while another vCPU's list register holds it: its target kicks that one, whose end of the
    interrupt then asks for maintenance, and is kicked when that is over."""
    kick = step("sync: kick", Do.KICK, "vgic_prune_ap_list", NEW, "4.17")
    heeded = (Trait.TARGET_FOLLOWED, Trait.HOLDERS_TOLD_ONCE)
    return heeding(heeded, evolve(vgic, run=after_step(vgic.run, "sync: unlock", kick)))


def request(vgic: VgicDesign) -> VgicDesign:
    """A kick leaves a request, which the loop takes back before the flush and looks for once it is in guest mode."""
    clear = step("run: clear requests", Do.CLEAR_REQUESTS, "check_vcpu_requests", NEW_ARM, "4.13")
    check = step("run: check requests", Do.CHECK_REQUESTS, "kvm_arch_vcpu_ioctl_run", NEW_ARM, "4.13")
    steps = after_step(before_step(vgic.run, "flush: lock", clear), "run: in guest mode", check)
    return heeding((Trait.KICK_REQUESTS, Trait.KICKER_SPARED), evolve(vgic, run=steps))


def stop_siblings(vgic: VgicDesign) -> VgicDesign:
    """A guest that stops its machine stops all its vCPUs, and each looks for that once it is in guest mode.

    No repair: in Linux 3.12 a vCPU powers off itself alone.
    """
    check = step("run: check power", Do.CHECK_POWER, "kvm_arch_vcpu_ioctl_run", NEW_ARM, "4.4")
    steps = after_step(vgic.run, "run: in guest mode", check)
    return heeding((Trait.SIBLINGS_STOPPED,), evolve(vgic, run=steps))


def tell_lines_apart(vgic: VgicDesign) -> VgicDesign:
    """Whether an interrupt is pending follows from its line, what its guest has written, and which of them counts: so
    another trigger may change it."""
    return heeding((Trait.LINE_APART,), evolve(vgic, updating=(*vgic.updating, Register.ICFGR)))


def pend_sgis(vgic: VgicDesign) -> VgicDesign:
    """GICD_CPENDSGIR and GICD_SPENDSGIR are there."""
    added = (Range(Register.CPENDSGIR, 0xF10, 16), Range(Register.SPENDSGIR, 0xF20, 16))
    updating = (*vgic.updating, Register.CPENDSGIR, Register.SPENDSGIR)
    return evolve(vgic, registers=(*vgic.registers, *added), updating=updating)


VGIC_REPAIRS: tuple[tuple[Variation, str, Callable[[Design], Design]], ...] = tuple(
    (Variation(identifier, statement, sources), deviation, partial(with_vgic, change))
    for identifier, statement, deviation, sources, change in (
        (
            "sgi-to-its-targets", "an SGI to a list of targets goes to these",
            "D1", (linux(VGIC, "vgic_dispatch_sgi", "3.16"), gic("4.3.15")),
            partial(heeding, (Trait.TARGET_LIST,)),
        ),
        (
            "kick-requests", "a kick leaves a request that is looked for once the vCPU is in guest mode",
            "D2", (linux(NEW_ARM, "kvm_arch_vcpu_ioctl_run", "4.13"),), request,
        ),
        (
            "status-mirrored", "the saved status of the list registers follows what software does to them",
            "D3", (linux("virt/kvm/arm/vgic-v2.c", "vgic_v2_sync_lr_elrsr", "4.0"),),
            partial(heeding, (Trait.STATUS_MIRRORED,)),
        ),
        (
            "configuration-lanes", "each byte of GICD_ICFGR is where the architecture has it",
            "D8", (linux(VGIC, "handle_mmio_cfg_reg", "3.16"), gic("4.3.13")),
            partial(heeding, (Trait.CONFIG_LANES,)),
        ),
        (
            "targets-exist", "GICD_ITARGETSR takes no targets but the VM's vCPUs",
            "D9", (linux(MMIO_V2, "vgic_mmio_write_target", "4.7"), gic("4.3.12")),
            partial(heeding, (Trait.TARGETS_EXIST,)),
        ),
        (
            "disabled-distributor-silent", "a disabled distributor has nothing pending for any vCPU",
            "D10", (linux(VGIC, "compute_pending_for_cpu", "4.3"), gic("4.3.1")),
            partial(heeding, (Trait.DISABLED_SILENT,)),
        ),
        (
            "disabled-distributor-updated", "an update behind a disabled distributor notes no vCPU without a cause",
            "D20", (linux(NEW, "vgic_queue_irq_unlock", "4.7"), gic("4.3.1")),
            partial(heeding, (Trait.DISABLED_UPDATED,)),
        ),
        (
            "one-list-register-per-sgi", "an SGI has one list register, and its other sources wait for its end",
            "D11", (linux(NEW_V2, "vgic_v2_populate_lr", "4.16"), gic("5.3.8")),
            partial(heeding, (Trait.ONE_PER_SGI,)),
        ),
        (
            "list-registers-pruned", "a vCPU's list registers give back what is not to be delivered there any more",
            "D12", (linux(NEW, "vgic_prune_ap_list", "4.7"), gic("4.3.6")), prune,
        ),
        (
            "line-apart", "the line of an interrupt is told from what a guest writes to the pending registers",
            "icpendr-kills-level-line", (linux(VGIC, "handle_mmio_clear_pending_reg", "3.18"), gic("4.3.8")),
            tell_lines_apart,
        ),
        (
            "reserved-offsets-zero", "offsets of the distributor without a register read as zero and ignore writes",
            "gicd-reserved-offset-exits", (linux(VGIC, "vgic_handle_mmio", "3.18"), gic("4.1.2")),
            partial(heeding, (Trait.RESERVED_ZERO,)),
        ),
        (
            "summary-exact", "what is pending for a vCPU is what the distributor's state says now",
            "level-lowered-still-delivered", (linux(NEW, "vgic_target_oracle", "4.7"), gic("3.2.4")),
            partial(heeding, (Trait.SUMMARY_EXACT,)),
        ),
        (
            "targets-followed", "an interrupt is in list registers of one vCPU alone",
            "spi-in-two-vcpus", (linux(NEW, "vgic_queue_irq_unlock", "4.7"), linux(NEW, "vgic_prune_ap_list", "4.17")),
            follow_targets,
        ),
        (
            "single-list-register-asks-at-end",
            "a single list register asks for maintenance at the end of its interrupt, not with an underflow",
            "underflow-of-one-list-register",
            (linux(VGIC, "__kvm_vgic_flush_hwstate"), gic("5.3.2"), gic("5.3.4")),
            partial(heeding, (Trait.SINGLE_ASKS_AT_END,)),
        ),
        (
            "sgi-pending-registers", "GICD_CPENDSGIR and GICD_SPENDSGIR are emulated",
            "sgi-pending-registers-missing",
            (linux(VGIC, "handle_mmio_sgi_set", "3.14"), gic("4.3.16"), gic("4.3.17")), pend_sgis,
        ),
    )
)  # fmt: skip
"""Each repair as its variation, the deviation of Linux 3.12 that it mends, and what it changes."""
