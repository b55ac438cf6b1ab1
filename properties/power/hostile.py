"""What hostile guests and a hostile user space might do to power next, for random walks."""

from collections.abc import Callable
from random import Random

from model.design import Design
from model.power import system as power
from model.power.state import MIDR, PowerState, Reg
from model.power.system import PowerAction
from model.programs import GUEST, OUT
from model.threads import agent_of, is_agent, vcpu_of

CPSRS = (0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x1A, 0x1B, 0x1F, 0x1DA, 0x1DF, 0x0, 0xFFFFFFFF)


def ioctl(random: Random, state: PowerState, cpu: int) -> PowerAction:
    """Something that user space does."""
    vcpu, vm = random.randrange(len(state.vcpus)), random.randrange(len(state.vms))
    reg = random.choice((*Reg, Reg.CPSR, Reg.CPSR, 6, 255))
    value = random.choice((random.getrandbits(32), *CPSRS)) if reg != Reg.MIDR else random.choice((MIDR, 0))
    made: tuple[Callable[[], PowerAction], ...] = (
        lambda: power.UserInterruptsVcpu(cpu, vcpu),
        lambda: power.UserInitsVcpu(cpu, vcpu, random.getrandbits(1), random.choice((0, 0, 0, 1, 255))),
        lambda: power.UserGetsRegister(cpu, vcpu, reg),
        lambda: power.UserSetsRegister(cpu, vcpu, reg, value),
        lambda: power.UserEndsVm(cpu, vm) if random.random() < 0.02 else power.UserInterruptsVcpu(cpu, vcpu),
    )
    return random.choice(made)()


def in_guest(random: Random, state: PowerState, cpu: int) -> PowerAction:
    """Something that a guest does, or that happens to it."""
    if random.random() < 0.2:
        return power.VcpuWaits(cpu, random.getrandbits(1))
    if random.random() < 0.1:
        return random.choice((power.VcpuKicked(cpu), power.VcpuSetsMode(cpu, random.choice(CPSRS) & 0x1F)))
    target = random.choice((*range(len(state.vcpus)), 7, 255))
    function = random.choice((0, 1, 1, 1, 1, 2, 3))
    entry, context = random.getrandbits(32), random.getrandbits(32)
    return power.VcpuCalls(cpu, function, target, entry, context, random.getrandbits(1))


def proposed(random: Random, design: Design, state: PowerState) -> PowerAction:
    """An action that some processor or agent might take next."""
    cpu = random.randrange(len(state.cores) + len(state.agents))
    if random.random() < 0.1:
        return power.SoftTimerFires(0, random.randrange(len(state.vcpus)))
    if is_agent(state, cpu):
        return power.PowerSteps(cpu) if agent_of(state, cpu).at != OUT else ioctl(random, state, cpu)
    if random.random() < 0.2:
        return random.choice((power.HostTakesKick, power.HostSwitchesThread))(cpu)
    if state.cores[cpu].busy == 0:
        return power.HostRunsThread(cpu, random.randrange(len(state.vcpus)))
    return in_guest(random, state, cpu) if vcpu_of(state, cpu).at == GUEST else power.PowerSteps(cpu)
