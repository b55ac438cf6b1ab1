"""What holds of every list register, of KVM's map of them, and of the interrupts that are in one."""

from typing import Any

from model.vgic.design import GUEST, Do, Trait, VgicDesign
from model.vgic.injection import LAST_LINE
from model.vgic.lists import EOI_STATUS
from model.vgic.pending import is_edge
from model.vgic.state import IMPLEMENTED, PRIVATE, SGIS, UNTOUCHED, VgicState, VirtualIrq
from properties.interrupts.invariants.terms import asks, exists, has_ended, hcr_of, held_asking, is_used, is_valid, span
from properties.interrupts.steps import listed, places_of, vm_of
from properties.quantify import everywhere
from spec.gic import list_registers as registers
from spec.gic.virtual_interface import UIE
from spec.words import bit, either, every, implies, mask, member, negate, same


def lists_known(design: VgicDesign, state: VgicState) -> Any:
    """A list register that KVM holds for free is empty; of any other KVM's map says which interrupt it is for. None is
    linked to a physical interrupt, of Group 1, or of a priority other than the highest."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        held = listed(design, state, number)
        found.append(vcpu.used >> len(held) == 0)
        for position, lr in enumerate(held):
            used, irq = is_used(vcpu, position), registers.virtual_id(lr)
            found.append(either(used, negate(either(is_valid(lr), asks(lr)))))
            found.append(implies(used, every(irq < IMPLEMENTED, state.lr_map.get((number, irq)) == position + 1)))
            found.append(every(registers.hw(lr) == 0, registers.group(lr) == 0, registers.priority(lr) == 0))
            found.append(implies(irq >= SGIS, registers.cpu_id(lr) == 0))
    return every(*found)


def map_true(design: VgicDesign, state: VgicState) -> Any:
    """KVM's map names a list register that is in use, and for that interrupt."""

    def true(key: tuple[int, int], place: int) -> Any:
        found = []
        for number, vcpu in enumerate(state.vcpus):
            held = listed(design, state, number)
            there = (
                every(place == position + 1, is_used(vcpu, position), registers.virtual_id(lr) == key[1])
                for position, lr in enumerate(held)
            )
            found.append(every(key[0] == number, either(*there)))
        return either(place == 0, *found)

    return everywhere(state.lr_map, true)


def one_holder(design: VgicDesign, state: VgicState) -> Any:
    """Of the vCPUs of a VM one at the most has a list register for an SPI."""

    def alone(key: tuple[int, int], place: int) -> Any:
        found = []
        for number, vcpu in enumerate(state.vcpus):
            for other, sibling in enumerate(state.vcpus):
                shared = every(vcpu.vm == sibling.vm, key[1] >= PRIVATE, key[0] == number, place > 0)
                if other != number:
                    found.append(implies(shared, state.lr_map.get((other, key[1])) == 0))
        return every(*found)

    return everywhere(state.lr_map, alone)


def status_true(design: VgicDesign, state: VgicState) -> Any:
    """The saved status tells which saved list registers are empty, and which interrupts have ended; else it is 0."""
    found = []
    inside = (GUEST, *span(design, Do.ENTER, Do.SAVE_LRS))
    behind = (*places_of(design, Do.CLEAR_MODE), *span(design, Do.CLEAR_MODE, Do.SYNC_ENDED))
    later = span(design, Do.SYNC_ENDED, Do.SYNC_PENDING)
    for vcpu in state.vcpus:
        saved, count = vcpu.saved, len(vcpu.saved.lrs)
        found.append(every(saved.elrsr >> count == 0, saved.eisr >> count == 0))
        off, due = member(vcpu.at, inside), member(vcpu.at, behind)
        for position, lr in enumerate(() if off is True and due is False else saved.lrs):
            empty = negate(either(is_valid(lr), asks(lr)))
            found.append(either(off, (bit(saved.elrsr, position) == 1) == empty))
            found.append(implies(due, (bit(saved.eisr, position) == 1) == has_ended(lr)))
        found.append(implies(due, (saved.misr & EOI_STATUS > 0) == (saved.eisr > 0)))
        reading = member(vcpu.at, span(design, Do.SAVE_MISR, Do.SAVE_LRS))
        found.append(either(off, due, member(vcpu.at, later), saved.misr == 0))
        found.append(either(reading, due, member(vcpu.at, later), saved.eisr == 0))
    return every(*found)


def lists_full(design: VgicDesign, state: VgicState) -> Any:
    """Outside the guest and what follows it, no list register has ended, and one in use holds an interrupt."""
    found = []
    inside = (GUEST, *span(design, Do.ENTER, Do.SYNC_ENDED))
    freeing = span(design, Do.SYNC_ENDED, Do.SYNC_FREE)
    for number, vcpu in enumerate(state.vcpus):
        late, later = member(vcpu.at, inside), member(vcpu.at, (*inside, *freeing))
        for position, lr in enumerate(() if late is True else listed(design, state, number)):
            found.append(either(late, negate(has_ended(lr))))
            empty = every(is_used(vcpu, position), negate(is_valid(lr)))
            found.append(either(later, negate(empty)))
    return every(*found)


def overflow_full(design: VgicDesign, state: VgicState) -> Any:
    """Where the flush has found no list register for an interrupt, all are in use; and so are they on the way into the
    guest, where an underflow asks for a maintenance interrupt."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        full = vcpu.used == mask(len(vcpu.saved.lrs))
        over = every(vcpu.overflow == 1, member(vcpu.at, places_of(design, Do.FLUSH_ONE, Do.FLUSH_END)))
        low = every(bit(hcr_of(design, state, number), UIE) == 1, member(vcpu.at, on_the_way_in(design)))
        found.append(implies(either(over, low), full))
    return every(*found)


def on_the_way_in(design: VgicDesign) -> tuple[int, ...]:
    """The program counters from the flush's end up to the entry."""
    return tuple(at for at in span(design, Do.FLUSH_END, Do.ENTER) if at != GUEST)


def flight_listed(design: VgicDesign, state: VgicState) -> Any:
    """What counts as in flight is in a list register that asks for a maintenance interrupt at its end."""

    def known(key: tuple[int, int, int], record: VirtualIrq) -> Any:
        flies = record.active == 1
        if flies is False:
            return True
        held = (held_asking(design, state, number, key) for number in range(len(state.vcpus)))
        return implies(flies, either(*held))

    return everywhere(state.irqs, known)


def interrupts_formed(design: VgicDesign, state: VgicState) -> Any:
    """An SGI is pending where it has a source, a level-sensitive interrupt where its line is high or its guest has
    pended it; only lines that user space can name are high; an SPI goes to a vCPU that exists, and it alone can be in
    flight. Numbers beyond the distributor's are untouched."""

    def formed(key: tuple[int, int, int], record: VirtualIrq) -> Any:
        sgi = (record.pending == 1) == (record.sources > 0)
        level = (record.pending == 1) == either(record.line == 1, record.soft == 1)
        target = either(key[2] < PRIVATE, record.target < vm_of(state, key[0]).count)
        driven = either(Trait.LINE_BOUNDED not in design.traits, record.line == 0, key[2] <= LAST_LINE)
        return every(
            driven,
            implies(key[2] < SGIS, sgi),
            implies(key[2] < PRIVATE, record.active == 0),
            implies(negate(is_edge(key[2], record)), level),
            implies(exists(state, key), target),
            either(exists(state, key), same(record, UNTOUCHED)),
        )

    counts = (every(vm.count > 0, vm.count <= 8) for vm in state.vms)
    return every(everywhere(state.irqs, formed), everywhere(state.stale, unset), state.crashed == 0, *counts)


def unset(key: tuple[int, int, int], differs: int) -> Any:
    """Whether the summary of an interrupt is what would be computed now."""
    return differs == 0


def numbers_apart(design: VgicDesign, state: VgicState) -> Any:
    """The vCPUs of a VM have different numbers, below their count."""
    found = []
    for position, vcpu in enumerate(state.vcpus):
        found.append(vcpu.number < vm_of(state, vcpu.vm).count)
        for other in state.vcpus[position + 1 :]:
            found.append(negate(every(vcpu.vm == other.vm, vcpu.number == other.number)))
    return every(*found)
