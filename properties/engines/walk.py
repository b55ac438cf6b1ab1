"""The engine `walk`: random runs with a hostile guest, by Hypothesis stateful testing over the catalogue of actions.

Every kind of action is a rule, with operands generated from its declared types: any instruction with any operands and
any choices in any mode, of guests and of the host, any interrupt, any answer of the highvisor. The guard decides what
is possible; the forced steps run behind each chosen action, and every property is asked about every step.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import product
from random import Random
from typing import Any

from attrs import define, evolve, field, fields, frozen
from hypothesis import HealthCheck, Phase, Verbosity, settings, strategies
from hypothesis import seed as seeded
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from model.action import Action
from model.actions import (
    FORCED,
    RESERVED_CLASSES,
    GuestExecutes,
    HostExecutes,
    HostRunsVcpu,
    HypFaults,
    InterruptTaken,
    UserSpaceAnswers,
)
from model.design import Design
from model.guards import TAKEN
from model.highvisor.mmio import NO_RUN, ExitReason, KvmRun
from model.state import State
from model.topology import TOPOLOGIES, Topology, initial
from properties.engines.course import USUAL, Course, Raised, Run, begin
from properties.engines.frames import Constant, Members, OneOf, Record, Shape, Strategy, Words, among
from properties.engines.inputs import field_hints, shape
from properties.engines.shorten import shorten
from properties.parts import PARTS
from properties.property import Property
from properties.traces.replay import fold
from spec.operations import (
    Choices,
    ExceptionReturn,
    Instruction,
    Load,
    MemoryOutcome,
    Operation,
    Store,
    Svc,
    WriteCpsr,
    Yield,
)
from spec.processor import Signals
from spec.psr import I_BIT, T_BIT, Mode
from spec.registers import REGISTERS
from spec.words import U32

LENGTH = 40
"""The most actions chosen in one run before the next one starts."""

STATUSES = tuple(mode | mask for mode in Mode for mask in (0, 1 << I_BIT, 1 << T_BIT))
"""Values of CPSR that are met more often than one in four thousand million."""


HOMEWARD = (Svc(0), WriteCpsr(Mode.SVC))
"""How a processor comes back to Supervisor mode from User mode, and from any other."""

OFTEN: dict[type[Action], int] = {GuestExecutes: 8, HostRunsVcpu: 8, HostExecutes: 3, UserSpaceAnswers: 3}
"""How much more often than others some kinds of action are tried."""


@frozen
class Walked:
    """What a walk did: actions chosen, all steps, runs, and the shortened first violation of each property."""

    chosen: int
    steps: int
    examples: int
    seed: int
    violations: dict[str, Run]
    seconds: float
    kinds: frozenset[type[Action]]
    """The kinds of action that occurred."""
    raised: Raised | None = None
    """An exception of a rule or predicate, which is a failure and ends the walk."""


@frozen(eq=False, slots=False)
class Evenly(OneOf):
    """One of several shapes with equal chances, however many alternatives each of them has."""

    def strategy(self) -> Strategy:
        @cache
        def chosen(position: int) -> Strategy:
            return self.options[position].strategy()

        return strategies.integers(0, len(self.options) - 1).flatmap(lambda position: chosen(position))


@cache
def instructions(kernel: bool) -> Shape:
    """The shape of any instruction, with chances that let interesting ones come up often.

    With `kernel`, those that return to Supervisor mode come up as often as a host's kernel returns to its run loop;
    without, those that fault at stage 2 as often as a guest uses devices.
    """
    parts = dict(shape(Instruction).parts)  # type: ignore[attr-defined]
    kinds = [inclined(kind) for kind in shape(Operation).options]  # type: ignore[attr-defined]
    weighted = [kind for kind in kinds for _ in range(8 if isinstance(kind, Evenly) else 1)]
    weighted += [Constant(operation) for operation in HOMEWARD] * (8 if kernel else 0)
    weighted += [] if kernel else [aborting(kind) for kind in kinds if getattr(kind, "cls", None) in (Load, Store)] * 8
    condition = OneOf((Constant(0xE), parts["condition"]))
    wide = OneOf((Constant(1), parts["wide"]))
    return Record(Instruction, (("operation", Evenly(tuple(weighted))), ("condition", condition), ("wide", wide)))


def aborting(kind: Shape) -> Shape:
    """The shape of a load or store that faults at stage 2."""
    assert isinstance(kind, Record)
    fixed = {"fault": Constant(MemoryOutcome.STAGE2_FAULT)}
    return evolve(kind, parts=tuple((name, fixed.get(name, part)) for name, part in kind.parts))


def inclined(kind: Shape) -> Shape:
    """The shape of an operation in which status words often name a mode."""
    if isinstance(kind, OneOf):
        return Evenly(kind.options)
    assert isinstance(kind, Record)
    if kind.cls not in (WriteCpsr, ExceptionReturn):
        return kind
    status = OneOf((Words(_width(U32)), Members(STATUSES)))
    return evolve(kind, parts=tuple((n, status if n in ("value", "saved") else part) for n, part in kind.parts))


def _width(hint: Any) -> Any:
    return shape(hint).width  # type: ignore[attr-defined]


@cache
def kinds_of_action() -> tuple[type[Action], ...]:
    """The kinds of action that somebody chooses, by name; those of the parts have walks of their own."""
    chosen = {kind.__name__: kind for kind in Action.__subclasses__() if hasattr(kind, "__attrs_attrs__")}
    amid = {kind.__name__ for kind in (*FORCED, HypFaults, *(part.action for part in PARTS))}
    return tuple(kind for name, kind in sorted(chosen.items()) if name not in amid)


def operands(kind: type[Action], state: State) -> dict[str, Sequence[Any] | Shape]:
    """What each operand of a kind of action is drawn from, the processor apart: a list where it is short."""
    signals = tuple(TAKEN) if kind is InterruptTaken else tuple(f.name for f in fields(Signals))
    stated: dict[str, Sequence[Any] | Shape] = {
        "vcpu": range(len(state.vcpus)), "signal": signals, "level": (0, 1), "ec": RESERVED_CLASSES,
        "instruction": instructions(kind is HostExecutes),
        "register": tuple(name for name, register in REGISTERS.items() if register.component == "gich"),
        "interrupted": (False, True), "run": written(),
    }  # fmt: skip
    cls: Any = kind
    hints = {name: hint for name, hint in field_hints(cls).items() if name != "cpu"}
    return {name: stated[name] if name in stated else shape(hint) for name, hint in hints.items()}


@cache
def written() -> Shape:
    """What a hostile user space writes into the structure it shares: exit reasons and lengths that mean something."""
    often = {"exit_reason": tuple(ExitReason), "length": (0, 1, 2, 3, 4, 5, 8), "is_write": (0, 1)}
    parts = dict(shape(KvmRun).parts)  # type: ignore[attr-defined]
    inclined = {name: OneOf((part, Members(often[name]))) if name in often else part for name, part in parts.items()}
    return Record(KvmRun, tuple(inclined.items()))


@frozen
class Rule:
    """One kind of action of one processor: all its instances where those are few, else its operands' shapes."""

    kind: type[Action]
    cpu: int
    instances: tuple[Action, ...]
    shapes: dict[str, Shape] | None
    """The operands where they are too many to list; `instances` are then probes that say when any is possible."""

    def enabled(self, course: Course) -> list[Action]:
        """Those of the instances that are possible now."""
        return [action for action in self.instances if course.possible(action)]


PROBE: dict[str, Any] = {
    "instruction": Instruction(Yield()), "choices": Choices(), "value": 0, "run": NO_RUN,
}  # fmt: skip


def rules(state: State) -> Iterator[Rule]:
    """A rule for each kind of action that somebody chooses, and each processor."""
    for kind in kinds_of_action():
        domains = operands(kind, state)
        listed = {name: domain for name, domain in domains.items() if not isinstance(domain, Shape)}
        for cpu in range(len(state.processors)):
            if len(listed) == len(domains):
                yield Rule(kind, cpu, tuple(kind(cpu, *chosen) for chosen in product(*listed.values())), None)
            else:
                first = {name: listed[name][0] if name in listed else PROBE[name] for name in domains}
                each = tuple({"vcpu": vcpu} for vcpu in listed["vcpu"]) if "vcpu" in listed else ({},)
                probes = tuple(kind(cpu, **{**first, **one}) for one in each)
                drawn = {name: among(listed[name]) if name in listed else domains[name] for name in domains}
                yield Rule(kind, cpu, probes, drawn)  # type: ignore[arg-type]


class Enough(KeyboardInterrupt):
    """The walk has made its steps, is late, or has failed.

    Hypothesis takes any other exception that ends a run half-way for a sign that the rules are not deterministic.
    """


@define
class Tally:
    """What a walk has done so far, over all its runs."""

    design: Design
    properties: tuple[Property, ...]
    topology: Topology
    steps: int
    deadline: float | None
    until: str | None
    made: int = 0
    chosen: int = 0
    examples: int = 0
    violations: dict[str, Run] = field(factory=dict)
    raised: Raised | None = None
    kinds: set[type[Action]] = field(factory=set)
    began: float = field(factory=time.monotonic)

    def start(self) -> Course:
        """A new run from the initial state."""
        self.examples += 1
        return begin(self.design, self.properties, initial(self.topology, self.design))

    def check(self) -> None:
        """Raise Enough where the walk has to end."""
        found = self.violations.keys() if self.until != "first" else {"first": 0} if self.violations else {}
        late = self.deadline is not None and time.monotonic() > self.deadline
        if late or self.chosen >= self.steps or self.raised is not None or self.until in found:
            raise Enough

    def follow(self, course: Course, action: Action, pick: Callable[[list[Action]], Action]) -> None:
        """Take a chosen action and what is forced behind it, and note what has come of it."""
        before = len(course.taken)
        try:
            course.follow(action, pick)
        finally:
            self.chosen += 1
            self.made += len(course.taken) - before
        for prop, run in course.violated.items():
            if prop not in self.violations or len(run) < len(self.violations[prop]):
                self.violations[prop] = run
        self.raised = course.raised
        self.kinds |= course.kinds
        self.check()

    def result(self, seed: int) -> Walked:
        """The walk as a whole, its violations shortened."""
        start = initial(self.topology, self.design)
        by_id = {prop.id: prop for prop in self.properties}
        limit = None if self.deadline is None else max(self.deadline, time.monotonic()) + 1 + len(self.violations)
        short = {
            prop: shorten(self.design, start, fold(self.design, start, run), by_id[prop], limit)
            for prop, run in self.violations.items()
        }
        seconds = time.monotonic() - self.began
        return Walked(self.chosen, self.made, self.examples, seed, short, seconds, frozenset(self.kinds), self.raised)


def machine(tally: Tally) -> type[RuleBasedStateMachine]:
    """The state machine of a walk: its rules are made from the catalogue of actions."""

    def begins(self: Any) -> None:
        tally.check()
        self.course = tally.start()

    def nothing_goes_on(self: Any) -> bool:
        return not any(made.enabled(self.course) for made in known)

    known = tuple(rules(initial(tally.topology, tally.design)))
    body: dict[str, Any] = {
        "begins": initialize()(begins),
        "begins_again": rule()(precondition(nothing_goes_on)(begins)),
    }
    for made in known:
        for number in range(OFTEN.get(made.kind, 1)):
            body[f"{made.kind.__name__}_{made.cpu}_{number}"] = as_rule(tally, made)
    return type("Walk", (RuleBasedStateMachine,), body)


def as_rule(tally: Tally, made: Rule) -> Any:
    """One kind of action of one processor as a rule of the state machine."""

    def possible(self: Any) -> bool:
        return bool(made.enabled(self.course))

    def act(self: Any, data: Any, **drawn: Any) -> None:
        def pick(open_ways: list[Action]) -> Action:
            return data.draw(strategies.sampled_from(open_ways))  # type: ignore[no-any-return]

        action = made.kind(made.cpu, **drawn) if drawn else pick(made.enabled(self.course))
        if self.course.possible(action):
            tally.follow(self.course, action, pick)

    inputs: dict[str, Any] = {"data": strategies.data()}
    inputs |= {name: strategy_of(operand) for name, operand in (made.shapes or {}).items()}
    made_of: Any = rule(**inputs)
    return made_of(precondition(possible)(act))


@cache
def strategy_of(operand: Shape) -> Strategy:
    """The strategy of a shape, made once, with a short name: Hypothesis prints the strategies of every rule often."""
    made = operand.strategy()

    @strategies.composite
    def drawn(draw: strategies.DrawFn) -> Any:
        return draw(made)

    return drawn()


def walk(
    design: Design,
    properties: Iterable[Property] = USUAL,
    topology: Topology = TOPOLOGIES["one"],
    seed: int = 0,
    steps: int = 1000,
    deadline: float | None = None,
    until: str | None = None,
) -> Walked:
    """Random runs by Hypothesis, until so many actions were chosen or to a deadline of `time.monotonic`.

    Ends early at the first violation (`until="first"`) or at that of one property (`until` its id). The same seed gives
    the same walk in the same program; a deadline only cuts it off.
    """
    tally = Tally(design, tuple(properties), topology, steps, deadline, until)
    profile = settings(
        max_examples=steps,
        stateful_step_count=LENGTH,
        database=None,
        derandomize=False,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    with suppress(Enough):
        run_state_machine_as_test(seeded(seed)(machine(tally)), settings=profile)
    return tally.result(seed)


def fast_walk(
    design: Design,
    properties: Iterable[Property] = USUAL,
    topology: Topology = TOPOLOGIES["one"],
    seed: int = 0,
    steps: int = 1000,
    deadline: float | None = None,
    until: str | None = None,
) -> Walked:
    """The same as `walk` without Hypothesis: a plain random choice among the rules that are possible.

    Runs stop at `steps` of them too, so that a topology in which nothing can be chosen ends without a step.
    """
    random = Random(seed)
    tally = Tally(design, tuple(properties), topology, steps, deadline, until)
    available = tuple(rules(initial(tally.topology, design)))
    with suppress(Enough):
        while tally.examples < steps:
            tally.check()
            course = tally.start()
            for _ in range(LENGTH):
                open_rules = [each for each in available if each.enabled(course)]
                if not open_rules:
                    break
                made = random.choices(open_rules, [OFTEN.get(each.kind, 1) for each in open_rules])[0]
                drawn = {name: operand.draw(random) for name, operand in (made.shapes or {}).items()}
                action = made.kind(made.cpu, **drawn) if drawn else random.choice(made.enabled(course))
                if course.possible(action):
                    tally.follow(course, action, random.choice)
    return tally.result(seed)
