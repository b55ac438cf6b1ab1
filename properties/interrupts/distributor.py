"""The virtual distributor: an access of a guest changes what the architecture says, of its own VM, and nothing else."""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic.design import OUT, Do, Register, VgicDesign
from model.vgic.distributor import FIELD, register_at
from model.vgic.state import Exit, VgicState, flag
from model.vgic.system import VgicAction, VgicSteps
from model.vgic.threads import is_agent, vcpu_of
from properties.interrupts.steps import does, interrupts_of, named
from properties.property import Kind, Property
from spec.gic.distributor import sgi_targets
from spec.gic.registers import GICD
from spec.words import bits


def emulated(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of EMULATED."""
    old, new = interrupts_of(before), interrupts_of(after)
    if does(design.vgic, old, action) is not Do.DECODE:
        return True
    vcpu = new.vcpus[old.cores[action.cpu].vcpu]
    left = vcpu.at == OUT and vcpu.exit == Exit.RESERVED
    return not left and (register_at(design.vgic, vcpu.access.offset) is not None or not writable(vcpu.access.offset))


def writable(offset: int) -> bool:
    """Whether the architecture has a register at an offset that a guest may write."""
    return any("w" in line.access and line.offset <= offset < line.offset + 4 * line.words for line in GICD)


EMULATED = Property(
    id="interrupts.emulated",
    statement="Every access to the distributor is emulated in the kernel, and every register that can be written is "
    "there.",
    claims=("C21",),
    question="What comes of an access to a register that the distributor does not have?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=emulated,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.DECODE,
    explain=lambda d, b, a, s: f"offset {vcpu_of(interrupts_of(b), a.cpu).access.offset:#x} "
    + ("is ignored" if interrupts_of(s).cores[a.cpu].busy else "is left to user space"),
)


def sends(design: VgicDesign, state: VgicState, action: Action) -> bool:
    """Whether a step carries out a store to GICD_SGIR."""
    if does(design, state, action) is not Do.PERFORM:
        return False
    access = vcpu_of(state, action.cpu).access
    found = register_at(design, access.offset)
    return access.write == 1 and access.size == 4 and found == (Register.SGIR, 0)


def misdirected(design: VgicDesign, before: VgicState, action: Action, after: VgicState) -> list[str]:
    """The targets of an SGI that did not get it from its sender, and those that got it though they are none."""
    if not sends(design, before, action):
        return []
    sender = vcpu_of(before, action.cpu)
    meant, irq = sgi_targets(sender.access.value, sender.number), bits(sender.access.value, 3, 0)
    found = []
    for vcpu in before.vcpus:
        key = (vcpu.vm, vcpu.number, irq)
        old, new = before.irqs.get(key), after.irqs.get(key)
        is_meant = vcpu.vm == sender.vm and meant & flag(vcpu.number) > 0
        sent = (1, old.sources | flag(sender.number)) if is_meant else (old.pending, old.sources)
        if (new.pending, new.sources) != sent:
            found.append(f"{'did not get' if is_meant else 'got'} {named(key)}")
    return found


def directed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of SGI_TARGETS."""
    return not misdirected(design.vgic, interrupts_of(before), action, interrupts_of(after))


SGI_TARGETS = Property(
    id="interrupts.sgi_targets",
    statement="An SGI is pending from its sender at exactly the vCPUs that GICD_SGIR names.",
    claims=("C22", "C24"),
    question="Who gets an IPI?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=directed,
    interesting=lambda d, b, a, s: sends(d.vgic, interrupts_of(b), a),
    explain=lambda d, b, a, s: "; ".join(
        f"vCPU{vcpu_of(interrupts_of(b), a.cpu).number}'s SGI: {text}"
        for text in misdirected(d.vgic, interrupts_of(b), a, interrupts_of(s))
    ),
)

SHOWN = {Register.ICFGR: "edge", Register.IPRIORITYR: "priority", Register.ITARGETSR: "target"}


def wrongly_written(design: VgicDesign, before: VgicState, action: Action, after: VgicState) -> list[str]:
    """The interrupts that a store changes though its bytes do not cover their fields, or to another value."""
    if does(design, before, action) is not Do.WRITE_ONE:
        return []
    vcpu = vcpu_of(before, action.cpu)
    access, found = vcpu.access, register_at(design, vcpu_of(before, action.cpu).access.offset)
    if found is None or found[0] not in FIELD:
        return []
    register, inner = found
    width = FIELD[register]
    keys = {*before.irqs.entries, *after.irqs.entries}
    texts = []
    for key in sorted(key for key in keys if before.irqs.get(key) != after.irqs.get(key)):
        first = key[2] * width - 8 * inner
        if not 0 <= first < 8 * access.size:
            texts.append(f"{named(key)} changes, which the store does not cover")
        elif not as_stored(before, register, vcpu.vm, access.value >> first & ((1 << width) - 1), after, key):
            texts.append(f"{named(key)} gets a {SHOWN[register]} that is not what was stored, or does not exist")
    return texts


def as_stored(
    before: VgicState, register: Register, vm: int, value: int, after: VgicState, key: tuple[int, int, int]
) -> bool:
    """Whether a field of an interrupt is what was stored in it."""
    record = after.irqs.get(key)
    match register:
        case Register.ICFGR:
            return bool(record.edge == value >> 1)
        case Register.IPRIORITYR:
            return bool(record.priority == value)
        case Register.ITARGETSR:
            return bool(record.target < after.vms[vm].count)
    return True


def exact(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of STORED_EXACTLY."""
    return not wrongly_written(design.vgic, interrupts_of(before), action, interrupts_of(after))


STORED_EXACTLY = Property(
    id="interrupts.stored_exactly",
    statement="A store to the distributor changes the interrupts whose fields it covers, to what it stores, and "
    "targets only vCPUs that exist.",
    claims=("C21",),
    question="Is the emulated distributor the architecture's?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=exact,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.WRITE_ONE,
    explain=lambda d, b, a, s: "; ".join(wrongly_written(d.vgic, interrupts_of(b), a, interrupts_of(s))),
)


def spread(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> list[str]:
    """What a step changes that is not its VM's."""
    texts = ["memory of the host changes behind an interrupt that does not exist"] * (after.crashed > before.crashed)
    if is_agent(before, action.cpu):
        own = before.agents[action.cpu - len(before.cores)].vm
    else:
        own = before.vcpus[before.cores[action.cpu].vcpu].vm
    for vm, (old, new) in enumerate(zip(before.vms, after.vms, strict=True)):
        if vm != own and old != new:
            texts.append(f"the distributor of VM{vm} changes")
    for number, (was, now) in enumerate(zip(before.vcpus, after.vcpus, strict=True)):
        if was.vm != own and was != now:
            texts.append(f"vCPU{number} of VM{was.vm} changes")
    for one, other in ((before.irqs.entries, after.irqs.entries), (before.stale.entries, after.stale.entries)):
        if one is not other:
            changed = {key for key in {*one, *other} if one.get(key) != other.get(key)}
            texts += [f"{named(key)} changes" for key in sorted(changed) if key[0] != own]
    return texts


def apart(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of VMS_APART."""
    assert isinstance(action, VgicAction)
    return not spread(design.vgic, interrupts_of(before), action, interrupts_of(after))


VMS_APART = Property(
    id="interrupts.vms_apart",
    statement="What is done for one VM changes no other VM's distributor, vCPUs or interrupts, and nothing of "
    "the host.",
    claims=("C12", "C21"),
    question="Can a guest or its user space disturb another VM or the host with interrupts?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=apart,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) in (Do.PERFORM, Do.WRITE_ONE, Do.INJECT),
    explain=lambda d, b, a, s: "; ".join(spread(d.vgic, interrupts_of(b), a, interrupts_of(s))),  # type: ignore[arg-type]
)

PROPERTIES = (EMULATED, SGI_TARGETS, STORED_EXACTLY, VMS_APART)
