"""Virtual time step by step: the world switch, the software timer, waiting, and what Linux 3.12 does otherwise."""

import pytest
from attrs import evolve

from model.design import Design
from model.designs.catalogue import DESIGNS, reference
from model.designs.linux_3_12 import LINUX_3_12
from model.lowvisor.moves import Alter, Install, Load, Move, Save, When, Write
from model.threads import Wait
from model.timer import system as time
from model.timer.design import GUEST, OUT, Do
from model.timer.layout import Layout, initial_time
from model.timer.state import TimeState, Vcpu
from properties.engines.inputs import symbolic
from spec.registers import REGISTERS
from spec.timer.counters import count_behind
from spec.words import U64, add, every, same
from tests.gic import proved

REFERENCE = reference()


class Machine:
    """A design with a state of time, on which actions happen one after the other."""

    def __init__(self, design: Design = REFERENCE, cpus: int = 1, vms: tuple[tuple[int, bool], ...] = ((1, True),)):
        self.design = design.timer
        self.state: TimeState = initial_time(Layout(cpus, vms), self.design)
        self.apart = cpus

    def do(self, action: time.TimeAction) -> None:
        assert time.time_guard(self.design, self.state, action), action
        self.state = time.time_step(self.design, self.state, action)

    def vcpu(self, number: int = 0) -> Vcpu:
        return self.state.vcpus[number]

    def settle(self, cpu: int = 0) -> None:
        """The thread runs until it is in the guest or gives its processor up; kicks are taken on the way."""
        for _ in range(200):
            core = self.state.cores[cpu]
            if core.busy == 0 or self.vcpu(core.vcpu).at == GUEST:
                return
            self.do(time.TimerSteps(cpu))
        raise AssertionError("the thread never settles")

    def until(self, do: Do, cpu: int = 0) -> None:
        """The thread runs until it stands before a step of a kind."""
        steps = {step.do: n for n, step in enumerate(self.design.run)}
        while self.vcpu(self.state.cores[cpu].vcpu).at != steps[do]:
            self.do(time.TimerSteps(cpu))

    def enter(self, vcpu: int = 0, cpu: int = 0) -> None:
        self.do(time.HostResumes(cpu, vcpu))
        self.settle(cpu)

    def arm(self, ticks: int, cpu: int = 0) -> None:
        self.do(time.GuestWritesTval(cpu, ticks))
        self.do(time.GuestWritesCtl(cpu, 1))

    def passes(self, ticks: int) -> None:
        self.do(time.TimePasses(self.apart, ticks))

    def taken_out(self, cpu: int = 0) -> bool:
        return bool(time.time_guard(self.design, self.state, time.GuestTakenOut(cpu)))

    def expires(self, vcpu: int = 0) -> None:
        """The software timer expires, and its work is done."""
        self.do(time.SoftTimerExpires(self.apart, vcpu))
        self.do(time.WorkRuns(self.apart, vcpu))


def running(design: Design = REFERENCE) -> Machine:
    machine = Machine(design)
    machine.enter()
    return machine


def test_the_virtual_time_of_a_vm_starts_at_zero_and_all_its_vcpus_share_it() -> None:
    machine = Machine(vms=((2, True),), cpus=2)
    machine.enter(0, 0)
    assert count_behind(machine.state.now, machine.state.cores[0].off) == 0
    machine.passes(1000)
    machine.enter(1, 1)
    assert count_behind(machine.state.now, machine.state.cores[1].off) == 1000


def test_a_timer_that_fires_in_the_guest_interrupts_it_and_is_told_on_the_way_back() -> None:
    machine = running()
    machine.arm(10)
    machine.passes(9)
    assert not machine.taken_out()
    machine.passes(1)
    assert machine.taken_out()
    machine.do(time.GuestTakenOut(0))
    machine.settle()
    assert machine.vcpu().listed == 1
    assert not machine.taken_out()


def test_the_end_of_the_interrupt_lets_a_timer_that_still_fires_signal_again() -> None:
    machine = running()
    machine.arm(0)
    machine.do(time.GuestTakenOut(0))
    machine.settle()
    machine.do(time.GuestTakes(0))
    assert not machine.taken_out()
    machine.do(time.GuestCompletes(0))
    assert machine.taken_out()


def test_a_guest_that_waits_is_woken_by_its_timer() -> None:
    machine = running()
    machine.arm(10)
    machine.do(time.GuestIdles(0))
    machine.settle()
    assert machine.vcpu().wait == Wait.ASLEEP and machine.vcpu().left == 10
    machine.passes(10)
    machine.expires()
    machine.enter()
    assert machine.vcpu().listed == 1


def test_a_guest_whose_timer_fires_does_not_sleep() -> None:
    machine = running()
    machine.arm(0)
    machine.do(time.GuestIdles(0))
    machine.settle()
    assert machine.vcpu().wait == Wait.NOT and machine.vcpu().listed == 1


def test_a_software_timer_that_comes_early_counts_again() -> None:
    machine = running()
    machine.arm(10)
    machine.do(time.GuestIdles(0))
    machine.settle()
    machine.passes(4)
    machine.do(time.ClockStepped(machine.apart, 100))
    machine.do(time.SoftTimerExpires(machine.apart, 0))
    assert machine.vcpu().wait == Wait.ASLEEP and machine.vcpu().left == 6


def test_linux_3_12_interrupts_a_guest_before_its_compare_value_when_the_clock_is_stepped() -> None:
    machine = running(LINUX_3_12)
    machine.arm(10)
    machine.do(time.GuestIdles(0))
    machine.settle()
    machine.do(time.ClockStepped(machine.apart, 100))
    machine.expires()
    assert machine.vcpu().pending == 1 and machine.vcpu().left == 0


def test_linux_3_12_leaves_the_mask_bit_set_in_the_guests_timer() -> None:
    machine = running(LINUX_3_12)
    machine.arm(0)
    machine.do(time.GuestTakenOut(0))
    machine.settle()
    assert (machine.state.cores[0].ctl, machine.vcpu().own_ctl, machine.vcpu().listed) == (3, 1, 1)


def test_a_timer_that_was_called_off_does_not_interrupt() -> None:
    machine = running()
    machine.arm(0)
    machine.do(time.GuestTakenOut(0))
    machine.settle()
    machine.do(time.GuestWritesCtl(0, 0))
    machine.do(time.GuestTraps(0))
    machine.settle()
    assert machine.vcpu().listed == 0


def test_a_guest_that_has_disabled_the_interrupt_gets_on_with_its_timer_firing() -> None:
    machine = running()
    machine.do(time.GuestEnables(0, 0))
    machine.settle()
    machine.arm(0)
    machine.do(time.GuestTakenOut(0))
    machine.settle()
    assert not machine.taken_out() and machine.vcpu().listed == 0
    machine.do(time.GuestEnables(0, 1))
    machine.settle()
    assert machine.vcpu().listed == 1


def test_the_timer_moves_with_its_vcpu_to_another_processor() -> None:
    machine = Machine(cpus=2)
    machine.enter()
    machine.arm(10)
    machine.do(time.GuestTraps(0))
    machine.until(Do.HANDLE_EXIT)
    machine.do(time.HostSuspends(0))
    machine.passes(4)
    machine.enter(0, 1)
    core = machine.state.cores[1]
    assert (core.ctl, core.cval - count_behind(machine.state.now, core.off)) == (1, 6)
    assert machine.state.cores[0].ctl & 1 == 0 and machine.vcpu().running == 0


def test_the_host_has_its_own_time_back_behind_the_exit() -> None:
    machine = running()
    machine.arm(0)
    machine.do(time.GuestTraps(0, True))
    machine.settle()
    core = machine.state.cores[0]
    assert (core.off, core.ctl & 1, core.access) == (0, 0, 3)
    assert machine.vcpu().at == OUT


@pytest.mark.parametrize(("design", "runs_on"), [(REFERENCE, False), (LINUX_3_12, True)], ids=lambda x: str(x)[:9])
def test_only_linux_3_12_lets_the_timer_of_a_vm_without_the_in_kernel_timer_run_on(
    design: Design, runs_on: bool
) -> None:
    machine = Machine(design, vms=((1, False),))
    machine.enter()
    machine.do(time.GuestWritesCtl(0, 1))
    machine.do(time.GuestTakenOut(0))
    machine.until(Do.UNMASK_IRQS)
    machine.do(time.TimerSteps(0))
    assert bool(machine.state.cores[0].ctl & 1) == runs_on


def test_without_virtual_timers_each_use_of_counter_or_timer_leaves_for_user_space() -> None:
    for action in (time.GuestReadsCount(0), time.GuestWritesCtl(0, 1), time.GuestWritesTval(0, 5)):
        machine = running(DESIGNS["without-vgic"]())
        machine.do(action)
        machine.settle()
        assert machine.vcpu().at == OUT


def test_many_ticks_are_as_many_single_ones() -> None:
    state = initial_time(Layout(1, ((1, True),)), REFERENCE.timer)
    free = evolve(state, now=symbolic(U64, "now"), vcpus=(symbolic(Vcpu, "vcpu"),))
    ticks = symbolic(U64, "ticks")

    def passed(before: TimeState, count: int) -> TimeState:
        return time.time_step(REFERENCE.timer, before, time.TimePasses(1, count))

    both = passed(passed(free, ticks), 1), passed(free, ticks + 1)
    assert proved(every(same(both[0], both[1])), ticks < (1 << 63) - 1, ticks > 0)
    assert proved(add(add(free.now, ticks, 64), 1, 64) == both[1].now, ticks < (1 << 63) - 1)


TOLD = {
    Do.LOAD_CNTHCTL: (Alter, "cnthctl"), Do.LOAD_CNTVOFF: (Install, "cntvoff"), Do.LOAD_CVAL: (Load, "cntv_cval"),
    Do.LOAD_CTL: (Install, "cntv_ctl"), Do.SAVE_CTL: (Save, "cntv_ctl"), Do.STOP: (Install, "cntv_ctl"),
    Do.SAVE_CVAL: (Save, "cntv_cval"), Do.CLEAR_CNTVOFF: (Write, "cntvoff"), Do.RESTORE_CNTHCTL: (Alter, "cnthctl"),
}  # fmt: skip


def moved(move: Move) -> tuple[type, str] | None:
    """The register of the timer that a step of the world switch moves; None where it moves none, CNTKCTL aside."""
    names = getattr(move, "registers", None) or (getattr(move, "register", ""),)
    found = [name for name in names if name in REGISTERS and REGISTERS[name].component == "timer" and name != "cntkctl"]
    return (type(move), found[0]) if found else None


@pytest.mark.parametrize("design", [REFERENCE, LINUX_3_12], ids=lambda design: design.name)
def test_the_world_switch_moves_the_registers_that_the_lowvisors_own_steps_move(design: Design) -> None:
    steps = [step for step in (*design.entry, *design.exit) if moved(step.move)]
    assert [moved(step.move) for step in steps] == [TOLD[step.do] for step in design.timer.run if step.do in TOLD]
    always = {step.name for step in steps if step.when is When.ALWAYS}
    assert ("exit: stop CNTV" in always) == (design is REFERENCE)
