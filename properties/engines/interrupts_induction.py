"""Induction over interrupts: every invariant, after every action, from any state that has them all.

There are two processors with four list registers each, or with one, two vCPUs of one VM or of two, of any number, and
two agents; the interrupts of a distributor have any number, and everything about them, about list registers and about
GICH is arbitrary. An invariant that speaks of every interrupt is proved of one arbitrary interrupt after the action,
and assumed before it of that one and of those that the action reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import z3
from attrs import evolve, field, frozen

from model.vgic import system as vgic
from model.vgic.design import GUEST, OUT, Do, Trait, VgicDesign, routine_at, step_at
from model.vgic.facts import facts
from model.vgic.guest import Acknowledges, Completes, Deactivates, Loads, Stores
from model.vgic.state import Access, Agent, Core, Vcpu, VgicState, Vm
from model.vgic.system import VgicAction, vgic_guard, vgic_step
from properties.engines.explorer import Exploration, Path, explore
from properties.engines.formulas import formula, truth, variable
from properties.engines.induction import solver
from properties.engines.inputs import constraints, field_hints, map_of, shape, width_of
from properties.engines.maps import Arbitrary, Default, Symbolic
from properties.engines.questions import conjuncts
from properties.interrupts.invariants import Invariant
from spec.gic.state import Choices
from spec.words import choose

LISTS = (4, 1)
"""How many list registers a processor has: several, and a single one, with which a design may do other things."""
PROCESSORS, AGENTS, VMS = 2, 2, 2
MOST_KEYS = 12
"""Of how many of the interrupts that an action reads the invariants are assumed; the first ones."""
Goal = Callable[[VgicState, VgicState], Any]
"""What is asked of a step, of the state before and the one after."""


def words(cls: type, prefix: str, lists: int, **given: Any) -> Any:
    """A record whose words are free but for those given; tuples of words are as many as there are list registers."""
    found = {}
    for name, hint in field_hints(cls).items():
        if name in given:
            found[name] = given[name]
        elif name == "lrs":
            found[name] = tuple(variable(f"{prefix}.lr{n}", 32) for n in range(lists))
        elif name in ("used", "noted", "eisr", "elrsr"):
            found[name] = variable(f"{prefix}.{name}", lists)
        elif (width := width_of(hint)) is not None:
            found[name] = variable(f"{prefix}.{name}", width.bits)
        else:
            found[name] = words(hint, f"{prefix}.{name}", lists)
    return cls(**found)


def core(name: str, lists: int, **given: Any) -> Core:
    """Any processor."""
    made: Core = words(Core, name, lists, **given)
    return made


def vcpu(name: str, lists: int, **given: Any) -> Vcpu:
    """Any vCPU."""
    made: Vcpu = words(Vcpu, name, lists, **given)
    return made


@frozen
class Case:
    """One action from any state: a name, where the acting thread stands, and its action."""

    name: str
    at: Any
    action: VgicAction | None
    """None where nothing happens: what is asked is then asked of any state."""
    busy: Any = field(default=1)
    """Whether the acting processor runs a thread; that is the first vCPU's, of the first VM."""
    lists: int = LISTS[0]

    @property
    def by_agent(self) -> bool:
        """Whether an agent acts, the first one."""
        return self.action is not None and self.action.cpu >= PROCESSORS


def symbolic_state(case: Case) -> VgicState:
    """Any state in which the acting thread stands where the case says."""
    acts = case.action is not None and not case.by_agent
    first = core("core0", case.lists, **({"busy": case.busy, "vcpu": 0} if acts else {}))
    own = {"vm": 0} if acts else {}
    own |= {"at": case.at} if acts and case.at is not None else {}
    agent = {"vm": 0, "at": case.at} if case.by_agent else {}
    agents = (words(Agent, "agent0", 0, **agent), words(Agent, "agent1", 0))
    hints = field_hints(VgicState)
    maps: dict[str, Any] = {"stale": Symbolic(Default(0))}
    for name in ("irqs", "lr_map"):
        of = map_of(hints[name])
        assert of is not None
        maps[name] = Symbolic(Arbitrary(name, of))
    return VgicState(
        cores=(first, core("core1", case.lists)),
        agents=agents,
        vcpus=(vcpu("vcpu0", case.lists, **own), vcpu("vcpu1", case.lists)),
        vms=tuple(words(Vm, f"vm{number}", 0) for number in range(VMS)),
        crashed=variable("crashed", 1),
        **maps,
    )


def watch(state: VgicState) -> None:
    """Choose the arbitrary interrupt of which everything is asked."""
    irq = variable("any.irq", 10)
    key = (variable("any.vm", 8), variable("any.bank", 3), irq)
    source_of(state, "irqs").watched = [key]
    source_of(state, "lr_map").watched = [(variable("any.vcpu", 8), irq)]


def source_of(state: VgicState, name: str) -> Arbitrary:
    """The arbitrary contents of one of the state's maps."""
    source: Arbitrary = getattr(state, name).source
    return source


def cases(design: VgicDesign) -> Iterator[Case]:
    """Every action, with symbolic operands, with several list registers and with a single one."""
    for lists in LISTS:
        yield from (with_lists(case, lists) for case in actions(design))


def with_lists(case: Case, lists: int) -> Case:
    """A case with so many list registers, and a name that tells so where they are not several."""
    return evolve(case, name=case.name + ("" if lists > 1 else " with a single list register"), lists=lists)


def actions(design: VgicDesign) -> Iterator[Case]:
    """Every action, with symbolic operands; a thread's step once for each place of the program."""
    number = variable("irq", 10)
    for at in facts(design):
        step = step_at(design, at) if at < OUT else None
        if step is None:
            continue
        found = routine_at(at)
        assert found is not None
        cpu = PROCESSORS if found[0] == "inject" else 0
        yield Case(step.name, at, vgic.VgicSteps(cpu, number if step.do is Do.FLUSH_ONE else 0))
    anywhere: Any = None
    yield Case("host: runs", anywhere, vgic.HostRuns(0, 0), busy=0)
    yield Case("host: preempts", anywhere, vgic.HostPreempts(0))
    for busy in (0, 1):
        yield Case(f"host: takes interrupts {busy}", anywhere, vgic.HostTakesInterrupts(0), busy)
        yield Case(f"interrupt arrives {busy}", anywhere, vgic.InterruptArrives(0), busy)
    stops = (vgic.GuestStops(0),) if Trait.SIBLINGS_STOPPED in design.traits else ()
    for action in (
        vgic.GuestInterrupted(0), vgic.GuestExits(0), vgic.GuestWaits(0), vgic.GuestPowersOff(0),
        vgic.GuestPowersOn(0, variable("powered", 8)), *stops,
        vgic.GuestAccessesDistributor(0, shape(Access).symbolic("access")),
    ):  # fmt: skip
        yield Case(f"guest: {type(action).__name__}", GUEST, action)
    choices = shape(Choices).symbolic("choices")
    value, offset, size = variable("value", 32), variable("offset", 16), variable("size", 3)
    for use in (
        Acknowledges(choices), Completes(value, choices), Deactivates(value, choices), Loads(offset, size, choices),
        Stores(offset, size, value, choices),
    ):  # fmt: skip
        yield Case(f"guest: {type(use).__name__}", GUEST, vgic.GuestActs(0, use))
    line = vgic.LineChanges(PROCESSORS, 0, variable("line.vcpu", 3), variable("line.irq", 16), variable("level", 1))
    yield Case("device: line changes", OUT, line)
    for target in (0, 1):
        yield Case(f"user space: signals {target}", OUT, vgic.UserSignals(PROCESSORS, target))


def bounds(state: VgicState) -> tuple[Any, ...]:
    """What is taken for granted of any state: that its words are of their types."""
    parts = (*state.cores, *state.vcpus, *state.agents, *state.vms)
    return tuple(condition for part in parts for condition in constraints(part))


@frozen
class Step:
    """One case: the state before, and the paths of its action, each with the state after it, what was asked of it, and
    what is known of witnesses.

    A path on which the action is not possible has no outcome.
    """

    before: VgicState
    exploration: Exploration
    given: tuple[Any, ...]
    """What is known of the action's operands."""
    read: tuple[Any, ...]
    """The interrupts that it read, but for the arbitrary one; the first ones."""

    @property
    def possible(self) -> tuple[Path, ...]:
        """The paths on which the action is possible."""
        return tuple(path for path in self.exploration.paths if path.outcome is not None)


def explored(
    design: VgicDesign, case: Case, goals: Mapping[str, Goal], witnesses: bool = False, acts: bool = True
) -> Step:
    """Every path of an action from any state, with what is asked on each of them.

    With `witnesses`, where a condition holds of some interrupt, it holds of one that can be spoken of. Unless it `acts`
    the case is asked of the state before the action alone, be that possible or not.
    """
    state = symbolic_state(case)
    watch(state)
    source_of(state, "irqs").witnesses = witnesses

    def run() -> tuple[VgicState, dict[str, Any], tuple[Any, ...]] | None:
        for name in ("irqs", "lr_map"):
            source_of(state, name).restart()
        after = state
        if case.action is not None and acts:
            if not vgic_guard(design, state, case.action):
                return None
            after = vgic_step(design, state, case.action)
        asked = {name: goal(state, after) for name, goal in goals.items()}
        return after, asked, tuple(source_of(state, "irqs").said)

    given = () if case.action is None else constraints(case.action)
    exploration = explore(run, [*bounds(state), *given], solver=solver)
    irqs = source_of(state, "irqs")
    read = [key for key in irqs.keys if key is not irqs.watched[0]]
    return Step(state, exploration, tuple(map(formula, given)), tuple(read[:MOST_KEYS]))


def assumed(
    design: VgicDesign, step: Step, invariants: Mapping[str, Invariant]
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """The invariants before the action, of the arbitrary interrupt and of those that were read, by name; and all that
    is known of the state, as conjuncts."""
    state = step.before
    irqs, held = source_of(state, "irqs"), source_of(state, "lr_map")
    irqs.watched = [*irqs.watched, *step.read]
    said = {name: formula(invariant(design, state)) for name, invariant in invariants.items()}
    held.watched = held.keys
    said |= {name: formula(invariants[name](design, state)) for name in OF_MAP if name in invariants}
    return said, tuple(conjuncts([*map(formula, bounds(state)), *said.values()]))


OF_MAP = ("map_true", "one_holder")
"""The invariants that speak of every entry of KVM's map of list registers."""


def merged(paths: Sequence[Path]) -> tuple[Any, VgicState]:
    """When one of the paths is taken, as a formula, and the state after them as one."""
    after: VgicState = paths[-1].outcome[0]
    for path in reversed(paths[:-1]):
        after = choose(truth(taken(path)), path.outcome[0], after)
    return z3.Or(*map(taken, paths)), after


def taken(path: Path) -> Any:
    """When a path is taken, as a formula."""
    return z3.And(*path.condition)
