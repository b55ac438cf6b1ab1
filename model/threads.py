"""Threads of vCPUs and agents, for the parts that interleave them: whose step it is, where it goes on, and the kick.

An agent is a thread of user space or of the host that no processor is modelled for. Agents are numbered behind the
processors.
"""

from enum import IntEnum
from typing import Any, Protocol, TypeVar

from spec.citations import linux, rule
from spec.words import U8, choose, either, every, put, put_all, replaced

MAIN = "virt/kvm/kvm_main.c"


class Mode(IntEnum):
    """vcpu->mode: where a kick finds a vCPU."""

    OUTSIDE_GUEST_MODE = 0
    IN_GUEST_MODE = 1
    EXITING_GUEST_MODE = 2


class Wait(IntEnum):
    """How a vCPU's thread stands to its wait queue."""

    NOT = 0
    QUEUED = 1
    """It is on the queue and still runs."""
    ASLEEP = 2


V = TypeVar("V", covariant=True)
A = TypeVar("A", covariant=True)


class Threads(Protocol[V]):
    """A state with processors, which a vCPU's thread may have."""

    @property
    def cores(self) -> tuple[Any, ...]:
        """The processors."""
        ...

    @property
    def vcpus(self) -> tuple[V, ...]:
        """The vCPUs, each with its thread."""
        ...


class WithAgents(Threads[V], Protocol[V, A]):
    """One that has agents besides."""

    @property
    def agents(self) -> tuple[A, ...]:
        """The agents."""
        ...


T = TypeVar("T", bound=Threads[Any])
S = TypeVar("S", bound=WithAgents[Any, Any])


def is_agent(state: WithAgents[Any, Any], cpu: int) -> bool:
    """Whether the number is an agent's."""
    return cpu >= len(state.cores)


def agent_of(state: WithAgents[Any, A], cpu: int) -> A:
    """The agent of a number."""
    return state.agents[cpu - len(state.cores)]


def vcpu_of(state: Threads[V], cpu: int) -> V:
    """The vCPU whose thread runs on the processor."""
    vcpu: V = state.vcpus[state.cores[cpu].vcpu]
    return vcpu


def thread_of(state: WithAgents[V, A], cpu: int) -> V | A:
    """What keeps a processor's or agent's thread."""
    return agent_of(state, cpu) if is_agent(state, cpu) else vcpu_of(state, cpu)


def at_of(state: WithAgents[Any, Any], cpu: int) -> U8:
    """The program counter of a processor's or agent's thread."""
    at: U8 = thread_of(state, cpu).at
    return at


def with_core(state: T, cpu: int, core: Any) -> T:
    """The state with one processor replaced."""
    return put(state, "cores", replaced(state.cores, cpu, core))


def with_number(state: T, number: int, vcpu: Any) -> T:
    """The state with one vCPU replaced."""
    return put(state, "vcpus", replaced(state.vcpus, number, vcpu))


def with_vcpu(state: T, cpu: int, vcpu: Any) -> T:
    """The state with the vCPU replaced whose thread runs on the processor."""
    return with_number(state, state.cores[cpu].vcpu, vcpu)


def with_agent(state: S, cpu: int, agent: Any) -> S:
    """The state with one agent replaced."""
    return put(state, "agents", replaced(state.agents, cpu - len(state.cores), agent))


def thread_put(state: S, cpu: int, names: tuple[str, ...], values: tuple[int, ...]) -> S:
    """The state with fields of the thread replaced that a vCPU and an agent both have."""
    if is_agent(state, cpu):
        return with_agent(state, cpu, put_all(agent_of(state, cpu), names, values))
    return with_vcpu(state, cpu, put_all(vcpu_of(state, cpu), names, values))


def moved(state: S, cpu: int, at: U8) -> S:
    """The thread goes on elsewhere."""
    return thread_put(state, cpu, ("at",), (at,))


def advanced(state: S, cpu: int) -> S:
    """The thread goes on with the next step."""
    return moved(state, cpu, at_of(state, cpu) + 1)


def given_up(state: T, cpu: int, condition: bool) -> T:
    """The state in which the thread has given its processor away, where the condition holds."""
    core = state.cores[cpu]
    values = (choose(condition, 0, core.busy), choose(condition, 0, core.vcpu))
    return with_core(state, cpu, put_all(core, ("busy", "vcpu"), values))


def interrupted(state: T, cpu: U8, condition: bool) -> T:
    """The state with a reschedule interrupt pending on a processor, where the condition holds."""
    cores = tuple(
        put(core, "ipi", choose(every(condition, cpu == number), 1, core.ipi))
        for number, core in enumerate(state.cores)
    )
    return put(state, "cores", cores)


@rule(linux(MAIN, "kvm_vcpu_kick"), linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_should_kick"))
def kicked(state: T, cpu: int, number: int, condition: bool) -> T:
    """A vCPU is woken where it waits; where it is in the guest elsewhere, and nobody has kicked it yet, its processor
    gets a reschedule interrupt."""
    vcpu = state.vcpus[number]
    hit = every(condition, vcpu.mode == Mode.IN_GUEST_MODE, vcpu.cpu != cpu)
    wait = choose(condition, Wait.NOT, vcpu.wait)
    mode = choose(hit, Mode.EXITING_GUEST_MODE, vcpu.mode)
    state = interrupted(state, vcpu.cpu, hit)
    return with_number(state, number, put_all(vcpu, ("wait", "mode"), (wait, mode)))


@rule(linux("kernel/signal.c", "signal_wake_up_state"), linux("kernel/sched/core.c", "kick_process"))
def signalled(state: T, number: int) -> T:
    """A vCPU's thread gets a signal: it wakes, and where it runs, its processor gets a reschedule interrupt."""
    vcpu = state.vcpus[number]
    runs = either(*(every(core.busy == 1, core.vcpu == number) for core in state.cores))
    state = interrupted(state, vcpu.cpu, runs)
    return with_number(state, number, put_all(vcpu, ("signal", "wait"), (1, Wait.NOT)))


def power_awaited(state: T, cpu: int) -> T:
    """The thread sleeps while its vCPU is powered off and it has no signal; else it goes on with the next step."""
    vcpu = vcpu_of(state, cpu)
    sleeps = every(vcpu.pause == 1, vcpu.signal == 0)
    at = choose(sleeps, vcpu.at, vcpu.at + 1)
    wait = choose(sleeps, Wait.ASLEEP, vcpu.wait)
    return given_up(with_vcpu(state, cpu, put_all(vcpu, ("at", "wait"), (at, wait))), cpu, sleeps)
