"""A small model of list registers, over the project's own rules: what several model checkers are compared with.

Two vCPUs, four interrupts (the last one level-sensitive), two list registers each. Devices drive the lines, a guest
moves the first interrupt from one vCPU to the other. While a vCPU is out of its guest, KVM puts what is
pending into its list registers, one interrupt at a time, and gives back those that ended; in its guest it acknowledges
and completes. These are 31 actions. `peers/` has the same model for TLC and Spin.
"""

from collections.abc import Callable
from functools import partial

from attrs import evolve, frozen

from benchmarks.compact import Group, Invariant, Parts
from model.designs.catalogue import DESIGNS
from model.topology import TOPOLOGIES, initial
from model.vgic.design import GUEST, OUT, Register
from model.vgic.distributor import written_irq
from model.vgic.injection import injected, lined
from model.vgic.lists import queue
from model.vgic.pending import computed, in_flight, is_edge
from model.vgic.state import Vcpu, VirtualIrq
from spec.gic import list_registers as lists
from spec.gic.state import Choices, VirtualInterface
from spec.gic.virtual_cpu_interface import acknowledge, end_of_interrupt
from spec.words import put, put_all, replaced

VGIC = DESIGNS["reference"]().vgic
IRQS = (40, 41, 42, 43)
VCPUS, LISTS = 2, 2
BOTH = (1 << VCPUS) - 1
TARGETS = (0, 0, 1, 1)
"""Whose the interrupts are in the beginning."""
EMPTY = (0,) * LISTS


@frozen
class Side:
    """One vCPU: what KVM keeps of it, and its virtual interface; list registers are where they are used."""

    vcpu: Vcpu
    interface: VirtualInterface


def start() -> Parts:
    """The four interrupts, and the two vCPUs, both out of their guests."""
    state = initial(TOPOLOGIES["interrupts"], DESIGNS["reference"]()).interrupts
    assert state is not None
    own = zip(IRQS, TARGETS, strict=True)
    irqs = [VirtualIrq(1, 0, 0, 0, 0, int(irq != IRQS[-1]), 0, target, 0) for irq, target in own]
    idle = VirtualInterface(0, 0, 0, EMPTY)
    vcpus = (evolve(vcpu, at=OUT, saved=evolve(vcpu.saved, elrsr=0)) for vcpu in state.vcpus)
    return (*irqs, *(Side(vcpu, idle) for vcpu in vcpus))


def inside(side: Side) -> bool:
    """Whether the vCPU is in its guest."""
    return side.vcpu.at == GUEST


def held(side: Side) -> tuple[int, ...]:
    """The vCPU's list registers."""
    return side.interface.lrs if inside(side) else side.vcpu.saved.lrs


def changing(parts: Parts, number: int, record: VirtualIrq) -> Parts | None:
    """The state with another record of an interrupt; None where that is no other one."""
    return None if record == parts[number] else replaced(parts, number, record)


def line(number: int, level: int, parts: Parts) -> Parts | None:
    """A device drives its line."""
    irq, record = IRQS[number], parts[number]
    told = lined(VGIC, irq, record, level)
    kept = put(told, "line", 0) if is_edge(irq, record) else told
    return changing(parts, number, kept if injected(VGIC, irq, record, level) else record)


def moved(number: int, parts: Parts) -> Parts | None:
    """A guest makes the other vCPU the target of the first interrupt, where no list register of this one has it."""
    record, side = parts[0], parts[len(IRQS) + number]
    if record.target != number or holds(side, IRQS[0]):
        return None
    return replaced(parts, 0, written_irq(VGIC, Register.ITARGETSR, IRQS[0], record, 2 >> number, BOTH))


def holds(side: Side, irq: int) -> bool:
    """Whether a list register of the vCPU has an interrupt, be it that it has ended."""
    return any(lists.virtual_id(lr) == irq for lr in held(side))


def flushed(number: int, at: int, parts: Parts) -> Parts | None:
    """KVM puts an interrupt that is pending for a vCPU into one of its list registers."""
    side, irq, record = parts[len(IRQS) + number], IRQS[at], parts[at]
    if inside(side) or ended(side):
        return None
    if in_flight(irq, record) or not computed(VGIC, 1, (0, 0, irq), record) >> number & 1:
        return None
    place = next((n for n, lr in enumerate(held(side), 1) if lists.virtual_id(lr) == irq), 0)
    edge = is_edge(irq, record)
    queued = queue(VGIC, side.vcpu, place, irq, 0, 0 if edge else 1, not edge)
    if not queued.done:
        return None
    taken = put(record, "pending", 0) if edge else put(record, "active", 1)
    vcpu = put(queued.vcpu, "saved", put(queued.vcpu.saved, "elrsr", 0))
    return replaced(replaced(parts, at, taken), len(IRQS) + number, put(side, "vcpu", vcpu))


def ended(side: Side) -> bool:
    """Whether some list register holds what has ended."""
    return any(lr != 0 and lists.state(lr) == 0 for lr in held(side))


def entered(number: int, parts: Parts) -> Parts | None:
    """The guest is entered with its list registers, all of which hold something or are empty."""
    side: Side = parts[len(IRQS) + number]
    if inside(side) or ended(side):
        return None
    saved = side.vcpu.saved
    interface = VirtualInterface(saved.hcr, saved.vmcr, saved.apr, saved.lrs)
    away = put_all(saved, ("lrs", "apr"), (EMPTY, 0))
    return replaced(parts, len(IRQS) + number, Side(put_all(side.vcpu, ("at", "saved"), (GUEST, away)), interface))


def left(number: int, parts: Parts) -> Parts | None:
    """The guest is left, and its list registers are saved."""
    side: Side = parts[len(IRQS) + number]
    if not inside(side):
        return None
    saved = put_all(side.vcpu.saved, ("lrs", "apr"), (side.interface.lrs, side.interface.apr))
    idle = VirtualInterface(0, 0, 0, EMPTY)
    return replaced(parts, len(IRQS) + number, Side(put_all(side.vcpu, ("at", "saved"), (OUT, saved)), idle))


def synchronised(number: int, at: int, parts: Parts) -> Parts | None:
    """A list register is free whose interrupt ended; of a level-sensitive one the line is looked at again."""
    side, irq, record = parts[len(IRQS) + number], IRQS[at], parts[at]
    over = [n for n, lr in enumerate(held(side)) if lists.virtual_id(lr) == irq and lists.state(lr) == 0]
    if inside(side) or not over:
        return None
    if not is_edge(irq, record):
        record = put_all(record, ("active", "pending"), (0, record.line))
    saved = put(side.vcpu.saved, "lrs", replaced(held(side), over[0], 0))
    vcpu = put_all(side.vcpu, ("used", "saved"), (side.vcpu.used & ~(1 << over[0]), saved))
    return replaced(replaced(parts, at, record), len(IRQS) + number, put(side, "vcpu", vcpu))


def acknowledged(number: int, parts: Parts) -> Parts | None:
    """The guest acknowledges what is signalled."""
    side: Side = parts[len(IRQS) + number]
    after = acknowledge(side.interface, 0, Choices())[0]
    if not inside(side) or after == side.interface:
        return None
    return replaced(parts, len(IRQS) + number, put(side, "interface", after))


def completed(number: int, parts: Parts) -> Parts | None:
    """The guest completes the interrupt that is active."""
    side: Side = parts[len(IRQS) + number]
    active = [lists.virtual_id(lr) for lr in side.interface.lrs if lr & lists.ACTIVE_BIT]
    if not active:
        return None
    after = end_of_interrupt(side.interface, active[0], 0, Choices())[0]
    return replaced(parts, len(IRQS) + number, put(side, "interface", after))


def groups() -> tuple[Group, ...]:
    """The 31 actions, by what they read."""
    sides, found = tuple(range(len(IRQS), len(IRQS) + VCPUS)), list[Group]()
    for at, irq in enumerate(IRQS):
        levels = (1, 0) if at == len(IRQS) - 1 else (1,)
        found.append(Group((at,), tuple((f"line {irq}: {level}", partial(line, at, level)) for level in levels)))
    for number, side in enumerate(sides):
        alone = (("enter", entered), ("leave", left), ("acknowledge", acknowledged), ("complete", completed))
        found.append(Group((side,), tuple((f"{name}, vCPU{number}", partial(does, number)) for name, does in alone)))
        for at, irq in enumerate(IRQS):
            both = (("flush", flushed), ("sync", synchronised))
            own = [(f"{name} {irq}, vCPU{number}", partial(does, number, at)) for name, does in both]
            if at == 0:
                own.append((f"move {irq} from vCPU{number}", partial(moved, number)))
            found.append(Group((at, side), tuple(own)))
    return tuple(found)


def once(parts: Parts) -> bool:
    """Whether no interrupt is in two list registers."""
    sides = parts[len(IRQS) :]
    numbers = [lists.virtual_id(lr) for side in sides for lr in held(side) if lr != 0]
    return len(numbers) == len(set(numbers))


def flown(parts: Parts) -> bool:
    """Whether a level-sensitive interrupt counts as in flight only while a list register has it, ended or not."""
    return holds(parts[len(IRQS) + TARGETS[-1]], IRQS[-1]) or parts[len(IRQS) - 1].active == 0


def counted(side: Side) -> bool:
    """Whether just the list registers count as used that hold something, ended or not."""
    return side.vcpu.used == sum(1 << position for position, lr in enumerate(held(side)) if lr != 0)


def running(side: Side) -> bool:
    """Whether the priority of a vCPU is raised just where one interrupt is active."""
    active = sum(1 for lr in held(side) if lr & lists.ACTIVE_BIT)
    return active == int((side.interface.apr if inside(side) else side.vcpu.saved.apr) != 0)


def of_side(condition: Callable[[Side], bool], at: int, parts: Parts) -> bool:
    """A condition on one vCPU as one on the state."""
    return condition(parts[at])


def invariants() -> tuple[Invariant, ...]:
    """The four invariants, those of a vCPU for each."""
    sides = tuple(range(len(IRQS), len(IRQS) + VCPUS))
    found = [Invariant("once", sides, once), Invariant("flown", (len(IRQS) - 1, sides[TARGETS[-1]]), flown)]
    for condition in (counted, running):
        found += [Invariant(condition.__name__, (side,), partial(of_side, condition, side)) for side in sides]
    return tuple(found)
