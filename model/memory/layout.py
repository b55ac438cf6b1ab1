"""The stated configurations of the memory system: processors, VMs, slots, and which pages are what at the start."""

from attrs import frozen

from model.memory.design import IDLE, MemoryDesign
from model.memory.state import (
    ALIVE,
    BACKED,
    FREE,
    NO_ENTRY,
    NO_SLOT,
    NO_STAGE1_ENTRY,
    PROTECTED,
    VALID_SLOT,
    Allocator,
    Core,
    MemoryState,
    Page,
    Slot,
    Use,
    Vcpu,
    Vm,
)
from model.memory.tables import device_descriptor, ram_descriptor, table_descriptor, word_in
from spec.sparse import sparse

FIRST_GFN = 0x80000
"""Where a VM's memory starts."""
INTERFACE_GFN = 0x8010
ROOTS = (0x10, 0x8000020, 0x14)
"""The first-level tables of the VMs; the second's address needs all 40 bits."""
STRUCTURES = (0x30, 0x31, 0x32)
TABLES = ((0x40, 0x41, 0x42, 0x43), (0x50, 0x51, 0x52, 0x53), (0x60, 0x61, 0x62, 0x63))
"""For each VM: tables of the second and third level for its memory, and for its interface where that is elsewhere."""
RAM = (0x100, 0x110, 0x120)
HYP, HOST, GICV = 0x20, 0x21, 0x22


@frozen
class Layout:
    """A configuration of the memory system."""

    processors: int
    vms: tuple[int, ...]
    """How many vCPUs each VM has."""
    pages: int = 1
    """How many pages the memory slot of each VM has."""
    mapped: bool = True
    """Whether the memory is there and mapped at the start."""
    ready: bool = True
    """Whether the virtual CPU interfaces are mapped at the start."""
    protected: bool = False
    """Whether the host lets the memory only be read at the start."""
    last_vmid: int = 3
    assigned: bool = False
    """Whether each VM has a VMID of the current generation at the start."""
    shared_frame: bool = False
    """Whether the page of the virtual CPU interface holds another device too."""


def initial_memory(layout: Layout, design: MemoryDesign) -> MemoryState:
    """The state in which every processor is idle, and no guest has run."""
    words: list[tuple[int, int]] = []
    pages = [(HYP, use(Use.HYP)), (HOST, use(Use.HOST)), (GICV, use(Use.DEVICE if layout.shared_frame else Use.GICV))]
    backing: list[tuple[tuple[int, int], int]] = []
    for number in range(len(layout.vms)):
        pages += of_vm(number, layout)
        words += tables_of_vm(number, layout, design)
        if layout.mapped:
            protected = PROTECTED if layout.protected else 0
            pages_there = ((FIRST_GFN + n, RAM[number] + n) for n in range(layout.pages))
            backing += [((number, gfn), page | BACKED | protected) for gfn, page in pages_there]
    vcpus = tuple(Vcpu(number, FIRST_GFN) for number, count in enumerate(layout.vms) for _ in range(count))
    following = len(layout.vms) + 1 if layout.assigned else 0
    return MemoryState(
        cores=tuple(idle() for _ in range(layout.processors)),
        vcpus=vcpus,
        vms=tuple(vm(number, layout, design) for number in range(len(layout.vms))),
        memory=sparse(0, words),
        pages=sparse(FREE, pages),
        backing=sparse(0, backing),
        tlb=sparse(NO_ENTRY),
        stage1_tlb=sparse(NO_STAGE1_ENTRY),
        hyp=sparse(0, [(HYP, 1), *((STRUCTURES[number], 1) for number in range(len(layout.vms)))]),
        allocator=Allocator(generation=1, next=following, lock=0, last=layout.last_vmid, flushing=0),
        gicv=GICV,
    )


def use(kind: Use) -> Page:
    """A page that belongs to no VM."""
    return Page(kind, 0, 0, 0, 0, 0)


def idle() -> Core:
    """A processor that does nothing for any VM."""
    return Core(
        at=IDLE, vcpu=0, vm=0, vttbr=0, ipi=0, hsr=0, gfn=0, write=0, true_gfn=0, page=0, read_only=0, seq=0,
        spare=(0, 0), table=0, vmid=0, slot=0, pending=0, word=0,
    )  # fmt: skip


def vm(number: int, layout: Layout, design: MemoryDesign) -> Vm:
    """A VM that has not run."""
    memory = Slot(VALID_SLOT, FIRST_GFN, layout.pages)
    vttbr = (ROOTS[number] << 12) & design.base_mask | (number + 1) << 48
    return Vm(
        life=ALIVE, ready=1 if layout.ready else 0, root=ROOTS[number], generation=1 if layout.assigned else 0,
        vttbr=vttbr if layout.assigned else 0, mmu_lock=0, count=0, seq=0, interface=INTERFACE_GFN,
        structure=STRUCTURES[number], slots=(memory, Slot(NO_SLOT, 0, 0)), ran_last=(0,) * layout.processors,
    )  # fmt: skip


def of_vm(number: int, layout: Layout) -> list[tuple[int, Page]]:
    """The pages of a VM at the start, with what they are."""
    root, (second, third, low_second, low_third) = ROOTS[number], TABLES[number]
    found = [
        (root, Page(Use.TABLE, number, 1, 0, 0, 0)),
        (root + 1, Page(Use.TABLE, number, 1, 1 << 27, 0, 0)),
        (STRUCTURES[number], Page(Use.STRUCTURE, number, 0, 0, 0, 0)),
    ]
    if layout.mapped:
        found += linked(number, root, second, third, FIRST_GFN)
        found += [(RAM[number] + n, Page(Use.RAM, number, 0, FIRST_GFN + n, 0, 0)) for n in range(layout.pages)]
    if layout.ready:
        found += linked(number, root, low_second, low_third, INTERFACE_GFN)
    return found


def linked(number: int, root: int, second: int, third: int, gfn: int) -> list[tuple[int, Page]]:
    """Two tables with their place in the tree."""
    return [
        (second, Page(Use.TABLE, number, 2, gfn >> 18 << 18, (root << 9) + (gfn >> 18), 0)),
        (third, Page(Use.TABLE, number, 3, gfn >> 9 << 9, word_in(second, gfn >> 9 & 0x1FF), 0)),
    ]


def tables_of_vm(number: int, layout: Layout, design: MemoryDesign) -> list[tuple[int, int]]:
    """The descriptors of a VM at the start."""
    root, (second, third, low_second, low_third) = ROOTS[number], TABLES[number]
    found: list[tuple[int, int]] = []
    if layout.mapped:
        found += path(root, second, third, FIRST_GFN)
        leaves = range(layout.pages)
        writable = 0 if layout.protected else 1
        found += [(word_in(third, n), ram_descriptor(design, RAM[number] + n, writable)) for n in leaves]
    if layout.ready:
        found += path(root, low_second, low_third, INTERFACE_GFN)
        found.append((word_in(low_third, INTERFACE_GFN & 0x1FF), device_descriptor(design, GICV)))
    return found


def path(root: int, second: int, third: int, gfn: int) -> list[tuple[int, int]]:
    """The descriptors that lead to a last-level table."""
    return [
        ((root << 9) + (gfn >> 18), table_descriptor(second)),
        (word_in(second, gfn >> 9 & 0x1FF), table_descriptor(third)),
    ]
