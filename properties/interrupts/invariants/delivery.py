"""Why nothing is lost: what waits is noted, who is noted will look, and who does not look by himself is kicked."""

from typing import Any

from model.threads import Wait
from model.vgic.design import GUEST, Do, VgicDesign
from model.vgic.holders import is_told
from model.vgic.pending import Key, computed, is_edge
from model.vgic.state import SGIS, Vcpu, VgicState, VirtualIrq, flag
from properties.interrupts.invariants.terms import (
    asks,
    end_matters,
    exists,
    hcr_of,
    held_asking,
    is_kicking,
    is_nobodys,
    is_noted,
    is_updating,
    is_used,
    is_valid,
    key_held,
    of_core,
    runs_low,
    span,
    waits,
)
from properties.interrupts.steps import has_place, listed, places_of, vm_of
from properties.quantify import everywhere
from spec.gic import list_registers as registers
from spec.words import bit, choose, clear, either, every, implies, member, negate, put_all


def waiting_noted(design: VgicDesign, state: VgicState) -> Any:
    """What is pending for a vCPU is noted for it; or it is in a list register, whose end asks for a maintenance
    interrupt or whose vCPU is noted itself."""

    def noted(key: Key, record: VirtualIrq) -> Any:
        if is_nobodys(design, state, key, record):
            return True
        due = [every(exists(state, key), waits(design, state, vcpu, key, record)) for vcpu in state.vcpus]
        seen = []
        for number, holder in enumerate(state.vcpus):
            seen.append(held_asking(design, state, number, key))
            seen.append(every(has_place(state, number, key), is_noted(state, holder)))
        seen.append(is_updating(design, state, key))
        found = zip(state.vcpus, due, strict=True)
        return every(*(implies(each, either(is_noted(state, vcpu), *seen)) for vcpu, each in found))

    return everywhere(state.irqs, noted)


def holders_told(design: VgicDesign, state: VgicState) -> Any:
    """Where a vCPU has an interrupt in a list register that is pending for another one, and does not know that somebody
    waits for it, the other one is noted, or it is noted itself and looks again whatever its guest does."""

    def told(key: Key, record: VirtualIrq) -> Any:
        if is_nobodys(design, state, key, record):
            return True
        found = []
        for number, holder in enumerate(state.vcpus):
            holds = every(has_place(state, number, key), is_told(design, state, number, key[2]))
            for other in (vcpu for n, vcpu in enumerate(state.vcpus) if n != number and holds is not False):
                due = every(exists(state, key), waits(design, state, other, key, record))
                looks = either(negate(has_flushed(design, holder)), is_called(design, state, number))
                looks = every(is_noted(state, holder), looks)
                noted = either(is_noted(state, other), looks, is_updating(design, state, key))
                found.append(implies(every(holds, due), noted))
        return every(*found)

    return everywhere(state.irqs, told)


def flush_complete(design: VgicDesign, state: VgicState) -> Any:
    """Behind what the flush has looked at nothing waits, but for the end of another source or at another vCPU; unless
    the list registers ran out."""
    flushing = places_of(design, Do.FLUSH_ONE, Do.FLUSH_END)

    def looked_at(key: Key, record: VirtualIrq) -> Any:
        if is_nobodys(design, state, key, record):
            return True
        found = []
        for number, vcpu in enumerate(state.vcpus):
            due = every(exists(state, key), waits(design, state, vcpu, key, record), member(vcpu.at, flushing))
            if due is False:
                continue
            elsewhere = (has_place(state, other, key) for other in range(len(state.vcpus)) if other != number)
            ahead = every(key[2] >= vcpu.cursor, member(vcpu.at, places_of(design, Do.FLUSH_ONE)))
            kept = either(ahead, vcpu.overflow == 1, held_asking(design, state, number, key), *elsewhere)
            found.append(implies(due, kept))
        return every(*found)

    return everywhere(state.irqs, looked_at)


def lists_pruned(design: VgicDesign, state: VgicState) -> Any:
    """From the prune to the flush's end, what is pending in a list register is to be delivered there, what is active
    there and pending for another vCPU asks for a maintenance interrupt at its end, and so does nothing whose end KVM
    need not learn of."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        flushing = member(vcpu.at, span(design, Do.PRUNE, Do.FLUSH_END))
        if flushing is False:
            continue
        checks = places_of(design, Do.CHECK_PENDING)
        ahead = member(vcpu.at, (*checks, *places_of(design, Do.FLUSH_ONE)))
        for position, lr in enumerate(listed(design, state, number)):
            key = key_held(state, number, lr)
            record, enabled = state.irqs.get(key), vm_of(state, vcpu.vm).enabled
            mine = flag(vcpu.number)
            back = put_all(record, ("pending",), (choose(is_edge(key[2], record), 1, record.pending),))
            right = computed(design, enabled, key, back) & mine > 0
            elsewhere = clear(computed(design, enabled, key, record), mine) > 0
            taken = every(flushing, is_used(vcpu, position))
            found.append(implies(every(taken, lr & registers.PENDING_BIT > 0), right))
            found.append(implies(every(taken, lr & registers.ACTIVE_BIT > 0, elsewhere), asks(lr)))
            found.append(implies(every(taken, asks(lr)), end_matters(design, state, vcpu, key, record)))
            unseen = every(taken, key[2] < SGIS, either(member(vcpu.at, checks), key[2] >= vcpu.cursor), ahead)
            found.append(implies(unseen, negate(asks(lr))))
    return every(*found)


def ends_sampled(design: VgicDesign, state: VgicState) -> Any:
    """Between the look at ended interrupts and their end it is noted which are pending again."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        sampled = member(vcpu.at, span(design, Do.SYNC_SAMPLE, Do.SYNC_ENDED))
        kept = member(vcpu.at, span(design, Do.SYNC_SAMPLE, Do.SYNC_PENDING))
        found.append(either(kept, vcpu.noted == 0))
        found.append(vcpu.noted >> len(vcpu.saved.lrs) == 0)
        if sampled is False:
            continue
        for position, lr in enumerate(vcpu.saved.lrs):
            key = key_held(state, number, lr)
            record = state.irqs.get(key)
            again = choose(is_edge(key[2], record), record.pending, record.line) == 1
            due = every(sampled, bit(vcpu.saved.eisr, position) == 1)
            found.append(implies(due, (bit(vcpu.noted, position) == 1) == again))
    return every(*found)


def noted_kicked(design: VgicDesign, state: VgicState) -> Any:
    """A vCPU that is noted, and behind its flush, looks again: it is called for, or its list registers ran out."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        past = every(is_noted(state, vcpu), has_flushed(design, vcpu))
        if past is False:
            continue
        low = runs_low(hcr_of(design, state, number), listed(design, state, number))
        found.append(implies(past, either(is_called(design, state, number), low)))
    return every(*found)


def has_flushed(design: VgicDesign, vcpu: Vcpu) -> Any:
    """Whether a vCPU is in its guest, or behind its flush on the way there."""
    return either(vcpu.at == GUEST, member(vcpu.at, span(design, Do.FLUSH_END, Do.ENTER)))


def is_called(design: VgicDesign, state: VgicState, number: int) -> Any:
    """Whether a vCPU that is noted, and behind its flush, looks again: another thread is about to kick it, it has a
    request that it still looks for, or an interrupt takes it out."""
    vcpu = state.vcpus[number]
    checks = span(design, Do.FLUSH_END, Do.CHECK_REQUESTS) if has_check(design) else ()
    looks = every(vcpu.requests == 1, member(vcpu.at, checks))
    taken_out = every(negate(member(vcpu.at, checks)), of_core(state, number, lambda core: core.ipi == 1))
    return either(is_kicking(design, state, vcpu.vm, number), looks, taken_out)


def has_check(design: VgicDesign) -> bool:
    """Whether the run loop looks for requests."""
    return any(step.do is Do.CHECK_REQUESTS for step in design.run)


def sleepers_woken(design: VgicDesign, state: VgicState) -> Any:
    """A vCPU that is noted does not go to sleep for good: somebody has woken it, or is about to."""
    found = []
    for vcpu in state.vcpus:
        goes = every(member(vcpu.at, places_of(design, Do.SLEEP)), vcpu.wait == Wait.QUEUED)
        sleeps = every(vcpu.wait == Wait.ASLEEP, vcpu.pause == 0)
        told = is_kicking(design, state, vcpu.vm)
        found.append(implies(every(is_noted(state, vcpu), either(goes, sleeps)), told))
    return every(*found)


def occupied_noted(design: VgicDesign, state: VgicState) -> Any:
    """A vCPU that has left its guest with an interrupt in a list register is noted until its next flush."""
    found = []
    cleared = (GUEST, *span(design, Do.FLUSH_END, Do.SYNC_PENDING))
    for number, vcpu in enumerate(state.vcpus):
        occupied = either(*(is_valid(lr) for lr in listed(design, state, number)))
        found.append(either(member(vcpu.at, cleared), negate(occupied), is_noted(state, vcpu)))
    return every(*found)
