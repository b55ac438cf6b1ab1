"""Stated domains of power for the engines of concrete steps: which actions, where, and with which operands."""

from collections.abc import Iterator

from attrs import frozen

from model.design import Design
from model.power import system as power
from model.power.design import Do
from model.power.state import Function, PowerState
from model.power.system import PowerAction, VcpuCalls
from model.programs import GUEST, OUT
from model.threads import agent_of, is_agent
from properties.power.grain import forced_on


@frozen
class PowerDomain:
    """What may happen in a search over power; empty tuples leave kinds of action out."""

    name: str
    runs: tuple[tuple[int, int], ...] = ()
    """Which processor may run which vCPU."""
    calls: tuple[tuple[int, VcpuCalls], ...] = ()
    """Which vCPU makes which call; the processor in it does not count."""
    waits: tuple[tuple[int, int], ...] = ()
    """Which vCPU waits, with its timer running or not."""
    modes: tuple[tuple[int, int], ...] = ()
    """Which vCPU goes to which mode."""
    signals: tuple[int, ...] = ()
    """The vCPUs that get signals."""
    inits: tuple[tuple[int, int, int], ...] = ()
    """KVM_ARM_VCPU_INIT: the vCPU, whether it is to be off, and the target."""
    gets: tuple[tuple[int, int], ...] = ()
    """KVM_GET_ONE_REG: the vCPU and the register."""
    sets: tuple[tuple[int, int, int], ...] = ()
    """KVM_SET_ONE_REG: the vCPU, the register and the value."""
    ends: tuple[int, ...] = ()
    """The VMs that end."""
    switches: tuple[int, ...] = ()
    """The processors that the host takes from a vCPU's thread."""
    merges: bool = True
    """Whether steps are merged to the stated grain."""

    @property
    def unseen(self) -> frozenset[Do]:
        """The steps that nobody can tell apart here: looks for signals where none comes, modes where nobody kicks."""
        kicks = any(call.function == Function.SYSTEM_OFF for _, call in self.calls)
        silent = frozenset() if self.signals else frozenset({Do.CHECK_SIGNAL})
        return silent if kicks else silent | {Do.SET_MODE, Do.CLEAR_MODE}

    def of_processor(self, design: Design, state: PowerState, cpu: int) -> list[PowerAction]:
        """What may happen on one processor or agent now, in a fixed order."""
        if is_agent(state, cpu):
            found = list(self.agent(state, cpu))
        else:
            found = [*self.host(state, cpu), *self.thread(state, cpu)]
        return [action for action in found if power.power_guard(design.power, state, action)]

    def follows(self, design: Design, state: PowerState, cpu: int) -> PowerAction | None:
        """The step of a processor that belongs to the one before, at the stated grain."""
        return forced_on(design.power, state, cpu, self.unseen) if self.merges else None

    def host(self, state: PowerState, cpu: int) -> Iterator[PowerAction]:
        """What the host does on a processor."""
        yield power.HostTakesKick(cpu)
        if cpu in self.switches:
            yield power.HostSwitchesThread(cpu)
        yield from (power.HostRunsThread(cpu, vcpu) for core, vcpu in self.runs if core == cpu)
        if cpu == 0:
            yield from (power.SoftTimerFires(cpu, vcpu) for vcpu in range(len(state.vcpus)))

    def agent(self, state: PowerState, cpu: int) -> Iterator[PowerAction]:
        """What user space does."""
        if agent_of(state, cpu).at != OUT:
            yield power.PowerSteps(cpu)
        for vcpu in self.signals:
            if state.vcpus[vcpu].at != OUT and state.vcpus[vcpu].signal == 0:
                yield power.UserInterruptsVcpu(cpu, vcpu)
        yield from (power.UserInitsVcpu(cpu, *init) for init in self.inits)
        yield from (power.UserGetsRegister(cpu, *got) for got in self.gets)
        yield from (power.UserSetsRegister(cpu, *put) for put in self.sets)
        yield from (power.UserEndsVm(cpu, vm) for vm in self.ends)

    def thread(self, state: PowerState, cpu: int) -> Iterator[PowerAction]:
        """What a vCPU's thread does, or its guest."""
        core = state.cores[cpu]
        if core.busy == 0:
            return
        if state.vcpus[core.vcpu].at != GUEST:
            yield power.PowerSteps(cpu)
            return
        yield power.VcpuKicked(cpu)
        for vcpu, timer in self.waits:
            if vcpu == core.vcpu:
                yield power.VcpuWaits(cpu, timer)
        for vcpu, mode in self.modes:
            if vcpu == core.vcpu:
                yield power.VcpuSetsMode(cpu, mode)
        for vcpu, call in self.calls:
            if vcpu == core.vcpu:
                yield VcpuCalls(cpu, call.function, call.target, call.entry, call.context, call.big)
