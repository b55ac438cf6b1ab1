"""The engine `explore` for the memory system: every reachable state of small, stated configurations, nearest first.

Every interleaving at the grain of the routines' steps is followed; no step is merged with another one. States that no
future tells apart (`properties.engines.memory_states`) count once.
"""

import time
from collections import deque
from collections.abc import Hashable, Iterable

from attrs import frozen

from model.action import Action
from model.design import Design
from model.memory.actions import (
    GuestLeft,
    HostReclaims,
    InterfaceMapped,
    MemoryAction,
    Stage1Loads,
    UserDeletesSlot,
    UserDestroysVm,
)
from model.state import State
from model.system import step
from model.topology import TOPOLOGIES, initial
from properties.engines.memory_domain import MemoryDomain
from properties.engines.memory_judge import Judge
from properties.engines.memory_scenarios import GFN, LEAF, LOAD, POINTER, STORE, UNCACHED, VIRTUAL
from properties.engines.memory_states import key
from properties.engines.search import Run
from properties.property import Property


@frozen
class Explored:
    """What an exploration saw: states, transitions, and the first violation of each property."""

    states: int
    transitions: int
    seconds: float
    complete: bool
    violations: dict[str, Run]
    kinds: frozenset[type[Action]]
    met: frozenset[str]
    """The properties that had something to say about: a step that is interesting to them occurred."""


CONFIGURATIONS: tuple[tuple[str, MemoryDomain], ...] = (
    (
        "vmids",
        MemoryDomain(
            "two VMs of two vCPUs, each of which runs on both processors, with one VMID",
            runs=tuple((cpu, vcpu) for cpu in (0, 1) for vcpu in range(4)), guests=(GuestLeft,), hosts=(),
        ),
    ),
    (
        "vmids",
        MemoryDomain(
            "two VMs of two vCPUs, one of each on each processor, with one VMID: accesses and TLB loads",
            runs=((0, 0), (0, 2), (1, 1), (1, 3)), guests=(GuestLeft,), accesses=(LOAD,), loads=(LEAF,), hosts=(),
        ),
    ),
    (
        "memory",
        MemoryDomain(
            "two vCPUs on two processors fault on a page that the host takes away",
            runs=((0, 0), (1, 1)), accesses=(LOAD,), host=(HostReclaims,), gfns=(GFN,),
        ),
    ),
    (
        "memory",
        MemoryDomain(
            "one vCPU loads, stores and has translations loaded, while the host takes its page away",
            runs=((0, 0),), accesses=(LOAD, STORE), loads=(LEAF, POINTER), host=(HostReclaims,), gfns=(GFN,),
        ),
    ),
    (
        "memory-two-pages",
        MemoryDomain(
            "one vCPU uses a slot that user space deletes",
            runs=((0, 0),), guests=(GuestLeft,), accesses=(LOAD,), loads=(LEAF,), host=(UserDeletesSlot,),
        ),
    ),
    (
        "memory",
        MemoryDomain(
            "a VM ends while the host takes its page", runs=((0, 0),), guests=(GuestLeft,), accesses=(LOAD,),
            loads=(LEAF,), host=(UserDestroysVm, HostReclaims), hosts=(0, 1), gfns=(GFN,),
        ),
    ),
    (
        "memory-new",
        MemoryDomain(
            "a new VM gets its CPU interface and its first page, and ends",
            runs=((0, 0),), guests=(GuestLeft,), accesses=(UNCACHED, STORE, VIRTUAL), remaps=(GFN,),
            host=(InterfaceMapped, UserDestroysVm), hosts=(0,),
        ),
    ),
    (
        "memory-read-only",
        MemoryDomain(
            "two vCPUs take turns, and store to a page that may only be read",
            runs=((0, 0), (0, 1)), guests=(GuestLeft, Stage1Loads), accesses=(STORE, VIRTUAL), hosts=(),
        ),
    ),
)  # fmt: skip
"""What is explored, completely, where nobody asks for another configuration."""
Parents = dict[Hashable, tuple[Hashable, MemoryAction] | None]


def explore_memory(
    design: Design,
    properties: Iterable[Property],
    topology: str,
    domain: MemoryDomain,
    deadline: float | None = None,
    most_states: int = 2_000_000,
) -> Explored:
    """Every state that is reachable within a domain; ends early at a deadline or beyond a number of states."""
    began = time.monotonic()
    start = initial(TOPOLOGIES[topology], design)
    assert start.memory is not None
    judge = Judge(design, properties)
    first = key(start.memory)
    parents: Parents = {first: None}
    waiting: deque[tuple[Hashable, State]] = deque([(first, start)])
    violations: dict[str, Run] = {}
    kinds: set[type[Action]] = set()
    transitions, complete = 0, True
    while waiting:
        here, state = waiting.popleft()
        if len(parents) > most_states or (deadline is not None and time.monotonic() > deadline):
            complete = False
            break
        for action in domain.actions(design, state):
            after = step(design, state, action)
            transitions += 1
            kinds.add(type(action))
            assert after.memory is not None
            reached = key(after.memory)
            fresh = reached not in parents
            if fresh:
                parents[reached] = (here, action)
                waiting.append((reached, after))
            judge.meet(state, action, after)
            for prop in judge.wrong(state, action, after, fresh):
                violations[prop.id] = (*way_to(parents, here), action)
    seconds = time.monotonic() - began
    return Explored(len(parents), transitions, seconds, complete, violations, frozenset(kinds), frozenset(judge.met))


def way_to(parents: Parents, state: Hashable) -> Run:
    """The actions from the initial state to a state, by their keys."""
    actions: list[Action] = []
    while (parent := parents[state]) is not None:
        state, action = parent
        actions.append(action)
    return tuple(reversed(actions))
