"""Power as a transition system: what may happen, when it is possible, and what it does."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from attrs import frozen

from model.action import Action
from model.power import threads, user
from model.power.design import PROGRAMS, Do, PowerDesign
from model.power.psci import PSCI_STEPS
from model.power.run import RUN_STEPS
from model.power.state import NO_CALL, Agent, Call, Exit, Function, PowerState, Registers
from model.power.threads import Step, vm_of
from model.programs import GUEST, OUT
from model.threads import (
    Wait,
    agent_of,
    at_of,
    given_up,
    is_agent,
    signalled,
    vcpu_of,
    with_agent,
    with_core,
    with_number,
    with_vcpu,
)
from spec.citations import arm, linux, paper, psci, rule
from spec.psr import E_BIT, GUEST_MODES
from spec.words import U1, U2, U5, U8, U32, choose, clear, either, every, insert, member, negate, put, put_all, replaced


class PowerAction(Action):
    """Something that happens to power."""


@frozen
class PowerSteps(PowerAction):
    """A thread makes its next step: a vCPU's on its processor, or an agent's."""


@frozen
class HostRunsThread(PowerAction):
    """The host runs a vCPU's thread on a processor; from user space it calls KVM_RUN."""

    vcpu: int


@frozen
class HostSwitchesThread(PowerAction):
    """The host takes a processor from a vCPU's thread."""


@frozen
class HostTakesKick(PowerAction):
    """The host takes the reschedule interrupt of a kick."""


@frozen
class VcpuKicked(PowerAction):
    """A reschedule interrupt takes a vCPU out of its guest."""


@frozen
class VcpuWaits(PowerAction):
    """A guest executes WFI, with its virtual timer running or not."""

    timer: U1


@frozen
class VcpuSetsMode(PowerAction):
    """A guest goes to another mode of PL0 or PL1."""

    mode: U5


@frozen
class VcpuCalls(PowerAction):
    """A guest calls PSCI, as a big-endian guest or not."""

    function: U2
    target: U8 = 0
    entry: U32 = 0
    context: U32 = 0
    big: U1 = 0


@frozen
class SoftTimerFires(PowerAction):
    """A software timer that is armed expires, and wakes its vCPU."""

    vcpu: int


@frozen
class UserInitsVcpu(PowerAction):
    """User space makes a KVM_ARM_VCPU_INIT."""

    vcpu: int
    off: U1
    target: U8 = user.CORTEX_A15


@frozen
class UserGetsRegister(PowerAction):
    """User space makes a KVM_GET_ONE_REG."""

    vcpu: int
    reg: U8


@frozen
class UserSetsRegister(PowerAction):
    """User space makes a KVM_SET_ONE_REG."""

    vcpu: int
    reg: U8
    value: U32


@frozen
class UserInterruptsVcpu(PowerAction):
    """User space sends a signal to a vCPU's thread."""

    vcpu: int


@frozen
class UserEndsVm(PowerAction):
    """User space gives back its last reference to a VM."""

    vm: int


STEPS: Mapping[Do, Step] = MappingProxyType(
    {Do.LOCK: threads.lock, Do.UNLOCK: threads.unlock, **RUN_STEPS, **PSCI_STEPS, **user.USER_STEPS}
)
"""The rule of each step."""


def power_guard(design: PowerDesign, state: PowerState, action: PowerAction) -> bool:
    """Whether the action is possible now; may be a formula."""
    cpu = action.cpu
    if is_agent(state, cpu):
        return agent_guard(design, state, action)
    core = state.cores[cpu]
    match action:
        case HostRunsThread(_, vcpu):
            return every(core.busy == 0, core.masked == 0, may_run(state, vcpu))
        case HostTakesKick():
            return every(core.masked == 0, core.ipi == 1)
        case PowerSteps():
            return every(core.busy == 1, may_step(design, state, cpu))
        case HostSwitchesThread():
            return every(core.busy == 1, core.masked == 0, negate(vcpu_of(state, cpu).at == GUEST))
        case SoftTimerFires(_, vcpu):
            return every(cpu == 0, state.vcpus[vcpu].soft == 1)
        case VcpuKicked():
            return every(core.busy == 1, vcpu_of(state, cpu).at == GUEST, core.ipi == 1)
        case VcpuWaits() | VcpuCalls():
            return every(core.busy == 1, vcpu_of(state, cpu).at == GUEST)
        case VcpuSetsMode(_, changed):
            return every(core.busy == 1, vcpu_of(state, cpu).at == GUEST, member(changed, GUEST_MODES))
    return False


def agent_guard(design: PowerDesign, state: PowerState, action: PowerAction) -> bool:
    """Whether user space may do that: an ioctl waits while KVM_RUN has the vCPU."""
    agent = agent_of(state, action.cpu)
    match action:
        case PowerSteps():
            return PROGRAMS.step_at(design, agent.at) is not None
        case UserInitsVcpu(_, vcpu) | UserGetsRegister(_, vcpu) | UserSetsRegister(_, vcpu):
            return every(agent.at == OUT, stopped(state, vcpu))
        case UserInterruptsVcpu():
            return agent.at == OUT
        case UserEndsVm(_, vm):
            out = (negate(every(vcpu.vm == vm, negate(vcpu.at == OUT))) for vcpu in state.vcpus)
            return every(agent.at == OUT, state.vms[vm].alive == 1, unended(state, vm), *out)
    return False


def unended(state: PowerState, vm: int) -> bool:
    """Whether nobody is about to free a VM."""
    return negate(either(*(every(agent.vm == vm, negate(agent.at == OUT)) for agent in state.agents)))


def alive(state: PowerState, number: int) -> bool:
    """Whether a vCPU's VM lives, and nobody is about to free it."""
    vcpu = state.vcpus[number]
    there = (every(vcpu.vm == vm, state.vms[vm].alive == 1, unended(state, vm)) for vm in range(len(state.vms)))
    return either(*there)


def stopped(state: PowerState, number: int) -> bool:
    """Whether a vCPU that lives is not in KVM_RUN."""
    return every(state.vcpus[number].at == OUT, alive(state, number))


def may_run(state: PowerState, number: int) -> bool:
    """Whether a vCPU's thread is runnable and runs nowhere."""
    runs = (every(core.busy == 1, core.vcpu == number) for core in state.cores)
    return every(negate(either(*runs)), negate(state.vcpus[number].wait == Wait.ASLEEP), alive(state, number))


def may_step(design: PowerDesign, state: PowerState, cpu: int) -> bool:
    """Whether the thread has a next step that need not wait."""
    step = PROGRAMS.step_at(design, at_of(state, cpu))
    if step is None:
        return False
    return vm_of(state, cpu).lock == 0 if step.do is Do.LOCK else True


def power_step(design: PowerDesign, state: PowerState, action: PowerAction) -> PowerState:
    """The state of power after an action whose guard holds."""
    cpu = action.cpu
    match action:
        case PowerSteps():
            return thread_steps(design, state, cpu)
        case HostRunsThread(_, vcpu):
            return host_runs(state, cpu, vcpu)
        case HostSwitchesThread():
            return given_up(state, cpu, True)
        case HostTakesKick():
            return with_core(state, cpu, put(state.cores[cpu], "ipi", 0))
        case VcpuSetsMode(_, changed):
            return mode_set(state, cpu, changed)
        case SoftTimerFires(_, vcpu):
            return fired(state, vcpu)
        case UserInitsVcpu(_, vcpu, off, target):
            return user.init(design, state, cpu, vcpu, target, off)
        case UserGetsRegister(_, vcpu, reg):
            return user.get(design, state, cpu, vcpu, reg)
        case UserSetsRegister(_, vcpu, reg, value):
            return user.set_one(design, state, cpu, vcpu, reg, value)
        case UserInterruptsVcpu(_, vcpu):
            return signalled(state, vcpu)
        case UserEndsVm(_, vm):
            begun = (PROGRAMS.place("destroy"), vm, 0)
            return with_agent(state, cpu, put_all(agent_of(state, cpu), ("at", "vm", "cursor"), begun))
    return left(design, state, action)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"), paper("3.2"))
def left(design: PowerDesign, state: PowerState, action: PowerAction) -> PowerState:
    """The guest is left, having used its registers: the world switch out begins, with interrupts still masked."""
    cpu = action.cpu
    core, vcpu = state.cores[cpu], vcpu_of(state, cpu)
    why, call, timer = Exit.NONE, NO_CALL, vcpu.timer
    live = put_all(core.live, ("rest", "sctlr"), (1, core.live.sctlr | 1))
    match action:
        case VcpuWaits(_, running):
            why, timer = Exit.WAIT, running
        case VcpuCalls(_, function, target, entry, context, big):
            why, call = Exit.CALL, Call(function, target, entry, context, big)
            live = called(live, call)
    off = choose(every(why == Exit.CALL, call.function == Function.CPU_OFF), 1, vcpu.off)
    at = PROGRAMS.after(design, "run", Do.ENTER)
    changed = put_all(vcpu, ("at", "exit", "call", "timer", "off"), (at, why, call, timer, off))
    return with_vcpu(with_core(state, cpu, put(core, "live", live)), cpu, changed)


@rule(arm("B1.3.1"))
def mode_set(state: PowerState, cpu: int, changed: U5) -> PowerState:
    """The guest is in another mode."""
    core = state.cores[cpu]
    return with_core(state, cpu, put(core, "live", put(core.live, "cpsr", insert(core.live.cpsr, 4, 0, changed))))


@rule(psci("CPU_ON"))
def called(live: Registers, call: Call) -> Registers:
    """The guest's registers as it calls PSCI: the function in r0, and its own endianness in CPSR."""
    cpsr = choose(call.big == 1, live.cpsr | 1 << E_BIT, clear(live.cpsr, 1 << E_BIT))
    return put_all(live, ("r0", "cpsr"), (call.function, cpsr))


@rule(linux("virt/kvm/arm/arch_timer.c", "kvm_timer_expire"))
def fired(state: PowerState, number: int) -> PowerState:
    """A software timer expires: its vCPU has an interrupt, and is woken; a vCPU that is freed is not there any more."""
    vcpu = state.vcpus[number]
    dead = vcpu.freed == 1
    state = with_number(state, number, put_all(vcpu, ("soft", "timer", "due"), (0, 0, 1)))
    return threads.spoiled(threads.woken(state, number, negate(dead)), dead)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_load"))
def host_runs(state: PowerState, cpu: int, number: int) -> PowerState:
    """The processor runs the vCPU's thread, where it stood or, from user space, from the start of the run loop."""
    vcpu = state.vcpus[number]
    at = choose(vcpu.at == OUT, PROGRAMS.place("run"), vcpu.at)
    state = put(state, "vcpus", replaced(state.vcpus, number, put_all(vcpu, ("cpu", "at"), (cpu, at))))
    return with_core(state, cpu, put_all(state.cores[cpu], ("busy", "vcpu"), (1, number)))


def thread_steps(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The thread makes its next step; behind an agent's last one it has nothing to do, behind a vCPU's it loops."""
    step = PROGRAMS.step_at(design, at_of(state, cpu))
    assert step is not None
    number = 0 if is_agent(state, cpu) else state.cores[cpu].vcpu
    state = STEPS[step.do](design, state, cpu)
    if is_agent(state, cpu):
        agent = agent_of(state, cpu)
        idle = Agent(OUT, 0, 0, 0, 0)
        return with_agent(state, cpu, choose(member(agent.at, ends(design)), idle, agent))
    vcpu = state.vcpus[number]
    at = choose(member(vcpu.at, ends(design)), again(design), vcpu.at)
    return with_number(state, number, put(vcpu, "at", at))


@cache
def ends(design: PowerDesign) -> tuple[U8, ...]:
    """The program counters behind the last step of each routine."""
    return PROGRAMS.ends(design)


@cache
def again(design: PowerDesign) -> U8:
    """Where the run loop begins again: behind what KVM_RUN does once."""
    once = (Do.CHECK_INITIALISED, Do.FIRST_RUN)
    return PROGRAMS.place("run", next(n for n, step in enumerate(design.run) if step.do not in once))
