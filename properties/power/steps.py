"""What properties of power ask of a step: its states, its thread, and what a vCPU is doing."""

from collections.abc import Callable
from functools import cache

from model.action import Action
from model.power.design import PROGRAMS, Do, PowerDesign
from model.power.state import Core, PowerState, Vcpu
from model.power.system import PowerSteps
from model.programs import GUEST
from model.state import State
from model.threads import at_of, is_agent


def power_of(state: State) -> PowerState:
    """The power of a configuration that is about it."""
    assert state.power is not None
    return state.power


def does(design: PowerDesign, state: PowerState, action: Action) -> Do | None:
    """What the step of a thread does that an action is; None where it is no such step."""
    if not isinstance(action, PowerSteps):
        return None
    step = PROGRAMS.step_at(design, at_of(state, action.cpu))
    return None if step is None else step.do


@cache
def places_in(design: PowerDesign, routine: str, kind: Do) -> frozenset[int]:
    """The program counters of the steps of a kind in a routine."""
    return frozenset(PROGRAMS.place(routine, n) for n, step in enumerate(design.steps(routine)) if step.do is kind)


@cache
def upto(design: PowerDesign, routine: str, kind: Do) -> frozenset[int]:
    """The program counters of a routine's steps up to the last one of a kind."""
    last = max(places_in(design, routine, kind), default=-1)
    return frozenset(range(PROGRAMS.place(routine), last + 1))


@cache
def between(design: PowerDesign, routine: str, first: Do, last: Do) -> frozenset[int]:
    """The program counters behind one step of a routine, up to another one; none where there is none."""
    steps = [step.do for step in design.steps(routine)]
    if first not in steps or last not in steps:
        return frozenset()
    inside = range(steps.index(first) + 1, steps.index(last) + 1)
    return frozenset(PROGRAMS.place(routine, index) for index in inside)


def inside(design: PowerDesign, routine: str, at: int) -> bool:
    """Whether a program counter is that of a step of a routine."""
    start = PROGRAMS.place(routine)
    return start <= at < start + len(design.steps(routine))


def core_of(state: PowerState, number: int) -> Core | None:
    """The processor on which a vCPU's thread runs; None where it runs on none."""
    return next((core for core in state.cores if core.busy == 1 and core.vcpu == number), None)


def own_thread(state: PowerState, action: Action) -> int | None:
    """The vCPU whose thread takes an action; None for an agent, and for an idle processor."""
    if is_agent(state, action.cpu) or state.cores[action.cpu].busy == 0:
        return None
    return state.cores[action.cpu].vcpu


def own_step(design: PowerDesign, state: PowerState, action: Action, kind: Do) -> int | None:
    """The vCPU whose thread takes a step of a kind; None where the action is no such step of a vCPU's thread."""
    return own_thread(state, action) if does(design, state, action) is kind else None


def target_of(state: PowerState, caller: Vcpu) -> int | None:
    """The vCPU that a CPU_ON names; None where there is none."""
    wanted = (caller.vm, caller.call.target)
    return next((number for number, vcpu in enumerate(state.vcpus) if (vcpu.vm, vcpu.number) == wanted), None)


def kicked_next(design: PowerDesign, state: PowerState, number: int) -> bool:
    """Whether a SYSTEM_OFF is about to kick a vCPU."""
    vcpu, kicks = state.vcpus[number], places_in(design, "stop", Do.KICK_ONE)
    return any(other.at in kicks and (other.vm, other.cursor) == (vcpu.vm, vcpu.number) for other in state.vcpus)


def executing(design: PowerDesign, state: PowerState, condition: Callable[[Vcpu], bool]) -> list[int]:
    """The vCPUs of which something holds that execute their guests, and that no interrupt is about to take out."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        core = core_of(state, number)
        inside = core is not None and vcpu.at == GUEST and core.ipi == 0
        if inside and condition(vcpu) and not kicked_next(design, state, number):
            found.append(number)
    return found


def listed(numbers: list[int], words: str) -> str:
    """vCPUs and what is wrong with them."""
    return ", ".join(f"vCPU{number}" for number in numbers) + f" {words}"
