"""What holds of every thread by where it stands: its processor, locks, masks, mode, requests, signals and power."""

from typing import Any

from model.threads import Mode, Wait
from model.vgic.design import GUEST, OUT, Do, Trait, VgicDesign, place
from model.vgic.facts import Fact
from model.vgic.state import Exit, VgicState
from properties.interrupts.invariants.terms import knows, of_core, reached, runs, span
from properties.interrupts.steps import places_of, runs_on
from spec.words import either, every, implies, member, negate


def threads_placed(design: VgicDesign, state: VgicState) -> Any:
    """Each thread stands at a step that it can reach, on one processor at the most."""
    found = []
    for position, core in enumerate(state.cores):
        found.append(implies(core.busy == 0, core.vcpu == 0))
        found.append(core.vcpu < len(state.vcpus))
        for other in state.cores[position + 1 :]:
            found.append(negate(every(core.busy == 1, other.busy == 1, core.vcpu == other.vcpu)))
        for number, vcpu in enumerate(state.vcpus):
            found.append(implies(runs_on(core, number), every(vcpu.cpu == position, vcpu.at != OUT)))
    for number, vcpu in enumerate(state.vcpus):
        found.append(member(vcpu.at, reached(design, False)))
        bound = either(vcpu.at == GUEST, knows(design, vcpu.at, Fact.LOCKED), knows(design, vcpu.at, Fact.MASKED))
        found.append(implies(bound, runs(state, number)))
        found.append(vcpu.cpu < len(state.cores))
        found.append(vcpu.vm < len(state.vms))
    for agent in state.agents:
        found.append(every(member(agent.at, reached(design, True)), agent.vm < len(state.vms)))
        found.append(implies(member(agent.at, places_of(design, Do.INJECT)), agent.updated == 0))
    return every(*found)


def threads_sleep(design: VgicDesign, state: VgicState) -> Any:
    """A thread that sleeps runs nowhere, and waits for an interrupt or for power."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        off = every(member(vcpu.at, places_of(design, Do.AWAIT_POWER)), vcpu.pause == 1)
        rests = every(negate(runs(state, number)), either(vcpu.at == place("block"), off))
        found.append(implies(vcpu.wait == Wait.ASLEEP, rests))
        found.append(vcpu.wait <= Wait.ASLEEP)
    return every(*found)


def interrupts_masked(design: VgicDesign, state: VgicState) -> Any:
    """Interrupts are masked on a processor where its thread is on the way into the guest, in it, or on the way out."""
    found = []
    for core in state.cores:
        within = (every(runs_on(core, n), knows(design, v.at, Fact.MASKED)) for n, v in enumerate(state.vcpus))
        found.append((core.masked == 1) == either(*within))
    return every(*found)


def lock_held(design: VgicDesign, state: VgicState) -> Any:
    """A distributor's lock has an owner exactly where that one stands in a locked section of the VM."""
    found = []
    for vm_number, vm in enumerate(state.vms):
        for position, core in enumerate(state.cores):
            inside = (
                every(runs_on(core, n), v.vm == vm_number, knows(design, v.at, Fact.LOCKED))
                for n, v in enumerate(state.vcpus)
            )
            found.append((vm.lock == position + 1) == either(*inside))
        for position, agent in enumerate(state.agents, len(state.cores)):
            held = every(agent.vm == vm_number, knows(design, agent.at, Fact.LOCKED))
            found.append((vm.lock == position + 1) == held)
        found.append(vm.lock <= len(state.cores) + len(state.agents))
    return every(*found)


def mode_told(design: VgicDesign, state: VgicState) -> Any:
    """A vCPU's mode says where a kick has to interrupt it; one that was kicked there has an interrupt to come."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        inside = knows(design, vcpu.at, Fact.IN_MODE)
        to_come = of_core(state, number, lambda core: core.ipi == 1)
        outside = vcpu.mode == Mode.OUTSIDE_GUEST_MODE
        found.append(implies(inside, negate(outside)))
        found.append(either(outside, inside, member(vcpu.at, places_of(design, Do.CLEAR_MODE))))
        found.append(vcpu.mode <= Mode.EXITING_GUEST_MODE)
        found.append(implies(vcpu.mode == Mode.EXITING_GUEST_MODE, to_come))
        asked = every(vcpu.requests == 1, either(vcpu.at == GUEST, knows(design, vcpu.at, Fact.CHECKED)))
        found.append(implies(asked, to_come))
    return every(*found)


def signals_heard(design: VgicDesign, state: VgicState) -> Any:
    """Behind the last check, a signal for a thread has sent an interrupt to its processor."""
    found = []
    late = span(design, Do.CHECK_SIGNAL, Do.ENTER)
    for number, vcpu in enumerate(state.vcpus):
        checked = every(vcpu.signal == 1, either(vcpu.at == GUEST, member(vcpu.at, late)))
        found.append(implies(checked, of_core(state, number, lambda core: core.ipi == 1)))
    return every(*found)


def power_awaited(design: VgicDesign, state: VgicState) -> Any:
    """A vCPU that is powered off awaits power, or is on its way to user space with a signal."""
    found = []
    before = span(design, Do.AWAIT_POWER, Do.CHECK_SIGNAL)
    leaving = (*places_of(design, Do.CLEAR_MODE), *span(design, Do.CLEAR_MODE, Do.HANDLE_EXIT))
    for vcpu in state.vcpus:
        awaits = member(vcpu.at, (OUT, *places_of(design, Do.AWAIT_POWER)))
        comes = every(member(vcpu.at, before), vcpu.signal == 1)
        leaves = every(member(vcpu.at, leaving), vcpu.exit == Exit.SIGNAL)
        found.append(implies(vcpu.pause == 1, either(awaits, comes, leaves)))
        found.append(either(Trait.SIBLINGS_STOPPED in design.traits, vcpu.exit != Exit.STOP))
    return every(*found)
