"""Bugs of KVM's history with interrupts, planted in the reference: each changes what comes of its situation."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from model.design import Design
from model.designs.vgic_variations import stop_siblings
from model.routines import without
from model.vgic import system as vgic
from model.vgic.design import GUEST, Do, Register, Trait, VgicDesign
from tests.interrupts import EDGE, ITARGETSR40, LEVEL, OTHER, REFERENCE, SGI, SGIR, machine


def changed(change: Callable[[VgicDesign], VgicDesign]) -> Design:
    """The reference with another way of virtualizing interrupts."""
    return evolve(REFERENCE, vgic=change(REFERENCE.vgic))


def unheeding(*traits: Trait) -> Design:
    """The reference that heeds less."""
    return changed(lambda vgic: evolve(vgic, traits=vgic.traits - set(traits)))


def unlocked(vgic: VgicDesign) -> VgicDesign:
    """The sync without the distributor's lock."""
    return evolve(vgic, run=without(without(vgic.run, "sync: lock"), "sync: unlock"))


def number_beyond_the_arrays(design: Design) -> Any:
    """User space raises a line that the distributor has no room for; whether the host survives."""
    m = machine(design)
    m.line(300, 1)
    return m.state.crashed == 0


def moved_to_a_sleeper(design: Design) -> Any:
    """A pending SPI gets another target, which sleeps; whether that one wakes."""
    m = machine(design, EDGE, OTHER, lrs=1)
    m.enter(0, 0)
    m.enter(1, 1)
    m.wait(1)
    m.line(40, 1)
    m.exits(0)
    m.store(0, ITARGETSR40, 0b10, size=1)
    return not m.asleep(1)


def ended_level(design: Design) -> Any:
    """As many level-sensitive interrupts as list registers have ended, and an edge comes; what the guest gets."""
    m = machine(design, LEVEL, EDGE, lrs=1)
    m.line(41, 1)
    m.enter(0, 0)
    m.acknowledge(0)
    m.line(41, 0)
    m.complete(0, 41)
    m.line(40, 1)
    return m.served(0)


def line_amid_the_sync(design: Design) -> Any:
    """A line rises while its last interrupt's end is synchronised; whether the guest gets it or may sleep."""
    m = machine(design, LEVEL)
    m.line(41, 1)
    m.enter(0, 0)
    m.acknowledge(0)
    m.line(41, 0)
    m.complete(0, 41)
    m.do(vgic.GuestInterrupted(0))
    m.until(0, Do.SYNC_ENDED)
    m.do(vgic.LineChanges(2, 0, 0, 41, 1))
    if vgic.vgic_guard(m.design, m.state, vgic.VgicSteps(2)):
        m.settle(2)
    m.settle(0)
    m.settle(2)
    if m.interrupted(0):
        m.exits(0)
    return m.listed(0) != []


def second_source_while_active(design: Design) -> Any:
    """Another source of an SGI comes while the first is active; whether the first can be completed."""
    m = machine(design, SGI, cpus=3, vcpus=3)
    m.enter(2, 2)
    m.store(2, SGIR, (1 << 16) | 1)
    m.enter(0, 0)
    value = m.acknowledge(0)
    m.enter(1, 1)
    m.store(1, SGIR, (1 << 16) | 1)
    m.exits(0)
    m.complete(0, value)
    return all(state != 2 and state != 3 for _, _, state in m.listed(0))


def end_is_noticed(design: Design) -> Any:
    """A level-sensitive interrupt with its line high leaves the guest active and ends; whether that is noticed."""
    m = machine(design, LEVEL)
    m.line(41, 1)
    m.enter(0, 0)
    m.acknowledge(0)
    m.exits(0)
    m.complete(0, 41)
    return m.interrupted(0)


def stopped_on_its_way_in(design: Design) -> Any:
    """A sibling stops the machine when a vCPU stands before its entry; whether that one still runs."""
    m = machine(design)
    m.enter(0, 0)
    m.do(vgic.HostRuns(1, 1))
    m.until(1, Do.MASK_IRQS)
    m.do(vgic.GuestStops(0))
    m.settle(0)
    m.settle(1)
    return m.state.cores[1].busy == 0 or m.state.vcpus[1].at != GUEST


def kicks_no_target(vgic: VgicDesign) -> VgicDesign:
    """The design in which whoever gives an interrupt up tells its next target nothing."""
    updating = tuple(register for register in vgic.updating if register is not Register.ITARGETSR)
    return evolve(vgic, run=without(vgic.run, "flush: kick"), updating=updating)


BUGS: dict[str, tuple[Callable[[Design], Any], Design, Design]] = {
    "inject-irq-number-unchecked": (number_beyond_the_arrays, unheeding(Trait.LINE_BOUNDED), REFERENCE),
    "spi-retarget-without-kick": (moved_to_a_sleeper, changed(kicks_no_target), REFERENCE),
    "eoied-lr-not-reclaimed": (ended_level, unheeding(Trait.ENDED_FREED), REFERENCE),
    "lr-sync-without-dist-lock": (line_amid_the_sync, changed(unlocked), REFERENCE),
    "sgi-second-source-hits-active": (
        second_source_while_active,
        changed(lambda v: evolve(v, traits=v.traits - {Trait.ONE_PER_SGI} | {Trait.SOURCE_OVERWRITTEN})),
        REFERENCE,
    ),
    "level-ap-hides-eoi": (end_is_noticed, unheeding(Trait.LEVEL_ONCE), REFERENCE),
    "poweroff-missed-at-entry": (
        stopped_on_its_way_in,
        changed(lambda v: evolve(stop_siblings(v), run=v.run)),
        changed(stop_siblings),
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_changes_what_comes_of_its_situation(bug: str) -> None:
    scenario, planted, sound = BUGS[bug]
    good = scenario(sound)
    assert scenario(planted) != good
    assert good


def test_the_end_of_an_interrupt_is_lost_without_the_saved_list_registers() -> None:
    lacking = changed(lambda v: evolve(v, run=without(v.run, "exit: list registers")))
    assert second_time(REFERENCE) == []
    assert second_time(lacking) != []


def second_time(design: Design) -> list[tuple[int, int, int]]:
    """What list registers hold behind an exit, when the only interrupt has ended."""
    m = machine(design, EDGE)
    m.line(40, 1)
    m.enter(0, 0)
    m.acknowledge(0)
    m.complete(0, 40)
    m.exits(0)
    return m.listed(0)
