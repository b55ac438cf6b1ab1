"""The parts of the system that have a state of their own, beside the spine: each with its actions, guard and step.

A configuration is about one part at the most. `State` and `Topology` have a field for each, of the part's name.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import frozen

from model.action import Action
from model.design import Design
from model.hyp.layout import initial_hyp
from model.hyp.system import HypAction, hyp_guard, hyp_step
from model.lowvisor.moves import TranslateFaultAddress
from model.memory.actions import MemoryAction
from model.memory.guards import memory_guard
from model.memory.layout import initial_memory
from model.memory.system import memory_step
from model.power.layout import initial_power
from model.power.system import PowerAction, power_guard, power_step
from model.state import State
from model.timer.layout import initial_time
from model.timer.system import TimeAction, time_guard, time_step
from model.vgic.layout import initial_vgic
from model.vgic.system import VgicAction, vgic_guard, vgic_step
from spec.words import put


@frozen
class SystemPart:
    """A part of the system: the classes and functions that speak of its state and of its part of the design alone."""

    name: str
    """The field of `State` and of `Topology`."""
    design: str
    """The field of `Design`."""
    action: type[Action]
    """The class of its actions."""
    initial: Callable[[Any, Any], Any]
    """The state that a layout starts in, by the part's design."""
    guard: Callable[[Any, Any, Any], bool]
    """Whether an action is possible in a state, by the part's design."""
    step: Callable[..., Any]
    """The state after an action whose guard holds, by the part's design."""
    whole: Callable[[Design], tuple[Any, ...]] = lambda design: ()
    """What else a step takes that depends on more of the design."""

    def of(self, state: State) -> Any:
        """The part's state; None where the configuration is about something else."""
        return getattr(state, self.name)

    def begun(self, topology: Any, design: Design) -> Any:
        """The state that a topology starts the part in; None where it has no layout of it."""
        layout = getattr(topology, self.name)
        return None if layout is None else self.initial(layout, getattr(design, self.design))

    def possible(self, design: Design, state: State, action: Action) -> bool:
        """Whether an action of the part is possible now; may be a formula."""
        own = self.of(state)
        return own is not None and self.guard(getattr(design, self.design), own, action)

    def stepped(self, design: Design, state: State, action: Action) -> State:
        """The whole state after an action of the part whose guard holds."""
        own = self.step(getattr(design, self.design), self.of(state), action, *self.whole(design))
        return put(state, self.name, own)


def resolves(design: Design) -> bool:
    """Whether the lowvisor finds the address of a permission fault by stage 1."""
    return any(isinstance(each.move, TranslateFaultAddress) for each in design.trap)


SYSTEM_PARTS = (
    SystemPart(
        "memory", "memory", MemoryAction, initial_memory, memory_guard, memory_step, lambda design: (resolves(design),)
    ),
    SystemPart("interrupts", "vgic", VgicAction, initial_vgic, vgic_guard, vgic_step),
    SystemPart("time", "timer", TimeAction, initial_time, time_guard, time_step),
    SystemPart("power", "power", PowerAction, initial_power, power_guard, power_step),
    SystemPart("hyp", "hyp", HypAction, initial_hyp, hyp_guard, hyp_step),
)


SYSTEM_PART: Mapping[str, SystemPart] = MappingProxyType({part.name: part for part in SYSTEM_PARTS})


def system_part_of(action: Action) -> SystemPart | None:
    """The part whose action it is; none where it is one of the spine."""
    for part in SYSTEM_PARTS:
        if isinstance(action, part.action):
            return part
    return None
