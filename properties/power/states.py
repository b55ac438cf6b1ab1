"""When two states of power are the same for every future: what a state leaves behind in its key.

What a processor held of a guest that it has left matters to nobody, nor does where a vCPU ran last, outside its guest;
what user space was told last has been judged with the step that told it.
"""

from collections.abc import Hashable
from functools import partial

from model.design import Design
from model.power.design import Do, PowerDesign
from model.power.state import Core, PowerState, Vcpu
from model.programs import GUEST
from properties.engines.parts.part import Aspect
from properties.power.steps import between


def aspects(design: Design, state: PowerState) -> tuple[Aspect, ...]:
    """What is left of the states of a configuration without what no step and no property can tell apart."""
    cores = tuple(partial(core_of, design.power, number) for number in range(len(state.cores)))
    vcpus = tuple(partial(vcpu_of, number) for number in range(len(state.vcpus)))
    return (*cores, *vcpus, agents, vms, crashed)


def core_of(design: PowerDesign, number: int, state: PowerState) -> Hashable:
    """What matters of a processor: a guest's registers only while they are loaded."""
    core: Core = state.cores[number]
    rest = (core.busy, core.vcpu, core.masked, core.ipi, core.holds)
    if core.busy == 0:
        return rest
    return (*rest, core.live) if state.vcpus[core.vcpu].at in loaded(design) else rest


def loaded(design: PowerDesign) -> frozenset[int]:
    """The program counters at which a processor's registers are still read."""
    steps = [step.do for step in design.run]
    if Do.LOAD not in steps or Do.SAVE not in steps:
        return frozenset(range(256))
    return between(design, "run", Do.LOAD, Do.SAVE) | {GUEST}


def vcpu_of(number: int, state: PowerState) -> Hashable:
    """What matters of a vCPU."""
    vcpu: Vcpu = state.vcpus[number]
    placed = vcpu.cpu if vcpu.mode != 0 else 0
    return (
        vcpu.at, placed, vcpu.mode, vcpu.wait, vcpu.signal, vcpu.initialised, vcpu.feature, vcpu.ran, vcpu.pause,
        vcpu.request, vcpu.start if vcpu.request else 0, vcpu.exit, vcpu.call, vcpu.result, vcpu.registers, vcpu.timer,
        vcpu.soft, vcpu.due, vcpu.off, vcpu.fresh, vcpu.asked if vcpu.fresh else 0, vcpu.stopped, vcpu.started,
        vcpu.cursor, vcpu.freed,
    )  # fmt: skip


def agents(state: PowerState) -> Hashable:
    """What user space is doing."""
    return tuple([(agent.at, agent.vm, agent.cursor) for agent in state.agents])


def vms(state: PowerState) -> Hashable:
    """Which VMs live, and their locks."""
    return state.vms


def crashed(state: PowerState) -> Hashable:
    """Whether the host has been harmed."""
    return state.crashed
