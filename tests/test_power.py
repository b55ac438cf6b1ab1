"""Power: what PSCI and user space do to vCPUs, step by step, in the reference and in Linux 3.12."""

from collections.abc import Callable
from functools import partial

import pytest
from attrs import evolve

from model.design import Design
from model.designs.catalogue import reference
from model.designs.linux_3_12 import LINUX_3_12
from model.power import system as power
from model.power.design import PROGRAMS, Do
from model.power.layout import Layout, initial_power
from model.power.state import MIDR, RESET, Answer, Error, Function, PowerState, Reg
from model.programs import GUEST, OUT
from model.threads import Wait, at_of
from spec.psr import Mode

REFERENCE = reference()
ENTRY = 0x80010001


class Machine:
    """A design with a state of power, on which actions happen one after the other."""

    def __init__(self, design: Design, layout: Layout) -> None:
        self.design, self.user = design.power, layout.processors
        self.state: PowerState = initial_power(layout, self.design)

    def do(self, action: power.PowerAction) -> None:
        """One action, which must be possible."""
        assert power.power_guard(self.design, self.state, action), action
        self.state = power.power_step(self.design, self.state, action)

    def settle(self, cpu: int, until: Do | None = None) -> None:
        """The thread runs until it is in its guest, gives its processor away, or is before a step of a kind."""
        for _ in range(100):
            if power.power_guard(self.design, self.state, power.HostTakesKick(cpu)):
                self.do(power.HostTakesKick(cpu))
            step = PROGRAMS.step_at(self.design, at_of(self.state, cpu))
            if self.state.cores[cpu].busy == 0 or step is None or step.do is until:
                return
            self.do(power.PowerSteps(cpu))
        raise AssertionError("the thread never settles")

    def run(self, cpu: int, vcpu: int, until: Do | None = None) -> None:
        """The host runs the vCPU."""
        self.do(power.HostRunsThread(cpu, vcpu))
        self.settle(cpu, until)

    def call(self, cpu: int, function: Function, until: Do | None = None, target: int = 1, big: int = 0) -> None:
        """The guest calls PSCI."""
        self.do(power.VcpuCalls(cpu, function, target, ENTRY, 7, big))
        self.settle(cpu, until)

    def inside(self, vcpu: int) -> bool:
        """Whether the vCPU's guest runs."""
        return bool(self.state.vcpus[vcpu].at == GUEST)

    def error(self, action: power.PowerAction) -> Error:
        """What an ioctl returns."""
        self.do(action)
        return Error(self.state.agents[0].error)


def machine(design: Design = REFERENCE, vcpus: int = 2, off: tuple[int, ...] = (1,), cpus: int = 2) -> Machine:
    """A machine with one VM whose vCPU 0 runs."""
    made = Machine(design, Layout(cpus, (vcpus,), off))
    made.run(0, 0)
    return made


def test_a_vcpu_that_is_off_sleeps_until_it_is_started() -> None:
    m = machine()
    m.run(1, 1)
    assert m.state.vcpus[1].wait == Wait.ASLEEP
    m.call(0, Function.CPU_ON)
    m.run(1, 1)
    assert m.inside(1)


@pytest.mark.parametrize(("big", "cpsr"), [(0, 0x1F3), (1, 0x3F3)])
def test_a_vcpu_starts_with_the_registers_that_were_asked_for(big: int, cpsr: int) -> None:
    m = machine()
    m.call(0, Function.CPU_ON, big=big)
    m.run(1, 1)
    assert m.state.cores[1].live == evolve(RESET, r0=7, pc=ENTRY - 1, cpsr=cpsr)


def test_linux_3_12_starts_a_vcpu_without_its_context_and_little_endian() -> None:
    m = machine(LINUX_3_12)
    m.run(1, 1)
    m.call(0, Function.CPU_ON, big=1)
    m.run(1, 1)
    assert m.state.cores[1].live == evolve(RESET, pc=ENTRY - 1, cpsr=0x1F3)


@pytest.mark.parametrize(
    ("target", "answer"), [(1, Answer.SUCCESS), (0, Answer.ALREADY_ON), (5, Answer.INVALID_PARAMETERS)]
)
def test_cpu_on_answers_by_the_state_of_its_target(target: int, answer: Answer) -> None:
    m = machine()
    m.call(0, Function.CPU_ON, target=target)
    assert m.state.cores[0].live.r0 == answer


def test_linux_3_12_refuses_to_start_a_vcpu_whose_thread_does_not_sleep_yet() -> None:
    m = machine(LINUX_3_12)
    m.call(0, Function.CPU_ON)
    assert m.state.cores[0].live.r0 == Answer.INVALID_PARAMETERS


def test_linux_3_12_resets_a_vcpu_that_waits_for_an_interrupt() -> None:
    m = machine(LINUX_3_12, off=())
    m.run(1, 1)
    m.do(power.VcpuWaits(1, 0))
    m.settle(1)
    m.call(0, Function.CPU_ON)
    assert m.state.vcpus[1].registers.pc == ENTRY - 1


def test_of_two_calls_for_one_vcpu_one_succeeds() -> None:
    m = machine(vcpus=3, off=(2,), cpus=3)
    m.run(1, 1)
    m.call(0, Function.CPU_ON, Do.CLEAR_PAUSE, target=2)
    m.do(power.VcpuCalls(1, Function.CPU_ON, 2, ENTRY, 8))
    m.settle(1, Do.LOCK)
    assert not power.power_guard(m.design, m.state, power.PowerSteps(1))
    m.settle(0)
    m.settle(1)
    assert (m.state.cores[0].live.r0, m.state.cores[1].live.r0) == (Answer.SUCCESS, Answer.ALREADY_ON)


def test_a_vcpu_that_goes_off_does_not_come_back() -> None:
    m = machine()
    m.call(0, Function.CPU_OFF)
    assert (m.state.vcpus[0].wait, m.inside(0)) == (Wait.ASLEEP, False)


def test_a_machine_that_is_off_stops_the_other_vcpus() -> None:
    m = machine(off=())
    m.run(1, 1)
    m.call(0, Function.SYSTEM_OFF)
    assert m.state.vcpus[0].at == OUT
    m.do(power.VcpuKicked(1))
    m.settle(1)
    assert m.state.vcpus[1].wait == Wait.ASLEEP


def test_a_vcpu_on_its_way_into_the_guest_is_stopped_too() -> None:
    m = machine(off=())
    m.run(1, 1, Do.MASK_IRQS)
    m.call(0, Function.SYSTEM_OFF)
    m.settle(1)
    assert m.state.vcpus[1].wait == Wait.ASLEEP


def test_a_call_under_way_starts_nobody_behind_a_machine_that_is_off() -> None:
    m = machine(vcpus=3, off=(2,), cpus=3)
    m.run(1, 1)
    m.do(power.VcpuCalls(1, Function.CPU_ON, 2, ENTRY, 8))
    m.settle(1, Do.LOCK)
    m.call(0, Function.SYSTEM_OFF)
    m.settle(1)
    assert m.state.vcpus[2].pause == 1


def test_linux_3_12_does_not_know_how_to_switch_a_machine_off() -> None:
    m = machine(LINUX_3_12)
    m.call(0, Function.SYSTEM_OFF)
    assert m.inside(0)


@pytest.mark.parametrize(
    ("reg", "value", "error"),
    [
        (Reg.CPSR, 0x1D3, Error.OK),
        (Reg.CPSR, 0x100 | Mode.HYP, Error.EINVAL),
        (Reg.CPSR, 0, Error.EINVAL),
        (Reg.CPSR, Mode.SYS, Error.OK),
        (Reg.MIDR, MIDR, Error.OK),
        (Reg.MIDR, 0, Error.EINVAL),
        (77, 0, Error.ENOENT),
    ],
)
def test_user_space_may_set_what_a_guest_may_have(reg: int, value: int, error: Error) -> None:
    m = Machine(REFERENCE, Layout(1, (1,)))
    assert m.error(power.UserSetsRegister(1, 0, reg, value)) is error


def test_linux_3_12_saves_a_guest_in_system_mode_and_does_not_restore_it() -> None:
    m = Machine(LINUX_3_12, Layout(1, (1,)))
    m.run(0, 0)
    m.do(power.VcpuSetsMode(0, Mode.SYS))
    m.do(power.UserInterruptsVcpu(1, 0))
    m.do(power.VcpuKicked(0))
    m.settle(0)
    assert m.error(power.UserGetsRegister(1, 0, Reg.CPSR)) is Error.OK
    assert m.error(power.UserSetsRegister(1, 0, Reg.CPSR, m.state.agents[0].value)) is Error.EINVAL


IOCTLS: tuple[Callable[..., power.PowerAction], ...] = (
    partial(power.UserGetsRegister, reg=Reg.PC),
    partial(power.UserSetsRegister, reg=Reg.PC, value=4),
)


@pytest.mark.parametrize("ioctl", IOCTLS)
def test_registers_are_refused_before_initialisation(ioctl: Callable[..., power.PowerAction]) -> None:
    m = Machine(REFERENCE, Layout(1, (1,), initialised=False))
    assert m.error(ioctl(1, vcpu=0)) is Error.ENOEXEC
    assert m.error(power.UserInitsVcpu(1, 0, 0)) is Error.OK
    assert m.error(ioctl(1, vcpu=0)) is Error.OK


def test_a_vcpu_that_is_not_initialised_does_not_run() -> None:
    m = Machine(REFERENCE, Layout(1, (1,), initialised=False))
    m.run(0, 0)
    assert (m.state.vcpus[0].at, m.state.cores[0].busy) == (OUT, 0)


def test_user_space_reads_of_a_vcpu_that_was_started_what_it_will_run_with() -> None:
    m = machine()
    m.call(0, Function.CPU_ON)
    m.do(power.UserGetsRegister(2, 1, Reg.PC))
    assert m.state.agents[0].value == ENTRY - 1


def test_a_vm_that_ends_has_no_timer_armed() -> None:
    m = Machine(REFERENCE, Layout(1, (1,)))
    m.run(0, 0)
    m.do(power.VcpuWaits(0, 1))
    m.settle(0)
    m.do(power.UserInterruptsVcpu(1, 0))
    m.run(0, 0)
    assert m.state.vcpus[0].soft == 1
    m.do(power.UserEndsVm(1, 0))
    while m.state.agents[0].at != OUT:
        m.do(power.PowerSteps(1))
    assert (m.state.vcpus[0].soft, m.state.vms[0].alive) == (0, 0)
