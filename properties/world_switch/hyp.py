"""Hyp mode's own execution: undisturbed by what it moves, never excepted, and contained if it is."""

from attrs import evolve

from model.action import Action
from model.actions import HypFaults, LowvisorSteps
from model.design import Design
from model.guards import forced, vulnerable
from model.state import State, Where
from model.system import hyp_faults, step, with_physical
from properties.property import Kind, Property
from properties.trap_completeness.steps import difference
from properties.world_switch.ends import either_world
from properties.world_switch.host import host_configured, host_state_restored
from spec.processor import Processor
from spec.psr import is_hyp, mode
from spec.registers import read
from spec.words import every, same

HYP_OWN = ("hsctlr", "httbr", "htcr", "hvbar", "hmair0", "hmair1", "sp_hyp", "hactlr", "vtcr")
"""The registers that Hyp mode's own execution depends on."""


def hyp_unaffected(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HYP_UNAFFECTED."""
    old, new = before.processors[action.cpu], after.processors[action.cpu]
    if new.thread.where is not Where.LOWVISOR:
        return True
    return every(
        *(same(read(old.cpu, n), read(new.cpu, n)) for n in HYP_OWN),
        mode(new.cpu.cpsr) == mode(old.cpu.cpsr),
        new.cpu.cpsr & 0x1C0 == old.cpu.cpsr & 0x1C0,
    )


HYP_UNAFFECTED = Property(
    id="world_switch.hyp_unaffected",
    statement="Loading another world's registers does not change what Hyp mode itself executes with.",
    claims=("C7",),
    question="Why may the switch load a guest's SCTLR while it runs?",
    kind=Kind.STEP,
    about=(LowvisorSteps,),
    holds=hyp_unaffected,
    interesting=lambda d, b, a, s: True,
    explain=lambda d, b, a, s: difference(b.processors[a.cpu].cpu, s.processors[a.cpu].cpu, HYP_OWN),
)


def host_survives(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HOST_SURVIVES."""
    return after.processors[action.cpu].thread.where not in (Where.PANICKED, Where.HUNG)


HOST_SURVIVES = Property(
    id="world_switch.host_survives",
    statement="No action of a guest, an interrupt or the switch itself panics the host or hangs a processor in Hyp.",
    claims=("C3", "C17"),
    question="Can a guest or an interrupt stop the machine?",
    kind=Kind.STEP,
    about=(Action,),
    holds=host_survives,
    interesting=either_world,
    explain=lambda d, b, a, s: f"the processor now runs {s.processors[a.cpu].thread.where.value}",
)


def no_exception_in_hyp(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of NO_EXCEPTION: the step just made could not fault, and asynchronous exceptions were masked."""
    masked = before.processors[action.cpu].cpu.cpsr & 0x1C0 == 0x1C0
    return every(masked, vulnerable(design, before, action.cpu) ^ True)


NO_EXCEPTION = Property(
    id="world_switch.no_exception_in_hyp",
    statement="No exception can be taken in Hyp mode while the lowvisor works.",
    claims=("C7",),
    question="Can the world switch be interrupted half-way?",
    kind=Kind.STEP,
    about=(LowvisorSteps, HypFaults),
    holds=lambda d, b, a, s: False if isinstance(a, HypFaults) else no_exception_in_hyp(d, b, a, s),
    interesting=lambda d, b, a, s: True,
    explain=lambda d, b, a, s: f"the step '{_step_name(d, b, a)}' may be UNDEFINED in Hyp mode",
)


def _step_name(design: Design, state: State, action: Action) -> str:
    thread = state.processors[action.cpu].thread
    steps = design.routine(thread.routine)
    return steps[thread.index].name if thread.index < len(steps) else thread.routine


def fault_contained(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of CONTAINED: were the step to fault, the host would panic or get back all that is its own."""
    physical = before.processors[action.cpu]
    if negated_hyp(physical.cpu):
        return True
    state = with_physical(before, action, hyp_faults(design, evolve(physical, trapped_from=physical.cpu)))
    for _ in range(200):
        where = state.processors[action.cpu].thread.where
        if where is Where.PANICKED:
            return True
        if where is not Where.LOWVISOR:
            break
        chosen = forced(state, action.cpu)
        assert chosen is not None
        previous, following, state = state, chosen, step(design, state, chosen)
    reached = state.processors[action.cpu]
    if reached.thread.where is not Where.HIGHVISOR:
        return False
    return every(host_state_restored(design, previous, following, state), host_configured(reached))


def negated_hyp(cpu: Processor) -> bool:
    """Whether the processor is below Hyp mode."""
    return is_hyp(cpu.cpsr) ^ True


CONTAINED = Property(
    id="world_switch.hyp_fault_contained",
    statement="If an exception is forced at any step of the lowvisor, the host panics or is restored; it never runs on "
    "with a guest's configuration.",
    claims=("C5", "C8"),
    question="What if the lowvisor itself faults?",
    kind=Kind.COMPOSITE,
    about=(LowvisorSteps,),
    holds=fault_contained,
    interesting=lambda d, b, a, s: True,
    explain=lambda d, b, a, s: f"an exception at '{_step_name(d, b, a)}' leaves the host with what is not its own",
)
