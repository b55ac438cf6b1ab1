"""Threads of vCPUs: jumps, loops over the vCPUs of a VM, locks and wake-ups.

Not modelled: who else may wake a thread that sleeps, TIF_NEED_RESCHED, and the order in which another processor sees
stores; so no property sees a barrier that is missing.
"""

from collections.abc import Callable

from model.power.design import JUMPS, PROGRAMS, Do, PowerDesign
from model.power.state import Agent, PowerState, Vcpu, Vm
from model.threads import Wait, advanced, at_of, moved, thread_of, thread_put, vcpu_of, with_number
from spec.citations import linux, rule
from spec.words import U8, choose, either, every, put, replaced

Step = Callable[[PowerDesign, PowerState, int], PowerState]
"""A step of a thread: the design, the state, and the processor or agent; agents are numbered behind the processors."""


def vm_of(state: PowerState, cpu: int) -> Vm:
    """The VM of the vCPU whose thread runs on the processor."""
    return state.vms[vcpu_of(state, cpu).vm]


def with_lock(state: PowerState, cpu: int, lock: U8) -> PowerState:
    """The state in which somebody else, or nobody, holds the VM's lock."""
    vm = vcpu_of(state, cpu).vm
    return put(state, "vms", replaced(state.vms, vm, put(state.vms[vm], "lock", lock)))


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


def spoiled(state: PowerState, condition: bool) -> PowerState:
    """The state in which the highvisor has used what is not there, where the condition holds."""
    return put(state, "crashed", choose(condition, 1, state.crashed))
