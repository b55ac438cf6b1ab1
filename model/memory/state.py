"""The state of the memory system: pages and their owners, tables, TLBs, VMIDs, and a thread on each processor.

What a processor executes in between is the business of the spine (`model.system`); here a processor is what its MMU and
the highvisor's thread on it make of it. Fields marked "history" exist in no machine: properties speak with them.

Not modelled: two guest pages backed by one host page (KSM, two slots over one region of user space), so nothing is said
of sharing; pins that keep a page allocated while a fault is handled, without which more runs are possible, not fewer;
speculative walks in the few instructions of the world switch at which HCR.VM and VTTBR belong to different contexts.
"""

from enum import IntEnum
from typing import Annotated

from attrs import frozen

from spec.sparse import Memory, Of, Sparse
from spec.words import U1, U4, U8, U32, U64, Width

PageNumber = Annotated[int, Width(28)]
"""Bits [39:12] of a physical address."""
FrameNumber = Annotated[int, Width(52)]
"""Linux's gfn: bits [63:12] of a guest's physical address; the stage 2 input has 28 of them."""
WordNumber = Annotated[int, Width(37)]
"""Bits [39:3] of a physical address: which doubleword."""
Index = Annotated[int, Width(9)]
"""Which of the 512 descriptors of a table."""
Backed = Annotated[int, Width(30)]
"""A host page that backs a gfn, with `BACKED`, and `PROTECTED` where it is read-only."""


class Use(IntEnum):
    """What the host kernel uses a page for."""

    FREE = 0
    HOST = 1
    """The host kernel and its processes."""
    HYP = 2
    """The lowvisor's text and stacks."""
    STRUCTURE = 3
    """struct kvm and struct kvm_vcpu of a VM, which Hyp mode reads."""
    TABLE = 4
    """A stage 2 table of a VM, linked into the tree below its root."""
    DETACHED = 5
    """A stage 2 table that was unlinked and is still to be freed."""
    CACHE = 6
    """A zeroed page that a vCPU keeps for its next tables."""
    RAM = 7
    """Memory of a VM."""
    GICV = 8
    """The GIC's virtual CPU interface, which every VM may use as its CPU interface."""
    DEVICE = 9
    """Any other device, and a page that holds the virtual CPU interface and another device."""


@frozen
class Page:
    """One page: its use and, where it belongs to a VM, its place there."""

    use: U4
    vm: U8
    level: Annotated[int, Width(2)]
    """Of a table: 1 to 3."""
    base: FrameNumber
    """Of a table the first gfn that it translates, of a VM's memory its gfn."""
    parent: WordNumber
    """Of a table that is no root: the descriptor that points to it."""
    stale: U1
    """1 while main memory holds what the previous owner left, behind dirty lines of the host's cache."""


FREE = Page(Use.FREE, 0, 0, 0, 0, 0)

LEAF, POINTER = 0, 1
"""What a TLB entry holds: the page of an IPA page, or the last-level table for it (walks may cache both)."""


@frozen
class Entry:
    """A translation that a TLB holds."""

    valid: U1
    page: PageNumber
    write: U1
    vm: U8
    """History: the VM whose tables it comes from."""


NO_ENTRY = Entry(0, 0, 0, 0)


@frozen
class Stage1Entry:
    """A translation of stage 1 that a TLB holds, for one virtual page and one ASID that every vCPU uses."""

    valid: U1
    gfn: PageNumber
    vcpu: U8
    """History: the vCPU whose tables it comes from."""


NO_STAGE1_ENTRY = Stage1Entry(0, 0, 0)

DEAD, ALIVE, DYING, EMPTY = 0, 1, 2, 3
NO_SLOT, VALID_SLOT, INVALID_SLOT = 0, 1, 2


@frozen
class Slot:
    """A memory slot: a range of gfns that user space backs with memory of its own."""

    state: Annotated[int, Width(2)]
    base: FrameNumber
    pages: Annotated[int, Width(32)]


@frozen
class Vm:
    """What struct kvm says of a VM's memory."""

    life: Annotated[int, Width(2)]
    """`DEAD`, `ALIVE`, `DYING` once its last file descriptor was closed, and `EMPTY` once its tables are cleared."""
    ready: U1
    """1 once the virtual CPU interface is mapped, which the first run sees to."""
    root: PageNumber
    """The first of the two pages of the first-level table."""
    generation: U64
    """vmid_gen: the generation in which the VM got its VMID."""
    vttbr: U64
    mmu_lock: U4
    """Who holds the spinlock: 0 nobody, else a processor's number plus 1."""
    count: U8
    """mmu_notifier_count: invalidations under way."""
    seq: U32
    """mmu_notifier_seq: invalidations that ended."""
    interface: PageNumber
    """The gfn at which the guest finds its CPU interface."""
    structure: PageNumber
    slots: tuple[Slot, Slot]
    ran_last: tuple[U8, ...]
    """For each processor, the vCPU of this VM that ran there last, plus 1."""


@frozen
class Vcpu:
    """One vCPU: its VM, and where its own stage 1 tables map the virtual page that all vCPUs use."""

    vm: U8
    stage1: PageNumber


@frozen
class Core:
    """One processor: what its MMU uses, and the highvisor's thread on it."""

    at: U8
    """The program counter: a step of one of the design's routines, the guest, or the idle host."""
    vcpu: U8
    vm: U8
    """The VM that the thread works on or the guest belongs to."""
    vttbr: U64
    """VTTBR in force; VMID 0 in the host."""
    ipi: U1
    """1 while an interrupt that forces the processor out of a guest is pending."""
    hsr: U32
    gfn: FrameNumber
    """The page in hand: as the fault was reported, or as the host or user space named it."""
    write: U1
    """Whether the fault in hand was a store."""
    true_gfn: PageNumber
    """History: the page whose access faulted, or that stage 1 now gives for the address that faulted."""
    page: PageNumber
    """The host page in hand, pinned or unmapped."""
    read_only: U1
    """Whether the host lets only read the page in hand."""
    seq: U32
    """mmu_notifier_seq as the fault handler read it."""
    spare: tuple[PageNumber, PageNumber]
    """Zeroed pages for a second-level and a third-level table; 0 for none."""
    table: PageNumber
    """The table that was detached."""
    vmid: U8
    """The VMID that the allocator took."""
    slot: U1
    pending: U1
    """1 while a cleared descriptor waits in the store buffer, unseen by table walks."""
    word: WordNumber
    """The descriptor that waits."""


@frozen
class Allocator:
    """The VMID allocator: kvm_vmid_gen, kvm_next_vmid and kvm_vmid_lock."""

    generation: U64
    next: U8
    lock: U4
    last: U8
    """The last VMID of a generation: 255 on hardware, fewer to bring a rollover near."""
    flushing: U1
    """History: 1 from the start of a new generation until every TLB has been flushed."""


Pages = Annotated[Sparse[Page], Of((Width(28),), Page, FREE)]
Tlb = Annotated[Sparse[Entry], Of((Width(4), Width(8), Width(28), Width(1)), Entry, NO_ENTRY)]
"""By processor, VMID, IPA page, and `LEAF` or `POINTER`."""
Stage1Tlb = Annotated[Sparse[Stage1Entry], Of((Width(4), Width(8)), Stage1Entry, NO_STAGE1_ENTRY)]
"""By processor and VMID."""
Backing = Annotated[Sparse[int], Of((Width(8), Width(52)), Width(30), 0)]
"""By VM and gfn: the host page that user space's memory has there."""
HypMap = Annotated[Sparse[int], Of((Width(28),), Width(1), 0)]
"""Pages that Hyp mode's own tables map, each at its kernel address."""
BACKED, PROTECTED = 1 << 28, 1 << 29


@frozen
class MemoryState:
    """The whole memory system."""

    cores: tuple[Core, ...]
    vcpus: tuple[Vcpu, ...]
    vms: tuple[Vm, ...]
    memory: Memory
    pages: Pages
    backing: Backing
    tlb: Tlb
    stage1_tlb: Stage1Tlb
    hyp: HypMap
    allocator: Allocator
    gicv: PageNumber
    """The page of the GIC's virtual CPU interface."""
