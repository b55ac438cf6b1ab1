"""Hyp mode's set-up as a part that the engines of concrete steps explore, search and walk through."""

from collections.abc import Callable, Hashable
from random import Random

from model.action import Action
from model.design import Design
from model.hyp import system as hyp
from model.hyp.setup import at_of, is_agent
from model.hyp.state import OBJECTS, HypState
from model.hyp.system import HypAction, HypSteps
from model.programs import OUT
from properties.engines.parts.part import Aspect, Part
from properties.hyp.proofs import PROOFS
from properties.hyp.scenarios import CONFIGURATIONS, SCENARIOS
from properties.hyp.setup import PROPERTIES


def processors(state: HypState) -> int:
    """How many processors and agents there are; agents are numbered behind the processors."""
    return len(state.cores) + len(state.agents)


def runs_on(action: Action) -> bool:
    """Whether an action is the next step of a set-up or of the thread that starts KVM."""
    return isinstance(action, HypSteps)


def names(state: HypState, action: Action) -> bool:
    """Whether there is what an action names, its processor apart."""
    return True


def cores(state: HypState) -> Hashable:
    """What matters of processors: of one that is off, nothing."""
    return tuple([core if core.online else 0 for core in state.cores])


def maps(state: HypState) -> Hashable:
    """What the tables map."""
    return state.boot.entries, state.runtime.entries, state.objects.entries


def rest(state: HypState) -> Hashable:
    """Everything else."""
    return state.agents, state.hotplug, state.notifier, state.resumer, state.ready, state.crashed


def aspects(design: Design, state: HypState) -> tuple[Aspect, ...]:
    """What is left of the states of a configuration without what no step and no property can tell apart."""
    return cores, maps, rest


def proposed(random: Random, design: Design, state: HypState) -> HypAction:
    """An action that may be possible next, with a page of any number."""
    cpu = random.randrange(processors(state))
    if at_of(state, cpu) != OUT and random.random() < 0.9:
        return HypSteps(cpu)
    if is_agent(state, cpu):
        page = random.choice((OBJECTS, OBJECTS + 1, random.getrandbits(20), 0xC0008, 0xFFFF0))
        return hyp.KvmStarts(cpu) if random.random() < 0.3 else hyp.UserCreatesObject(cpu, page)
    made: tuple[Callable[[int], HypAction], ...] = (
        hyp.CallTaken, hyp.CpuComesOnline, hyp.CpuGoesOffline, hyp.CpuLosesPower, hyp.HostCallsHyp, hyp.GuestReturns,
    )  # fmt: skip
    return random.choice(made)(cpu)


HYP = Part(
    name="hyp",
    title="Hyp mode's set-up",
    depends=("hyp",),
    properties=PROPERTIES,
    invariants=None,
    proved_for="one processor, behind the steps before it that set registers",
    grain="one step of a routine, each access to a register by itself",
    configurations=CONFIGURATIONS,
    scenarios=SCENARIOS,
    processors=processors,
    runs_on=runs_on,
    names=names,
    aspects=aspects,
    proofs=PROOFS,
    proposed=proposed,
)
