"""The stated configurations: how many processors, VMs and vCPUs there are, and what everything starts with."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import evolve, frozen

from model.design import KERNEL_MODE_OF, Design
from model.hyp import layout as of_hyp
from model.hyp.state import OBJECTS
from model.lowvisor.context import Image, Vm
from model.memory.layout import Layout
from model.parts import SYSTEM_PARTS
from model.power import layout as of_power
from model.state import HOST, Physical, State, Vcpu
from model.timer import layout as timing
from model.vgic import layout as vgic
from spec.processor import Local, Processor, Signals
from spec.registers import declared
from spec.words import Width, mask

HYP_VECTORS = 0xC0008000
HOST_PC = 0xC0010000
GUEST_PC = 0x80008000
DENIES_NOTHING = 0x00F00000
"""CPACR that grants CP10 and CP11 to PL1 and PL0."""
SGI, EDGE, LEVEL, OTHER = (1, True, 0), (40, True, 0), (41, False, 0), (42, True, 0)
"""Interrupts of the configurations: an SGI, and SPIs of both kinds that vCPU 0 gets."""
MOST_LISTS, MOST_VCPUS = 64, 8
"""As many list registers as a processor can have, and as many vCPUs as a VM."""


@frozen
class Topology:
    """A configuration: how many processors, and for each VM how many vCPUs and whether it has the in-kernel timer.

    Where it has a layout it is one of a part of the system, without what the spine adds to it.
    """

    name: str
    processors: int
    vms: tuple[tuple[int, bool], ...]
    memory: Layout | None = None
    interrupts: vgic.Layout | None = None
    time: timing.Layout | None = None
    power: of_power.Layout | None = None
    hyp: of_hyp.Layout | None = None


def wide(lists: int) -> Topology:
    """Many vCPUs on several processors, in one VM or two, whose interrupts nearly fill so many list registers."""
    count = 1 + lists * 3 % MOST_VCPUS
    vms = (count,) if lists % 3 or count == 1 else (count - 1, 1)
    spis = ((40 + n, n % 3 > 0, n % min(vms)) for n in range(2 + min(lists, 6)))
    layout = vgic.Layout(1 + lists % 4, vms, lists, (SGI, (27, True, 0), *spis), agents=1 + lists % 2)
    return Topology(f"interrupts-wide-{lists}", 0, (), interrupts=layout)


TOPOLOGIES: Mapping[str, Topology] = MappingProxyType(
    {
        topology.name: topology
        for topology in (
            Topology("one", 1, ((1, True),)),
            Topology("two-vms", 1, ((1, True), (1, False))),
            Topology("siblings", 1, ((2, True),)),
            Topology("two-processors", 2, ((1, True), (1, False))),
            Topology("memory", 0, (), Layout(2, (2,), assigned=True)),
            Topology("memory-read-only", 0, (), Layout(2, (2,), protected=True, assigned=True)),
            Topology("memory-empty", 0, (), Layout(2, (2,), mapped=False, assigned=True)),
            Topology("memory-two-pages", 0, (), Layout(2, (1,), pages=2, assigned=True)),
            Topology("memory-two-vms", 0, (), Layout(2, (1, 1), assigned=True)),
            Topology("memory-new", 0, (), Layout(1, (1,), mapped=False, ready=False, assigned=True)),
            Topology(
                "memory-shared-frame", 0, (),
                Layout(1, (1,), mapped=False, ready=False, shared_frame=True, assigned=True),
            ),
            Topology("vmids", 0, (), Layout(2, (2, 2), last_vmid=1)),
            Topology("vmids-three-vms", 0, (), Layout(2, (2, 1, 1), last_vmid=2)),
            Topology("interrupts", 0, (), interrupts=vgic.Layout(2, (2,), 2, (SGI, EDGE, LEVEL))),
            Topology("interrupts-one", 0, (), interrupts=vgic.Layout(1, (1,), 1, (LEVEL,))),
            Topology("interrupts-edge", 0, (), interrupts=vgic.Layout(2, (1,), 1, (EDGE,))),
            Topology("interrupts-level", 0, (), interrupts=vgic.Layout(2, (1,), 1, (LEVEL,))),
            Topology("interrupts-overflow", 0, (), interrupts=vgic.Layout(1, (1,), 2, (EDGE, LEVEL, OTHER))),
            Topology("interrupts-one-list", 0, (), interrupts=vgic.Layout(1, (1,), 1, (EDGE, LEVEL))),
            Topology("interrupts-moving", 0, (), interrupts=vgic.Layout(2, (2,), 2, (EDGE, LEVEL))),
            Topology("interrupts-sgi", 0, (), interrupts=vgic.Layout(2, (2,), 2, (SGI,))),
            Topology("interrupts-three-vcpus", 0, (), interrupts=vgic.Layout(2, (3,), 2, (SGI,), agents=0)),
            Topology("interrupts-two-vms", 0, (), interrupts=vgic.Layout(1, (1, 1), 1, (LEVEL,))),
            *(wide(lists) for lists in range(1, MOST_LISTS + 1)),
            Topology("time-one", 0, (), time=timing.Layout(1, ((1, True),))),
            Topology("time-moving", 0, (), time=timing.Layout(2, ((1, True),))),
            Topology("time-siblings", 0, (), time=timing.Layout(1, ((2, True),))),
            Topology("time-two-vms", 0, (), time=timing.Layout(1, ((1, True), (1, True)))),
            Topology("time-foreign", 0, (), time=timing.Layout(1, ((1, False), (1, True)))),
            Topology("power", 0, (), power=of_power.Layout(2, (2,), off=(1,))),
            Topology("power-on", 0, (), power=of_power.Layout(2, (2,))),
            Topology("power-three-vcpus", 0, (), power=of_power.Layout(3, (3,), off=(2,))),
            Topology("power-new", 0, (), power=of_power.Layout(1, (1,), initialised=False)),
            Topology("power-one", 0, (), power=of_power.Layout(1, (1,))),
            Topology("hyp", 0, (), hyp=of_hyp.Layout(2)),
            Topology("hyp-one-online", 0, (), hyp=of_hyp.Layout(2, online=(0,))),
            Topology("hyp-one", 0, (), hyp=of_hyp.Layout(1, online=(0,))),
            Topology("hyp-among-objects", 0, (), hyp=of_hyp.Layout(2, online=(0,), init_page=OBJECTS)),
            Topology("hyp-none", 0, (), hyp=of_hyp.Layout(1, online=(0,), hyp=False)),
        )
    }
)


def initial(topology: Topology, design: Design) -> State:
    """The state in which every processor runs the host and every vCPU has just been created.

    Each register of each context starts with a value of its own, so that one that ends up elsewhere is recognised.
    """
    processors = tuple(physical(number, design) for number in range(topology.processors))
    vms: list[Vm] = []
    vcpus: list[Vcpu] = []
    for number, (count, timer) in enumerate(topology.vms):
        vms.append(
            Vm(
                vttbr=((number + 1) << 48) | ((0x50 + number) << 20),
                cntvoff=(number + 1) << 32,
                timer_enabled=int(timer),
                vgic=1,
            )
        )
        vcpus += [Vcpu(image(len(vcpus) + position, position), number) for position in range(count)]
    parts = {part.name: part.begun(topology, design) for part in SYSTEM_PARTS}
    return State(processors, tuple(vcpus), tuple(vms), **parts)


def distinct(cls: type, owner: int, start: int = 0) -> Any:
    """A record in which every word has a value of its own, marked with its owner in bits [31:28]."""
    values: dict[str, Any] = {}
    for name, kind in declared(cls).items():
        start += 1
        if isinstance(kind, Width):
            word = (owner << 28) | (start << 8) | (start & 0xF)
            values[name] = (word | (word << 32)) & mask(kind.bits) if kind.bits > 32 else word & mask(kind.bits)
        else:
            values[name] = distinct(kind, owner, start * 64)
    return cls(**values)


def physical(number: int, design: Design) -> Physical:
    """A processor that runs the host kernel, with KVM's own vectors installed and no trap configured."""
    cpu: Processor = distinct(Processor, 0xA + number)
    cpu = evolve(
        cpu,
        cpsr=KERNEL_MODE_OF[design.placement],
        pc=HOST_PC,
        banked=legal_spsrs(cpu.banked, ("spsr_svc", "spsr_abt", "spsr_und", "spsr_irq")),
        fiq=legal_spsrs(cpu.fiq, ("spsr_fiq",)),
        cp15=evolve(cpu.cp15, sctlr=0x00C51878, cpacr=DENIES_NOTHING, ttbcr=0, vbar=0xFFFF0000, teecr=0),
        hyp=evolve(
            cpu.hyp,
            hcr=0,
            hstr=0,
            hcptr=0,
            hcptr_in_force=0,
            hdcr=6,
            hsctlr=0x30C5187D,
            hvbar=HYP_VECTORS,
            vttbr=0,
            vtcr=0x3558,
            vpidr=cpu.identification.midr,
            vmpidr=cpu.identification.mpidr,
        ),
        timer=evolve(cpu.timer, cntkctl=3, cnthctl=3, cntvoff=0, cntv_ctl=0, cntp_ctl=1),
        gich=evolve(cpu.gich, gich_hcr=0),
        vfp=evolve(cpu.vfp, fpexc=0),
        monitors=evolve(cpu.monitors, pmuserenr=1),
        debug=evolve(cpu.debug, dbgdscr=0, dbgoslsr=0),
        local=Local(0, 0, 0x1000 + number, 0),
        signals=Signals(0, 0, 0, 0, 0),
    )
    return Physical(cpu, HOST, (), distinct(type(cpu.vfp), 0x8 + number), 0xDEAD0000 + number)


def image(number: int, affinity: int) -> Image:
    """A vCPU's image, about to start in Supervisor mode."""
    fresh: Image = distinct(Image, 1 + number)
    return evolve(
        fresh,
        cpsr=0x13,
        pc=GUEST_PC,
        banked=legal_spsrs(fresh.banked, ("spsr_svc", "spsr_abt", "spsr_und", "spsr_irq")),
        fiq=legal_spsrs(fresh.fiq, ("spsr_fiq",)),
        cp15=evolve(fresh.cp15, sctlr=0x00C50078, cpacr=DENIES_NOTHING, ttbcr=0, vbar=0x80000000, teecr=0),
        timer=evolve(fresh.timer, cntkctl=3, cntv_ctl=0),
        vfp=evolve(fresh.vfp, fpexc=1 << 30),
        gich=evolve(fresh.gich, gich_hcr=1),
        midr=0x412FC0F1,
        mpidr=0x80000000 | affinity,
        irq_lines=0,
    )


def legal_spsrs(record: Any, names: tuple[str, ...]) -> Any:
    """The record with SPSRs that hold a User mode status, each with flags of its own."""
    changes = {name: 0x10 | ((1 + position % 7) << 28) for position, name in enumerate(names)}
    return evolve(record, **changes)
