"""Threads of vCPUs: whose step it is, where it goes on, locks, wake-ups and kicks.

Not modelled: who else may wake a thread that sleeps, TIF_NEED_RESCHED, and the order in which another processor sees
stores; so no property sees a barrier that is missing.
"""

from collections.abc import Callable

from model.power.design import JUMPS, PROGRAMS, Do, PowerDesign
from model.power.state import Agent, Core, PowerState, Vcpu, Vm
from model.vgic.state import Mode, Wait
from spec.citations import linux, rule
from spec.words import U8, choose, either, every, negate, put, put_all, replaced

MAIN = "virt/kvm/kvm_main.c"

Step = Callable[[PowerDesign, PowerState, int], PowerState]
"""A step of a thread: the design, the state, and the processor or agent; agents are numbered behind the processors."""


def is_agent(state: PowerState, cpu: int) -> bool:
    """Whether the number is an agent's."""
    return cpu >= len(state.cores)


def agent_of(state: PowerState, cpu: int) -> Agent:
    """The agent of a number."""
    return state.agents[cpu - len(state.cores)]


def vcpu_of(state: PowerState, cpu: int) -> Vcpu:
    """The vCPU whose thread runs on the processor."""
    return state.vcpus[state.cores[cpu].vcpu]


def at_of(state: PowerState, cpu: int) -> U8:
    """The program counter of a processor's or agent's thread."""
    return thread_of(state, cpu).at


def vm_of(state: PowerState, cpu: int) -> Vm:
    """The VM of the vCPU whose thread runs on the processor."""
    return state.vms[vcpu_of(state, cpu).vm]


def with_core(state: PowerState, cpu: int, core: Core) -> PowerState:
    """The state with one processor replaced."""
    return put(state, "cores", replaced(state.cores, cpu, core))


def with_number(state: PowerState, number: int, vcpu: Vcpu) -> PowerState:
    """The state with one vCPU replaced."""
    return put(state, "vcpus", replaced(state.vcpus, number, vcpu))


def with_vcpu(state: PowerState, cpu: int, vcpu: Vcpu) -> PowerState:
    """The state with the vCPU replaced whose thread runs on the processor."""
    return with_number(state, state.cores[cpu].vcpu, vcpu)


def with_agent(state: PowerState, cpu: int, agent: Agent) -> PowerState:
    """The state with one agent replaced."""
    return put(state, "agents", replaced(state.agents, cpu - len(state.cores), agent))


def with_lock(state: PowerState, cpu: int, lock: U8) -> PowerState:
    """The state in which somebody else, or nobody, holds the VM's lock."""
    vm = vcpu_of(state, cpu).vm
    return put(state, "vms", replaced(state.vms, vm, put(state.vms[vm], "lock", lock)))


def thread_of(state: PowerState, cpu: int) -> Agent | Vcpu:
    """What keeps a processor's or agent's thread."""
    return agent_of(state, cpu) if is_agent(state, cpu) else vcpu_of(state, cpu)


def thread_put(state: PowerState, cpu: int, names: tuple[str, ...], values: tuple[int, ...]) -> PowerState:
    """The state with fields of the thread replaced that a vCPU and an agent both have."""
    if is_agent(state, cpu):
        return with_agent(state, cpu, put_all(agent_of(state, cpu), names, values))
    return with_vcpu(state, cpu, put_all(vcpu_of(state, cpu), names, values))


def moved(state: PowerState, cpu: int, at: U8) -> PowerState:
    """The thread goes on elsewhere."""
    return thread_put(state, cpu, ("at",), (at,))


def advanced(state: PowerState, cpu: int) -> PowerState:
    """The thread goes on with the next step."""
    return moved(state, cpu, at_of(state, cpu) + 1)


def branched(design: PowerDesign, state: PowerState, cpu: int, jumps: bool) -> PowerState:
    """The thread goes on with the next step or, where the condition holds, where this step jumps to."""
    at = at_of(state, cpu)
    step = PROGRAMS.step_at(design, at)
    assert step is not None
    return moved(state, cpu, choose(jumps, PROGRAMS.behind(design, at, JUMPS[step.do]), at + 1))


def some(state: PowerState, condition: Callable[[Vcpu], bool]) -> bool:
    """Whether a condition holds of one of the vCPUs."""
    return either(*map(condition, state.vcpus))


def each(state: PowerState, condition: Callable[[Vcpu], bool], change: Callable[[Vcpu], Vcpu]) -> PowerState:
    """The state in which each vCPU is changed of which a condition holds."""
    return put(state, "vcpus", tuple(choose(condition(vcpu), change(vcpu), vcpu) for vcpu in state.vcpus))


def is_reached(thread: Agent | Vcpu, vcpu: Vcpu) -> bool:
    """Whether a thread's loop over the vCPUs of its VM has reached one."""
    return every(vcpu.vm == thread.vm, vcpu.number == thread.cursor)


def looped(design: PowerDesign, state: PowerState, cpu: int, first: Do) -> PowerState:
    """The thread's loop over the vCPUs of its VM goes on, from its first step, with the next one, if there is one."""
    thread, at = thread_of(state, cpu), at_of(state, cpu)
    more = some(state, lambda vcpu: every(vcpu.vm == thread.vm, vcpu.number == thread.cursor + 1))
    values = (choose(more, thread.cursor + 1, 0), choose(more, PROGRAMS.before(design, at, first), at + 1))
    return thread_put(state, cpu, ("cursor", "at"), values)


@rule(linux("kernel/mutex.c", "mutex_lock"))
def lock(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The thread takes its VM's lock."""
    return advanced(with_lock(state, cpu, state.cores[cpu].vcpu + 1), cpu)


@rule(linux("kernel/mutex.c", "mutex_unlock"))
def unlock(design: PowerDesign, state: PowerState, cpu: int) -> PowerState:
    """The thread releases its VM's lock."""
    return advanced(with_lock(state, cpu, 0), cpu)


@rule(linux("kernel/sched/core.c", "__wake_up"), linux("include/linux/wait.h", "waitqueue_active"))
def woken(state: PowerState, number: int, condition: bool) -> PowerState:
    """A vCPU's thread does not sleep any more, where the condition holds."""
    vcpu = state.vcpus[number]
    return with_number(state, number, put(vcpu, "wait", choose(condition, Wait.NOT, vcpu.wait)))


@rule(linux(MAIN, "kvm_vcpu_kick"), linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_should_kick"))
def kicked(state: PowerState, cpu: int, number: int, condition: bool) -> PowerState:
    """A vCPU is woken where it sleeps; where it is in the guest elsewhere, and nobody has kicked it yet, its processor
    gets a reschedule interrupt."""
    vcpu = state.vcpus[number]
    hit = every(condition, vcpu.mode == Mode.IN_GUEST_MODE, negate(vcpu.cpu == cpu))
    state = woken(interrupted(state, vcpu.cpu, hit), number, condition)
    vcpu = state.vcpus[number]
    return with_number(state, number, put(vcpu, "mode", choose(hit, Mode.EXITING_GUEST_MODE, vcpu.mode)))


def interrupted(state: PowerState, cpu: U8, condition: bool) -> PowerState:
    """The state with a reschedule interrupt pending on a processor, where the condition holds."""
    cores = tuple(
        put(core, "ipi", choose(every(condition, cpu == number), 1, core.ipi))
        for number, core in enumerate(state.cores)
    )
    return put(state, "cores", cores)


@rule(linux("kernel/signal.c", "signal_wake_up_state"), linux("kernel/sched/core.c", "kick_process"))
def signalled(state: PowerState, number: int) -> PowerState:
    """A vCPU's thread gets a signal: it wakes, and where it runs, its processor gets a reschedule interrupt."""
    vcpu = state.vcpus[number]
    for cpu, core in enumerate(state.cores):
        state = interrupted(state, cpu, every(core.busy == 1, core.vcpu == number))
    return with_number(state, number, put_all(vcpu, ("signal", "wait"), (1, Wait.NOT)))


def given_up(state: PowerState, cpu: int, condition: bool) -> PowerState:
    """The state in which the thread has given its processor away, where the condition holds."""
    core = state.cores[cpu]
    values = (choose(condition, 0, core.busy), choose(condition, 0, core.vcpu))
    return with_core(state, cpu, put_all(core, ("busy", "vcpu"), values))


def spoiled(state: PowerState, condition: bool) -> PowerState:
    """The state in which the highvisor has used what is not there, where the condition holds."""
    return put(state, "crashed", choose(condition, 1, state.crashed))
