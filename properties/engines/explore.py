"""The engine `explore`: every reachable state of a small, stated configuration, by breadth-first search.

What the search counts are states at rest: every processor executes the host or a guest, or nothing any more. The forced
steps behind a chosen action touch only the acting processor and its vCPU, which `properties.engines.components` checks
as it goes, so they commute with whatever other processors do, and action and forced steps are one transition.

The programs are loops: behind each instruction the guest, and behind each call the host, branches back to where it
started. Without that no exploration would end, since the program counters run through all memory.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import define, field, frozen

from model.design import Design
from model.highvisor.exits import MemoryAnswer
from model.state import Where
from model.system import (
    Action,
    GuestExecutes,
    HighvisorHandles,
    HostExecutes,
    HostRunsVcpu,
    HypFaults,
    LowvisorSteps,
)
from model.topology import GUEST_PC, HOST_PC, TOPOLOGIES, Topology, initial
from properties.engines.components import Components, Effect, Row
from properties.engines.course import USUAL, Run
from properties.engines.domain import Domain, access
from properties.engines.shorten import shorten
from properties.property import Property
from spec.coprocessor.decode import ROW
from spec.operations import (
    Branch,
    Choices,
    FloatingPoint,
    Hvc,
    Instruction,
    Load,
    LoadExclusive,
    MemoryOutcome,
    Operation,
    Smc,
    StoreExclusive,
    Svc,
    Wfi,
)

BITS = 24
"""The bits of a state that one component takes: more than there will ever be states of one processor or vCPU."""
MASK = (1 << BITS) - 1
LONGEST = 8
"""The most branches that bring a program back to its start: an IT block may hold up the first four."""


def domain_of(name: str, operations: Iterable[Operation], signals: tuple[str, ...] = ()) -> Domain:
    """A domain of guests' operations, with every answer of the highvisor."""
    guest = tuple((Instruction(operation), Choices()) for operation in operations)
    return Domain(name, guest, (), signals, (), tuple(MemoryAnswer))


CALLS = (Hvc(0), Wfi(), Smc(0), Svc(1))
FAULT = Load(2, 0x2000, 0, MemoryOutcome.STAGE2_FAULT, 0x90000)
SMALL = domain_of("HVC, WFI, a stage 2 fault and its answers, IRQ", (Hvc(0), Wfi(), FAULT), ("irq",))
DEFAULT = domain_of(
    "HVC, WFI, SMC, SVC, two VFP values, TPIDRURW, ACTLR, LDREX, STREX, a stage 2 fault and its answers, IRQ",
    (
        *CALLS, FloatingPoint(0, 0, 0x7777), FloatingPoint(0, 0, 0x8888), access(ROW["TPIDRURW"], False).operation,
        access(ROW["TPIDRURW"], True, 2).operation, access(ROW["ACTLR"], True, 2).operation, LoadExclusive(2, 5),
        StoreExclusive(2), FAULT,
    ),
    ("irq",),
)  # fmt: skip
"""What guests do where nobody asks for another domain."""


@frozen
class Explored:
    """What an exploration saw: states at rest, transitions between them, and the shortened first violations."""

    states: int
    transitions: int
    seconds: float
    complete: bool
    violations: dict[str, Run]
    depth: int
    steps: int
    """Steps of the model that its transitions stand for, those remembered included."""


@frozen
class Outcome:
    """One end of a chosen action: the actions chosen on the way, and the processor and vCPU it leaves."""

    actions: Run
    physical: int
    vcpu: int


@define
class Local:
    """The transitions of one processor with one vCPU, found once and shared by all states that contain the two."""

    components: Components
    domain: Domain
    loops: bool
    numbers: dict[Row, int] = field(factory=dict)
    rows: list[Row] = field(factory=list)
    known: dict[tuple[Any, ...], tuple[Outcome, ...]] = field(factory=dict)
    action_numbers: dict[Action, int] = field(factory=dict)
    violated: dict[str, Run] = field(factory=dict)
    """What the transition that is being found violates, with the actions behind its first state."""

    def number(self, part: Row) -> int:
        """The number of a processor's or a vCPU's half of a row."""
        known = self.numbers.setdefault(part, len(self.rows))
        if known == len(self.rows):
            self.rows.append(part)
        return known

    def halves(self, row: Row) -> tuple[int, int]:
        """The numbers of the two halves of a row at rest."""
        row = self.components.forgetting(row)
        return self.number(row[: self.components.divide]), self.number(row[self.components.divide :])

    def transitions(self, cpu: int, physical: int, vcpu: int, content: int) -> tuple[Outcome, ...]:
        """What the processor can do on its own, that is without calling the lowvisor."""
        key = (cpu, physical, vcpu, content)
        found = self.known.get(key)
        if found is None:
            row = self.rows[physical] + self.rows[content]
            found = tuple(o for action in self.private(cpu, row) for o in self.ends(row, action, vcpu))
            self.known[key] = found
        return found

    def calls(self, cpu: int, physical: int, vcpu: int, content: int, others: tuple[int, ...]) -> tuple[Outcome, ...]:
        """What comes of calling the lowvisor to run a vCPU, given the other processors."""
        key = (cpu, physical, vcpu, content, "called", *others)
        found = self.known.get(key)
        if found is None:
            row = self.rows[physical] + self.rows[content]
            threads = tuple(self.components.thread(self.rows[other]) for other in others)
            found = tuple(self.ends(row, HostRunsVcpu(cpu, vcpu), vcpu, threads))
            self.known[key] = found
        return found

    def ends(self, row: Row, action: Action, vcpu: int, others: tuple = ()) -> Iterator[Outcome]:  # type: ignore[type-arg]
        """Every end of an action and its forced steps, each fault and each answer followed."""
        taken = self.taken(row, action, vcpu, (), others)
        open_ends = [] if taken is None else [(taken[0], (action,))]
        while open_ends:
            row, actions = open_ends.pop()
            where = self.components.thread(row).where
            if where is Where.LOWVISOR:
                stepped = self.taken(row, LowvisorSteps(action.cpu), vcpu, actions)
                assert stepped is not None
                open_ends.append((stepped[0], actions))
                if stepped[1].vulnerable and len(actions) < LONGEST:
                    open_ends += self.struck(row, action.cpu, vcpu, actions)
            elif where is Where.HIGHVISOR:
                open_ends += self.answered(row, action.cpu, vcpu, actions)
            elif (back := self.branch(row, action.cpu)) is not None and len(actions) < LONGEST:
                returned = self.taken(row, back, vcpu, actions)
                assert returned is not None
                open_ends.append((returned[0], (*actions, back)))
            else:
                yield Outcome(actions, *self.halves(row))

    def struck(self, row: Row, cpu: int, vcpu: int, actions: Run) -> list[tuple[Row, Run]]:
        """The lowvisor's fault in place of its next step, with the steps stored that say where it strikes."""
        fault = HypFaults(cpu)
        taken = self.taken(row, fault, vcpu, actions)
        return [] if taken is None else [(taken[0], (*actions, fault))]

    def answered(self, row: Row, cpu: int, vcpu: int, actions: Run) -> list[tuple[Row, Run]]:
        """The highvisor's handling of an exit, once for each answer that makes a difference."""
        ends: dict[Row, Run] = {}
        for answer in self.domain.answers:
            handled = HighvisorHandles(cpu, answer)
            taken = self.taken(row, handled, vcpu, actions)
            if taken is not None:
                ends.setdefault(taken[0], actions if answer == MemoryAnswer.MAPPED else (*actions, handled))
        return list(ends.items())

    def private(self, cpu: int, row: Row) -> list[Action]:
        """What the domain offers to a processor at rest, possible or not."""
        return self.domain.private(cpu, self.components.thread(row).where)

    def branch(self, row: Row, cpu: int) -> Action | None:
        """The branch that closes a program's loop, where the program is elsewhere."""
        where = self.components.thread(row).where
        if not self.loops or where not in (Where.HOST, Where.GUEST):
            return None
        target, kind = (HOST_PC, HostExecutes) if where is Where.HOST else (GUEST_PC, GuestExecutes)
        return None if self.components.pc(row) == target else kind(cpu, Instruction(Branch(target)))

    def taken(
        self, row: Row, action: Action, vcpu: int, before: Run, others: tuple = ()  # type: ignore[type-arg]
    ) -> tuple[Row, Effect] | None:
        """One step, what it violates noted."""
        number = self.action_numbers.setdefault(action, len(self.action_numbers))
        taken = self.components.after(row, action, number, vcpu, others)
        if taken is not None and taken[1].violated:
            forced = isinstance(action, LowvisorSteps | HighvisorHandles)
            run = before if forced else (*before, action)
            for prop in taken[1].violated:
                self.violated.setdefault(prop, run)
        return taken


@define
class Frontier:
    """The states of an exploration, each one number made of the numbers of its processors and vCPUs."""

    local: Local
    processors: int
    vcpus: int
    parents: dict[int, int] = field(factory=dict)
    steps: dict[tuple[int, ...], tuple[int, ...]] = field(factory=dict)

    def part(self, state: int, position: int) -> int:
        """The number of one processor or, behind them, of one vCPU."""
        return state >> (position * BITS) & MASK

    def joined(self, parts: Iterable[int]) -> int:
        """The state with these processors and vCPUs."""
        return sum(part << (position * BITS) for position, part in enumerate(parts))

    def moves(self, state: int) -> Iterator[tuple[int, int, tuple[Outcome, ...]]]:
        """For each processor and each vCPU that it can act with, what can come of it."""
        physicals = [self.part(state, cpu) for cpu in range(self.processors)]
        for cpu, physical in enumerate(physicals):
            thread = self.local.components.thread(self.local.rows[physical])
            content = self.part(state, self.processors + thread.vcpu)
            yield cpu, thread.vcpu, self.local.transitions(cpu, physical, thread.vcpu, content)
            if thread.where is Where.HOST:
                others = tuple(physicals[:cpu] + physicals[cpu + 1 :])
                for vcpu in range(self.vcpus):
                    content = self.part(state, self.processors + vcpu)
                    yield cpu, vcpu, self.local.calls(cpu, physical, vcpu, content, others)

    def following(self, state: int) -> Iterator[tuple[int, Run]]:
        """The states one transition away, with the actions chosen on the way."""
        for cpu, vcpu, outcomes in self.moves(state):
            low, high = cpu * BITS, (self.processors + vcpu) * BITS
            base = state - (self.part(state, cpu) << low) - (self.part(state, self.processors + vcpu) << high)
            for outcome in outcomes:
                yield base + (outcome.physical << low) + (outcome.vcpu << high), outcome.actions

    def way_to(self, state: int) -> Run:
        """The actions chosen on a shortest way from the initial state."""
        actions: Run = ()
        while (parent := self.parents[state]) != state:
            actions = next(run for after, run in self.following(parent) if after == state) + actions
            state = parent
        return actions


def explore(
    design: Design,
    properties: Iterable[Property] = USUAL,
    topology: Topology = TOPOLOGIES["one"],
    domain: Domain = DEFAULT,
    deadline: float | None = None,
    most_states: int = 1_000_000,
    *,
    until: str | None = None,
    loops: bool = True,
    depth: int | None = None,
) -> Explored:
    """Every state at rest that is reachable within a domain, nearest first, and the first violation of each property.

    Ends early at the first violation (`until="first"`), at that of one property (`until` its id), at a deadline of
    `time.monotonic`, beyond a number of states, or at a depth; `complete` says whether nothing was left. Without `loops`
    programs run on through memory, and only a bound ends the exploration. Raises NotPrivate where steps do not commute.
    """
    began = time.monotonic()
    judged = tuple(properties)
    start = initial(topology, design)
    components = Components(design, judged, start)
    local = Local(components, domain, loops)
    frontier = Frontier(local, len(start.processors), len(start.vcpus))
    first = frontier.joined(
        [local.halves(components.row(physical, start.vcpus[0]))[0] for physical in start.processors]
        + [local.halves(components.row(start.processors[0], vcpu))[1] for vcpu in start.vcpus]
    )
    frontier.parents[first] = first
    violations: dict[str, Run] = {}
    level, transitions, reached, ended = [first], 0, 0, False
    while level and not ended and (depth is None or reached < depth):
        later: list[int] = []
        for state in level:
            for after, _ in frontier.following(state):
                transitions += 1
                if after not in frontier.parents:
                    frontier.parents[after] = state
                    later.append(after)
            if local.violated:
                way = frontier.way_to(state)
                violations |= {p: way + run for p, run in local.violated.items() if p not in violations}
                local.violated.clear()
            late = deadline is not None and time.monotonic() > deadline
            if late or len(frontier.parents) > most_states or until in violations or (until == "first" and violations):
                ended = True
                break
        level, reached = later, reached + 1
    by_id = {prop.id: prop for prop in judged}
    short = {prop: shorten(design, start, run, by_id[prop], deadline) for prop, run in violations.items()}
    complete = not ended and not level
    seconds = time.monotonic() - began
    return Explored(len(frontier.parents), transitions, seconds, complete, short, reached, components.lookups)
