"""A part of the system with a state, actions and configurations of its own: what the engines have to know of it."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from random import Random
from typing import Any, Protocol

from attrs import frozen

from model.action import Action
from model.design import Design
from model.parts import SYSTEM_PART
from model.state import State
from model.topology import TOPOLOGIES, Topology
from properties.property import Property
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

    def follows(self, design: Design, state: Any, cpu: int) -> Any:
        """The action of a processor that belongs to the one before, so that nothing comes in between; or None.

        Where several processors have one, that of the first comes first.
        """


@frozen
class Situation:
    """A configuration by its topology's name, and the domain that is explored or searched in it."""

    topology: str
    domain: Domain
    named: bool = False
    """Whether it is explored only where it is asked for by its name, because that takes long."""


@frozen
class Case:
    """One action with arbitrary operands, from an arbitrary state: a step that a proof is about."""

    name: str
    state: State
    action: Action


@frozen
class Part:
    """A part of the system; `model.system` has its `guard` and `step`."""

    name: str
    """Also the field of `State` with the part's own state, and the field of `Topology` that is set where there is one.

    That state is a record of records and words, of maps, and of tuples of these that never change in length.
    """
    title: str
    """What it is called in what is said to a reader."""
    depends: tuple[str, ...]
    """The fields of `Design` that its steps and properties read."""
    properties: tuple[Property, ...]
    """What a run can violate; the search for counterexamples asks for these."""
    invariants: Property | None
    """What the proofs about the part rest on, where there are proofs."""
    proved_for: str
    """What proofs quantify over, in words."""
    grain: str
    """What is one step of explorations, in words: what comes between two of them is gone through."""
    configurations: Mapping[str, Situation]
    """What is explored completely, by name, the largest first."""
    scenarios: Mapping[str, Situation]
    """The situations in which a fault of the part may matter, by the names by which faults call them."""
    processors: Callable[[Any], int]
    """How many processors a state of the part has."""
    runs_on: Callable[[Action], bool]
    """Whether an action is a thread's next step, which is no choice where the thread moved last."""
    names: Callable[[Any, Action], bool]
    """Whether a state's configuration has what an action names, its processor apart."""
    aspects: Callable[[Design, Any], tuple[Aspect, ...]]
    """Of a design and any state of a configuration: what tells its states apart; states alike in each count once."""
    proofs: Mapping[str, Callable[[Design], Iterator[Case]]]
    """By id, the properties of single steps that are proved, each with all the steps that it speaks about."""
    proposed: Callable[[Random, Design, Any], Action]
    """An action with hostile operands that may be possible next, for walks; some proposal is always possible."""
    proved_alone: tuple[Property, ...] = ()
    """Properties of steps that are proved or nothing: too much of a state matters to them to ask them of each step."""
    due: Callable[[Design, Any, int], Action | None] = lambda design, state, cpu: None
    """What a processor does next in a fair drain, in which nothing new happens; the first that has something acts."""
    due_then: Callable[[Design, Any], Action | None] = lambda design, state: None
    """What is due where no processor has anything; None in the drain's end."""
    alike: Callable[[Design, Any, Domain], int] = lambda design, state, domain: 0
    """How many aspects, the first ones, may change places: those of processors, where nothing tells these apart.

    Of states that differ in nothing else the first one is judged, and drained, for all.
    """

    @property
    def action(self) -> type[Action]:
        """The class of the part's actions."""
        return SYSTEM_PART[self.name].action

    @property
    def judged(self) -> tuple[Property, ...]:
        """Its properties, with the invariants."""
        own = (*self.properties, *self.proved_alone)
        return own if self.invariants is None else (*own, self.invariants)

    def explored(self, name: str | None) -> Mapping[str, Situation]:
        """The configurations that are explored: the one of a name, or all that need not be asked for."""
        found = self.configurations.items()
        return {each: situation for each, situation in found if (each == name if name else not situation.named)}

    @property
    def topologies(self) -> tuple[Topology, ...]:
        """The stated configurations of processors that have this part."""
        return tuple(topology for topology in TOPOLOGIES.values() if getattr(topology, self.name) is not None)

    def of(self, state: State) -> Any:
        """The part of a state."""
        return SYSTEM_PART[self.name].of(state)

    def within(self, state: State, part: Any) -> State:
        """A state with another state of the part."""
        return put(state, self.name, part)
