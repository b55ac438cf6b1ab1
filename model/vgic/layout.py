"""The stated configurations of interrupts: processors, VMs, list registers, and which interrupts a search uses."""

from attrs import frozen

from model.threads import Mode, Wait
from model.vgic.design import OUT, Trait, VgicDesign
from model.vgic.state import NO_ACCESS, UNTOUCHED, Agent, Core, Exit, Saved, Vcpu, VgicState, VirtualIrq, Vm
from spec.gic.state import VirtualInterface
from spec.sparse import sparse
from spec.words import mask

ENABLED, OPEN = 1, 0xF8000003
"""GICH_HCR.En; GICH_VMCR with both groups enabled and the priority mask open, as a guest's driver sets it up."""


@frozen
class Layout:
    """A configuration of interrupts."""

    processors: int
    vms: tuple[int, ...]
    """How many vCPUs each VM has."""
    lists: int = 2
    """How many list registers each processor has."""
    interrupts: tuple[tuple[int, bool, int], ...] = ()
    """The interrupts that take part: number, whether edge-triggered, and the target where it is an SPI."""
    agents: int = 1


def initial_vgic(layout: Layout, design: VgicDesign) -> VgicState:
    """The state in which every processor is idle, no vCPU has run, and its guest's drivers have set interrupts up."""
    owners = tuple((vm, number) for vm, count in enumerate(layout.vms) for number in range(count))
    entries: list[tuple[tuple[int, int, int], VirtualIrq]] = []
    for irq, edge, target in layout.interrupts:
        record = VirtualIrq(0 if irq < 16 else 1, 0, 0, 0, 0, int(edge and irq >= 32), 0, target if irq >= 32 else 0, 0)
        banks = [(vm, number) for vm, number in owners if irq < 32 or number == 0]
        entries += [((vm, bank, irq), record) for vm, bank in banks]
    lists = (0,) * layout.lists
    empty = mask(layout.lists) if Trait.STATUS_MIRRORED in design.traits else 0
    saved = Saved(ENABLED, OPEN, 0, 0, empty, 0, lists)
    idle = VirtualInterface(0, 0, 0, lists)
    return VgicState(
        cores=tuple(Core(0, 0, 0, 0, 0, 0, idle) for _ in range(layout.processors)),
        agents=tuple(Agent(OUT, 0, 0, 0, 0, 0) for _ in range(layout.agents)),
        vcpus=tuple(fresh(vm, number, saved) for vm, number in owners),
        vms=tuple(Vm(1, 0, 0, count) for count in layout.vms),
        irqs=sparse(UNTOUCHED, entries),
        stale=sparse(0),
        lr_map=sparse(0),
        crashed=0,
    )


def fresh(vm: int, number: int, saved: Saved) -> Vcpu:
    """A vCPU whose thread is in user space."""
    return Vcpu(
        vm=vm,
        number=number,
        at=OUT,
        cpu=0,
        mode=Mode.OUTSIDE_GUEST_MODE,
        wait=Wait.NOT,
        signal=0,
        pause=0,
        requests=0,
        exit=Exit.NONE,
        access=NO_ACCESS,
        left=0,
        cursor=0,
        overflow=0,
        updated=0,
        noted=0,
        used=0,
        pins=0,
        saved=saved,
    )
