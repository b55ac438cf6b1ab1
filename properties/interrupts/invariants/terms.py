"""Words that the invariants share: who runs where, which list registers count, what is pending for whom, who kicks."""

from collections.abc import Callable
from functools import cache
from typing import Any

from model.vgic.design import GUEST, OUT, ROUTINES, Do, VgicDesign, place, step_at
from model.vgic.facts import Fact, facts, places
from model.vgic.pending import Key, computed, in_flight, is_edge, key_of
from model.vgic.state import IMPLEMENTED, PRIVATE, SGIS, Agent, Core, Vcpu, VgicState, VirtualIrq, flag
from properties.interrupts.steps import has_place, listed, names, runs_on, vm_of
from spec.gic import list_registers as lists
from spec.gic.virtual_interface import UIE
from spec.words import U8, U32, bit, choose, clear, either, every, member, negate


def runs(state: VgicState, number: int) -> Any:
    """Whether some processor runs the thread of a vCPU."""
    return either(*(runs_on(core, number) for core in state.cores))


def of_core(state: VgicState, number: int, part: Callable[[Core], Any]) -> Any:
    """Something of the processor that runs the thread of a vCPU; of the last one where none does."""
    found = part(state.cores[-1])
    for core in reversed(state.cores[:-1]):
        found = choose(runs_on(core, number), part(core), found)
    return found


def knows(design: VgicDesign, at: U8, fact: Fact) -> Any:
    """Whether a fact is known at a program counter."""
    return member(at, places(design, fact))


@cache
def reached(design: VgicDesign, agent: bool) -> tuple[int, ...]:
    """The program counters at which threads of vCPUs can stand, or agents: those of steps, OUT, and GUEST."""
    own = (at for at in facts(design) if step_at(design, at) is not None)
    found = tuple(at for at in own if is_of_agent(design, at) == agent)
    return (*found, OUT) if agent else (*found, OUT, GUEST)


def is_of_agent(design: VgicDesign, at: int) -> bool:
    """Whether a program counter is in the routine of agents."""
    return place("inject") <= at < place("inject", len(design.inject))


@cache
def span(design: VgicDesign, first: Do, last: Do) -> tuple[int, ...]:
    """The program counters of the run loop behind the first step of a kind, up to the first one of another kind behind
    it; with the guest where it is entered in between. Without the first step they begin with the loop, without the last
    one they end with it."""
    steps = [step.do for step in design.run]
    begin = steps.index(first) + 1 if first in steps else 0
    end = steps.index(last, begin) if last in steps[begin:] else len(steps) - 1
    found = tuple(place("run", index) for index in range(begin, end + 1))
    return (*found, GUEST) if Do.ENTER in steps[begin:end] else found


@cache
def before_kick(design: VgicDesign) -> tuple[int, ...]:
    """The program counters behind the taking of a lock from which a kick is still to come in the same routine."""
    found: list[int] = []
    for routine in ROUTINES:
        since: list[int] | None = None
        for index, step in enumerate(design.steps(routine)):
            if since is not None:
                since.append(place(routine, index))
            if step.do is Do.LOCK:
                since = []
            if step.do is Do.KICK and since is not None:
                found += since
                since = None
    return tuple(found)


def hcr_of(design: VgicDesign, state: VgicState, number: int) -> U32:
    """GICH_HCR of a vCPU, on its processor from its load until it is saved, else as it is saved."""
    inside = member(state.vcpus[number].at, span(design, Do.LOAD_HCR, Do.SAVE_HCR))
    live: U32 = of_core(state, number, lambda core: core.gich.hcr)
    return choose(inside, live, state.vcpus[number].saved.hcr)


def is_used(vcpu: Vcpu, position: int) -> Any:
    """Whether KVM holds a list register for taken."""
    return bit(vcpu.used, position) == 1


def is_valid(lr: U32) -> Any:
    """Whether a list register holds an interrupt."""
    return lr & (lists.PENDING_BIT | lists.ACTIVE_BIT) > 0


def asks(lr: U32) -> Any:
    """Whether a list register asks for a maintenance interrupt at the end of its interrupt."""
    return bit(lr, lists.EOI) == 1


def runs_low(hcr: U32, lrs: tuple[U32, ...]) -> Any:
    """Whether a maintenance interrupt comes once there is room again: one is asked for with an underflow, or a single
    list register asks for one at its interrupt's end."""
    return either(bit(hcr, UIE) == 1, len(lrs) == 1 and asks(lrs[0]))


def has_ended(lr: U32) -> Any:
    """Whether the interrupt of a list register has ended, and that asks for a maintenance interrupt."""
    return every(negate(is_valid(lr)), asks(lr))


def end_matters(design: VgicDesign, state: VgicState, vcpu: Vcpu, key: Key, record: VirtualIrq) -> Any:
    """Whether KVM has to learn of the end of an interrupt that a vCPU has in a list register: it is level-sensitive, or
    was as it was put there, or another source or another target waits for it."""
    level = either(negate(is_edge(key[2], record)), record.active == 1)
    elsewhere = clear(computed(design, vm_of(state, key[0]).enabled, key, record), flag(vcpu.number)) > 0
    return either(level, every(key[2] < SGIS, record.sources > 0), elsewhere)


def exists(state: VgicState, key: Key) -> Any:
    """Whether there is the VM, and such an interrupt in its distributor."""
    vm, bank, irq = key
    return every(vm < len(state.vms), irq < IMPLEMENTED, either(irq < PRIVATE, bank == 0))


def pends(design: VgicDesign, state: VgicState, vcpu: Vcpu, key: Key, record: VirtualIrq) -> Any:
    """Whether an interrupt is pending for a vCPU."""
    enabled = vm_of(state, key[0]).enabled
    return every(vcpu.vm == key[0], computed(design, enabled, key, record) & flag(vcpu.number) > 0)


def waits(design: VgicDesign, state: VgicState, vcpu: Vcpu, key: Key, record: VirtualIrq) -> Any:
    """Whether an interrupt is pending for a vCPU, and does not wait for its own end to be looked at again."""
    return every(pends(design, state, vcpu, key, record), negate(in_flight(key[2], record)))


def is_nobodys(design: VgicDesign, state: VgicState, key: Key, record: VirtualIrq) -> bool:
    """Whether an interrupt is plainly pending for no vCPU."""
    return (computed(design, vm_of(state, key[0]).enabled, key, record) > 0) is False


def is_noted(state: VgicState, vcpu: Vcpu) -> Any:
    """Whether it is noted that a vCPU may have something to flush."""
    return vm_of(state, vcpu.vm).oracle & flag(vcpu.number) > 0


def held_asking(design: VgicDesign, state: VgicState, number: int, key: Key) -> Any:
    """Whether a vCPU has a list register for an interrupt, which asks for a maintenance interrupt at its end."""
    if has_place(state, number, key) is False:
        return False
    place_of = state.lr_map.get((number, key[2]))
    found = (
        every(place_of == position + 1, asks(lr))
        for position, lr in enumerate(listed(design, state, number))
    )
    return every(names(state, number, key), either(*found))


def is_kicking(design: VgicDesign, state: VgicState, vm: U8, besides: int | None = None) -> Any:
    """Whether a thread is about to kick the vCPUs of a VM that may have something to flush; besides that of a vCPU."""
    vcpus = (vcpu for number, vcpu in enumerate(state.vcpus) if number != besides)
    threads: tuple[Agent | Vcpu, ...] = (*vcpus, *state.agents)
    return either(*(every(t.vm == vm, t.updated == 1, member(t.at, before_kick(design))) for t in threads))


def is_updating(design: VgicDesign, state: VgicState, key: Key) -> Any:
    """Whether a thread has begun to change interrupts of a VM and is still to compute what is pending for whom."""
    changing = tuple(at for at in update_places(design))
    lines = [line for line in design.registers if line.register in design.updating]
    found = []
    for vcpu in state.vcpus:
        offset = vcpu.access.offset
        stores = either(*(every(offset >= line.base, offset < line.base + line.length) for line in lines))
        found.append(every(vcpu.vm == key[0], member(vcpu.at, changing), vcpu.access.write == 1, stores))
    return either(*found)


@cache
def update_places(design: VgicDesign) -> tuple[int, ...]:
    """The program counters from behind the first change of an access up to the update."""
    steps = [step.do for step in design.access]
    begin = steps.index(Do.PERFORM) + 1 if Do.PERFORM in steps else 0
    end = steps.index(Do.UPDATE) if Do.UPDATE in steps else begin - 1
    return tuple(place("access", index) for index in range(begin, end + 1))


def key_held(state: VgicState, number: int, lr: U32) -> Key:
    """Which interrupt a list register of a vCPU names."""
    vcpu = state.vcpus[number]
    return key_of(vcpu.vm, vcpu.number, lists.virtual_id(lr))
