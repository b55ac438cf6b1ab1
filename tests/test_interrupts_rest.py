"""Where a drain of interrupts rests: what it may do next, what is owed there, and the proof that nothing is."""

from collections.abc import Iterator
from random import Random

import pytest

from model.topology import TOPOLOGIES, initial
from model.vgic import lists
from model.vgic import system as vgic
from model.vgic.guest import Acknowledges, Completes, Stores
from model.vgic.state import END, Core, VgicState
from model.vgic.system import vgic_guard, vgic_step
from properties.engines import interrupts_progress
from properties.engines.interrupts_induction import cases
from properties.engines.interrupts_progress import AT_REST, drain_obligations, goes_on, rests
from properties.interrupts import drain, rest
from properties.interrupts.delivery import DELIVERED, IDLE_SLEEPS
from properties.interrupts.grain import forced, next_irq
from properties.interrupts.hostile import proposed
from properties.interrupts.invariants import INVARIANTS
from properties.interrupts.progress import drains
from properties.interrupts.rest import (
    able,
    at_rest_nobody_waits_in_vain,
    at_rest_owes_nothing,
    guest_goes_on,
    leads_on,
    owed,
    ways_on,
    willing,
)
from properties.property import Property
from spec.gic import list_registers as lists_of
from spec.words import every, negate, put, put_all
from tests.interrupts import EDGE, ITARGETSR40, LEVEL, REFERENCE, Machine, machine

DESIGN = REFERENCE.vgic
OF_INTERRUPTS = [name for name, each in TOPOLOGIES.items() if each.interrupts is not None and "wide" not in name]
PMR = 0x4
"""The offset of GICV_PMR."""


def hostile(topology: str, seed: int, steps: int) -> Iterator[VgicState]:
    """The states of a random run."""
    random, state = Random(seed), initial(TOPOLOGIES[topology], REFERENCE).interrupts
    assert state is not None
    for _ in range(steps):
        action = proposed(random, REFERENCE, state)
        if vgic_guard(DESIGN, state, action):
            state = vgic_step(DESIGN, state, action)
            yield state


@pytest.mark.parametrize("topology", OF_INTERRUPTS)
def test_what_the_drain_counts_on_is_possible(topology: str) -> None:
    counted = 0
    for state in hostile(topology, 7, 400):
        for action in ways_on(state):
            if leads_on(DESIGN, state, action):
                counted += 1
                steps = isinstance(action, vgic.VgicSteps)
                taken = vgic.VgicSteps(action.cpu, next_irq(DESIGN, state, action.cpu)) if steps else action
                assert vgic_guard(DESIGN, state, taken), taken
    assert counted > 200


@pytest.mark.parametrize("topology", OF_INTERRUPTS)
def test_a_drain_goes_on_by_what_the_proof_counts_on_until_it_rests_and_owes_nothing(topology: str) -> None:
    ends = 0
    for number, state in enumerate(hostile(topology, 3, 300)):
        if number % 30:
            continue
        for _ in range(3000):
            first = forced(DESIGN, state)
            action = drain.next_action(DESIGN, state) if first is None else first
            if action is None:
                ends += 1
                assert not able(DESIGN, state)
                assert at_rest_owes_nothing(DESIGN, state)
                break
            after = vgic_step(DESIGN, state, action)
            if all(willing(DESIGN, state, number) for number in range(len(state.vcpus))):
                assert drains(DESIGN, state, action, after), action
                assert able(DESIGN, state) or guest_goes_on(DESIGN, state)
            state = after
    assert ends > 3


def uses(state: VgicState) -> Iterator[vgic.VgicAction]:
    """What guests may do with their interfaces, and devices with lines of interrupts that are active."""
    for cpu, core in enumerate(state.cores):
        yield vgic.GuestActs(cpu, Acknowledges())
        for lr in core.gich.lrs:
            yield vgic.GuestActs(cpu, Completes(lists_of.interrupt_id(lr)))
            for agent in range(len(state.cores), len(state.cores) + len(state.agents)):
                vcpu = state.vcpus[core.vcpu]
                yield vgic.LineChanges(agent, vcpu.vm, vcpu.number, lists_of.virtual_id(lr), 0)


@pytest.mark.parametrize("topology", OF_INTERRUPTS)
def test_where_a_guest_or_a_device_is_counted_on_something_that_it_may_do_is_the_drains(topology: str) -> None:
    for number, state in enumerate(hostile(topology, 3, 300)):
        for _ in range(3000 if number % 30 == 0 else 0):
            if guest_goes_on(DESIGN, state):
                possible = [action for action in uses(state) if vgic_guard(DESIGN, state, action)]
                assert any(drains(DESIGN, state, action, vgic_step(DESIGN, state, action)) for action in possible)
            action = forced(DESIGN, state) or drain.next_action(DESIGN, state)
            if action is None:
                break
            state = vgic_step(DESIGN, state, action)


def test_guests_and_devices_are_counted_on_somewhere() -> None:
    edge, level = served(EDGE), served(LEVEL)
    level.acknowledge(0)
    assert guest_goes_on(DESIGN, edge.state) and guest_goes_on(DESIGN, level.state)


def served(interrupt: tuple[int, bool, int]) -> Machine:
    """A guest in which an interrupt is pending in a list register."""
    m = machine(REFERENCE, interrupt)
    m.line(interrupt[0], 1)
    m.enter(0, 0)
    return m


def owes(m: Machine) -> bool:
    """Whether anything is owed."""
    return any(waits for _, waits in owed(m.design, m.state))


def test_a_pending_interrupt_is_owed_and_its_guest_goes_on() -> None:
    m = served(EDGE)
    assert owes(m) and guest_goes_on(m.design, m.state) and at_rest_owes_nothing(m.design, m.state)


def test_of_a_level_that_is_active_the_line_falls_before_its_guest_ends_it() -> None:
    m = served(LEVEL)
    number = m.acknowledge(0)
    end, fall = vgic.GuestActs(0, Completes(number)), vgic.LineChanges(m.user, 0, 0, number, 0)
    assert guest_goes_on(m.design, m.state)
    assert not drains(m.design, m.state, end, vgic_step(m.design, m.state, end))
    assert drains(m.design, m.state, fall, vgic_step(m.design, m.state, fall))


def test_where_the_interrupt_was_served_the_drain_rests() -> None:
    m = served(EDGE)
    assert m.served(0) == [40]
    m.settle(0)
    assert not owes(m) and not guest_goes_on(m.design, m.state)


def test_a_guest_that_masks_every_priority_is_owed_nothing() -> None:
    m = served(EDGE)
    m.do(vgic.GuestActs(0, Stores(PMR, 4, 0)))
    assert not willing(m.design, m.state, 0)
    assert not owes(m) and not guest_goes_on(m.design, m.state)


def test_what_a_vcpu_that_is_off_has_in_a_list_register_is_owed_to_nobody() -> None:
    m = served(LEVEL)
    m.acknowledge(0)
    m.store(0, ITARGETSR40 + 1, 0b10, 1)
    assert owes(m)
    m.do(vgic.GuestPowersOff(0))
    m.settle(0)
    assert willing(m.design, m.state, 1) and not owes(m)


def test_a_guest_that_waits_gives_its_processor_away_where_the_drain_rests() -> None:
    m = served(EDGE)
    m.served(0)
    m.enter(1, 1)
    m.wait(1)
    assert not at_rest_nobody_waits_in_vain(m.design, put(m.state, "cores", silent(m)))
    assert leads_on(m.design, m.state, vgic.GuestWaits(0)) and at_rest_nobody_waits_in_vain(m.design, m.state)
    m.wait(0)
    assert m.asleep(0) and at_rest_nobody_waits_in_vain(m.design, m.state)


def silent(m: Machine) -> tuple[Core, ...]:
    """The processors, the first of which has an interrupt in a list register that is not signalled."""
    core = m.state.cores[0]
    masked = put_all(core.gich, ("apr", "lrs"), (0, (1 << 28 | 31 << 23, *core.gich.lrs[1:])))
    return (put(core, "gich", masked), *m.state.cores[1:])


def test_what_is_only_pending_where_a_guest_refuses_it_is_owed_to_its_new_target() -> None:
    m = machine(REFERENCE, (40, True, 1))
    m.line(40, 1)
    m.enter(1, 1)
    m.do(vgic.GuestActs(1, Stores(PMR, 4, 0)))
    m.enter(0, 0)
    m.store(0, ITARGETSR40, 0b01, 1)
    m.line(40, 0)
    m.line(40, 1)
    assert not willing(m.design, m.state, 1) and owes(m)


def test_the_proof_finds_a_flush_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = lists.may_visit
    monkeypatch.setattr(lists, "may_visit", lambda d, s, cpu, irq: every(negate(irq == END), plain(d, s, cpu, irq)))
    (case,) = (each for each in cases(DESIGN) if each.name == "flush: queue")
    assert {(each.prop, each.decided) for each in goes_on(REFERENCE, case).findings} == {(p.id, True) for p in AT_REST}


@pytest.mark.parametrize("prop", AT_REST, ids=lambda prop: prop.id)
def test_what_has_to_hold_where_a_drain_rests_is_proved(prop: Property) -> None:
    found = rests(REFERENCE, prop)
    assert not found.findings and not found.vacuous and dict(found.asked)[prop.id] > 0


def refuted(prop: Property) -> bool:
    """Whether the proof finds a state at rest in which it does not hold."""
    return {(each.prop, each.decided) for each in rests(REFERENCE, prop).findings} == {(prop.id, True)}


@pytest.mark.parametrize(
    ("prop", "invariant"),
    [
        (DELIVERED, "waiting_noted"),
        (DELIVERED, "noted_kicked"),
        (DELIVERED, "sleepers_woken"),
        (DELIVERED, "occupied_noted"),
        (DELIVERED, "flight_listed"),
        (DELIVERED, "lists_known"),
        (IDLE_SLEEPS, "interface_off"),
        (IDLE_SLEEPS, "interface_enabled"),
        (IDLE_SLEEPS, "lock_held"),
    ],
)
def test_what_holds_at_rest_rests_on_the_invariants(
    prop: Property, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = {name: held for name, held in INVARIANTS.items() if name != invariant}
    monkeypatch.setattr(interrupts_progress, "INVARIANTS", fewer)
    assert refuted(prop)


def test_the_proof_finds_a_guest_that_never_ends_what_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "Completes", lambda value: rest.Acknowledges())
    assert refuted(DELIVERED)


def test_the_proof_finds_a_thread_that_is_counted_on_though_somebody_has_its_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rest, "blocked", lambda design, state, at, vm: False)
    wrong = [case.name for case in cases(DESIGN) if goes_on(REFERENCE, case).findings]
    assert wrong and all("lock" in name for name in wrong)


def test_delivery_is_asked_of_every_case_twice_and_once_of_any_state() -> None:
    count = len(list(cases(DESIGN)))
    assert len(drain_obligations(REFERENCE, (DELIVERED,))) == 2 * count + 1
    assert len(drain_obligations(REFERENCE, (DELIVERED, IDLE_SLEEPS))) == 2 * count + 2
    assert drain_obligations(REFERENCE, ()) == []
