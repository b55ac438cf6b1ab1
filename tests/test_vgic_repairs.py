"""Each repair of Linux 3.12's virtual interrupts changes what comes of the situation that it is for."""

from collections.abc import Callable
from typing import Any

import pytest

from model.designs.catalogue import reference_without
from model.designs.vgic_variations import VGIC_REPAIRS
from model.vgic import system as vgic
from model.vgic.design import Do
from model.vgic.state import Access
from tests.interrupts import (
    CTLR,
    EDGE,
    ICENABLER1,
    ICFGR3,
    ICPENDR1,
    ISENABLER1,
    ITARGETSR40,
    LEVEL,
    LINUX,
    OTHER,
    REFERENCE,
    SGI,
    SGIR,
    SPENDSGIR,
    machine,
)


def sgi_to_itself(design: Any) -> Any:
    """A vCPU of three sends an SGI to a list that names itself alone; what it gets."""
    m = machine(design, SGI, vcpus=3)
    m.enter(0, 0)
    m.store(0, SGIR, (1 << 16) | 1)
    return m.served(0)


def line_between_flush_and_entry(design: Any) -> Any:
    """A line rises when the list registers are filled and interrupts masked; whether the guest gets to know."""
    m = machine(design, EDGE)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, Do.CHECK_SIGNAL)
    m.line(40, 1)
    m.settle(0)
    return bool(m.listed(0)) or m.interrupted(0)


def back_out_with_filled_list_register(design: Any) -> Any:
    """A signal stops the loop behind a flush; then another interrupt comes. What the guest gets of the two."""
    m = machine(design, EDGE, OTHER)
    m.enter(0, 0)
    m.do(vgic.GuestExits(0))
    m.until(0, Do.HANDLE_EXIT)
    m.line(40, 1)
    m.until(0, Do.MASK_IRQS)
    m.signal(0)
    m.settle(0)
    m.line(42, 1)
    m.enter(0, 0)
    return m.served(0)


def edge_configured(design: Any) -> Any:
    """The guest configures SPI 48 as edge-triggered; which ones are."""
    m = machine(design)
    m.enter(0, 0)
    m.store(0, ICFGR3, 0b10)
    return [irq for (_, _, irq), record in m.state.irqs.entries.items() if record.edge == 1]


def target_that_is_no_vcpu(design: Any) -> Any:
    """The guest makes CPU interface 7 the target of an SPI, and its line rises; whether the host survives."""
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.store(0, ITARGETSR40, 0x80, size=1)
    m.line(40, 1)
    return m.state.crashed == 0


def line_while_disabled(design: Any) -> Any:
    """A line rises while the distributor is disabled; what the guest gets before and after it enables it."""
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.store(0, CTLR, 0)
    m.line(40, 1)
    m.exits(0)
    early = m.served(0)
    m.store(0, CTLR, 1)
    return early, m.served(0)


def stored_while_disabled(design: Any) -> Any:
    """A guest with nothing pending enables an interrupt behind a disabled distributor; whether it is called for."""
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.store(0, CTLR, 0)
    m.do(vgic.GuestAccessesDistributor(0, Access(ISENABLER1, 4, 1 << 8, 1)))
    m.until(0, Do.UPDATE)
    m.step(0)
    return m.state.vms[0].oracle


def two_sources(design: Any) -> Any:
    """Two vCPUs send one SGI to a third; how many list registers it has, and what comes of it."""
    m = machine(design, SGI, cpus=3, vcpus=3)
    for number in range(3):
        m.enter(number, number)
    m.do(vgic.GuestExits(0))
    for sender in (1, 2):
        m.store(sender, SGIR, (1 << 16) | 1)
    m.settle(0)
    if m.interrupted(0):
        m.exits(0)
    return [irq for irq, _, _ in m.listed(0)], m.served(0)


def disabled_by_another(design: Any) -> Any:
    """An SPI in a list register is disabled by another vCPU; what its target gets behind the next exit."""
    m = machine(design, (40, True, 1))
    m.enter(0, 0)
    m.line(40, 1)
    m.enter(1, 1)
    m.store(0, ICENABLER1, 1 << 8)
    m.exits(1)
    return m.served(1)


def cleared_while_high(design: Any) -> Any:
    """A guest clears the pending state of a level-sensitive interrupt while its line is high; what it gets."""
    m = machine(design, LEVEL)
    m.enter(0, 0)
    m.store(0, ICENABLER1, 1 << 9)
    m.line(41, 1)
    m.store(0, ICPENDR1, 1 << 9)
    m.store(0, ISENABLER1, 1 << 9)
    return bool(m.listed(0))


def reserved_offset(design: Any) -> Any:
    """A guest stores to an offset without a register; whether it goes on."""
    m = machine(design)
    m.enter(0, 0)
    m.store(0, 0xE00, 1)
    return m.state.cores[0].busy == 1


def fallen_line(design: Any) -> Any:
    """A line rises and falls before the vCPU runs; what the guest gets."""
    m = machine(design, LEVEL)
    m.line(41, 1)
    m.line(41, 0)
    m.enter(0, 0)
    return m.served(0)


def moved_while_active(design: Any) -> Any:
    """An active SPI gets another target and is pended again; what that one has, and has when the first has ended."""
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.enter(1, 1)
    m.line(40, 1)
    m.exits(0)
    value = m.acknowledge(0)
    m.store(0, ITARGETSR40, 0b10, size=1)
    m.line(40, 1)
    if m.interrupted(1):
        m.exits(1)
    early = m.listed(1)
    m.complete(0, value)
    m.exits(0)
    if m.interrupted(1):
        m.exits(1)
    return early, m.listed(1)


def sgi_pended(design: Any) -> Any:
    """A guest pends an SGI with GICD_SPENDSGIR; what it gets."""
    m = machine(design, SGI)
    m.enter(0, 0)
    m.store(0, SPENDSGIR + 1, 0b10, size=1)
    return m.served(0) if m.state.cores[0].busy else "left to user space"


def one_list_register(design: Any) -> Any:
    """Two edges share the only list register; what a guest gets that leaves whenever something takes it out."""
    m = machine(design, EDGE, OTHER, lrs=1)
    m.line(40, 1)
    m.line(42, 1)
    m.enter(0, 0)
    got = []
    for _ in range(8):
        if m.interrupted(0):
            m.exits(0)
        elif (value := m.acknowledge(0)) < 1020:
            got.append(value)
            m.complete(0, value)
    return got


SCENARIOS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "sgi-to-its-targets": (sgi_to_itself, [], [1]),
    "kick-requests": (line_between_flush_and_entry, False, True),
    "status-mirrored": (back_out_with_filled_list_register, [42], [40, 42]),
    "configuration-lanes": (edge_configured, [56], [48]),
    "targets-exist": (target_that_is_no_vcpu, False, True),
    "disabled-distributor-silent": (line_while_disabled, ([40], []), ([], [40])),
    "disabled-distributor-updated": (stored_while_disabled, 1, 0),
    "one-list-register-per-sgi": (two_sources, ([1, 1], [0x401, 0x801]), ([1], [0x401, 0x801])),
    "list-registers-pruned": (disabled_by_another, [40], []),
    "line-apart": (cleared_while_high, False, True),
    "reserved-offsets-zero": (reserved_offset, False, True),
    "summary-exact": (fallen_line, [41], []),
    "targets-followed": (moved_while_active, ([(40, 0, 1)], [(40, 0, 1)]), ([], [(40, 0, 1)])),
    "single-list-register-asks-at-end": (one_list_register, [], [40, 42]),
    "sgi-pending-registers": (sgi_pended, "left to user space", [0x401]),
}


def test_every_repair_has_its_situation() -> None:
    assert {variation.id for variation, _, _ in VGIC_REPAIRS} == set(SCENARIOS)


@pytest.mark.parametrize("repair", SCENARIOS)
def test_linux_3_12_has_the_defect(repair: str) -> None:
    scenario, defective, _ = SCENARIOS[repair]
    assert scenario(LINUX) == defective


@pytest.mark.parametrize("repair", SCENARIOS)
def test_the_reference_has_not(repair: str) -> None:
    scenario, _, repaired = SCENARIOS[repair]
    assert scenario(REFERENCE) == repaired


@pytest.mark.parametrize("repair", SCENARIOS)
def test_no_other_repair_mends_it(repair: str) -> None:
    scenario, _, repaired = SCENARIOS[repair]
    assert scenario(reference_without(repair)) != repaired


def made_level_sensitive(design: Any) -> Any:
    """A guest gets an edge and, its line still high, makes the interrupt level-sensitive while it is disabled; what it
    gets."""
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.line(40, 1)
    m.exits(0)
    first = m.served(0)
    m.store(0, ICENABLER1, 1 << 8)
    m.store(0, 0xC08, 0)
    m.store(0, ISENABLER1, 1 << 8)
    return first, bool(m.listed(0))


def test_a_line_counts_once_its_interrupt_is_made_level_sensitive() -> None:
    assert made_level_sensitive(REFERENCE) == ([40], True)
    assert made_level_sensitive(LINUX) == ([40], False)


def test_an_active_interrupt_that_is_made_level_sensitive_comes_again_when_it_ends() -> None:
    m = machine(REFERENCE, EDGE)
    m.enter(0, 0)
    m.line(40, 1)
    m.exits(0)
    assert m.acknowledge(0) == 40
    m.store(0, 0xC08, 0)
    assert m.listed(0) == [(40, 0, 2)]
    m.complete(0, 40)
    assert m.interrupted(0)
    m.exits(0)
    assert m.listed(0) == [(40, 0, 1)]
