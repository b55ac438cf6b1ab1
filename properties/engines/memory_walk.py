"""The engine `walk` for the memory system: random runs with a hostile guest and a hostile user space.

Operands are drawn from the borders of what their types allow: slots that overlap, wrap around or lie beyond the guest's
address space, pages that are free and pages that are not, any syndrome, any UNKNOWN address. The guard decides what is
possible; a thread's steps are chosen like anything else, so that others get between any two of them.
"""

import time
from collections.abc import Iterable
from random import Random
from typing import Any

from attrs import fields

from model.action import Action
from model.design import Design
from model.memory import actions as system
from model.memory.actions import MemoryAction, ThreadSteps
from model.memory.design import GUEST, IDLE, MemoryDesign, step_at
from model.memory.guards import ALLOCATES, memory_guard
from model.memory.hardware import Access
from model.memory.layout import FIRST_GFN, GICV, HOST, INTERFACE_GFN, RAM
from model.memory.state import MemoryState
from model.state import State
from model.system import step
from model.topology import Topology, initial
from properties.engines.course import Raised, Run
from properties.engines.memory_judge import Judge
from properties.engines.shorten import shorten
from properties.engines.walk import Walked
from properties.property import Property

LENGTH = 400
"""The most actions of one run before the next one starts."""
GFNS = (FIRST_GFN, FIRST_GFN + 1, FIRST_GFN + 2, INTERFACE_GFN, 0, (1 << 28) - 1)
FRAMES = (*GFNS[:3], *GFNS, 1 << 28, (1 << 28) + FIRST_GFN, 1 << 40, (1 << 52) - 1)
COUNTS = (0, 1, 1, 2, 2, 3, 1 << 9, 1 << 28, (1 << 32) - 1)
FREE_PAGES = tuple(range(0x300, 0x310))
PAGES = (*FREE_PAGES, 0, HOST, GICV, *RAM, (1 << 28) - 1)
VALUES = (0, 1, 3, 0x21003, (RAM[0] << 12) | 0x7FF, (1 << 64) - 1)
IN_GUEST = (
    system.GuestAccesses, system.GuestAccesses, system.GuestAccesses, system.TlbLoads, system.TlbLoads,
    system.Stage1Loads, system.GuestRemaps, system.GuestLeft,
)  # fmt: skip
IN_HOST = (
    system.VcpuRuns, system.VcpuRuns, system.VcpuRuns, system.HostReclaims, system.HostReplaces, system.UserTouches,
    system.UserSetsSlot, system.UserDeletesSlot, system.UserCreatesVm, system.UserDestroysVm, system.InterfaceMapped,
)  # fmt: skip
RARELY = (system.UserDestroysVm, system.UserDeletesSlot)


def drawn_access(random: Random) -> Access:
    """Any access to an interesting page."""
    flags = {field.name: random.getrandbits(1) for field in fields(Access)}
    words = {"gfn": random.choice(GFNS), "value": random.choice(VALUES), "unknown": random.choice(GFNS)}
    return Access(**{**flags, **words})


def drawn(random: Random, kind: type[MemoryAction], cpu: int, state: MemoryState) -> MemoryAction:
    """An action of a kind with any operands."""
    operands: dict[str, Any] = {"cpu": cpu}
    wide = kind in (system.HostReclaims, system.HostReplaces, system.UserTouches)
    for field in fields(kind):
        match field.name:
            case "access":
                operands["access"] = drawn_access(random)
            case "gfn":
                operands["gfn"] = random.choice(FRAMES if wide else GFNS)
            case "base":
                operands["base"] = random.choice(FRAMES)
            case "pages":
                operands["pages"] = random.choice(COUNTS)
            case "vm":
                operands["vm"] = random.randrange(len(state.vms))
            case "vcpu":
                operands["vcpu"] = random.randrange(len(state.vcpus))
            case "slot" | "pointer":
                operands[field.name] = random.getrandbits(1)
            case "page" | "root" | "structure":
                operands[field.name] = random.choice(PAGES)
    return kind(**operands)


def proposed(random: Random, design: MemoryDesign, state: MemoryState) -> MemoryAction:
    """An action that some processor might take next."""
    cpu = random.randrange(len(state.cores))
    core = state.cores[cpu]
    if core.ipi == 1 and random.random() < 0.3:
        return system.IpiTaken(cpu)
    if core.pending == 1 and random.random() < 0.1:
        return system.StoreDrains(cpu)
    if core.at == IDLE:
        kind = random.choice(IN_HOST)
        kind = system.VcpuRuns if kind in RARELY and random.random() < 0.7 else kind
        return drawn(random, kind, cpu, state)
    if core.at == GUEST:
        return drawn(random, random.choice(IN_GUEST), cpu, state)
    asked = step_at(design, core.at)
    allocates = asked is not None and asked.do in ALLOCATES
    return ThreadSteps(cpu, random.choice(FREE_PAGES) if allocates else 0)


def walk_memory(
    design: Design,
    properties: Iterable[Property],
    topology: Topology,
    seed: int = 0,
    steps: int = 1000,
    deadline: float | None = None,
    until: str | None = None,
) -> Walked:
    """Random runs until so many actions were taken, or to a deadline of `time.monotonic`; the same seed, the same walk.

    Ends early at the first violation (`until="first"`). An exception of a rule or predicate ends it, and is reported.
    """
    began, random = time.monotonic(), Random(seed)
    judge = Judge(design, properties)
    violations: dict[str, Run] = {}
    kinds: set[type[Action]] = set()
    taken, examples = 0, 0
    start = initial(topology, design)
    late = raised = None
    while taken < steps and not late and raised is None and not (until == "first" and violations):
        examples += 1
        state, actions = start, list[Action]()
        for _ in range(min(LENGTH, steps - taken)):
            found = one_more(random, design, judge, state, actions)
            if isinstance(found, Raised):
                raised = found
                break
            state, wrong = found
            taken += 1
            kinds.add(type(actions[-1]))
            violations |= {prop.id: tuple(actions) for prop in wrong}
            late = deadline is not None and time.monotonic() > deadline
            if late or (until == "first" and violations):
                break
    by_id = {prop.id: prop for prop in judge.open}
    short = {prop: shorten(design, start, run, by_id[prop], deadline) for prop, run in violations.items()}
    seconds = time.monotonic() - began
    return Walked(taken, taken, examples, seed, short, seconds, frozenset(kinds), raised)


def one_more(
    random: Random, design: Design, judge: Judge, state: State, actions: list[Action]
) -> tuple[State, list[Property]] | Raised:
    """The state after one more action, which is added to the actions, and what it violates."""
    memory = state.memory
    assert memory is not None
    action = proposed(random, design.memory, memory)
    try:
        while not memory_guard(design.memory, memory, action):
            action = proposed(random, design.memory, memory)
        after = step(design, state, action)
        actions.append(action)
        return after, judge.wrong(state, action, after, True)
    except Exception as problem:
        return Raised((*actions, action), f"{type(problem).__name__}: {problem}")
