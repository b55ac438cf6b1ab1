"""List registers: filled before a guest is entered, read back behind it, and given back where they hold what is over.

The flush takes one interrupt at a time; which one is next is an operand of the step, and `may_visit` says which.

Not modelled: priorities, which Linux 3.12 stores and leaves out of list registers, so no property speaks of the order
in which a guest gets its interrupts; of several sources of an SGI, one that could join its list register while a lower
one finds none free waits for the next flush.
"""

from attrs import frozen

from model.threads import advanced, vcpu_of, with_vcpu
from model.vgic.design import Trait, VgicDesign
from model.vgic.distributor import disables
from model.vgic.holders import held_elsewhere, holders
from model.vgic.pending import Key, computed, in_flight, is_edge, is_enabled, key_of, noted, summary, with_irq
from model.vgic.state import END, SGIS, ListNumber, Vcpu, VgicState, flag
from model.vgic.threads import branched, vm_of, with_saved, with_vm
from spec.citations import gic, linux, rule
from spec.gic import list_registers as lists
from spec.gic.state import U10
from spec.gic.virtual_interface import UIE
from spec.records import quick
from spec.words import (
    U1,
    U3,
    U8,
    U32,
    U64,
    bit,
    choose,
    clear,
    either,
    every,
    find,
    implies,
    insert,
    inv,
    mask,
    negate,
    put,
    put_all,
    replaced,
    sub,
)

VGIC = "virt/kvm/arm/vgic.c"
VGIC_NEW = "virt/kvm/arm/vgic/vgic.c"
EOI_STATUS, UNDERFLOW_STATUS = 1, 2
"""Bits of GICH_MISR."""


@rule(linux(VGIC, "__kvm_vgic_flush_hwstate"))
def check_pending(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Where the vCPU is not noted as having something to flush, there is nothing to look for."""
    vcpu = put_all(vcpu_of(state, cpu), ("cursor", "overflow"), (0, 0))
    idle = vm_of(state, cpu).oracle & flag(vcpu.number) == 0
    return branched(design, with_vcpu(state, cpu, vcpu), cpu, idle)


def to_flush(design: VgicDesign, state: VgicState, cpu: int, key: Key) -> bool:
    """Whether the flush has something to do for an interrupt of this vCPU; not where a level is in flight already."""
    vcpu = vcpu_of(state, cpu)
    record = state.irqs.get(key)
    again = Trait.LEVEL_ONCE not in design.traits
    return every(
        key[0] == vcpu.vm,
        key[2] >= vcpu.cursor,
        summary(design, state, (vcpu.vm, key[1], key[2])) & flag(vcpu.number) > 0,
        either(again, negate(in_flight(key[2], record))),
        implies(Trait.TARGET_FOLLOWED in design.traits, negate(held_elsewhere(state, cpu, key[2]))),
    )


@rule(linux(VGIC, "__kvm_vgic_flush_hwstate"))
def may_visit(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> bool:
    """Whether the flush looks at this interrupt next: the lowest that is pending; END where there is none any more."""
    vcpu = vcpu_of(state, cpu)

    def skipped(key: Key) -> bool:
        """Whether the interrupt would come before."""
        return every(key[2] < irq, to_flush(design, state, cpu, key))

    found = to_flush(design, state, cpu, key_of(vcpu.vm, vcpu.number, irq))
    none_before = every(
        state.irqs.none_where(lambda key, _: skipped(key)), state.stale.none_where(lambda key, _: skipped(key))
    )
    return every(either(irq == END, found), none_before)


@rule(linux(VGIC, "vgic_queue_sgi"), linux(VGIC, "vgic_queue_hwirq"))
def flush_one(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """One interrupt, of an SGI one source, goes into a list register; what does not fit is left for later."""
    if irq == END:
        return advanced(state, cpu)
    number, vcpu = state.cores[cpu].vcpu, vcpu_of(state, cpu)
    key = key_of(vcpu.vm, vcpu.number, irq)
    record, before = state.irqs.get(key), summary(design, state, key)
    sgi, edge = irq < SGIS, is_edge(irq, record)
    source = choose(sgi, find(BY_BIT, record.sources & sub(0, record.sources, 8), 0), 0)
    left = choose(sgi, clear(record.sources, flag(source)), 0)
    at_end = choose(sgi, every(Trait.ONE_PER_SGI in design.traits, left > 0), negate(edge))
    at_end = either(at_end, Trait.ENDS_REPORTED in design.traits)
    at_end = every(at_end, Trait.ENDS_SILENT not in design.traits)
    once = every(Trait.LEVEL_ONCE in design.traits, negate(edge))
    queued = queue(design, vcpu, state.lr_map.get((number, irq)), irq, source, choose(at_end, 1, 0), once)
    done = either(queued.done, every(sgi, record.sources == 0))
    vcpu = choose(every(sgi, record.sources == 0), vcpu, queued.vcpu)
    taken = every(done, edge, left == 0)
    again = every(done, left > 0, Trait.ONE_PER_SGI not in design.traits)
    changed = put_all(
        record,
        ("pending", "active", "sources"),
        (
            choose(taken, 0, record.pending),
            choose(every(done, negate(edge)), 1, record.active),
            choose(done, left, record.sources),
        ),
    )
    state = with_irq(design, state, key, changed, choose(taken, clear(before, flag(vcpu.number)), before))
    place = choose(every(sgi, record.sources == 0), state.lr_map.get((number, irq)), queued.place)
    state = put(state, "lr_map", state.lr_map.set((number, irq), place))
    overflow = choose(either(done, queued.waits), vcpu.overflow, 1)
    vcpu = put_all(vcpu, ("cursor", "overflow"), (choose(again, irq, irq + 1), overflow))
    return with_vcpu(state, cpu, vcpu)


BY_BIT = tuple((1 << position, position) for position in range(8))


@quick
@frozen
class Queued:
    """What came of an attempt to put an interrupt into a list register."""

    vcpu: Vcpu
    place: ListNumber
    """The list register that holds the interrupt, plus 1; 0 for none."""
    done: bool
    waits: bool
    """Whether another source of the SGI is in the way."""


@rule(linux(VGIC, "vgic_queue_irq"), gic("5.3.8"))
def queue(
    design: VgicDesign, vcpu: Vcpu, place: ListNumber, irq: U10, source: U3, at_end: U1, once: bool
) -> Queued:
    """The interrupt joins the list register that holds it already, or gets the lowest free one.

    `place` is that list register plus 1, 0 for none; `at_end` asks for a maintenance interrupt at its end, and `once`
    has it wait for that where it is active.
    """
    held, nth = vcpu.saved.lrs, len(vcpu.saved.lrs)
    there = find(enumerate(held, 1), place, 0)
    fits_there = either(Trait.SOURCE_OVERWRITTEN in design.traits, lists.cpu_id(there) == source)
    joins = every(place > 0, fits_there)
    waits = every(place > 0, negate(fits_there), Trait.ONE_PER_SGI in design.traits)
    free = find(FIRST_FREE[nth], lowest(inv(vcpu.used, 64)), nth)
    takes = every(negate(either(joins, waits)), free < nth)
    fresh = lists.software(irq, source, at_end, 0, lists.ListState.PENDING, 0)
    lrs, elrsr, used = [], vcpu.saved.elrsr, vcpu.used
    for position, lr in enumerate(held):
        here, new = place == position + 1, every(takes, free == position)
        pending = choose(every(once, lr & lists.ACTIVE_BIT > 0), 0, lists.PENDING_BIT)
        joined = insert(lr, 12, 10, source) | pending | (at_end << lists.EOI)
        kept = choose(every(waits, here), lr | (1 << lists.EOI), lr)
        lrs.append(choose(new, fresh, choose(every(joins, here), joined, kept)))
        touched = every(Trait.STATUS_MIRRORED in design.traits, either(new, every(place > 0, here)))
        elrsr = choose(touched, clear(elrsr, 1 << position), elrsr)
        used = choose(new, used | (1 << position), used)
    saved = put_all(vcpu.saved, ("lrs", "elrsr"), (tuple(lrs), elrsr))
    after = put_all(vcpu, ("saved", "used"), (saved, used))
    return Queued(after, choose(takes, free + 1, place), either(joins, takes), waits)


FIRST_FREE = tuple(tuple((1 << position, position) for position in range(count)) for count in range(65))


def lowest(word: U64) -> U64:
    """The lowest bit of a word that is set, alone."""
    return word & sub(0, word, 64)


@rule(linux(VGIC, "__kvm_vgic_flush_hwstate"), gic("5.3.4"))
def flush_end(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """With something left over a maintenance interrupt is asked for; else the vCPU has nothing to flush.

    It comes with an underflow or, where a single list register would underflow at once, with its interrupt's end.
    """
    vcpu, vm = vcpu_of(state, cpu), vm_of(state, cpu)
    over = vcpu.overflow == 1
    low, at_end = (False, over) if asks_at_end(design, vcpu) else (over, False)
    hcr = choose(low, vcpu.saved.hcr | (1 << UIE), clear(vcpu.saved.hcr, 1 << UIE))
    lrs = tuple([choose(at_end, lr | (1 << lists.EOI), lr) for lr in vcpu.saved.lrs])
    oracle = choose(over, vm.oracle, clear(vm.oracle, flag(vcpu.number)))
    state = with_vm(state, cpu, put(vm, "oracle", oracle))
    saved = put_all(vcpu.saved, ("hcr", "lrs"), (hcr, lrs))
    state = with_vcpu(state, cpu, put_all(vcpu, ("saved", "cursor", "overflow"), (saved, 0, 0)))
    return advanced(told(state, cpu, holders(design, state, cpu)), cpu)


@rule(gic("5.3.4"))
def asks_at_end(design: VgicDesign, vcpu: Vcpu) -> bool:
    """Whether a vCPU has a single list register, of which an underflow says nothing: one at most is always valid."""
    return Trait.SINGLE_ASKS_AT_END in design.traits and len(vcpu.saved.lrs) == 1


@rule(linux(VGIC_NEW, "vgic_prune_ap_list", "4.7"), linux(VGIC_NEW, "vgic_target_oracle", "4.7"))
def prune(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """What is pending in a list register and not to be delivered here any more goes back to the distributor.

    That is an interrupt that was disabled or has another target, and a level whose line has fallen. Where one is active
    here and its new target waits for its end, that asks for a maintenance interrupt. Whether the end of an edge has to
    for the sake of another source, or of those that do not fit, the flush finds out anew.
    """
    vcpu = vcpu_of(state, cpu)
    if vcpu.used == 0:
        return advanced(state, cpu)
    for position, lr in enumerate(vcpu.saved.lrs):
        state = returned(design, state, cpu, position, lr)
    return advanced(state, cpu)


def returned(design: VgicDesign, state: VgicState, cpu: int, position: int, lr: U32) -> VgicState:
    """The state in which one list register has given back what is pending in it, where that is not to stay."""
    vcpu, vm, number = vcpu_of(state, cpu), vm_of(state, cpu), lists.virtual_id(lr)
    key = key_of(vcpu.vm, vcpu.number, number)
    record = state.irqs.get(key)
    edge, mine = is_edge(number, record), flag(vcpu.number)
    back = put_all(
        record,
        ("pending", "active", "sources"),
        (
            choose(edge, 1, record.pending),
            0,
            choose(number < SGIS, record.sources | flag(lists.cpu_id(lr)), record.sources),
        ),
    )
    stays = computed(design, vm.enabled, key, back) & mine > 0
    gone = every(bit(vcpu.used, position) == 1, lr & lists.PENDING_BIT > 0, negate(stays))
    pending = computed(design, vm.enabled, key, back)
    freed = every(gone, lr & lists.ACTIVE_BIT == 0)
    given = put(back, "pending", record.pending) if Trait.EDGE_DROPPED in design.traits else back
    state = with_irq(design, state, key, choose(gone, given, record), summary(design, state, key))
    state = noted(state, cpu, choose(gone, pending, 0))
    emptied = choose(freed, clear(lr, lists.PENDING_BIT | (1 << lists.EOI)), clear(lr, lists.PENDING_BIT))
    elsewhere = clear(choose(gone, pending, computed(design, vm.enabled, key, record)), mine) > 0
    awaited = every(Trait.TARGET_FOLLOWED in design.traits, lr & lists.ACTIVE_BIT > 0, elsewhere)
    kept = choose(gone, emptied, lr)
    kept = choose(every(edge, either(gone, record.active == 0)), clear(kept, 1 << lists.EOI), kept)
    kept = choose(awaited, kept | (1 << lists.EOI), kept)
    saved = put(vcpu.saved, "lrs", replaced(vcpu.saved.lrs, position, kept))
    mirrored = every(freed, Trait.STATUS_MIRRORED in design.traits)
    saved = put(saved, "elrsr", choose(mirrored, saved.elrsr | (1 << position), saved.elrsr))
    used = choose(freed, clear(vcpu.used, 1 << position), vcpu.used)
    updated = choose(every(gone, pending > 0), 1, vcpu.updated)
    state = with_vcpu(state, cpu, put_all(vcpu, ("saved", "used", "updated"), (saved, used, updated)))
    return unlisted(state, cpu, number, freed)


def unlisted(state: VgicState, cpu: int, irq: U10, condition: bool) -> VgicState:
    """The state in which the vCPU has no list register for an interrupt, where the condition holds."""
    key = (state.cores[cpu].vcpu, irq)
    return put(state, "lr_map", state.lr_map.set(key, choose(condition, 0, state.lr_map.get(key))))


@rule(linux(VGIC, "vgic_retire_disabled_irqs"))
def retire(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Behind a write to GICD_ICENABLER, the list registers of this vCPU that hold a disabled interrupt are emptied.

    Those of other vCPUs stay as they are, and what was pending or active in the list register is forgotten.
    """
    vcpu = vcpu_of(state, cpu)
    if either(vcpu.used == 0, negate(disables(design, vcpu))):
        return advanced(state, cpu)
    used, held = vcpu.used, list(vcpu.saved.lrs)
    for position, lr in enumerate(vcpu.saved.lrs):
        number = lists.virtual_id(lr)
        key = key_of(vcpu.vm, vcpu.number, number)
        record = state.irqs.get(key)
        gone = every(bit(used, position) == 1, negate(is_enabled(number, record)))
        changed = put(record, "active", choose(gone, 0, record.active))
        state = with_irq(design, state, key, changed, summary(design, state, key))
        state = unlisted(state, cpu, number, gone)
        held[position] = choose(gone, clear(lr, lists.PENDING_BIT | lists.ACTIVE_BIT), lr)
        used = choose(gone, clear(used, 1 << position), used)
    saved = put(vcpu.saved, "lrs", tuple(held))
    return advanced(with_vcpu(state, cpu, put_all(vcpu, ("used", "saved"), (used, saved))), cpu)


def ended(vcpu: Vcpu, position: int) -> bool:
    """Whether the saved GICH_EISR says that the interrupt in a list register ended and asked for maintenance."""
    return bit(vcpu.saved.eisr, position) == 1


@rule(linux(VGIC, "vgic_process_maintenance"))
def sync_sample(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """It is noted of which ended interrupts the line is still high, or another source is pending."""
    vcpu, noted_ones = vcpu_of(state, cpu), 0
    if vcpu.saved.misr & EOI_STATUS == 0:
        return advanced(state, cpu)
    for position, lr in enumerate(vcpu.saved.lrs):
        number = lists.virtual_id(lr)
        record = state.irqs.get(key_of(vcpu.vm, vcpu.number, number))
        apart = every(Trait.LINE_APART in design.traits, negate(is_edge(number, record)))
        again = every(ended(vcpu, position), choose(apart, record.line, record.pending) == 1)
        noted_ones = choose(again, noted_ones | (1 << position), noted_ones)
    return advanced(with_vcpu(state, cpu, put(vcpu, "noted", noted_ones)), cpu)


@rule(linux(VGIC, "vgic_process_maintenance"), gic("5.3.5"))
def sync_ended(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """An ended interrupt is not in flight any more, pending again as it was noted, and its list register is free."""
    saved = vcpu_of(state, cpu).saved
    if saved.misr & EOI_STATUS == 0:
        return advanced(state, cpu)
    for position in range(len(saved.lrs)):
        state = taken_back(design, state, cpu, position)
    return advanced(state, cpu)


def taken_back(design: VgicDesign, state: VgicState, cpu: int, position: int) -> VgicState:
    """The state behind the end of the interrupt in one list register, where it did end."""
    vcpu, vm = vcpu_of(state, cpu), vm_of(state, cpu)
    lr, over = vcpu.saved.lrs[position], ended(vcpu, position)
    number = lists.virtual_id(lr)
    key = key_of(vcpu.vm, vcpu.number, number)
    record, before, mine = state.irqs.get(key), summary(design, state, key), flag(vcpu.number)
    resampled = put(record, "active", 0)
    if Trait.LINE_APART in design.traits:
        level = negate(is_edge(number, record))
        kept = (choose(level, 0, record.soft), choose(level, record.line, record.pending))
        resampled = put_all(resampled, ("soft", "pending"), kept)
    again = bit(vcpu.noted, position) == 1
    wanted = choose(over, choose(again, before | mine, clear(before, mine)), before)
    changed = choose(over, resampled, record)
    state = with_irq(design, state, key, changed, wanted)
    if Trait.TARGET_FOLLOWED in design.traits:
        state = told(state, cpu, choose(every(over, again), computed(design, vm.enabled, key, changed), 0))
    freed = every(over, Trait.ENDED_FREED in design.traits)
    empty = clear(lr, lists.ACTIVE_BIT | (1 << lists.EOI))
    saved = put_all(
        vcpu.saved,
        ("lrs", "elrsr"),
        (
            replaced(vcpu.saved.lrs, position, choose(freed, empty, lr)),
            choose(freed, vcpu.saved.elrsr | (1 << position), vcpu.saved.elrsr),
        ),
    )
    return with_saved(state, cpu, saved)


def told(state: VgicState, cpu: int, vcpus: U8) -> VgicState:
    """The state in which vCPUs are noted as having something to flush, and the others among them will be kicked."""
    vcpu = vcpu_of(state, cpu)
    updated = choose(clear(vcpus, flag(vcpu.number)) > 0, 1, vcpu.updated)
    return noted(with_vcpu(state, cpu, put(vcpu, "updated", updated)), cpu, vcpus)


@rule(linux(VGIC, "vgic_process_maintenance"))
def sync_underflow(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Where the list registers ran low, the wish for a maintenance interrupt is taken back."""
    saved = vcpu_of(state, cpu).saved
    low = saved.misr & UNDERFLOW_STATUS > 0
    return advanced(with_saved(state, cpu, put(saved, "hcr", choose(low, clear(saved.hcr, 1 << UIE), saved.hcr))), cpu)


@rule(linux(VGIC, "__kvm_vgic_sync_hwstate"))
def sync_free(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """Each list register that the saved status calls empty is free, and its interrupt has none any more.

    Another vCPU that is its target now may have waited for that.
    """
    vcpu = vcpu_of(state, cpu)
    if vcpu.used == 0:
        return advanced(state, cpu)
    free = vcpu.saved.elrsr & vcpu.used
    for position, lr in enumerate(vcpu.saved.lrs):
        number, freed = lists.virtual_id(lr), bit(free, position) == 1
        state = unlisted(state, cpu, number, freed)
        if Trait.TARGET_FOLLOWED in design.traits:
            key = key_of(vcpu.vm, vcpu.number, number)
            pending = computed(design, vm_of(state, cpu).enabled, key, state.irqs.get(key))
            state = told(state, cpu, choose(freed, clear(pending, flag(vcpu.number)), 0))
    return advanced(with_vcpu(state, cpu, put(vcpu_of(state, cpu), "used", clear(vcpu.used, free))), cpu)


@rule(linux(VGIC, "__kvm_vgic_sync_hwstate"), linux(VGIC, "vgic_clear_eisr", "4.0"))
def sync_pending(design: VgicDesign, state: VgicState, cpu: int, irq: U10) -> VgicState:
    """A vCPU with an interrupt in a list register, or one that is pending again, may have something to flush."""
    vcpu = vcpu_of(state, cpu)
    every_one = mask(len(vcpu.saved.lrs))
    occupied = negate(vcpu.saved.elrsr & every_one == every_one)
    state = noted(state, cpu, choose(either(vcpu.noted > 0, occupied), flag(vcpu.number), 0))
    saved = vcpu.saved
    if Trait.STATUS_MIRRORED in design.traits:
        saved = put_all(saved, ("eisr", "misr"), (0, 0))
    return advanced(with_vcpu(state, cpu, put_all(vcpu, ("saved", "noted"), (saved, 0))), cpu)
