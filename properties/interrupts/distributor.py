"""The virtual distributor: an access of a guest changes what the architecture says, of its own VM, and nothing else."""

from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import agent_of, is_agent, vcpu_of
from model.vgic.design import OUT, Do, Register, VgicDesign
from model.vgic.distributor import FIELD, first_irq, register_at, written
from model.vgic.injection import line_refused
from model.vgic.pending import Key, is_edge, key_of
from model.vgic.state import IMPLEMENTED, SGIS, Agent, Exit, Vcpu, VgicState, flag
from model.vgic.system import VgicAction, VgicSteps
from model.vgic.threads import vm_number
from properties.interrupts.registers import ARCHITECTED, meant_at
from properties.interrupts.steps import does, interrupts_of, named, names, none, routine_of, those, vm_of
from properties.property import Kind, Property
from properties.quantify import each
from spec.gic.distributor import sgi_targets
from spec.gic.registers import GICD
from spec.sparse import Sparse
from spec.words import U32, bit, bits, choose, clear, either, every, implies, member, negate, put_all, same, select, sub


def emulated(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of EMULATED."""
    old, new = interrupts_of(before), interrupts_of(after)
    if does(design.vgic, old, action) is not Do.DECODE:
        return True
    vcpu = new.vcpus[old.cores[action.cpu].vcpu]
    left = every(vcpu.at == OUT, vcpu.exit == Exit.RESERVED)
    missing = register_at(design.vgic, vcpu.access.offset) is None
    return negate(either(left, every(missing, writable(vcpu.access.offset))))


def writable(offset: int) -> Any:
    """Whether the architecture has a register at an offset that a guest may write, for SGIs or in its first words."""
    lines = ((line.offset, line.offset + 4 * min(line.words, SGIS // 4)) for line in GICD if "w" in line.access)
    return either(*(every(offset >= first, offset < end) for first, end in lines))


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


def sends(design: VgicDesign, state: VgicState, action: Action) -> Any:
    """Whether a step carries out a store to GICD_SGIR."""
    if does(design, state, action) is not Do.PERFORM:
        return False
    access = vcpu_of(state, action.cpu).access
    found = meant_at(access.offset)
    if found is None or found[0] is not Register.SGIR:
        return False
    filtered = bits(access.value, 25, 24)
    return every(access.write == 1, access.size == 4, found[1] == 0, negate(filtered == RESERVED_FILTER))


RESERVED_FILTER = 3
"""The value of GICD_SGIR's target list filter that the architecture reserves."""


def misdirected(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[tuple[bool, Key], Any]]:
    """The vCPUs' SGIs, each with whether one is meant, and whether that did not get there or another one did."""
    sending = sends(design, before, action)
    if sending is False:
        return []
    sender = vcpu_of(before, action.cpu)
    meant, irq = sgi_targets(sender.access.value, sender.number), bits(sender.access.value, 3, 0)
    found = []
    for vcpu in before.vcpus:
        key = (vcpu.vm, vcpu.number, irq)
        old, new = before.irqs.get(key), after.irqs.get(key)
        is_meant = every(vcpu.vm == sender.vm, meant & flag(vcpu.number) > 0)
        sent = put_all(old, ("pending", "sources"), (1, old.sources | flag(sender.number)))
        found.append(((is_meant, key), every(sending, negate(same(new, choose(is_meant, sent, old))))))
    return found


def directed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of SGI_TARGETS."""
    return none(misdirected(design.vgic, interrupts_of(before), action, interrupts_of(after)))


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
        f"vCPU{vcpu_of(interrupts_of(b), a.cpu).number}'s SGI: {'did not get' if meant else 'got'} {named(key)}"
        for meant, key in those(misdirected(d.vgic, interrupts_of(b), a, interrupts_of(s)))
    ),
)

SHOWN = {Register.ICFGR: "trigger", Register.IPRIORITYR: "priority", Register.ITARGETSR: "target"}


def stored(before: VgicState, action: Action) -> tuple[Vcpu, int, Register, U32] | None:
    """The vCPU whose access a step carries out, its number, and the register with a field for each interrupt that it
    means, with the offset in it; None where it means another one."""
    vcpu, number = vcpu_of(before, action.cpu), before.cores[action.cpu].vcpu
    found = meant_at(vcpu.access.offset)
    return None if found is None or found[0] not in FIELD else (vcpu, number, *found)


def covered_by(before: VgicState, number: int, register: Register, inner: U32, key: Key) -> tuple[Any, Any]:
    """Whether a vCPU's access covers the field that a register has of an interrupt, and what it stores there."""
    access, width = before.vcpus[number].access, FIELD[register]
    place, first = key[2] << width.bit_length() - 1, inner << 3
    covered = every(names(before, number, key), place >= first, place < first + (access.size << 3))
    value = access.value & 0
    for shift in range(0, 32, width):
        value = choose(place == first + shift, bits(access.value, shift + width - 1, shift), value)
    return covered, value


WORDS = {register: (32 // width).bit_length() - 1 for register, width in FIELD.items()}
"""The registers with a field for each interrupt, and by how many bits its number exceeds that of its word."""


def is_left(left: U32, register: Register, key: Key) -> Any:
    """Whether an interrupt's field, by its position in the register's word, is among some."""
    fields = 32 // FIELD[register]
    return select(tuple(bit(left, n) for n in range(fields)), bits(key[2], fields.bit_length() - 2, 0)) == 1


def wrongly_written(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[tuple[Key, str], Any]]:
    """Interrupts that a store may change, each with what is wrong about that, and whether it is: it changes one whose
    field its bytes do not cover, or to another value."""
    if does(design, before, action) is not Do.WRITE_ONE or (found := stored(before, action)) is None:
        return []
    vcpu, number, register, inner = found
    texts: list[tuple[tuple[Key, str], Any]] = []
    for key in changeable(before, after):
        changed = negate(same(before.irqs.get(key), after.irqs.get(key)))
        covered, value = covered_by(before, number, register, inner, key)
        texts.append(((key, "changes, which the store does not cover"), every(changed, negate(covered))))
        if register in SHOWN:
            wrong = every(changed, covered, negate(as_stored(before, register, vcpu.vm, value, after, key)))
            texts.append(((key, f"gets a {SHOWN[register]} that is not what was stored, or does not exist"), wrong))
    return texts


def changeable(before: VgicState, after: VgicState) -> list[Key]:
    """The interrupts that a step may have changed, or their summary; in proofs, an arbitrary one."""
    if isinstance(before.irqs, Sparse):
        summaries = () if before.stale is after.stale else (*before.stale.entries, *after.stale.entries)
        return sorted({*before.irqs.entries, *after.irqs.entries, *summaries})
    return [key for key, _ in each(before.irqs)]


def as_stored(before: VgicState, register: Register, vm: int, value: int, after: VgicState, key: Key) -> Any:
    """Whether a field of an interrupt is what was stored in it.

    SGIs are always enabled, and GICD_ISPENDR and GICD_ICPENDR change nothing of them. That a level whose line is high
    stays pending is not asked here.
    """
    old, record, shared = before.irqs.get(key), after.irqs.get(key), key[2] >= SGIS
    match register:
        case Register.ISENABLER:
            return implies(shared, every(value == 1, record.enabled == 1))
        case Register.ICENABLER:
            return implies(shared, every(value == 1, record.enabled == 0))
        case Register.ISPENDR:
            return choose(shared, every(value == 1, record.pending == 1), record.pending == old.pending)
        case Register.ICPENDR:
            lowered = either(record.pending == 0, every(negate(is_edge(key[2], record)), record.line == 1))
            return choose(shared, every(value == 1, lowered), record.pending == old.pending)
        case Register.ICFGR:
            return record.edge == value >> 1
        case Register.IPRIORITYR:
            return record.priority == value
        case Register.ITARGETSR:
            count = vm_of(before, vm).count
            meant = value & sub(flag(count), 1, 8)
            return every(record.target < count, either(meant == 0, meant & flag(record.target) > 0))
        case Register.SPENDSGIR:
            return clear(value, record.sources) == 0
        case Register.CPENDSGIR:
            return record.sources & value == 0
    return True


def exact(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of STORED_EXACTLY."""
    return none(wrongly_written(design.vgic, interrupts_of(before), action, interrupts_of(after)))


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
    explain=lambda d, b, a, s: "; ".join(
        f"{named(key)} {text}" for key, text in those(wrongly_written(d.vgic, interrupts_of(b), a, interrupts_of(s)))
    ),
)


def undone(design: VgicDesign, state: VgicState, action: Action) -> list[tuple[str, Any]]:
    """What was asked for, each with whether it has not happened when the lock is about to be released."""
    if does(design, state, action) is not Do.UNLOCK:
        return []
    if is_agent(state, action.cpu):
        return [("the line is not what the device said", unheeded(design, state, agent_of(state, action.cpu)))]
    vcpu = vcpu_of(state, action.cpu)
    number = state.cores[action.cpu].vcpu
    if routine_of(vcpu.at) != "access":
        return []
    left = every(vcpu.access.write == 1, vcpu.left > 0)
    return [("some of the interrupts are still to be changed", left), *unwritten(state, number)]


def unheeded(design: VgicDesign, state: VgicState, agent: Agent) -> Any:
    """Whether an agent's line has another level than it says, though its number is one that it may have."""
    refused = line_refused(design, agent.vcpu, vm_of(state, agent.vm).count, agent.irq)
    record = state.irqs.get(key_of(agent.vm, agent.vcpu, bits(agent.irq, 9, 0)))
    told = either(refused, state.crashed == 1, agent.irq >= IMPLEMENTED, record.line == agent.level)
    return negate(told)


BITWISE = {Register.ISENABLER: 1, Register.ICENABLER: 0}
"""The registers with a bit for each interrupt, and whether a one enables it or disables it."""


def unwritten(state: VgicState, own: int) -> list[tuple[str, Any]]:
    """What a vCPU's store to the distributor asks for, each with whether it has neither happened nor is left to do."""
    vcpu = state.vcpus[own]
    access, found = vcpu.access, list[tuple[str, Any]]()
    for line in ARCHITECTED:
        stores = every(access.write == 1, access.offset >= line.base, access.offset < line.base + line.length)
        first = every(stores, access.offset == line.base)
        if stores is False:
            continue
        if line.register is Register.CTLR:
            other = negate(vm_of(state, vcpu.vm).enabled == bit(access.value, 0))
            found.append(("GICD_CTLR is not what was stored", every(first, member(access.size, (1, 2, 4)), other)))
        if line.register is Register.SGIR:
            meant, irq = sgi_targets(access.value, vcpu.number), bits(access.value, 3, 0)
            sends = every(first, access.size == 4, negate(bits(access.value, 25, 24) == RESERVED_FILTER))
            for number, receiver in enumerate(state.vcpus):
                record = state.irqs.get((receiver.vm, receiver.number, irq))
                got = every(record.pending == 1, record.sources & flag(vcpu.number) > 0)
                due = every(sends, receiver.vm == vcpu.vm, meant & flag(receiver.number) > 0)
                found.append((f"vCPU{number} has not got the SGI", every(due, negate(got))))
        if line.register in BITWISE:
            value, inner = BITWISE[line.register], sub(access.offset, line.base, 32)
            asked = clear(written(bits(inner, 1, 0), access.size, access.value), vcpu.left)
            for key in stored_to(state, vcpu, line.register, inner):
                here = every(names(state, own, key), key[2] >= SGIS, key[2] >> WORDS[line.register] == inner >> 2)
                due = every(stores, here, is_left(asked, line.register, key))
                text = "an interrupt is not " + ("enabled" if value else "disabled")
                found.append((text, every(due, negate(state.irqs.get(key).enabled == value))))
    return found


def stored_to(state: VgicState, vcpu: Vcpu, register: Register, inner: U32) -> list[Key]:
    """The interrupts in the word of a register with a field for each, at an offset; in proofs, an arbitrary one."""
    if not isinstance(state.irqs, Sparse):
        return [key for key, _ in each(state.irqs)]
    width = FIELD[register]
    return [key_of(vcpu.vm, vcpu.number, first_irq(width, inner) + position) for position in range(32 // width)]


def performed(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of PERFORMED."""
    return none(undone(design.vgic, interrupts_of(before), action))


PERFORMED = Property(
    id="interrupts.performed",
    statement="When the distributor's lock is released, what a guest has stored or a device has said has happened.",
    claims=("C21",),
    question="When does an access to the distributor take effect?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=performed,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.UNLOCK,
    explain=lambda d, b, a, s: "; ".join(those(undone(d.vgic, interrupts_of(b), a))),
)


def spread(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> list[tuple[str, Any]]:
    """What a step may change that is not its VM's, each with whether it does."""
    found: list[tuple[str, Any]] = [
        ("memory of the host changes behind an interrupt that does not exist", after.crashed > before.crashed)
    ]
    own = vm_number(before, action.cpu)
    for vm, (old, new) in enumerate(zip(before.vms, after.vms, strict=True)):
        found.append((f"the distributor of VM{vm} changes", every(negate(own == vm), negate(same(old, new)))))
    for number, (was, now) in enumerate(zip(before.vcpus, after.vcpus, strict=True)):
        changed = every(negate(was.vm == own), negate(same(was, now)))
        found.append((f"vCPU{number} of another VM changes", changed))
    return found


def spread_to(before: VgicState, action: VgicAction, after: VgicState) -> list[tuple[Key, Any]]:
    """Interrupts, each with whether a step changes it though it is of another VM."""
    found, own = [], vm_number(before, action.cpu)
    for key in changeable(before, after):
        kept = same(before.irqs.get(key), after.irqs.get(key))
        exact = same(before.stale.get(key), after.stale.get(key))
        found.append((key, every(negate(key[0] == own), negate(every(kept, exact)))))
    return found


def apart(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of VMS_APART."""
    assert isinstance(action, VgicAction)
    old, new = interrupts_of(before), interrupts_of(after)
    return every(none(spread(design.vgic, old, action, new)), none(spread_to(old, action, new)))


def spread_text(design: Design, before: State, action: Action, after: State) -> str:
    """What changes that is another VM's or the host's, in words."""
    assert isinstance(action, VgicAction)
    old, new = interrupts_of(before), interrupts_of(after)
    changed = (f"{named(key)} changes" for key in those(spread_to(old, action, new)))
    return "; ".join((*those(spread(design.vgic, old, action, new)), *changed))


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
    explain=spread_text,
)

PROPERTIES = (EMULATED, SGI_TARGETS, STORED_EXACTLY, PERFORMED, VMS_APART)
