"""What may happen in the memory system: the actions of threads, guests, TLBs, the host and user space."""

from attrs import frozen

from model.action import Action
from model.memory.hardware import Access
from model.memory.state import FrameNumber, PageNumber
from spec.words import U32


@frozen
class MemoryAction(Action):
    """Something that happens in the memory system."""


@frozen
class VcpuRuns(MemoryAction):
    """The host's scheduler runs a vCPU's thread: its run loop starts."""

    vcpu: int


@frozen
class ThreadSteps(MemoryAction):
    """The highvisor's thread makes its next step; `page` is what the host's allocator gives where it allocates."""

    page: PageNumber = 0


@frozen
class IpiTaken(MemoryAction):
    """The processor takes the interrupt that forces guests out."""


@frozen
class GuestAccesses(MemoryAction):
    """The guest makes one access."""

    access: Access


@frozen
class GuestRemaps(MemoryAction):
    """The guest changes its own stage 1 tables: the virtual page of its vCPU now is another IPA page."""

    gfn: PageNumber


@frozen
class GuestLeft(MemoryAction):
    """A physical interrupt takes the processor out of the guest."""


@frozen
class TlbLoads(MemoryAction):
    """The processor's TLB loads a stage 2 translation of its guest, or a pointer to a table."""

    gfn: PageNumber
    pointer: int


@frozen
class Stage1Loads(MemoryAction):
    """The processor's TLB loads a stage 1 translation of its guest."""


@frozen
class StoreDrains(MemoryAction):
    """The processor's cleared descriptor reaches memory."""


@frozen
class HostReclaims(MemoryAction):
    """The host takes the page of a gfn away: swapping, MADV_DONTNEED, munmap."""

    vm: int
    gfn: FrameNumber


@frozen
class HostReplaces(MemoryAction):
    """The host puts another page, read-only, in the place of a gfn's: KSM."""

    vm: int
    gfn: FrameNumber


@frozen
class UserTouches(MemoryAction):
    """User space touches its memory of a gfn, so that the host allocates a page for it."""

    vm: int
    gfn: FrameNumber
    page: PageNumber


@frozen
class UserSetsSlot(MemoryAction):
    """User space registers a memory slot."""

    vm: int
    slot: int
    base: FrameNumber
    pages: U32


@frozen
class UserDeletesSlot(MemoryAction):
    """User space deletes a memory slot."""

    vm: int
    slot: int


@frozen
class UserCreatesVm(MemoryAction):
    """User space creates a VM; the host allocates its first-level tables and its structures."""

    vm: int
    root: PageNumber
    structure: PageNumber


@frozen
class UserDestroysVm(MemoryAction):
    """User space closes the last file descriptor of a VM."""

    vm: int


@frozen
class InterfaceMapped(MemoryAction):
    """The first run of a VM sees to its virtual CPU interface."""

    vm: int
