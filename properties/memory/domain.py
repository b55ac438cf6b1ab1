"""Stated domains of the memory system for the engines of concrete steps: which actions, where, and with which pages."""

from collections.abc import Iterator

from attrs import frozen

from model.design import Design
from model.memory.actions import (
    GuestAccesses,
    GuestRemaps,
    HostReclaims,
    HostReplaces,
    InterfaceMapped,
    IpiTaken,
    MemoryAction,
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
from model.memory.design import GUEST, IDLE, MemoryDesign, step_at
from model.memory.guards import ALLOCATES, memory_guard
from model.memory.hardware import Access
from model.memory.state import MemoryState, Use

Kinds = tuple[type[MemoryAction], ...]
LOOKALIKE = 0x123003
"""What guests store: it looks like the descriptor of a table."""


def access(
    gfn: int = 0, write: int = 0, fetch: int = 0, virtual: int = 0, cached: int = 1, uncached: int = 0,
    unknown: int = 0,
) -> Access:  # fmt: skip
    """A guest's access with a valid syndrome."""
    return Access(gfn, write, fetch, 0, virtual, cached, uncached, 1, LOOKALIKE, unknown)


@frozen
class MemoryDomain:
    """What may happen in a search over the memory system; empty tuples leave kinds of action out."""

    name: str
    runs: tuple[tuple[int, int], ...] = ()
    """Which processor may run which vCPU."""
    guests: Kinds = ()
    """What happens to a guest without operands: `GuestLeft`, `Stage1Loads`."""
    accesses: tuple[Access, ...] = ()
    loads: tuple[tuple[int, int], ...] = ()
    """What TLBs load: the gfn, and whether it is a pointer."""
    remaps: tuple[int, ...] = ()
    host: Kinds = ()
    """What host and user space do."""
    hosts: tuple[int, ...] = (1,)
    """The processors on which they do it."""
    vms: tuple[int, ...] = (0,)
    gfns: tuple[int, ...] = ()
    """The pages that they take, replace and touch."""
    slots: tuple[tuple[int, int, int], ...] = ()
    """Slots that user space sets: number, first gfn, pages."""
    pool: tuple[int, ...] = tuple(range(0x200, 0x208))
    """The pages that the host's allocator has to give: always the first one that is free."""
    freed: bool = True
    """Whether it also gives pages that were something else before."""

    def of_processor(self, design: Design, state: MemoryState, cpu: int) -> list[MemoryAction]:
        """What may happen on one processor now, in a fixed order; the next step of its thread is among it."""
        core = state.cores[cpu]
        found: list[MemoryAction] = []
        if core.ipi == 1:
            found.append(IpiTaken(cpu))
        if core.pending == 1:
            found.append(StoreDrains(cpu))
        if core.at == GUEST:
            return found + list(self.guest(cpu))
        if core.at == IDLE:
            found += self.idle(state, cpu)
        else:
            found.append(ThreadSteps(cpu, self.given(design.memory, state, core.at)))
        return [action for action in found if memory_guard(design.memory, state, action)]

    def follows(self, design: Design, state: MemoryState, cpu: int) -> None:
        """No step belongs to another one: the smallest grain is explored."""

    def guest(self, cpu: int) -> Iterator[MemoryAction]:
        """What a guest does, and its processor for it."""
        for kind in self.guests:
            yield kind(cpu)
        for one in self.accesses:
            yield GuestAccesses(cpu, one)
        for gfn, pointer in self.loads:
            yield TlbLoads(cpu, gfn, pointer)
        for gfn in self.remaps:
            yield GuestRemaps(cpu, gfn)

    def idle(self, state: MemoryState, cpu: int) -> Iterator[MemoryAction]:
        """What an idle processor may begin."""
        for processor, vcpu in self.runs:
            if processor == cpu:
                yield VcpuRuns(cpu, vcpu)
        if cpu in self.hosts:
            for kind in self.host:
                for number in self.vms:
                    yield from self.begun(kind, state, cpu, number)

    def begun(self, kind: type[MemoryAction], state: MemoryState, cpu: int, vm: int) -> Iterator[MemoryAction]:
        """The actions of one kind that host or user space may take for a VM."""
        if kind is HostReclaims or kind is HostReplaces:
            yield from (kind(cpu, vm, gfn) for gfn in self.gfns)
        elif kind is UserTouches:
            page = self.free(state)
            yield from (UserTouches(cpu, vm, gfn, page) for gfn in self.gfns)
        elif kind is UserSetsSlot:
            yield from (UserSetsSlot(cpu, vm, *slot) for slot in self.slots)
        elif kind is UserDeletesSlot:
            yield from (UserDeletesSlot(cpu, vm, slot) for slot in (0, 1))
        elif kind is UserCreatesVm:
            yield UserCreatesVm(cpu, vm, *self.two_and_one(state))
        elif kind is UserDestroysVm:
            yield UserDestroysVm(cpu, vm)
        elif kind is InterfaceMapped:
            yield InterfaceMapped(cpu, vm)

    def given(self, design: MemoryDesign, state: MemoryState, at: int) -> int:
        """The page that the allocator gives to a step; 0 for one that does not ask."""
        step = step_at(design, at)
        return self.free(state) if step is not None and step.do in ALLOCATES else 0

    def free(self, state: MemoryState) -> int:
        """The first free page; 0 where there is none."""
        return next((page for page in self.pool if state.pages.get(page).use == Use.FREE), 0)

    def two_and_one(self, state: MemoryState) -> tuple[int, int]:
        """Two neighbouring free pages, and another one."""
        free = [page for page in self.pool if state.pages.get(page).use == Use.FREE]
        root = next((page for page in free if page % 2 == 0 and page + 1 in free), 0)
        return root, next((page for page in free if page not in (root, root + 1)), 0)
