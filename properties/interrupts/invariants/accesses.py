"""What holds of accesses to the distributor and of lines that change, while the lock is held for them."""

from typing import Any

from model.vgic.design import Do, VgicDesign, place
from model.vgic.distributor import left_of, shifted, written
from model.vgic.state import VgicState
from properties.interrupts.distributor import unheeded, unwritten
from properties.interrupts.steps import none, places_of
from spec.words import clear, either, every, implies, member, negate, sub


def access_begun(design: VgicDesign, state: VgicState) -> Any:
    """A thread that changes interrupts one by one carries out a store, to some of those that it covers."""
    found = []
    for vcpu in state.vcpus:
        changes, access = member(vcpu.at, places_of(design, Do.WRITE_ONE)), vcpu.access
        found.append(implies(changes, every(access.write == 1, vcpu.left > 0)))
        found.append(either(changes, vcpu.left == 0))
        if changes is False:
            continue
        somewhere = []
        for line in design.registers:
            inner = sub(access.offset, line.base, 32)
            low = shifted(design, line.register, inner)
            covered = left_of(line.register, low, access.size, written(low, access.size, access.value), inner)
            somewhere.append(every(access.offset >= line.base, access.offset < line.base + line.length))
            found.append(implies(every(changes, somewhere[-1]), clear(vcpu.left, covered) == 0))
        found.append(implies(changes, either(*somewhere)))
    return every(*found)


def accesses_performed(design: VgicDesign, state: VgicState) -> Any:
    """From its performance until the lock is released, what a guest has stored has happened or is left to do, and what
    a device has said has happened."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        amid = member(vcpu.at, until_unlock(design, "access", Do.PERFORM))
        found.append(implies(amid, none(unwritten(state, number))))
    for agent in state.agents:
        amid = member(agent.at, until_unlock(design, "inject", Do.INJECT))
        found.append(implies(amid, negate(unheeded(design, state, agent))))
    return every(*found)


def until_unlock(design: VgicDesign, routine: str, first: Do) -> tuple[int, ...]:
    """The program counters of a routine behind a step of a kind, until the lock is released."""
    steps = [step.do for step in design.steps(routine)]
    if first not in steps or Do.UNLOCK not in steps:
        return ()
    return tuple(place(routine, index) for index in range(steps.index(first) + 1, steps.index(Do.UNLOCK) + 1))
