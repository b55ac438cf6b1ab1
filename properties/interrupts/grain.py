"""The grain of explorations and searches of interrupts: which steps belong to the one before them.

What a thread does under the distributor's lock is one step with the taking of the lock, and so is with the step before
what touches nothing that anybody else reads. Where no signal and no physical interrupt comes but kicks, and the host
takes no processor away, so is the masking of interrupts with the look for signals behind it. The host takes a physical
interrupt as soon as it can. Nothing comes in between, so fewer orders are gone through, and none is that others see.

At the coarse grain, that of the largest configurations and of a long search, more is one step. Some steps are read by
kicks, but whether one comes before or behind makes no difference in the end: a vCPU that says that it is in the guest
looks for a request behind that, one that says that it is not takes what interrupts it, and one that puts itself on its
wait queue looks for interrupts behind that, which nobody else takes away again.

With a lock it is the other way round. What a thread that is free to take one did since it was seen last, others do not
heed, so it is as well done later, when the lock is taken: an agent begins with that, and behind a guest's exit so does
a vCPU, unless the host may take its processor away in between.
"""

from functools import cache

from model.threads import Mode, Wait, agent_of, at_of, is_agent, vcpu_of
from model.vgic.design import OUT, ROUTINES, Do, Trait, VgicDesign, jump_target, place, step_at
from model.vgic.lists import to_flush
from model.vgic.state import END, PRIVATE, Exit, VgicState, flag
from model.vgic.system import HostTakesInterrupts, VgicAction, VgicSteps, vgic_guard, vgic_step
from model.vgic.threads import locks_free, vm_of
from spec.gic.state import U10

OWN = frozenset(
    {
        Do.LOAD_HCR, Do.LOAD_VMCR, Do.LOAD_APR, Do.LOAD_LRS, Do.CLEAR_PINS, Do.ENTER, Do.SAVE_HCR, Do.SAVE_VMCR,
        Do.SAVE_MISR, Do.SAVE_EISR, Do.SAVE_ELRSR, Do.SAVE_APR, Do.STOP, Do.SAVE_LRS, Do.UNMASK_IRQS,
        Do.FINISH_WAIT, Do.DECODE,
    }
)  # fmt: skip
"""Steps that touch only what nobody else does: the processor's GICH, and what the thread keeps for itself.

Of the list registers that are saved a vCPU that waits for an interrupt reads something, at one step under the lock: so
that step comes before the exit of the guest, or behind the saves.
"""
LOCKED = frozenset(
    {
        Do.PRUNE, Do.CHECK_PENDING, Do.FLUSH_ONE, Do.FLUSH_END, Do.UNLOCK, Do.SYNC_SAMPLE, Do.SYNC_ENDED,
        Do.SYNC_UNDERFLOW, Do.SYNC_FREE, Do.SYNC_PENDING, Do.PERFORM, Do.WRITE_ONE, Do.RETIRE, Do.UPDATE,
        Do.INJECT,
    }
)  # fmt: skip
"""Steps that touch besides only what the distributor's lock protects, and bits that others read without it."""


@cache
def locked(design: VgicDesign) -> frozenset[int]:
    """The program counters between LOCK and UNLOCK, where only the holder of the lock can be.

    None where some step does without the lock what belongs under it.
    """
    found = set[int]()
    for routine in ROUTINES:
        inside = False
        for index, step in enumerate(design.steps(routine)):
            if step.do in LOCKED and not inside:
                return frozenset()
            if inside:
                found.add(place(routine, index))
            inside = step.do is Do.LOCK or (inside and step.do is not Do.UNLOCK)
    return frozenset(found)


@cache
def inner(design: VgicDesign) -> frozenset[int]:
    """The program counters of steps that commute with whatever else happens: at a coarser grain they belong to the
    step before.

    What others read of a locked section without the lock is `irq_pending_on_cpu`, in which the section sets and clears
    bits: a reader that comes between sees what it could have seen before the section or behind it.
    """
    found = set[int]()
    for routine in ROUTINES:
        for index, step in enumerate(design.steps(routine)):
            at = place(routine, index)
            if step.do in OWN or (step.do in LOCKED and at in locked(design)):
                found.add(at)
    return frozenset(found)


@cache
def beginning(design: VgicDesign) -> frozenset[int]:
    """The program counters of locks that are taken behind nothing that others heed: an agent's first step, and that
    behind the unmasking of interrupts."""
    if not locked(design):
        return frozenset()
    places = (place(routine, index) for routine in ("inject", "run") for index, _ in enumerate(design.steps(routine)))
    locks = [at for at in places if does_at(design, at) is Do.LOCK]
    return frozenset(at for at in locks if at == place("inject") or does_at(design, at - 1) is Do.UNMASK_IRQS)


def does_at(design: VgicDesign, at: int) -> Do | None:
    """What the step at a program counter does."""
    step = step_at(design, at)
    return None if step is None else step.do


def commutes(design: VgicDesign, state: VgicState, cpu: int, quiet: bool = False, coarse: bool = False) -> bool:
    """Whether the thread's next step commutes with whatever else happens.

    `quiet` says that no signals and no physical interrupts but kicks come, and that the host takes no processor away:
    then it makes no difference what comes before the masking of interrupts, or before the look for a signal. `coarse`
    takes locks, and what kicks read, into account.
    """
    at = at_of(state, cpu)
    if at in inner(design) or does_at(design, at) is None:
        return does_at(design, at) is not None
    match does_at(design, at):
        case Do.MASK_IRQS | Do.CHECK_SIGNAL:
            return quiet and bool(vcpu_of(state, cpu).mode == Mode.OUTSIDE_GUEST_MODE)
        case Do.KICK | Do.KICK_ONE:
            thread = agent_of(state, cpu) if is_agent(state, cpu) else vcpu_of(state, cpu)
            return bool(thread.updated == 0)
        case Do.AWAIT_POWER:
            return bool(vcpu_of(state, cpu).pause == 0 and Trait.SIBLINGS_STOPPED not in design.traits)
        case Do.HANDLE_EXIT:
            return bool(vcpu_of(state, cpu).exit < Exit.POWER_ON)
        case Do.LOCK:
            free = coarse and at in beginning(design) and locks_free(state, cpu)
            return bool(free and (quiet or is_agent(state, cpu)))
    return coarse and told_by_kicks(design) and kicked_alike(design, state, cpu)


@cache
def told_by_kicks(design: VgicDesign) -> bool:
    """Whether a kick is a request to look for interrupts, comes for nothing else, and what it tells of is locked."""
    kicks = Trait.KICK_REQUESTS in design.traits and Trait.SIBLINGS_STOPPED not in design.traits
    return bool(locked(design)) and kicks and not any(step.do is Do.KICK_ONE for step in design.inject)


def kicked_alike(design: VgicDesign, state: VgicState, cpu: int) -> bool:
    """Whether a kick does the same in the end before the thread's next step and behind it."""
    at, vcpu = at_of(state, cpu), vcpu_of(state, cpu)
    match does_at(design, at):
        case Do.SET_MODE:
            return does_at(design, at + 1) is Do.CHECK_REQUESTS
        case Do.CLEAR_MODE:
            return does_at(design, at + 1) is Do.UNMASK_IRQS
        case Do.PREPARE_WAIT:
            return does_at(design, at + 1) is Do.CHECK_RUNNABLE
        case Do.CHECK_RUNNABLE:
            noted = vm_of(state, cpu).oracle & flag(vcpu.number) > 0
            return bool(noted and does_at(design, jump_target(design, at)) is Do.FINISH_WAIT)
        case Do.SLEEP:
            return bool(vcpu.wait == Wait.NOT and does_at(design, place("block")) is Do.PREPARE_WAIT)
    return False


def next_irq(design: VgicDesign, state: VgicState, cpu: int) -> U10:
    """The operand with which the thread's next step is possible, in a concrete state."""
    step = step_at(design, at_of(state, cpu))
    if step is None or step.do is not Do.FLUSH_ONE:
        return 0
    vcpu = vcpu_of(state, cpu)
    keys = {key for key in (*state.irqs.entries, *state.stale.entries) if to_flush(design, state, cpu, key)}
    return min((irq for vm, bank, irq in keys if bank == vcpu.number or irq >= PRIVATE), default=END)


def forced(
    design: VgicDesign, state: VgicState, quiet: bool = False, coarse: bool = False
) -> VgicAction | None:
    """The step that belongs to the one before it, of the lowest processor or agent that has one."""
    cpus = range(len(state.cores) + len(state.agents))
    return next((step for cpu in cpus if (step := forced_on(design, state, cpu, quiet, coarse)) is not None), None)


def forced_on(
    design: VgicDesign, state: VgicState, cpu: int, quiet: bool = False, coarse: bool = False
) -> VgicAction | None:
    """The step of one processor or agent that belongs to the one before it."""
    taken = taken_on(design, state, cpu)
    if taken is None and goes_on(design, state, cpu, quiet, coarse):
        return VgicSteps(cpu, next_irq(design, state, cpu))
    return taken


def taken_on(design: VgicDesign, state: VgicState, cpu: int) -> VgicAction | None:
    """That the host takes a physical interrupt, which it does as soon as it can, at any grain."""
    if is_agent(state, cpu) or not (state.cores[cpu].irq or state.cores[cpu].ipi):
        return None
    taken = HostTakesInterrupts(cpu)
    return taken if vgic_guard(design, state, taken) else None


def goes_on(design: VgicDesign, state: VgicState, cpu: int, quiet: bool = False, coarse: bool = False) -> bool:
    """Whether a processor or agent has a next step that belongs to the one before."""
    idle = agent_of(state, cpu).at == OUT if is_agent(state, cpu) else state.cores[cpu].busy == 0
    return not idle and commutes(design, state, cpu, quiet, coarse)


def merged(design: VgicDesign, state: VgicState, action: VgicAction) -> VgicState:
    """The state after an action and the steps that belong to it."""
    state = vgic_step(design, state, action)
    while (step := forced(design, state)) is not None:
        state = vgic_step(design, state, step)
    return state
