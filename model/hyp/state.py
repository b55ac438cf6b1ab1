"""The state of Hyp mode's set-up: what each processor's Hyp mode has, and what its tables map.

Pages are numbered by their address in Hyp mode, which is the kernel's; the page of the initialisation code has its
physical number besides, because it executes there before its MMU is on.

Not modelled: a kernel that starts on processors in different modes, which counts as one that was not started in Hyp
mode; that KVM fails to start for want of memory; a processor that goes through sleep without losing power. So
`hyp.starts` says nothing of these.
"""

from enum import IntEnum
from typing import Annotated

from attrs import frozen

from spec.records import quick
from spec.sparse import Of, Sparse
from spec.words import U1, U2, U3, U8, U32, Width

TRAMPOLINE, TEXT, STACKS, CONTEXTS, GICH, OBJECTS = 0xFFFF0, 0xC0008, 0xC0100, 0xC0200, 0xF0000, 0xC0300
"""The numbers of pages: of stacks and contexts that of the first processor, of VMs and vCPUs the first one."""
INIT_PAGE = 0x40009
"""The physical page of the initialisation code, where it is no kernel address."""
U20 = Annotated[int, Width(20)]


class Vectors(IntEnum):
    """Whose vectors HVBAR points to."""

    NONE = 0
    """There is no Hyp mode, or what HVBAR holds is nobody's."""
    STUB = 1
    INIT = 2
    RUNTIME = 3


class Tables(IntEnum):
    """Which tables HTTBR points to."""

    NONE = 0
    BOOT = 1
    RUNTIME = 2


class Use(IntEnum):
    """What a page of Hyp mode's address space is mapped to."""

    NOTHING = 0
    INIT_CODE = 1
    TEXT = 2
    STACK = 3
    CONTEXT = 4
    DEVICE = 5
    OBJECT = 6
    """A VM or a vCPU."""


@quick
@frozen
class Host:
    """The host's registers by which Hyp mode is set up."""

    sctlr: U32
    ttbcr: U32
    mair0: U32
    mair1: U32


@quick
@frozen
class Core:
    """One processor."""

    online: U1
    at: U8
    """Where it is: a step of its set-up, a guest, or elsewhere in the host."""
    called: U1
    """1 while it is asked to set its Hyp mode up."""
    host: Host
    hvbar: U2
    httbr: U2
    htcr: U32
    vtcr: U32
    hmair0: U32
    hmair1: U32
    hsctlr: U32
    stack: U1
    """1 where its Hyp stack pointer is at the top of its own stack."""
    page: U20
    """Where Hyp mode's initialisation code executes; 0 where it does not."""
    stale: U1
    """1 while the TLB may hold translations of the boot tables."""


@quick
@frozen
class Agent:
    """A thread of the host that starts KVM, or makes VMs and vCPUs."""

    at: U8


Map = Annotated[Sparse[int], Of((Width(20),), U3, 0)]
"""What the pages of Hyp mode's address space are mapped to."""
Objects = Annotated[Sparse[int], Of((Width(20),), U1, 0)]


@quick
@frozen
class HypState:
    """Everything about Hyp mode's set-up."""

    cores: tuple[Core, ...]
    agents: tuple[Agent, ...]
    boot: Map
    runtime: Map
    objects: Objects
    """History: the pages of the VMs and vCPUs that there are."""
    init_page: U20
    """The physical page of the initialisation code."""
    hyp: U1
    """1 where the kernel was started in Hyp mode, on every processor."""
    hotplug: U1
    """1 while processors are kept from coming and going."""
    notifier: U1
    """1 once a processor that comes online sets its Hyp mode up."""
    resumer: U1
    """1 once a processor that resumes does so."""
    ready: U1
    """1 once user space may make VMs."""
    crashed: U1
    """History: 1 once an HVC has reached other code than the one that it was for."""
