"""Threads: whose step it is, where it goes on, locks, wake-ups and kicks.

Not modelled: TIF_NEED_RESCHED and the processor that an agent runs on. The host may take a processor from a vCPU's
thread wherever interrupts are on and no lock is held, and a kick finds an agent on no processor: properties of
interrupts see more runs than there are, not fewer.
"""

from collections.abc import Callable

from model.vgic.design import OUT, Trait, VgicDesign, jump_target, place
from model.vgic.state import Agent, Core, Mode, Saved, Vcpu, VgicState, Vm, Wait, flag
from spec.citations import linux, rule
from spec.gic.state import U10
from spec.words import U8, choose, clear, either, every, negate, put, put_all, replaced

MAIN = "virt/kvm/kvm_main.c"
VGIC = "virt/kvm/arm/vgic.c"

Step = Callable[[VgicDesign, VgicState, int, U10], VgicState]
"""A step of a thread: the design, the state, the processor or agent, and the interrupt where a loop asks for one.

Agents are numbered behind the processors.
"""


def is_agent(state: VgicState, cpu: int) -> bool:
    """Whether the number is an agent's."""
    return cpu >= len(state.cores)


def agent_of(state: VgicState, cpu: int) -> Agent:
    """The agent of a number."""
    return state.agents[cpu - len(state.cores)]


def vcpu_of(state: VgicState, cpu: int) -> Vcpu:
    """The vCPU whose thread runs on the processor."""
    return state.vcpus[state.cores[cpu].vcpu]


def at_of(state: VgicState, cpu: int) -> U8:
    """The program counter of a processor's or agent's thread."""
    return agent_of(state, cpu).at if is_agent(state, cpu) else vcpu_of(state, cpu).at


def vm_number(state: VgicState, cpu: int) -> U8:
    """The VM that the thread works on."""
    return agent_of(state, cpu).vm if is_agent(state, cpu) else vcpu_of(state, cpu).vm


def vm_of(state: VgicState, cpu: int) -> Vm:
    """The same, the VM itself."""
    return state.vms[vm_number(state, cpu)]


def with_core(state: VgicState, cpu: int, core: Core) -> VgicState:
    """The state with one processor replaced."""
    return put(state, "cores", replaced(state.cores, cpu, core))


def with_vcpu(state: VgicState, cpu: int, vcpu: Vcpu) -> VgicState:
    """The state with the vCPU replaced whose thread runs on the processor."""
    return put(state, "vcpus", replaced(state.vcpus, state.cores[cpu].vcpu, vcpu))


def with_saved(state: VgicState, cpu: int, saved: Saved) -> VgicState:
    """The state with the saved virtual interface of that vCPU replaced."""
    return with_vcpu(state, cpu, put(vcpu_of(state, cpu), "saved", saved))


def with_agent(state: VgicState, cpu: int, agent: Agent) -> VgicState:
    """The state with one agent replaced."""
    return put(state, "agents", replaced(state.agents, cpu - len(state.cores), agent))


def with_vm(state: VgicState, cpu: int, vm: Vm) -> VgicState:
    """The state with the VM replaced that the thread works on."""
    return put(state, "vms", replaced(state.vms, vm_number(state, cpu), vm))


def thread_put(state: VgicState, cpu: int, names: tuple[str, ...], values: tuple[int, ...]) -> VgicState:
    """The state with fields of the thread replaced that a vCPU and an agent both have."""
    if is_agent(state, cpu):
        return with_agent(state, cpu, put_all(agent_of(state, cpu), names, values))
    return with_vcpu(state, cpu, put_all(vcpu_of(state, cpu), names, values))


def moved(state: VgicState, cpu: int, at: U8) -> VgicState:
    """The thread goes on elsewhere."""
    return thread_put(state, cpu, ("at",), (at,))


def advanced(state: VgicState, cpu: int) -> VgicState:
    """The thread goes on with the next step."""
    return moved(state, cpu, at_of(state, cpu) + 1)


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
    if (agent_of(state, cpu) if is_agent(state, cpu) else vcpu_of(state, cpu)).updated == 0:
        return advanced(state, cpu)
    for position, vcpu in enumerate(state.vcpus):
        found = every(vcpu.vm == vm_number(state, cpu), vm.oracle & flag(vcpu.number) > 0)
        spared = every(own is not None, position == own, Trait.KICKER_REQUESTED not in design.traits)
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
        state = put(state, "vcpus", replaced(state.vcpus, position, put(vcpu, "pins", pins)))
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
    asked = put(vcpu, "requests", choose(condition, 1, vcpu.requests))
    return put(state, "vcpus", replaced(state.vcpus, number, asked))


@rule(linux(MAIN, "kvm_vcpu_kick"), linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_should_kick"))
def kicked(state: VgicState, cpu: int, number: int, condition: bool) -> VgicState:
    """A vCPU is woken where it waits; where it is in the guest elsewhere, and nobody has kicked it yet, its processor
    gets a reschedule interrupt."""
    vcpu = state.vcpus[number]
    hit = every(condition, vcpu.mode == Mode.IN_GUEST_MODE, vcpu.cpu != cpu)
    wait = choose(condition, Wait.NOT, vcpu.wait)
    mode = choose(hit, Mode.EXITING_GUEST_MODE, vcpu.mode)
    state = interrupted(state, vcpu.cpu, hit)
    changed = put_all(vcpu, ("wait", "mode"), (wait, mode))
    return put(state, "vcpus", replaced(state.vcpus, number, changed))


def interrupted(state: VgicState, cpu: U8, condition: bool) -> VgicState:
    """The state with a reschedule interrupt pending on a processor, where the condition holds."""
    cores = tuple(
        put(core, "ipi", choose(every(condition, cpu == number), 1, core.ipi))
        for number, core in enumerate(state.cores)
    )
    return put(state, "cores", cores)


@rule(linux("kernel/signal.c", "signal_wake_up_state"), linux("kernel/sched/core.c", "kick_process"))
def signalled(state: VgicState, number: int) -> VgicState:
    """A vCPU's thread gets a signal: it wakes, and where it runs, its processor gets a reschedule interrupt."""
    vcpu = state.vcpus[number]
    runs = either(*(every(core.busy == 1, core.vcpu == number) for core in state.cores))
    state = interrupted(state, vcpu.cpu, runs)
    changed = put_all(vcpu, ("signal", "wait"), (1, Wait.NOT))
    return put(state, "vcpus", replaced(state.vcpus, number, changed))


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
    vcpu = vcpu_of(state, cpu)
    sleeps = every(vcpu.pause == 1, vcpu.signal == 0)
    at = choose(sleeps, vcpu.at, vcpu.at + 1)
    wait = choose(sleeps, Wait.ASLEEP, vcpu.wait)
    return given_up(with_vcpu(state, cpu, put_all(vcpu, ("at", "wait"), (at, wait))), cpu, sleeps)


def given_up(state: VgicState, cpu: int, condition: bool) -> VgicState:
    """The state in which the thread has given its processor away, where the condition holds."""
    core = state.cores[cpu]
    values = (choose(condition, 0, core.busy), choose(condition, 0, core.vcpu))
    return with_core(state, cpu, put_all(core, ("busy", "vcpu"), values))


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
