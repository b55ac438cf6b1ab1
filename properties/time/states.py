"""When two states of time are the same for every future: times count by how far they are from now.

A compare value that was reached is as good as any other one that was. That it comes ahead again once the counter has
wrapped around, after 2^64 ticks, is left out of explorations and searches; the proofs have it.
"""

from collections.abc import Hashable
from functools import partial

from model.design import Design
from model.timer.design import TimerDesign
from model.timer.state import TimeState, Vcpu, Vm
from properties.engines.parts.part import Aspect
from spec.timer.counters import count_behind
from spec.words import put_all


def aspects(design: Design, state: TimeState) -> tuple[Aspect, ...]:
    """What is left of the states of a configuration without what no step and no property can tell apart."""
    cores = tuple(partial(core_of, number) for number in range(len(state.cores)))
    vcpus = tuple(partial(vcpu_of, number) for number in range(len(state.vcpus)))
    return (*cores, *vcpus, vms)


def away(count: int, cval: int) -> int:
    """How far a compare value is ahead of a counter; 0 where it was reached."""
    return max(cval - count, 0)


def core_of(number: int, state: TimeState) -> Hashable:
    """What matters of a processor."""
    core = state.cores[number]
    off: Hashable = core.off
    if core.off:
        off = tuple(vm.off == core.off for vm in state.vms)
    flags = (core.busy, core.vcpu, core.masked, core.irq, core.late, core.silenced, core.active, core.ctl, core.access)
    same = core.cval == state.vcpus[core.vcpu].own_cval
    return (*flags, off, away(count_behind(state.now, core.off), core.cval), same)


def vcpu_of(number: int, state: TimeState) -> Hashable:
    """What matters of a vCPU."""
    vcpu = state.vcpus[number]
    return relative_vcpu(state.now, state.vms[vcpu.vm], vcpu), vcpu.cval == vcpu.own_cval


def relative_vcpu(now: int, vm: Vm, vcpu: Vcpu) -> Vcpu:
    """A vCPU with distances for times, and 0 for what nobody reads."""
    count = count_behind(now, vm.off)
    left = vcpu.left if vcpu.running else 0
    return put_all(vcpu, ("cval", "own_cval", "left"), (away(count, vcpu.cval), away(count, vcpu.own_cval), left))


def vms(state: TimeState) -> Hashable:
    """What matters of the VMs: that they have run, not when."""
    return tuple((vm.timer, vm.ready) for vm in state.vms)


def live(design: TimerDesign, state: TimeState) -> Hashable:
    """What tells a state's future from that of others."""
    numbers = range(len(state.vcpus))
    return (*(core_of(n, state) for n in range(len(state.cores))), *(vcpu_of(n, state) for n in numbers), vms(state))
