"""A part of the system with a state, actions and configurations of its own: what the engines have to know of it."""

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from attrs import frozen

from model.design import Design
from model.state import State
from model.system import Action
from spec.words import put

Aspect = Callable[[Any], Hashable]
"""Something of a part's state that matters to some future."""


class Domain(Protocol):
    """What may happen in an exploration or a search: a choice among a part's actions and their operands."""

    @property
    def name(self) -> str:
        """What it is, in words."""

    def of_processor(self, design: Design, state: Any, cpu: int) -> list[Any]:
        """The actions of one processor that are possible in a state of the part, in a fixed order."""


@frozen
class Situation:
    """A configuration by its topology's name, and the domain that is explored or searched in it."""

    topology: str
    domain: Domain


@frozen
class Part:
    """A part of the system."""

    name: str
    """Also the field of `State` that holds the part's own state."""
    action: type[Action]
    """The class of the part's actions."""
    processors: Callable[[Any], int]
    """How many processors a state of the part has."""
    runs_on: Callable[[Action], bool]
    """Whether an action is a thread's next step, which is no choice where the thread moved last."""
    aspects: Callable[[Any], tuple[Aspect, ...]]
    """Of any state of a configuration: what tells its states apart; states alike in each count once."""

    def of(self, state: State) -> Any:
        """The part of a state."""
        return getattr(state, self.name)

    def within(self, state: State, part: Any) -> State:
        """A state with another state of the part."""
        return put(state, self.name, part)
