"""Interrupts on their way to a guest: lines, list registers, SGIs, kicks, sleep and migration."""

import pytest

from model.design import Design
from model.threads import Mode
from model.vgic import system as vgic
from model.vgic.design import GUEST, Do
from model.vgic.layout import Layout
from spec.gic.list_registers import ListState
from tests.interrupts import EDGE, ICENABLER1, ISENABLER1, LEVEL, LINUX, OTHER, REFERENCE, SGI, SGIR, Machine, machine

BOTH = pytest.mark.parametrize("design", [LINUX, REFERENCE], ids=["linux", "reference"])
PENDING, ACTIVE, BOTH_STATES = ListState.PENDING, ListState.ACTIVE, ListState.ACTIVE_AND_PENDING
HCR_UIE = 2


@BOTH
def test_a_level_is_delivered_again_after_its_end_while_the_line_is_high(design: Design) -> None:
    m = machine(design, LEVEL)
    m.enter(0, 0)
    m.line(41, 1)
    assert m.interrupted(0)
    m.exits(0)
    assert m.acknowledge(0) == 41
    m.complete(0, 41)
    assert m.interrupted(0)
    m.exits(0)
    assert m.listed(0) == [(41, 0, PENDING)]


@BOTH
def test_a_level_is_over_when_its_line_falls_before_its_end(design: Design) -> None:
    m = machine(design, LEVEL)
    m.line(41, 1)
    m.enter(0, 0)
    assert m.acknowledge(0) == 41
    m.line(41, 0)
    m.complete(0, 41)
    m.exits(0)
    assert m.listed(0) == []
    assert not m.interrupted(0)


@BOTH
def test_a_level_in_flight_is_not_listed_again(design: Design) -> None:
    m = machine(design, LEVEL)
    m.line(41, 1)
    m.enter(0, 0)
    m.acknowledge(0)
    m.exits(0)
    assert m.listed(0) == [(41, 0, ACTIVE)]


@BOTH
def test_an_edge_while_active_joins_its_list_register(design: Design) -> None:
    m = machine(design, EDGE)
    m.line(40, 1)
    m.enter(0, 0)
    m.acknowledge(0)
    m.line(40, 1)
    m.exits(0)
    assert m.listed(0) == [(40, 0, BOTH_STATES)]


@BOTH
def test_edges_before_the_flush_are_one(design: Design) -> None:
    m = machine(design, EDGE)
    for _ in range(3):
        m.line(40, 1)
        m.line(40, 0)
    m.enter(0, 0)
    assert m.served(0) == [40]


def test_an_sgi_from_two_vcpus_arrives_once_from_each() -> None:
    m = machine(REFERENCE, SGI, cpus=3, vcpus=3)
    for number in (1, 2):
        m.enter(number, number)
        m.store(number, SGIR, (1 << 16) | 1)
    m.enter(0, 0)
    assert m.served(0) == [(1 << 10) | 1, (2 << 10) | 1]


def test_the_second_source_waits_for_the_end_of_the_first_and_then_forces_an_exit() -> None:
    m = machine(REFERENCE, SGI, cpus=3, vcpus=3)
    m.enter(1, 1)
    m.store(1, SGIR, (1 << 16) | 1)
    m.enter(0, 0)
    assert m.acknowledge(0) == (1 << 10) | 1
    m.enter(2, 2)
    m.store(2, SGIR, (1 << 16) | 1)
    m.exits(0)
    assert m.listed(0) == [(1, 1, ACTIVE)]
    m.complete(0, (1 << 10) | 1)
    assert m.interrupted(0)
    m.exits(0)
    assert m.listed(0) == [(1, 2, PENDING)]


@BOTH
def test_an_sgi_interrupts_the_processor_of_its_target(design: Design) -> None:
    m = machine(design, SGI)
    m.enter(0, 0)
    m.enter(1, 1)
    m.store(0, SGIR, (2 << 16) | 1)
    assert m.interrupted(1)
    m.exits(1)
    assert m.served(1) == [1]


@BOTH
def test_what_does_not_fit_follows_when_the_list_registers_run_low(design: Design) -> None:
    m = machine(design, EDGE, LEVEL, OTHER)
    for irq in (42, 41, 40):
        m.line(irq, 1)
    m.enter(0, 0)
    assert m.state.cores[0].gich.hcr & HCR_UIE
    assert not m.interrupted(0)
    m.acknowledge(0)
    m.complete(0, 40)
    assert m.interrupted(0)
    m.exits(0)
    assert (42, 0, PENDING) in m.listed(0)


def test_what_does_not_fit_follows_the_end_in_a_single_list_register() -> None:
    m = machine(REFERENCE, EDGE, OTHER, lrs=1)
    for irq in (40, 42):
        m.line(irq, 1)
    m.enter(0, 0)
    assert not m.state.cores[0].gich.hcr & HCR_UIE and not m.interrupted(0)
    assert m.acknowledge(0) == 40 and not m.interrupted(0)
    m.complete(0, 40)
    assert m.interrupted(0)
    m.exits(0)
    assert m.listed(0) == [(42, 0, PENDING)]


def test_a_single_list_register_asks_no_longer_once_nothing_waits() -> None:
    m = machine(REFERENCE, EDGE, LEVEL, lrs=1)
    for irq in (40, 41):
        m.line(irq, 1)
    m.enter(0, 0)
    assert m.acknowledge(0) == 40
    m.line(41, 0)
    m.exits(0)
    m.complete(0, 40)
    assert not m.interrupted(0)


@BOTH
def test_wfi_sleeps_until_a_line_rises(design: Design) -> None:
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.wait(0)
    assert m.asleep(0)
    m.line(40, 1)
    assert not m.asleep(0)
    m.enter(0, 0)
    assert m.served(0) == [40]


@BOTH
def test_wfi_goes_on_where_a_virtual_interrupt_is_signalled(design: Design) -> None:
    m = machine(design, EDGE)
    m.line(40, 1)
    m.enter(0, 0)
    assert not vgic.vgic_guard(m.design, m.state, vgic.GuestWaits(0))


@BOTH
def test_a_line_that_rises_before_the_thread_sleeps_is_not_missed(design: Design) -> None:
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.do(vgic.GuestWaits(0))
    m.until(0, Do.SLEEP)
    m.line(40, 1)
    m.settle(0)
    assert m.served(0) == [40]


@BOTH
def test_a_kick_in_the_guest_sends_one_interrupt(design: Design) -> None:
    m = machine(design, EDGE, OTHER)
    m.enter(0, 0)
    m.line(40, 1)
    assert m.state.vcpus[0].mode == Mode.EXITING_GUEST_MODE
    assert m.state.cores[0].ipi == 1
    m.exits(0)
    assert m.state.cores[0].ipi == 0
    assert m.state.vcpus[0].mode == Mode.IN_GUEST_MODE


@BOTH
def test_a_kick_behind_the_check_for_requests_forces_the_guest_out_at_once(design: Design) -> None:
    m = machine(design, EDGE)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, Do.LOAD_HCR)
    m.line(40, 1)
    m.settle(0)
    assert m.interrupted(0)


@BOTH
def test_list_registers_move_with_a_vcpu_to_another_processor(design: Design) -> None:
    m = machine(design, EDGE, LEVEL)
    m.line(40, 1)
    m.line(41, 1)
    m.enter(0, 0)
    m.acknowledge(0)
    m.do(vgic.GuestExits(0))
    m.until(0, Do.HANDLE_EXIT)
    m.do(vgic.HostPreempts(0))
    m.enter(1, 0)
    assert m.listed(1) == [(40, 0, ACTIVE), (41, 0, PENDING)]
    assert m.state.cores[0].gich.hcr == 0


@BOTH
def test_a_thread_that_holds_the_lock_is_not_preempted(design: Design) -> None:
    m = machine(design, EDGE)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, Do.CHECK_PENDING)
    assert not vgic.vgic_guard(m.design, m.state, vgic.HostPreempts(0))


@BOTH
def test_a_line_waits_while_the_lock_is_held(design: Design) -> None:
    m = machine(design, EDGE)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, Do.CHECK_PENDING)
    m.do(vgic.LineChanges(2, 0, 0, 40, 1))
    assert not vgic.vgic_guard(m.design, m.state, vgic.VgicSteps(2))


@BOTH
def test_a_physical_interrupt_forces_the_guest_out_and_the_host_takes_it(design: Design) -> None:
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.do(vgic.InterruptArrives(0))
    m.do(vgic.GuestInterrupted(0))
    m.until(0, Do.UNMASK_IRQS)
    assert not vgic.vgic_guard(m.design, m.state, vgic.HostTakesInterrupts(0))
    m.step(0)
    m.do(vgic.HostTakesInterrupts(0))
    assert m.state.cores[0].irq == 0


@BOTH
def test_a_signal_ends_the_run_and_the_interrupt_waits_for_the_next(design: Design) -> None:
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.signal(0)
    m.line(40, 1)
    m.exits(0)
    assert m.state.cores[0].busy == 0
    m.enter(0, 0)
    assert m.served(0) == [40]


@BOTH
def test_a_vcpu_that_is_powered_off_sleeps_until_a_sibling_powers_it_on(design: Design) -> None:
    m = machine(design, EDGE)
    m.enter(0, 0)
    m.enter(1, 1)
    m.do(vgic.GuestPowersOff(1))
    m.settle(1)
    assert m.asleep(1)
    m.do(vgic.GuestPowersOn(0, 1))
    m.settle(0)
    assert not m.asleep(1)
    m.enter(1, 1)
    assert m.state.vcpus[1].at == GUEST


def test_an_edge_in_a_list_register_outlasts_that_its_interrupt_is_disabled_for_a_while() -> None:
    assert after_disabled_for_a_while(LINUX) == []
    assert after_disabled_for_a_while(REFERENCE) == [40]


def after_disabled_for_a_while(design: Design) -> list[int]:
    """What the guest gets when it disables a pending interrupt and enables it again."""
    m = machine(design, EDGE)
    m.line(40, 1)
    m.enter(0, 0)
    m.store(0, ICENABLER1, 1 << 8)
    assert m.listed(0) == []
    m.store(0, ISENABLER1, 1 << 8)
    return m.served(0)


@BOTH
def test_a_line_of_one_vm_changes_nothing_of_another(design: Design) -> None:
    m = Machine(design, Layout(2, (1, 1), 2, (EDGE,)))
    m.enter(0, 0)
    m.enter(1, 1)
    m.line(40, 1, vm=0)
    assert m.interrupted(0)
    assert not m.interrupted(1)
    assert m.state.irqs.get((1, 0, 40)).pending == 0
