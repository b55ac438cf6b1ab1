"""What a hostile guest and a hostile user space might do to memory next, for random walks.

Operands are drawn from the borders of what their types allow: slots that overlap, wrap around or lie beyond the guest's
address space, pages that are free and pages that are not, any syndrome, any UNKNOWN address.
"""

from random import Random
from typing import Any

from attrs import fields

from model.design import Design
from model.memory import actions as system
from model.memory.actions import MemoryAction, ThreadSteps
from model.memory.design import GUEST, IDLE, step_at
from model.memory.guards import ALLOCATES
from model.memory.hardware import Access
from model.memory.layout import FIRST_GFN, GICV, HOST, INTERFACE_GFN, RAM
from model.memory.state import MemoryState

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


def proposed(random: Random, design: Design, state: MemoryState) -> MemoryAction:
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
    asked = step_at(design.memory, core.at)
    allocates = asked is not None and asked.do in ALLOCATES
    return ThreadSteps(cpu, random.choice(FREE_PAGES) if allocates else 0)
