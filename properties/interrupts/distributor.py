"""The virtual distributor: an access of a guest changes what the architecture says, of its own VM, and nothing else."""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic.design import OUT, Do, Register, VgicDesign
from model.vgic.distributor import FIELD, register_at
from model.vgic.injection import line_refused
from model.vgic.pending import key_of
from model.vgic.state import IMPLEMENTED, SGIS, Exit, Vcpu, VgicState, flag
from model.vgic.system import VgicAction, VgicSteps
from model.vgic.threads import is_agent, vcpu_of
from properties.interrupts.steps import does, interrupts_of, named, routine_of
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
    """Whether the architecture has a register at an offset that a guest may write, for SGIs or in its first words."""
    return any("w" in line.access and 0 <= offset - line.offset < 4 * min(line.words, SGIS // 4) for line in GICD)


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
    filtered = bits(access.value, 25, 24)
    return access.write == 1 and access.size == 4 and found == (Register.SGIR, 0) and filtered != RESERVED_FILTER


RESERVED_FILTER = 3
"""The value of GICD_SGIR's target list filter that the architecture reserves."""


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


def undone(design: VgicDesign, state: VgicState, action: Action) -> list[str]:
    """What was asked for and has not happened when the lock is about to be released."""
    if does(design, state, action) is not Do.UNLOCK:
        return []
    if is_agent(state, action.cpu):
        agent = state.agents[action.cpu - len(state.cores)]
        refused = line_refused(design, agent.vcpu, state.vms[agent.vm].count, agent.irq) or state.crashed == 1
        key = key_of(agent.vm, agent.vcpu, agent.irq & 0x3FF)
        told = refused or agent.irq >= IMPLEMENTED or state.irqs.get(key).line == agent.level
        return [] if told else [f"the line of {named(key)} is not what the device said"]
    vcpu = vcpu_of(state, action.cpu)
    found = register_at(design, vcpu.access.offset)
    if found is None or vcpu.access.write == 0 or routine_of(vcpu.at) != "access":
        return []
    return unwritten(state, vcpu, found[0], vcpu.access.offset - base_of(design, found[0]))


def base_of(design: VgicDesign, register: Register) -> int:
    """The offset of a register."""
    return next(line.base for line in design.registers if line.register is register)


BITWISE = {Register.ISENABLER: ("enabled", 1), Register.ICENABLER: ("enabled", 0)}


def unwritten(state: VgicState, vcpu: Vcpu, register: Register, inner: int) -> list[str]:
    """What a store to a register has not done, of as much of it as lies in the register's word."""
    access, texts = vcpu.access, []
    if register is Register.CTLR and inner == 0 and state.vms[vcpu.vm].enabled != access.value & 1:
        texts.append("GICD_CTLR is not what was stored")
    if register is Register.SGIR and access.size == 4 and bits(access.value, 25, 24) != RESERVED_FILTER:
        meant, irq = sgi_targets(access.value, vcpu.number), bits(access.value, 3, 0)
        for other in state.vcpus:
            record = state.irqs.get((other.vm, other.number, irq))
            got = record.pending == 1 and record.sources & flag(vcpu.number) > 0
            if other.vm == vcpu.vm and meant & flag(other.number) and not got:
                texts.append(f"vCPU{other.number} has not got SGI {irq}")
    if register in BITWISE:
        name, value = BITWISE[register]
        for position in range(8 * min(access.size, 4 - inner % 4)):
            number = 8 * inner + position
            key = key_of(vcpu.vm, vcpu.number, number)
            if access.value >> position & 1 and number >= SGIS and getattr(state.irqs.get(key), name) != value:
                texts.append(f"{named(key)} is not {'enabled' if value else 'disabled'}")
    return texts


def performed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of PERFORMED."""
    return not undone(design.vgic, interrupts_of(before), action)


PERFORMED = Property(
    id="interrupts.performed",
    statement="When the distributor's lock is released, what a guest has stored or a device has said has happened.",
    claims=("C21",),
    question="When does an access to the distributor take effect?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=performed,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.UNLOCK,
    explain=lambda d, b, a, s: "; ".join(undone(d.vgic, interrupts_of(b), a)),
)


def spread(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> list[str]:
    """What a step changes that is not its VM's."""
    texts = ["memory of the host changes behind an interrupt that does not exist"] * (after.crashed > before.crashed)
    if is_agent(before, action.cpu):
        own = before.agents[action.cpu - len(before.cores)].vm
    else:
        own = before.vcpus[before.cores[action.cpu].vcpu].vm
    for vm, (old, new) in enumerate(zip(before.vms, after.vms, strict=True)):
        if old is not new and vm != own and old != new:
            texts.append(f"the distributor of VM{vm} changes")
    for number, (was, now) in enumerate(zip(before.vcpus, after.vcpus, strict=True)):
        if was is not now and was.vm != own and was != now:
            texts.append(f"vCPU{number} of VM{was.vm} changes")
    for one, other in ((before.irqs, after.irqs), (before.stale, after.stale)):
        if one is not other:
            changed = {key for key in {*one.entries, *other.entries} if one.get(key) != other.get(key)}
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

PROPERTIES = (EMULATED, SGI_TARGETS, STORED_EXACTLY, PERFORMED, VMS_APART)
