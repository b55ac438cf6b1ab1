"""Interrupts as a part that the engines of concrete steps explore, search and walk through."""

from types import MappingProxyType

from model.action import Action
from model.design import Design
from model.vgic.state import VgicState
from model.vgic.system import GuestPowersOn, HostTakesInterrupts, LineChanges, VgicAction, VgicSteps
from properties import interrupts
from properties.engines.parts.part import Domain, Part
from properties.interrupts import drain
from properties.interrupts.configurations import CONFIGURATIONS
from properties.interrupts.domain import InterruptDomain
from properties.interrupts.grain import forced_on, locked
from properties.interrupts.hostile import proposed
from properties.interrupts.inductive import INDUCTIVE
from properties.interrupts.progress import PROGRESS
from properties.interrupts.scenarios import SCENARIOS
from properties.interrupts.states import aspects, masked

ANY_VCPU = (LineChanges, GuestPowersOn)
"""The kinds of action that name a vCPU by its number in its VM, whether it exists or not."""


def processors(state: VgicState) -> int:
    """How many processors and agents there are; agents are numbered behind the processors."""
    return len(state.cores) + len(state.agents)


def runs_on(action: Action) -> bool:
    """Whether an action is a thread's next step, or the host takes what has interrupted it there."""
    return isinstance(action, VgicSteps | HostTakesInterrupts)


def names(state: VgicState, action: Action) -> bool:
    """Whether there are the vCPU and the VM that an action names."""
    vcpu = isinstance(action, ANY_VCPU) or getattr(action, "vcpu", 0) < len(state.vcpus)
    return vcpu and getattr(action, "vm", 0) < len(state.vms)


def due(design: Design, state: VgicState, cpu: int) -> VgicAction | None:
    """What a processor or agent does next in the fair drain: first what belongs to its step before."""
    forced = forced_on(design.vgic, state, cpu)
    return drain.due(design.vgic, state, cpu) if forced is None else forced


def due_then(design: Design, state: VgicState) -> VgicAction | None:
    """What the host does where nobody has anything to do."""
    return drain.scheduled(design.vgic, state)


def alike(design: Design, state: VgicState, domain: Domain) -> int:
    """How many processors nothing tells apart: all, where the same may happen on each, and none has a lock or a vCPU
    that says that it is in its guest there but does not run."""
    vgic = design.vgic
    same = isinstance(domain, InterruptDomain) and domain.alike(len(state.cores), len(state.vcpus)) and domain.merges
    return len(state.cores) if same and masked(vgic) and locked(vgic) else 0


INTERRUPTS = Part(
    name="interrupts",
    title="interrupts",
    depends=interrupts.DEPENDS,
    properties=interrupts.PROPERTIES,
    invariants=INDUCTIVE,
    proved_for="any interrupt among any others, any priorities, lines and contents of four list registers or of one, "
    "any use of GICV and of the distributor, of two vCPUs of one VM or two on two processors, and two devices, and any "
    "order in a drain",
    grain="a step with those that come to the same before and behind what others do, sections under a lock among them",
    configurations=CONFIGURATIONS,
    scenarios=SCENARIOS,
    processors=processors,
    runs_on=runs_on,
    names=names,
    aspects=aspects,
    proofs=MappingProxyType({}),
    proved_alone=(PROGRESS,),
    proposed=proposed,
    due=due,
    due_then=due_then,
    alike=alike,
)
