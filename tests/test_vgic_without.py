"""Without the virtual interface: user space emulates the interrupt controller and sets each vCPU's pins."""

from model.designs.catalogue import without_vgic
from model.topology import initial
from model.vgic import system as vgic
from model.vgic.design import GUEST, Do
from model.vgic.guest import Acknowledges
from properties.why import counterexample
from tests.interrupts import REFERENCE, SGIR, TOPOLOGIES, Machine, machine

DESIGN = without_vgic()
IRQ, FIQ = 1, 0


def running() -> Machine:
    m = machine(DESIGN)
    m.enter(0, 0)
    return m


def test_a_pin_reaches_the_guest_through_a_kick() -> None:
    m = running()
    m.line(IRQ, 1)
    assert m.interrupted(0)
    m.exits(0)
    assert m.state.cores[0].pins == 0b10


def test_the_host_runs_without_virtual_interrupts() -> None:
    m = running()
    m.line(FIQ, 1)
    m.do(vgic.GuestInterrupted(0))
    m.until(0, Do.HANDLE_EXIT)
    assert m.state.cores[0].pins == 0


def test_a_pin_that_is_set_before_the_entry_is_not_missed() -> None:
    m = machine(DESIGN)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, Do.SET_MODE)
    m.line(IRQ, 1)
    m.settle(0)
    assert m.state.vcpus[0].at == GUEST
    assert m.state.cores[0].pins == 0b10


def test_a_pin_wakes_a_vcpu() -> None:
    m = running()
    m.wait(0)
    assert m.asleep(0)
    m.line(IRQ, 1)
    assert not m.asleep(0)


def test_a_pin_that_stays_as_it_is_kicks_nobody() -> None:
    m = running()
    m.line(IRQ, 0)
    assert not m.interrupted(0)


def test_every_access_to_the_distributor_leaves_to_user_space() -> None:
    m = running()
    m.store(0, SGIR, 1)
    assert m.state.cores[0].busy == 0


def test_a_guest_acknowledges_in_user_space() -> None:
    m = running()
    m.do(vgic.GuestActs(0, Acknowledges()))
    m.settle(0)
    assert m.state.cores[0].busy == 0


def test_the_virtual_cpu_interface_saves_these_exits() -> None:
    found = counterexample("interrupts-in-user-space")
    assert "interrupts.exitless" in found.properties


def test_each_configuration_of_interrupts_starts_with_idle_processors() -> None:
    for topology in TOPOLOGIES.values():
        if topology.interrupts is not None:
            for design in (DESIGN, REFERENCE):
                state = initial(topology, design).interrupts
                assert state is not None
                assert all(core.busy == 0 for core in state.cores)
