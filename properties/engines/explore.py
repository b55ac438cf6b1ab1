"""The engine `explore`: every reachable state of a small, stated configuration, by breadth-first search.

What the search counts are states at rest: every processor executes the host or a guest, or nothing any more. The forced
steps behind a chosen action touch only the acting processor and its vCPU, which `properties.engines.components` checks
as it goes, so they commute with whatever other processors do, and action and forced steps are one transition.

The programs are loops: behind each instruction the guest, and behind each call or interrupt the host, goes back to
where it started, in Supervisor mode. Without that no exploration would end: program counters run through all memory.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import define, evolve, field, frozen

from model.action import Action
from model.actions import GuestExecutes, HostExecutes, HypFaults, LowvisorSteps
from model.design import Design
from model.highvisor.exits import MemoryAnswer
from model.state import Thread, Where
from model.topology import GUEST_PC, HOST_PC, TOPOLOGIES, Topology, initial
from properties.engines.components import Components, Row, Taken
from properties.engines.course import USUAL, Run
from properties.engines.domain import FORGED, NEGATIVE, SIGNED_LOAD, STACK_STORE, Domain, access
from properties.engines.shorten import shorten
from properties.property import Property
from properties.traces.replay import is_forced
from spec.coprocessor.decode import ROW
from spec.operations import (
    Branch,
    Choices,
    ExceptionReturn,
    FloatingPoint,
    Hvc,
    Instruction,
    Load,
    LoadExclusive,
    MemoryOutcome,
    Operation,
    ReturnForm,
    Smc,
    StoreExclusive,
    Svc,
    Wfi,
)
from spec.psr import Mode, is_user

BITS = 24
"""The bits of a state that one component takes: more than there will ever be states of one processor or vCPU."""
MASK = (1 << BITS) - 1
LONGEST = 8
"""The most branches that bring a program back to its start: an IT block may hold up the first four."""


def domain_of(name: str, operations: Iterable[Operation], signals: tuple[str, ...] = ()) -> Domain:
    """A domain of guests' operations, with every answer of the highvisor."""
    guest = tuple((Instruction(operation), Choices()) for operation in operations)
    return Domain(name, guest, (), signals, (), tuple(MemoryAnswer))


FAULT = Load(2, 0x2000, 0, MemoryOutcome.STAGE2_FAULT, 0x90000)
TPIDRURW = (access(ROW["TPIDRURW"], False).operation, access(ROW["TPIDRURW"], True, 2).operation)
ACTLR = access(ROW["ACTLR"], True, 2).operation
EXCLUSIVE = (LoadExclusive(2, 5), StoreExclusive(2))
VFP = (FloatingPoint(0, 0, 0x7777), FloatingPoint(1, 1, 0x7777))

TRAPS = domain_of("HVC, WFI, SMC, SVC, IRQ", (Hvc(0), Wfi(), Smc(0), Svc(1)), ("irq",))
REGISTERS = domain_of("WFI, TPIDRURW, ACTLR, LDREX, STREX", (Wfi(), *TPIDRURW, ACTLR, *EXCLUSIVE))
ODDITIES = evolve(
    domain_of("WFI, a reserved exception class, a list register that changes", (Wfi(),)),
    reserved=(0x02,),
    interface=("gich_lr0",),
)
WAITING = domain_of("WFI, IRQ", (Wfi(),), ("irq",))
LAZY_WAITING = domain_of("VFP, WFI", (VFP[0], Wfi()))
LAZY = domain_of("VFP, Advanced SIMD, WFI, SMC, IRQ", (*VFP, Wfi(), Smc(0)), ("irq",))
FAULTS = domain_of("a stage 2 fault and its answers, HVC, IRQ", (FAULT, Hvc(0)), ("irq",))
ONE_DEVICE = domain_of("a load of a device", (SIGNED_LOAD,))
SMALL = domain_of("WFI, VFP, IRQ", (Wfi(), VFP[0]), ("irq",))
DEVICES = evolve(
    domain_of("a load and a store of a device, answers, signals, a hostile user space", (SIGNED_LOAD, STACK_STORE)),
    device=(0, NEGATIVE), written=FORGED, interrupted=True,
)  # fmt: skip
DEFAULT = domain_of(
    "HVC, WFI, SMC, SVC, VFP and Advanced SIMD, TPIDRURW, ACTLR, LDREX, STREX, a stage 2 fault and its answers, IRQ",
    (Hvc(0), Wfi(), Smc(0), Svc(1), *VFP, *TPIDRURW, ACTLR, *EXCLUSIVE, FAULT),
    ("irq",),
)
"""All that the others have, at once: for long explorations."""
CONFIGURATIONS: tuple[tuple[Topology, Domain], ...] = (
    *((TOPOLOGIES["one"], domain) for domain in (TRAPS, REGISTERS, LAZY, FAULTS, ODDITIES, DEVICES)),
    *((TOPOLOGIES["two-vms"], domain) for domain in (LAZY, DEVICES)),
    (TOPOLOGIES["siblings"], SMALL),
    *((TOPOLOGIES["two-processors"], domain) for domain in (WAITING, LAZY_WAITING, ONE_DEVICE)),
)
"""What is explored, completely, where nobody asks for another configuration."""


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
    kinds: frozenset[type[Action]]
    """The kinds of action that occurred."""


@frozen
class Outcome:
    """One end of a chosen action: the actions chosen on the way, and the processor and vCPU it leaves."""

    actions: Run
    physical: int
    vcpu: int


def back(cpu: int, where: Where, pc: int, cpsr: int) -> Action | None:
    """What brings a program back to its start, where it is elsewhere: a branch in User mode, else RFE."""
    if where not in (Where.HOST, Where.GUEST):
        return None
    target, kind = (HOST_PC, HostExecutes) if where is Where.HOST else (GUEST_PC, GuestExecutes)
    if is_user(cpsr):
        return None if pc == target else kind(cpu, Instruction(Branch(target)))
    returned = Instruction(ExceptionReturn(ReturnForm.RFE, target, int(Mode.SVC)))
    return None if pc == target and cpsr == Mode.SVC else kind(cpu, returned)


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

    def outcomes(self, key: tuple[Any, ...]) -> tuple[Outcome, ...]:
        """The transitions of a processor with a vCPU, by the numbers `cpu, physical, vcpu, content`.

        With the other processors' numbers behind them, what the host there does with that vCPU; else all others.
        """
        found = self.known.get(key)
        if found is None:
            cpu, physical, vcpu, content = key[:4]
            row = self.rows[physical] + self.rows[content]
            if len(key) > 4:
                threads = tuple(self.components.thread(self.rows[other]) for other in key[4])
                calls = self.domain.called(cpu, vcpu)
                found = tuple(end for action in calls for end in self.ends(row, action, vcpu, threads))
            else:
                found = tuple(end for action in self.private(cpu, row) for end in self.ends(row, action, vcpu))
            self.known[key] = found
        return found

    def ends(self, row: Row, action: Action, vcpu: int, others: tuple[Thread, ...] = ()) -> Iterator[Outcome]:
        """Every end of an action and its forced steps, each fault and each answer followed."""
        taken = self.taken(row, action, vcpu, (), others)
        open_ends: list[tuple[Row, Run]] = [] if taken is None else [(taken.row, (action,))]
        while open_ends:
            row, actions = open_ends.pop()
            where = self.components.thread(row).where
            if where is Where.LOWVISOR:
                stepped = self.taken(row, LowvisorSteps(action.cpu), vcpu, actions)
                assert stepped is not None
                open_ends.append((stepped.row, actions))
                if stepped.vulnerable and len(actions) < LONGEST:
                    open_ends += self.struck(row, action.cpu, vcpu, actions)
            elif where is Where.HIGHVISOR:
                open_ends += self.answered(row, action.cpu, vcpu, actions)
            elif (back := self.back(row, action.cpu)) is not None and len(actions) < LONGEST:
                returned = self.taken(row, back, vcpu, actions)
                assert returned is not None
                open_ends.append((returned.row, (*actions, back)))
            else:
                yield Outcome(actions, *self.halves(row))

    def struck(self, row: Row, cpu: int, vcpu: int, actions: Run) -> list[tuple[Row, Run]]:
        """The lowvisor's fault in place of its next step, with the steps stored that say where it strikes."""
        fault = HypFaults(cpu)
        taken = self.taken(row, fault, vcpu, actions)
        return [] if taken is None else [(taken.row, (*actions, fault))]

    def answered(self, row: Row, cpu: int, vcpu: int, actions: Run) -> list[tuple[Row, Run]]:
        """The highvisor's handling of an exit, once for each answer that makes a difference."""
        ends: dict[Row, Run] = {}
        for handled in self.domain.handlings(cpu):
            taken = self.taken(row, handled, vcpu, actions)
            if taken is not None:
                ends.setdefault(taken.row, actions if is_forced(handled) else (*actions, handled))
        return list(ends.items())

    def private(self, cpu: int, row: Row) -> list[Action]:
        """What the domain offers to a processor at rest, possible or not."""
        return self.domain.private(cpu, self.components.thread(row).where)

    def back(self, row: Row, cpu: int) -> Action | None:
        """What brings the program of a row back to its start, where programs are loops."""
        components = self.components
        place = components.thread(row).where, components.pc(row), components.cpsr(row)
        return back(cpu, *place) if self.loops else None

    def taken(self, row: Row, action: Action, vcpu: int, before: Run, others: tuple[Thread, ...] = ()) -> Taken | None:
        """One step, what it violates noted."""
        if isinstance(action, LowvisorSteps):
            number = -1 - action.cpu
        else:
            number = self.action_numbers.setdefault(action, len(self.action_numbers))
        taken = self.components.after(row, action, number, vcpu, others)
        if taken is not None and taken.violated:
            run = before if is_forced(action) else (*before, action)
            for prop in taken.violated:
                self.violated.setdefault(prop, run)
        return taken


Deltas = tuple[int, ...]
"""What the transitions of one processor add to the number of any state in which they are possible."""


@define
class Frontier:
    """The states of an exploration, each one number made of the numbers of its processors and vCPUs."""

    local: Local
    processors: int
    vcpus: int
    parents: dict[int, int] = field(factory=dict)
    deltas: dict[tuple[Any, ...], Deltas] = field(factory=dict)
    places: dict[int, tuple[int, bool]] = field(factory=dict)
    """For each processor's number its vCPU, and whether it executes the host."""

    def joined(self, parts: Iterable[int]) -> int:
        """The state with these processors and, behind them, vCPUs."""
        return sum(part << (position * BITS) for position, part in enumerate(parts))

    def place(self, physical: int) -> tuple[int, bool]:
        """The vCPU of a processor, and whether it executes the host."""
        found = self.places.get(physical)
        if found is None:
            thread = self.local.components.thread(self.local.rows[physical])
            found = self.places[physical] = thread.vcpu, thread.where is Where.HOST
        return found

    def moves(self, state: int) -> Iterator[tuple[tuple[Any, ...], Deltas]]:
        """What can come of a state, by processor and vCPU; the key finds the outcomes."""
        parts = [state >> (position * BITS) & MASK for position in range(self.processors + self.vcpus)]
        for cpu in range(self.processors):
            physical = parts[cpu]
            vcpu, host = self.place(physical)
            key: tuple[Any, ...] = (cpu, physical, vcpu, parts[self.processors + vcpu])
            yield key, self.deltas.get(key) or self.added(key)
            if host:
                others = tuple(parts[:cpu] + parts[cpu + 1 : self.processors])
                for called in range(self.vcpus):
                    key = (cpu, physical, called, parts[self.processors + called], others)
                    yield key, self.deltas.get(key) or self.added(key)

    def added(self, key: tuple[Any, ...]) -> Deltas:
        """What transitions that have not been met add to a state."""
        cpu, physical, vcpu, content = key[:4]
        low, high = cpu * BITS, (self.processors + vcpu) * BITS
        outcomes = self.local.outcomes(key)
        found = tuple(((o.physical - physical) << low) + ((o.vcpu - content) << high) for o in outcomes)
        self.deltas[key] = found
        return found

    def way_to(self, state: int) -> Run:
        """The actions chosen on a shortest way from the initial state."""
        actions: Run = ()
        while (parent := self.parents[state]) != state:
            step = state - parent
            key, position = next((k, d.index(step)) for k, d in self.moves(parent) if step in d)
            actions, state = self.local.outcomes(key)[position].actions + actions, parent
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

    Ends early at the first violation (`until="first"`), at that of one property (`until` its id) or of the last
    (`until="all"`), at a deadline of
    `time.monotonic`, beyond a number of states, or at a depth; `complete` says whether nothing was left. Without
    `loops` programs run on through memory, and only a bound ends the exploration. Raises NotPrivate where steps do not
    commute.
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
    parents = frontier.parents
    parents[first] = first
    violations: dict[str, Run] = {}
    level, transitions, reached, ended = [first], 0, 0, False
    while level and not ended and (depth is None or reached < depth):
        later: list[int] = []
        for state in level:
            for _, deltas in frontier.moves(state):
                transitions += len(deltas)
                for delta in deltas:
                    after = state + delta
                    if after not in parents:
                        parents[after] = state
                        later.append(after)
            if local.violated:
                way = frontier.way_to(state)
                violations |= {p: way + run for p, run in local.violated.items() if p not in violations}
                local.violated.clear()
            late = deadline is not None and time.monotonic() > deadline
            wanted = {"first": 1, "all": len(judged)}.get(until or "")
            done = until in violations or (wanted is not None and len(violations) >= wanted)
            if late or done or len(parents) > most_states:
                ended = True
                break
        level, reached = later, reached + 1
    by_id = {prop.id: prop for prop in judged}
    short = {prop: shorten(design, start, run, by_id[prop], deadline) for prop, run in violations.items()}
    complete = not ended and not level
    seconds = time.monotonic() - began
    return Explored(
        len(parents), transitions, seconds, complete, short, reached, components.lookups, components.kinds()
    )
