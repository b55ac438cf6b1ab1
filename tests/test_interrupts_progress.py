"""Fair drains of interrupts come to an end: the rank that each of their steps makes smaller, and its proof."""

from collections.abc import Iterator
from random import Random

import pytest

from model.design import Design
from model.threads import Wait, at_of
from model.topology import TOPOLOGIES, initial
from model.vgic import system as vgic
from model.vgic.design import GUEST, Do, VgicDesign
from model.vgic.state import VgicState
from model.vgic.system import VgicAction, vgic_guard, vgic_step
from properties.engines import interrupts_progress
from properties.engines.interrupts_induction import cases
from properties.engines.interrupts_progress import OF_DRAINS, progresses
from properties.faults.catalogue import FAULT
from properties.interrupts import drain
from properties.interrupts.delivery import is_quiet
from properties.interrupts.grain import forced
from properties.interrupts.hostile import proposed
from properties.interrupts.invariants import INVARIANTS
from properties.interrupts.progress import PROGRESS, able, drains, stuck
from properties.interrupts.progress import progresses as makes_less
from properties.interrupts.ranking import rank, tells
from properties.interrupts.stays import called_for_nothing
from properties.interrupts.steps import places_of
from spec.words import put, replaced
from tests.interrupts import REFERENCE, SGI, Machine, machine

CASES = {case.name: case for case in cases(REFERENCE.vgic)}
OF_INTERRUPTS = [name for name, each in TOPOLOGIES.items() if each.interrupts is not None and "wide" not in name]
TARGET = 0x828
"""The target of SPI 40, one byte of GICD_ITARGETSR; those of others follow."""


def refuted(design: Design, case: str) -> bool:
    """Whether the proof finds a step of the drain that leaves no less to do, and tells all that rests on it."""
    found = progresses(design, CASES[case]).findings
    return [(each.prop, each.decided) for each in found] == [(prop.id, True) for prop in OF_DRAINS]


def asking_itself() -> Design:
    """The design in which whoever kicks the vCPUs of its VM has itself look again as well."""
    return FAULT["kicker-asks-itself"].plant(REFERENCE)


def steps_of_drain(
    design: VgicDesign, state: VgicState, most: int = 3000
) -> Iterator[tuple[VgicState, VgicAction, VgicState]]:
    """The single steps of the drain from a state."""
    for _ in range(most):
        first = forced(design, state)
        action = drain.next_action(design, state) if first is None else first
        if action is None:
            return
        after = vgic_step(design, state, action)
        yield state, action, after
        state = after


@pytest.mark.parametrize("topology", OF_INTERRUPTS)
def test_each_step_of_a_drain_makes_the_rank_smaller(topology: str) -> None:
    random, design = Random(5), REFERENCE.vgic
    state = initial(TOPOLOGIES[topology], REFERENCE).interrupts
    assert state is not None
    taken = 0
    for number in range(240):
        action = proposed(random, REFERENCE, state)
        if vgic_guard(design, state, action):
            state = vgic_step(design, state, action)
        for before, step, after in steps_of_drain(design, state) if number % 24 == 0 else ():
            taken += 1
            assert not drains(design, before, step, after) or rank(design, after) < rank(design, before), step
            assert makes_less(design, before, step, after)
    assert taken > 20


def waiting(design: Design) -> Machine:
    """vCPU 1 has SPI 40 active, which is pending for vCPU 0 now; and vCPU 0 gets more than its list registers hold."""
    m = machine(design, (40, True, 1), (42, True, 0), (43, True, 0), (44, True, 0))
    m.line(40, 1)
    m.enter(1, 1)
    m.acknowledge(1)
    m.line(40, 0)
    m.store(1, TARGET, 0b01, 1)
    for irq in (40, 42, 43, 44):
        m.line(irq, 1)
    m.do(vgic.HostRuns(0, 0))
    return m


def test_a_vcpu_that_kicks_does_not_ask_itself_to_look_again() -> None:
    m = waiting(REFERENCE)
    m.settle(0)
    assert len(m.listed(0)) == 2


def test_a_vcpu_that_asks_itself_to_look_again_never_gets_to_its_guest() -> None:
    m = waiting(asking_itself())
    with pytest.raises(AssertionError, match="never settles"):
        m.settle(0)
    taken = list(steps_of_drain(m.design, m.state, 400))
    assert len(taken) == 400
    grows = [step for before, step, after in taken if not makes_less(m.design, before, step, after)]
    assert grows and rank(m.design, taken[-1][2]) >= min(rank(m.design, before) for before, _, _ in taken)


def crossed(design: Design) -> Machine:
    """Each of two vCPUs has an SPI active that is pending for the other one now, and both have left their guests."""
    m = machine(design, (40, True, 0), (41, True, 1))
    m.line(40, 1)
    m.line(41, 1)
    for number in (0, 1):
        m.enter(number, number)
        m.acknowledge(number)
    m.store(0, TARGET, 0b10, 1)
    m.store(0, TARGET + 1, 0b01, 1)
    for irq in (40, 41):
        m.line(irq, 0)
        m.line(irq, 1)
    assert all(tells(m.design, m.state, number) for number in (0, 1))
    for cpu in (0, 1):
        m.do(vgic.GuestInterrupted(cpu) if m.interrupted(cpu) else vgic.GuestExits(cpu))
        m.until(cpu, Do.MASK_IRQS)
    return m


def rounds_in_step(m: Machine, most: int) -> int:
    """How often both threads go by turns from behind a flush to behind the next one, before one is in its guest."""
    flushed = places_of(m.design, Do.MASK_IRQS)
    for count in range(most):
        for cpu in (0, 1):
            m.step(cpu)
            for _ in range(200):
                if at_of(m.state, cpu) == GUEST:
                    return count
                if at_of(m.state, cpu) in flushed:
                    break
                m.do(vgic.HostTakesInterrupts(cpu) if m.takes(cpu) else vgic.VgicSteps(cpu, m.next_irq(cpu)))
    return most


def test_vcpus_that_wait_for_each_other_tell_it_once_and_get_to_their_guests() -> None:
    m = crossed(REFERENCE)
    assert not any(tells(m.design, m.state, number) for number in (0, 1))
    assert rounds_in_step(m, 50) < 3
    taken = list(steps_of_drain(m.design, m.state))
    assert all(rank(m.design, after) < rank(m.design, before) for before, _, after in taken)
    assert not drain.lost(m.design, taken[-1][2])


def test_vcpus_that_tell_each_other_at_each_flush_may_never_get_to_their_guests() -> None:
    assert rounds_in_step(crossed(FAULT["holders-told-again"].plant(REFERENCE)), 50) == 50


@pytest.mark.parametrize("called", ["noted", "kicked"])
def test_a_flush_that_calls_for_a_vcpu_which_holds_nothing_for_it_is_noticed(called: str) -> None:
    m = machine(REFERENCE, SGI)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, Do.FLUSH_END)
    before, action = m.state, vgic.VgicSteps(0)
    m.step(0)
    assert not any(wrong for _, wrong in called_for_nothing(m.design, before, action, m.state))
    noted = put(m.state, "vms", tuple(put(vm, "oracle", 0b10) for vm in m.state.vms))
    kicked = put(m.state, "vcpus", (put(m.state.vcpus[0], "updated", 1), *m.state.vcpus[1:]))
    found = called_for_nothing(m.design, before, action, {"noted": noted, "kicked": kicked}[called])
    assert [number for number, wrong in found if wrong] == [1]


def test_the_proof_finds_that_who_knows_is_told_again() -> None:
    told_again = FAULT["holders-told-again"].plant(REFERENCE)
    assert refuted(told_again, "flush: end")


@pytest.mark.parametrize(
    "case", ["flush: end", "flush: kick", "enter: guest", "inject: kick", "guest: Completes", "guest: GuestWaits"]
)
def test_a_step_of_the_drain_is_proved_to_leave_less_to_do(case: str) -> None:
    found = progresses(REFERENCE, CASES[case])
    assert not found.findings and dict(found.asked)[PROGRESS.id] > 0


def test_a_thread_that_was_woken_while_powered_off_is_not_quiet_and_can_go_on() -> None:
    m = machine(REFERENCE, SGI)
    m.enter(0, 0)
    m.do(vgic.GuestPowersOff(0))
    m.settle(0)
    woken = put(m.state.vcpus[0], "wait", Wait.NOT)
    state = put(m.state, "vcpus", replaced(m.state.vcpus, 0, woken))
    assert not is_quiet(m.design, state)
    assert able(m.design, state) and not stuck(m.design, state)


def test_the_proof_finds_that_a_vcpu_asks_itself_to_look_again() -> None:
    assert refuted(asking_itself(), "flush: kick")


@pytest.mark.parametrize(
    ("invariant", "case"),
    [
        ("overflow_full", "enter: guest"),
        ("lists_full", "enter: guest"),
        ("map_true", "flush: end"),
        ("lists_pruned", "flush: end"),
        ("lists_worn", "exit: list registers"),
        ("interrupts_formed", "inject: line"),
    ],
)
def test_progress_rests_on_the_invariants(invariant: str, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {name: held for name, held in INVARIANTS.items() if name != invariant}
    monkeypatch.setattr(interrupts_progress, "INVARIANTS", fewer)
    assert refuted(REFERENCE, case)
