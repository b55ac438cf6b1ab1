"""What properties of interrupts ask of a step: its states, its thread, and where an interrupt is."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

from attrs import frozen

from model.action import Action
from model.state import State
from model.threads import at_of
from model.vgic.design import GUEST, ROUTINES, Do, VgicDesign, after, place, routine_at, step_at
from model.vgic.pending import Key, is_edge, is_enabled, key_of
from model.vgic.state import PRIVATE, SGIS, Core, VgicState, VirtualIrq, Vm
from model.vgic.system import VgicSteps
from spec.gic import list_registers as lists
from spec.sparse import Sparse
from spec.words import U3, U8, U32, choose, either, every, member, negate, same, select

S = TypeVar("S")


def interrupts_of(state: State) -> VgicState:
    """The interrupts of a configuration that is about them."""
    assert state.interrupts is not None
    return state.interrupts


def does(design: VgicDesign, state: VgicState, action: Action) -> Do | None:
    """What the step of a thread does that an action is; None where it is no such step."""
    if not isinstance(action, VgicSteps):
        return None
    step = step_at(design, at_of(state, action.cpu))
    return None if step is None else step.do


def routine_of(at: int) -> str:
    """The routine of a program counter; empty outside the routines."""
    found = routine_at(at)
    return "" if found is None else found[0]


@cache
def places_of(design: VgicDesign, *kinds: Do) -> frozenset[int]:
    """The program counters of the steps of these kinds."""
    steps = ((name, index, step) for name in ROUTINES for index, step in enumerate(design.steps(name)))
    return frozenset(place(name, index) for name, index, step in steps if step.do in kinds)


@cache
def between(design: VgicDesign, load: Do, save: Do) -> frozenset[int]:
    """The program counters at which GICH holds what one step loads and another one saves: the guest's, and around it.

    Without the one it starts with the guest, without the other it ends with it.
    """
    steps = [step.do for step in design.run]
    entry = after(design, "run", Do.ENTER) - place("run")
    first = steps.index(load) + 1 if load in steps[:entry] else entry
    last = steps.index(save) if save in steps[entry:] else entry - 1
    return frozenset({GUEST, *(place("run", index) for index in range(first, last + 1))})


def listed(design: VgicDesign, state: VgicState, number: int) -> tuple[U32, ...]:
    """The list registers of a vCPU: in GICH from their load until they are saved, else as they are saved."""
    vcpu = state.vcpus[number]
    found = vcpu.saved.lrs
    inside = member(vcpu.at, between(design, Do.LOAD_LRS, Do.SAVE_LRS))
    if inside is False:
        return found
    for core in reversed(state.cores):
        here = every(inside, runs_on(core, number))
        if here is not False:
            found = tuple([choose(here, live, kept) for live, kept in zip(core.gich.lrs, found, strict=True)])
    return found


def runs_on(core: Core, number: int) -> Any:
    """Whether a processor runs the thread of a vCPU."""
    return every(core.busy == 1, core.vcpu == number)


@frozen
class Place:
    """A list register: whose, which, and what it holds."""

    vcpu: int
    position: int
    lr: U32
    key: Key
    """Of its interrupt."""
    held: Any
    """Whether it holds one."""

    @property
    def pending(self) -> Any:
        """Whether its interrupt is pending, active or not."""
        return self.lr & lists.PENDING_BIT > 0

    @property
    def active(self) -> Any:
        """Whether its interrupt is active, pending or not."""
        return self.lr & lists.ACTIVE_BIT > 0

    @property
    def source(self) -> U3:
        """The vCPU that has sent the SGI; 0 for other interrupts."""
        return choose(self.key[2] < SGIS, lists.cpu_id(self.lr), 0)


def touched(before: VgicState, after: VgicState) -> tuple[int, ...]:
    """The vCPUs whose list registers a step may have changed: what they are is not the very same record any more.

    In proofs, all.
    """
    if not isinstance(before.irqs, Sparse):
        return tuple(range(len(before.vcpus)))
    cores = [n for n, core in enumerate(before.cores) if core is not after.cores[n]]
    run = {core.vcpu for n in cores for core in (before.cores[n], after.cores[n]) if core.busy == 1}
    return tuple(n for n, vcpu in enumerate(before.vcpus) if n in run or vcpu is not after.vcpus[n])


def in_lists(design: VgicDesign, state: VgicState, of: Iterable[int] | None = None) -> Iterator[Place]:
    """Every list register, but those that plainly hold no interrupt; of some vCPUs alone, where these are given."""
    for number in range(len(state.vcpus)) if of is None else of:
        vcpu = state.vcpus[number]
        for position, lr in enumerate(listed(design, state, number)):
            held = negate(lists.state(lr) == lists.ListState.INVALID)
            if held is not False:
                yield Place(number, position, lr, key_of(vcpu.vm, vcpu.number, lists.virtual_id(lr)), held)


def vm_of(state: VgicState, number: U8) -> Vm:
    """The VM of a number; beyond them all, the last one."""
    return select(state.vms, number)


def forwarded(state: VgicState, key: Key, record: VirtualIrq) -> Any:
    """Whether the distributor forwards the interrupt, when it is pending."""
    return every(vm_of(state, key[0]).enabled == 1, is_enabled(key[2], record))


def high(record: VirtualIrq) -> Any:
    """Whether a level-sensitive interrupt has a cause: its line is high, or its guest has pended it."""
    return either(record.line == 1, record.soft == 1)


def wanted(key: Key, record: VirtualIrq) -> Any:
    """Whether an interrupt waits in the distributor to be delivered."""
    return either(record.pending == 1, every(negate(is_edge(key[2], record)), high(record)))


def mine(state: VgicState, number: int, key: Key, record: VirtualIrq) -> Any:
    """Whether an interrupt goes to a vCPU."""
    vcpu = state.vcpus[number]
    return every(vcpu.vm == key[0], choose(key[2] < PRIVATE, key[1], record.target) == vcpu.number)


def names(state: VgicState, number: int, key: Key) -> Any:
    """Whether a vCPU means this interrupt by its number: private ones are banked."""
    vcpu = state.vcpus[number]
    return same(key, key_of(vcpu.vm, vcpu.number, key[2]))


def has_place(state: VgicState, number: int, key: Key) -> Any:
    """Whether a vCPU has a list register for an interrupt, by KVM's map of them."""
    return every(names(state, number, key), state.lr_map.get((number, key[2])) > 0)


def awaited(state: VgicState, number: int, key: Key, record: VirtualIrq) -> Any:
    """Whether an interrupt waits in the distributor for a vCPU, which is powered on."""
    return every(waiting_for(state, number, key, record), state.vcpus[number].pause == 0)


def waiting_for(state: VgicState, number: int, key: Key, record: VirtualIrq) -> Any:
    """Whether an interrupt waits in the distributor for a vCPU, powered on or not."""
    return every(wanted(key, record), forwarded(state, key, record), mine(state, number, key, record))


def none(found: Iterable[tuple[Any, Any]]) -> Any:
    """Whether of a list of subjects, each with a condition, no condition holds."""
    return negate(either(*(condition for _, condition in found)))


def those(found: Iterable[tuple[S, Any]]) -> list[S]:
    """The subjects of which the condition holds, in a concrete state."""
    return [subject for subject, condition in found if condition]


def named(key: Key) -> str:
    """An interrupt in words."""
    vm, bank, irq = key
    kind = "SGI" if irq < SGIS else "PPI" if irq < PRIVATE else "SPI"
    owner = f" of vCPU{bank}" if irq < PRIVATE else ""
    return f"{kind} {irq}{owner} of VM{vm}"


