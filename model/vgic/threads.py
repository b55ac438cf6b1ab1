"""Threads: jumps, locks, waiting, and who is kicked.

Not modelled: TIF_NEED_RESCHED and the processor that an agent runs on. The host may take a processor from a vCPU's
thread wherever interrupts are on and no lock is held, and a kick finds an agent on no processor: properties of
interrupts see more runs than there are, not fewer.
"""

from collections.abc import Callable

from model.threads import (
    Wait,
    advanced,
    agent_of,
    at_of,
    given_up,
    is_agent,
    kicked,
    moved,
    power_awaited,
    thread_of,
    thread_put,
    vcpu_of,
    with_number,
    with_vcpu,
)
from model.vgic.design import OUT, Trait, VgicDesign, jump_target, place
from model.vgic.state import Saved, Vcpu, VgicState, Vm, flag
from spec.citations import linux, rule
from spec.gic.state import U10
from spec.words import U8, choose, clear, either, every, negate, put, replaced

MAIN = "virt/kvm/kvm_main.c"
VGIC = "virt/kvm/arm/vgic.c"

Step = Callable[[VgicDesign, VgicState, int, U10], VgicState]
"""A step of a thread: the design, the state, the processor or agent, and the interrupt where a loop asks for one.

Agents are numbered behind the processors.
"""


def vm_number(state: VgicState, cpu: int) -> U8:
    """The VM that the thread works on."""
    return thread_of(state, cpu).vm


def vm_of(state: VgicState, cpu: int) -> Vm:
    """The same, the VM itself."""
    return state.vms[vm_number(state, cpu)]


def with_saved(state: VgicState, cpu: int, saved: Saved) -> VgicState:
    """The state with the saved virtual interface of that vCPU replaced."""
    return with_vcpu(state, cpu, put(vcpu_of(state, cpu), "saved", saved))


def with_vm(state: VgicState, cpu: int, vm: Vm) -> VgicState:
    """The state with the VM replaced that the thread works on."""
    return put(state, "vms", replaced(state.vms, vm_number(state, cpu), vm))


def branched(design: VgicDesign, state: VgicState, cpu: int, jumps: bool) -> VgicState:
    """The thread goes on with the next step or, where the condition holds, where this step jumps to."""
    at = at_of(state, cpu)
    return moved(state, cpu, choose(jumps, jump_target(design, at), at + 1))


@rule(linux("arch/arm/include/asm/spinlock.h", "arch_spin_lock"))
def lock(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The thread takes the distributor's lock; the kicks that its section calls for are still to be found out."""
    state = with_vm(state, cpu, put(vm_of(state, cpu), "lock", cpu + 1))
    return advanced(thread_put(state, cpu, ("updated",), (0,)), cpu)


@rule(linux("arch/arm/include/asm/spinlock.h", "arch_spin_unlock"))
def unlock(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The thread releases the distributor's lock."""
    return advanced(with_vm(state, cpu, put(vm_of(state, cpu), "lock", 0)), cpu)


@rule(linux(VGIC, "vgic_kick_vcpus"))
def kick(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Where the section before calls for it, every vCPU of the VM is kicked that may have something to flush.

    The thread's own vCPU gets no request: what it has not flushed its list registers have no room for.
    """
    vm = vm_of(state, cpu)
    own = None if is_agent(state, cpu) else state.cores[cpu].vcpu
    if thread_of(state, cpu).updated == 0:
        return advanced(state, cpu)
    for position, vcpu in enumerate(state.vcpus):
        found = every(vcpu.vm == vm_number(state, cpu), vm.oracle & flag(vcpu.number) > 0)
        spared = every(own is not None, position == own, Trait.KICKER_SPARED in design.traits)
        asked = every(found, Trait.KICK_REQUESTS in design.traits, negate(spared))
        state = kicked(requested(state, position, asked), cpu, position, found)
    return advanced(thread_put(state, cpu, ("updated",), (0,)), cpu)


@rule(linux("arch/arm/kvm/arm.c", "vcpu_interrupt_line"))
def set_pin(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """A pin of a vCPU, 0 for the FIQ and 1 for the IRQ, has another level; kicks are for those that it changes."""
    agent = agent_of(state, cpu)
    changed = False
    for position, vcpu in enumerate(state.vcpus):
        named = every(vcpu.vm == agent.vm, vcpu.number == agent.vcpu, agent.irq < 2)
        pin = flag(choose(agent.irq == 1, 1, 0))
        pins = choose(named, choose(agent.level == 1, vcpu.pins | pin, clear(vcpu.pins, pin)), vcpu.pins)
        changed = either(changed, negate(pins == vcpu.pins))
        state = with_number(state, position, put(vcpu, "pins", pins))
    return advanced(thread_put(state, cpu, ("updated",), (choose(changed, 1, 0),)), cpu)


@rule(linux("arch/arm/kvm/arm.c", "vcpu_interrupt_line"))
def kick_one(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The vCPU is kicked where its pin has changed."""
    agent = agent_of(state, cpu)
    for position, vcpu in enumerate(state.vcpus):
        found = every(agent.updated == 1, vcpu.vm == agent.vm, vcpu.number == agent.vcpu)
        state = kicked(state, cpu, position, found)
    return advanced(state, cpu)


@rule(linux("include/linux/kvm_host.h", "kvm_make_request", "4.13"))
def requested(state: VgicState, number: int, condition: bool) -> VgicState:
    """A vCPU has a request to look for interrupts, where the condition holds."""
    vcpu = state.vcpus[number]
    return with_number(state, number, put(vcpu, "requests", choose(condition, 1, vcpu.requests)))


@rule(linux(MAIN, "kvm_vcpu_block"))
def prepare_wait(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The thread puts itself on the wait queue, so that whoever wakes it from now on is not missed."""
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "wait", Wait.QUEUED)), cpu)


@rule(linux(MAIN, "kvm_vcpu_block"), linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_runnable"))
def check_runnable(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Where something may be to flush, or a signal is pending, the thread does not sleep."""
    vcpu = vcpu_of(state, cpu)
    pending = vm_of(state, cpu).oracle & flag(vcpu.number) > 0
    return branched(design, state, cpu, either(pending, vcpu.pins > 0, vcpu.signal == 1))


@rule(linux(MAIN, "kvm_vcpu_block"), linux("kernel/sched/core.c", "schedule"))
def sleep(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The thread sleeps, unless somebody has woken it since it stood on the queue; then it looks again."""
    vcpu = vcpu_of(state, cpu)
    sleeps = vcpu.wait == Wait.QUEUED
    state = with_start(state, cpu, put(vcpu, "wait", choose(sleeps, Wait.ASLEEP, vcpu.wait)), "block")
    return given_up(state, cpu, sleeps)


@rule(linux(MAIN, "kvm_vcpu_block"))
def finish_wait(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """The thread takes itself off the wait queue and goes back to the run loop, to the WFI that was not skipped."""
    return with_start(state, cpu, put(vcpu_of(state, cpu), "wait", Wait.NOT), "run")


@rule(linux("arch/arm/kvm/arm.c", "vcpu_pause"))
def await_power(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """A vCPU that is powered off sleeps until it is powered on; a signal gets it as far as the check for signals."""
    return power_awaited(state, cpu)


def with_start(state: VgicState, cpu: int, vcpu: Vcpu, routine: str) -> VgicState:
    """The state with the vCPU replaced, at the start of a routine."""
    return with_vcpu(state, cpu, put(vcpu, "at", place(routine)))


def locks_free(state: VgicState, cpu: int) -> bool:
    """Whether nobody holds the lock that the thread is about to take."""
    return vm_of(state, cpu).lock == 0


def preemptible(state: VgicState, cpu: int) -> bool:
    """Whether the host may take the processor from the thread: interrupts are on, and it holds no lock."""
    held = either(*(vm.lock == cpu + 1 for vm in state.vms))
    return every(state.cores[cpu].masked == 0, negate(held), vcpu_of(state, cpu).at != OUT)
