"""Induction over the memory system with unbounded memory: every invariant, after every action, from any state.

The maps of a symbolic state have arbitrary contents. An invariant that speaks of every key is proved at one arbitrary
key after the action, and assumed before it at every key that the action or the invariants themselves read: finitely
many, and enough. Two processors and two VMs stand for any number: an action touches its own processor and VM, and an
invariant speaks of at most two of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import z3
from attrs import evolve, fields, frozen

from model.memory.design import GUEST, IDLE, MemoryDesign, facts, step_at
from model.memory.hardware import Access
from model.memory.state import (
    Allocator,
    Core,
    MemoryState,
    Vcpu,
    Vm,
)
from model.memory.system import (
    GuestAccesses,
    GuestLeft,
    GuestRemaps,
    HostReclaims,
    HostReplaces,
    InterfaceMapped,
    IpiTaken,
    MemoryAction,
    Stage1Loads,
    StoreDrains,
    ThreadSteps,
    TlbLoads,
    UserCreatesVm,
    UserDeletesSlot,
    UserDestroysVm,
    UserSetsSlot,
    UserTouches,
    VcpuRuns,
    memory_guard,
    memory_step,
)
from properties.engines.explorer import OutOfFuel, Raised, explore
from properties.engines.inputs import constraints, field_hints, map_of, shape
from properties.engines.maps import Arbitrary, Symbolic
from properties.engines.symbolic import formula, variable
from spec.words import bits, every, member

MAPS = tuple(name for name, hint in field_hints(MemoryState).items() if map_of(hint) is not None)
LEVELS = 2
"""How many levels of tables stand above a last-level one."""
OF_TABLES = ("tables_own", "tables_shaped", "tables_linked")
"""The invariants that say how tables hang together."""


def solver() -> Any:
    """The solver for formulas with functions."""
    made = z3.SolverFor("QF_UFBV")
    made.set("timeout", 20_000)
    return made


def symbolic_state(at: int) -> MemoryState:
    """Any state, with the first processor at a given program counter, working on the first VM and its first vCPU."""
    acting = evolve(shape(Core).symbolic("core"), at=at, vcpu=0, vm=0)
    processors = (acting, shape(Core).symbolic("other"))
    ran = {number: tuple(variable(f"vm{number}.ran{cpu}", 8) for cpu in range(2)) for number in range(2)}
    frame = {field.name: shape(hint) for field, hint in zip(fields(Vm), field_hints(Vm).values(), strict=True)
             if field.name != "ran_last"}
    vms = tuple(
        Vm(**{name: part.symbolic(f"vm{number}.{name}") for name, part in frame.items()}, ran_last=ran[number])
        for number in range(2)
    )
    vcpus = (Vcpu(0, variable("vcpu0.stage1", 28)), Vcpu(0, variable("vcpu1.stage1", 28)))
    hints = field_hints(MemoryState)
    maps = {}
    for name in MAPS:
        of = map_of(hints[name])
        assert of is not None
        maps[name] = Symbolic(Arbitrary(name, of))
    allocator = shape(Allocator).symbolic("allocator")
    return MemoryState(processors, vcpus, vms, allocator=allocator, gicv=variable("gicv", 28), **maps)


def watch(state: MemoryState) -> None:
    """Choose the arbitrary keys at which everything is asked."""
    for name in MAPS:
        source = getattr(state, name).source
        words = tuple(variable(f"{name}.any{n}", width.bits) for n, width in enumerate(source.of.keys))
        source.watched = [words[0] if len(words) == 1 else words]
    page = state.pages.source.watched[0]
    state.memory.source.watched.append(state.pages.get(page).parent)


@frozen
class Case:
    """One action from any state: a name, where the acting processor stands, and its action."""

    name: str
    at: int
    action: MemoryAction


def cases(design: MemoryDesign) -> Iterator[Case]:
    """Every action, with symbolic operands; a thread's step once for each place of the program."""
    for at in facts(design):
        step = step_at(design, at)
        if step is not None:
            yield Case(step.name, at, ThreadSteps(0, variable("page", 28)))
    anywhere = variable("at", 8)
    yield Case("interrupt taken", anywhere, IpiTaken(0))
    yield Case("store drains", anywhere, StoreDrains(0))
    gfn, page = variable("gfn", 28), variable("page", 28)
    access = shape(Access).symbolic("access")
    for action in (
        GuestAccesses(0, access), GuestRemaps(0, gfn), GuestLeft(0), TlbLoads(0, gfn, 0), TlbLoads(0, gfn, 1),
        Stage1Loads(0),
    ):  # fmt: skip
        yield Case(f"guest: {type(action).__name__}", GUEST, action)
    frame = variable("frame", 52)
    for host in (
        VcpuRuns(0, 0), HostReclaims(0, 0, frame), HostReplaces(0, 0, frame),
        UserTouches(0, 0, frame, page), UserSetsSlot(0, 0, 0, frame, variable("count", 32)),
        UserSetsSlot(0, 0, 1, frame, variable("count", 32)), UserDeletesSlot(0, 0, 0), UserDeletesSlot(0, 0, 1),
        UserCreatesVm(0, 0, page, variable("structure", 28)), UserDestroysVm(0, 0), InterfaceMapped(0, 0),
    ):  # fmt: skip
        yield Case(f"host: {type(host).__name__}", IDLE, host)


def assumed(design: MemoryDesign, state: MemoryState, invariants: Mapping[str, Callable[..., Any]]) -> list[Any]:
    """The invariants before the action, at every key that was read, and those of tables up to their VM's root."""
    for name in MAPS:
        source = getattr(state, name).source
        source.watched = source.keys
    found = [formula(invariant(design, state)) for invariant in invariants.values()]
    pages = state.pages.source.watched
    for _ in range(LEVELS):
        words = [state.pages.get(page).parent for page in pages]
        state.memory.source.watched = words
        pages = state.pages.source.watched = [bits(word, 36, 9) for word in words]
        found += [formula(invariants[name](design, state)) for name in OF_TABLES if name in invariants]
    return found


def bounds(design: MemoryDesign, state: MemoryState) -> list[Any]:
    """What is taken for granted of any state: places of the program, and counters that do not wrap around."""

    found = [member(core.at, tuple(facts(design))) for core in state.cores]
    found += [every(vm.count < 255, vm.seq < (1 << 32) - 1) for vm in state.vms]
    found.append(state.allocator.generation < (1 << 64) - 1)
    return found


@frozen
class Refuted:
    """An invariant that an action does not keep, or that could not be decided; with the solver's model if any."""

    case: str
    invariant: str
    decided: bool
    model: Any


@frozen
class Step:
    """What came of one case: its paths, and what was refuted."""

    case: str
    paths: int
    refuted: tuple[Refuted, ...]
    vacuous: bool


Goal = Callable[[MemoryDesign, MemoryState, MemoryAction, MemoryState], Any]


def settle(
    design: MemoryDesign,
    case: Case,
    invariants: Mapping[str, Callable[..., Any]],
    resolves: bool,
    goals: Mapping[str, Goal],
) -> Step:
    """Whether one action keeps every invariant, and meets every goal."""
    state = symbolic_state(case.at)
    watch(state)

    def run() -> Any:
        for name in MAPS:
            getattr(state, name).source.restart()
        if not memory_guard(design, state, case.action):
            return None
        after = memory_step(design, state, case.action, resolves)
        asked = {name: invariant(design, after) for name, invariant in invariants.items()}
        asked |= {name: goal(design, state, case.action, after) for name, goal in goals.items()}
        return asked

    given = [*constraints(state.cores), *constraints(state.vms), *constraints(state.allocator), *bounds(design, state)]
    given += constraints(case.action)
    exploration = explore(run, given, solver=solver)
    known = [*map(formula, given), *assumed(design, state, invariants)]
    refuted: list[Refuted] = []
    for path in exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            refuted.append(Refuted(case.name, f"{path.outcome}", False, None))
        elif path.outcome is not None:
            refuted += refutations(case, known, path)
    reached = [path for path in exploration.paths if path.outcome is not None]
    return Step(case.name, len(exploration.paths), tuple(refuted), not reached)


def refutations(case: Case, known: list[Any], path: Any) -> Iterator[Refuted]:
    """The invariants and goals that are false somewhere on a path."""
    made = solver()
    made.add(*known, *path.condition)
    asked = {name: formula(truth) for name, truth in path.outcome.items() if truth is not True}
    if not asked or made.check(z3.Not(z3.And(*asked.values()))) == z3.unsat:
        return
    for name, term in asked.items():
        answer = made.check(z3.Not(term))
        if answer != z3.unsat:
            yield Refuted(case.name, name, answer == z3.sat, made.model() if answer == z3.sat else None)
