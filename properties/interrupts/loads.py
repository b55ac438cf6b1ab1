"""What a guest loads from its virtual distributor: what the architecture's distributor would show."""

from model.action import Action
from model.threads import is_agent, vcpu_of
from model.vgic.design import Do, Register, VgicDesign
from model.vgic.distributor import register_at
from model.vgic.state import IMPLEMENTED, NO_ACCESS, PRIVATE, Vcpu, VgicState, VirtualIrq, flag
from model.vgic.system import VgicSteps
from properties.interrupts.steps import does, interrupts_of, routine_of
from properties.property import Kind, Property
from spec.gic.distributor_registers import gicd_read
from spec.gic.state import UNUSED, Choices, Distributor, Irq
from spec.sparse import sparse

ANY_BYTES = Choices(lanes=1)
"""Accesses narrower than a register read these bytes of it, as KVM lets them."""
OWN = (Register.IIDR, Register.IGROUPR, Register.ISACTIVER, Register.ICACTIVER)
"""Registers that show what KVM chose, whatever the architecture's distributor would: an identity, and nothing.

GICD_ITARGETSR is another one while there is one vCPU: it shows that, where a uniprocessor's would read as zero.
"""


def modelled(irq: int, record: VirtualIrq) -> Irq:
    """What the architecture's distributor would keep of an interrupt: a latch and a line, each for itself."""
    edge = int(irq < PRIVATE or record.edge)
    return Irq(
        enabled=record.enabled,
        group=0,
        latch=record.pending if edge else record.soft,
        line=record.line,
        active=0,
        edge=edge,
        priority=record.priority,
        targets=flag(record.target),
        sources=record.sources,
    )


def architected(state: VgicState, vm: int) -> Distributor:
    """The architecture's distributor with the interrupts of a VM."""
    machine = state.vms[vm]
    own = ((key, record) for key, record in state.irqs.entries.items() if key[0] == vm)
    kept = ((key[1:], modelled(key[2], record)) for key, record in own)
    return Distributor(machine.enabled, (machine.count - 1) << 5 | (IMPLEMENTED // 32 - 1), sparse(UNUSED, kept))


def expected(design: VgicDesign, state: VgicState, vcpu: Vcpu) -> int | None:
    """What a vCPU's load should get; None where it is KVM's own choice, or not aligned."""
    access = vcpu.access
    found = register_at(design, access.offset)
    if found is None:
        return 0
    alone = found[0] is Register.ITARGETSR and state.vms[vcpu.vm].count == 1
    if found[0] in OWN or alone or access.offset % access.size:
        return None
    return gicd_read(architected(state, vcpu.vm), vcpu.number, access.offset, access.size, 0, ANY_BYTES)


def finished(design: VgicDesign, before: VgicState, action: Action, after: VgicState) -> Vcpu | None:
    """The vCPU whose load a step finishes: as the lock is released, or where there is no register, behind the access.

    The step behind which a routine ends forgets the access.
    """
    if is_agent(before, action.cpu) or routine_of(vcpu_of(before, action.cpu).at) != "access":
        return None
    old, new = vcpu_of(before, action.cpu), vcpu_of(after, action.cpu)
    there = register_at(design, old.access.offset) is not None
    ends = does(design, before, action) is Do.UNLOCK if there else routine_of(new.at) == "run"
    vcpu = old if new.access == NO_ACCESS else new
    return vcpu if ends and vcpu.access.write == 0 and vcpu.access != NO_ACCESS else None


def misread(design: VgicDesign, before: VgicState, action: Action, after: VgicState) -> str:
    """What a load that a step finishes has got and what it should have; nothing where that is the same."""
    vcpu = finished(design, before, action, after)
    value = None if vcpu is None else expected(design, before, vcpu)
    if vcpu is None or value is None or vcpu.access.value == value:
        return ""
    return f"a load of {vcpu.access.size} bytes at {vcpu.access.offset:#x} gets {vcpu.access.value:#x}, not {value:#x}"


LOADED = Property(
    id="interrupts.loaded",
    statement="A load from the distributor gets what the architecture's would show of the same interrupts, and 0 where "
    "there is no register.",
    claims=("C21",),
    question="What does a guest read from its distributor?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=lambda d, b, a, s: not misread(d.vgic, interrupts_of(b), a, interrupts_of(s)),
    interesting=lambda d, b, a, s: finished(d.vgic, interrupts_of(b), a, interrupts_of(s)) is not None,
    explain=lambda d, b, a, s: misread(d.vgic, interrupts_of(b), a, interrupts_of(s)),
)

PROPERTIES: tuple[Property, ...] = (LOADED,)
