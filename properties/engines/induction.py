"""Induction over the memory system with unbounded memory: every invariant, after every action, from any state.

The maps of a symbolic state have arbitrary contents. An invariant that speaks of every key is proved at one arbitrary
key after the action, and assumed before it at every key that the action or the invariants themselves read: finitely
many, and enough. There are two processors, and two VMs with any number of vCPUs; of any further VM the maps may hold
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import z3
from attrs import evolve, frozen

from model.memory.actions import (
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
)
from model.memory.design import (
    GUEST,
    IDLE,
    LONGEST,
    ROUTINES,
    Do,
    MemoryDesign,
    facts,
    place,
    step_at,
    ways_on,
)
from model.memory.guards import memory_guard
from model.memory.hardware import Access
from model.memory.state import (
    Allocator,
    Core,
    MemoryState,
    Vcpu,
    Vm,
)
from model.memory.system import memory_step
from properties.engines.assignments import rename, variables
from properties.engines.explorer import Exploration, explore
from properties.engines.formulas import formula, variable
from properties.engines.inputs import constraints, field_hints, map_of, shape
from properties.engines.maps import Arbitrary, Symbolic, in_pieces
from properties.engines.questions import conjuncts
from properties.memory.invariants import Invariant
from spec.words import bits, every, member

MAPS = tuple(name for name, hint in field_hints(MemoryState).items() if map_of(hint) is not None)
LEVELS = 2
"""How many levels of tables stand above a last-level one."""
WALKING = ("translations_justified", "paths_there", "faults_settled")
"""The invariants that follow a walk, and so read descriptors of which the others have to say something."""
OF_TABLES = ("tables_own", "tables_shaped", "tables_linked")
"""The invariants that say how tables hang together."""


GFN, PAGE, WORD = (9, 18, 27, 28), (1,), (9, 10)
"""Where rules and invariants take words apart: gfns, numbers of pages, and those of descriptors."""
CUTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    dict.fromkeys(("gfn", "true_gfn", "interface", "stage1", "unknown", "frame"), GFN)
    | dict.fromkeys(("pages.base", "tlb.any2", "backing.any1"), GFN)
    | dict.fromkeys(("page", "root", "structure", "table", "gicv", "pages.any0", "hyp.any0"), PAGE)
    | dict.fromkeys(("core.spare.0", "core.spare.1", "other.spare.0", "other.spare.1"), PAGE)
    | dict.fromkeys(("word", "parent", "memory.any0"), WORD)
    | {"memory": (1, 2, 6, 7, 8, 12, 13, 40, 54, 55), "vttbr": (12, 13, 40, 48, 56), "backing": (1, 28, 29)}
)
"""The same by the word's whole name, or by its last part."""


def cuts(name: str) -> tuple[int, ...]:
    """Where a word of that name is cut into pieces."""
    return CUTS.get(name) or CUTS.get(name.rpartition(".")[2], ())


def cut(value: Any) -> Any:
    """The same symbolic value with its variables cut into pieces."""
    words = {name: term.size() for name, term in variables(value).items() if z3.is_bv(term)}
    return rename(value, {name: in_pieces(name, size, cuts, z3.BitVec) for name, size in words.items()})


def solver() -> Any:
    """The solver for path conditions, formulas with functions."""
    made = z3.SolverFor("QF_UFBV")
    made.set("timeout", 20_000)
    return made


def symbolic_state(at: int) -> MemoryState:
    """Any state, with the first processor at a given program counter, working on the first VM and its first vCPU."""
    acting = evolve(shape(Core).symbolic("core"), at=at, vcpu=0, vm=0)
    processors = (acting, shape(Core).symbolic("other"))
    ran = {number: tuple(variable(f"vm{number}.ran{cpu}", 8) for cpu in range(2)) for number in range(2)}
    frame = {name: shape(hint) for name, hint in field_hints(Vm).items() if name != "ran_last"}
    vms = tuple(
        Vm(**{name: part.symbolic(f"vm{number}.{name}") for name, part in frame.items()}, ran_last=ran[number])
        for number in range(2)
    )
    vcpus = (Vcpu(0, variable("vcpu0.stage1", 28)), Vcpu(0, variable("vcpu1.stage1", 28)))
    hints = field_hints(MemoryState)
    maps: dict[str, Any] = {}
    for name in MAPS:
        of = map_of(hints[name])
        assert of is not None
        maps[name] = Symbolic(Arbitrary(name, of, cuts))
    allocator = shape(Allocator).symbolic("allocator")
    state = MemoryState(processors, vcpus, vms, allocator=allocator, gicv=variable("gicv", 28), **maps)
    pieced: MemoryState = cut(state)
    return pieced


def source_of(state: MemoryState, name: str) -> Arbitrary:
    """The arbitrary contents of one of the state's maps."""
    source: Arbitrary = getattr(state, name).source
    return source


def watch(state: MemoryState) -> None:
    """Choose the arbitrary keys at which everything is asked."""
    for name in MAPS:
        source = source_of(state, name)
        words = cut(tuple(variable(word, width.bits) for word, width in source.words))
        source.watched = [words[0] if len(words) == 1 else words]
    page = source_of(state, "pages").watched[0]
    source_of(state, "memory").watched.append(state.pages.get(page).parent)


ANYWHERE = variable("at", 8)
"""Any program counter."""


@frozen
class Case:
    """One action from any state: a name, where the acting processor stands, and its action."""

    name: str
    at: int
    action: MemoryAction | None
    """None where nothing happens: what is asked is then asked of any state."""


def cases(design: MemoryDesign) -> Iterator[Case]:
    """Every action, with symbolic operands that are cut into pieces; a thread's step once for each place of the
    program."""
    return map(cut, uncut(design))


def uncut(design: MemoryDesign) -> Iterator[Case]:
    """The same with each operand in one piece."""
    known: set[Any] = set()
    for at in facts(design):
        step = step_at(design, at)
        if step is not None and (alike := likeness(design, at)) not in known:
            known.add(alike)
            yield Case(step.name, at, ThreadSteps(0, variable("page", 28)))
    yield Case("interrupt taken", ANYWHERE, IpiTaken(0))
    yield Case("store drains", ANYWHERE, StoreDrains(0))
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


def likeness(design: MemoryDesign, at: int) -> Any:
    """What a step's case depends on: what it does, and what the invariants can tell of the places around it.

    Steps that are alike in this, such as those of the two routines with MMU notifiers, are one case.
    """
    routine, index = ROUTINES[at // LONGEST], at % LONGEST
    steps = design.steps(routine)
    around = [(index, False), *ways_on(steps, index)]
    told = tuple(tuple(sorted(fact.name for fact in facts(design)[place(routine, n)])) for n, _ in around)
    ends = tuple(n == len(steps) for n, _ in around)
    next_do = steps[index + 1].do if index + 1 < len(steps) else None
    return steps[index].do, NOTIFIED.get(routine, routine), told, ends, next_do is Do.TAKE_VMID


NOTIFIED = {"replace": "reclaim"}
"""Routines that no invariant tells from another."""


def watch_all(state: MemoryState) -> None:
    """Ask from now on at every key that was read."""
    for name in MAPS:
        source = source_of(state, name)
        source.watched = source.keys


def assumed(
    design: MemoryDesign, state: MemoryState, invariants: Mapping[str, Invariant], derived: Mapping[str, Invariant]
) -> tuple[dict[str, Any], list[Any]]:
    """The invariants before the action, at every key that was read, those of tables up to the root, and facts."""
    memory, tables = source_of(state, "memory"), source_of(state, "pages")
    pages = [*(bits(word, 36, 9) for word in memory.watched), *tables.watched]
    watch_all(state)
    for name in WALKING:
        if name in invariants:
            invariants[name](design, state)
    watch_all(state)
    read = tables.watched
    held = {name: formula(invariant(design, state)) for name, invariant in invariants.items()}
    upwards: list[Any] = []
    for _ in range(LEVELS):
        memory.watched = [state.pages.get(page).parent for page in pages]
        tables.watched = pages = [bits(word, 36, 9) for word in memory.watched]
        upwards += [formula(invariants[name](design, state)) for name in OF_TABLES if name in invariants]
    tables.watched = read
    return held, upwards + [formula(fact(design, state)) for fact in derived.values()]


def bounds(design: MemoryDesign, state: MemoryState) -> list[Any]:
    """What is taken for granted of any state: places of the program, and counters that do not wrap around."""

    found = [member(core.at, tuple(facts(design))) for core in state.cores]
    found += [every(vm.count < 255, vm.seq < (1 << 32) - 1) for vm in state.vms]
    found.append(state.allocator.generation < (1 << 64) - 1)
    return found


Goal = Callable[[MemoryState, MemoryState], Any]
"""What is asked of a step, of the state before and the one after."""


@frozen
class Explored:
    """One case: the state before, what is taken for granted, and its paths, each with what was asked of it."""

    state: MemoryState
    given: tuple[Any, ...]
    exploration: Exploration


@frozen
class Known:
    """All that a proof knows of the state before a case."""

    conjuncts: tuple[Any, ...]
    near: Mapping[str, tuple[Any, ...]]
    """Of each invariant what it says itself, as conjuncts."""


def explored(design: MemoryDesign, case: Case, resolves: bool, goals: Mapping[str, Goal]) -> Explored:
    """Every path of an action from any state; a path on which the action is not possible has no outcome."""
    state = symbolic_state(case.at)
    watch(state)

    def run() -> dict[str, Any] | None:
        for name in MAPS:
            source_of(state, name).restart()
        if case.action is None:
            return {name: goal(state, state) for name, goal in goals.items()}
        if not memory_guard(design, state, case.action):
            return None
        after = memory_step(design, state, case.action, resolves)
        return {name: goal(state, after) for name, goal in goals.items()}

    given = [*constraints(state.cores), *constraints(state.vms), *constraints(state.allocator), *bounds(design, state)]
    given += () if case.action is None else constraints(case.action)
    return Explored(state, tuple(given), explore(run, given, solver=solver))


def known(
    design: MemoryDesign, seen: Explored, invariants: Mapping[str, Invariant], derived: Mapping[str, Invariant]
) -> Known:
    """What the invariants and the facts that follow from them say of the state before a case."""
    sources = [source_of(seen.state, name) for name in MAPS]
    watched = [source.watched for source in sources]
    held, upwards = assumed(design, seen.state, invariants, derived)
    for source, keys in zip(sources, watched, strict=True):
        source.watched = keys
    found = conjuncts([*map(formula, seen.given), *held.values(), *upwards])
    return Known(tuple(found), {name: tuple(conjuncts([term])) for name, term in held.items()})
