"""The distributor: the state machine of an interrupt, SGIs, what is forwarded, by example and for any distributor."""

from typing import Any

import pytest
from attrs import evolve

from properties.engines.inputs import symbolic
from spec.gic.distributor import (
    acknowledged,
    deactivate,
    ended,
    forwards,
    highest,
    key,
    line_changed,
    pending,
    quiet,
    send_sgi,
    sgi_targets,
    signal,
)
from spec.gic.state import U10, Irq
from spec.words import U1, U2, U3, U32, every, implies, member, negate, same
from tests.gic import any_distributor, distributor, proved

LEVEL = Irq(1, 1, 0, 0, 0, 0, 0x80, 1, 0)
EDGE = evolve(LEVEL, edge=1)
SGI = evolve(EDGE, targets=0)
NUMBER = 40

EVENTS = {
    "rise": lambda irq: line_changed(irq, 1),
    "fall": lambda irq: line_changed(irq, 0),
    "acknowledge": lambda irq: acknowledged(irq, NUMBER, 0),
    "end": ended,
}


@pytest.mark.parametrize(
    ("kind", "events", "is_pending", "is_active"),
    [
        (EDGE, ["rise"], 1, 0), (EDGE, ["rise", "fall"], 1, 0), (EDGE, ["rise", "acknowledge"], 0, 1),
        (EDGE, ["rise", "acknowledge", "end"], 0, 0), (EDGE, ["rise", "acknowledge", "rise"], 0, 1),
        (EDGE, ["rise", "acknowledge", "fall", "rise"], 1, 1), (EDGE, ["rise", "fall", "rise"], 1, 0),
        (EDGE, ["rise", "acknowledge", "fall", "rise", "end"], 1, 0),
        (LEVEL, ["rise"], 1, 0), (LEVEL, ["rise", "fall"], 0, 0), (LEVEL, ["rise", "acknowledge"], 1, 1),
        (LEVEL, ["rise", "acknowledge", "end"], 1, 0), (LEVEL, ["rise", "acknowledge", "fall"], 0, 1),
        (LEVEL, ["rise", "acknowledge", "fall", "end"], 0, 0),
    ],
)  # fmt: skip
def test_the_state_machine_of_an_interrupt(kind: Irq, events: list[str], is_pending: int, is_active: int) -> None:
    irq = kind
    for event in events:
        irq = EVENTS[event](irq)
    assert (pending(irq, NUMBER), irq.active) == (is_pending, is_active)


def test_an_sgi_is_pending_once_for_each_source() -> None:
    both = evolve(SGI, sources=0b110)
    one = acknowledged(both, 3, 1)
    assert (one.sources, one.active, pending(one, 3)) == (0b100, 1, True)
    assert not pending(acknowledged(one, 3, 2), 3)


@pytest.mark.parametrize(("sgir", "targets"), [(0x0003_0001, 0b11), (0x01FF_0001, 0b1111_1101), (0x0200_0001, 0b10),
                                               (0x03FF_0001, 0)])  # fmt: skip
def test_whom_an_sgi_goes_to(sgir: int, targets: int) -> None:
    assert sgi_targets(sgir, 1) == targets


def test_an_sgi_is_pending_at_its_targets_from_its_sender() -> None:
    sent = send_sgi(distributor(), 1, 0x01FF_0007, 0)
    assert dict(sent.irqs.entries) == {(0, 7): Irq(0, 0, 0, 0, 0, 0, 0, 0, 0b10)}


@pytest.mark.parametrize(("group", "sgir", "ns", "sent"), [(1, 0x8000, 0, 1), (0, 0x8000, 0, 0), (0, 0, 0, 1),
                                                           (1, 0, 0, 0), (1, 0, 1, 1), (0, 0x8000, 1, 0)])  # fmt: skip
def test_with_security_extensions_an_sgi_goes_only_to_its_group(group: int, sgir: int, ns: int, sent: int) -> None:
    start = distributor(((0, 0), evolve(SGI, group=group)), typer=0x422)
    assert send_sgi(start, 1, sgir | 1 << 16, ns).irqs.get((0, 0)).sources == sent << 1


ASSERTED = evolve(LEVEL, line=1)


@pytest.mark.parametrize(
    ("irq", "groups", "cpu", "forwarded"),
    [
        (ASSERTED, 3, 0, True), (ASSERTED, 1, 0, False), (ASSERTED, 3, 1, False), (LEVEL, 3, 0, False),
        (evolve(ASSERTED, enabled=0), 3, 0, False), (evolve(ASSERTED, active=1), 3, 0, False),
        (evolve(ASSERTED, targets=3), 2, 1, True),
    ],
)  # fmt: skip
def test_what_is_forwarded(irq: Irq, groups: int, cpu: int, forwarded: bool) -> None:
    assert forwards(groups, cpu, (0, NUMBER), irq) == forwarded


def test_a_ppi_is_forwarded_to_its_own_processor_only_and_an_sgi_is_always_enabled() -> None:
    assert [bool(forwards(3, cpu, (1, 27), ASSERTED)) for cpu in (0, 1)] == [False, True]
    assert forwards(3, 1, (1, 2), evolve(SGI, enabled=0, sources=1))


def test_any_of_the_highest_priority_may_be_the_highest() -> None:
    some = distributor(
        ((0, 40), ASSERTED), ((0, 41), evolve(ASSERTED, priority=0x40)), ((0, 27), evolve(ASSERTED, priority=0x40)),
        ((1, 27), evolve(ASSERTED, priority=0)), ((0, 42), evolve(ASSERTED, priority=0, active=1)),
    )  # fmt: skip
    assert [number for number in range(96) if highest(some, 3, 0, number)] == [27, 41]
    assert not quiet(some, 3, 0) and quiet(some, 1, 0)


def test_the_signal_of_an_interrupt_that_does_not_exist_goes_nowhere() -> None:
    assert signal(distributor(), 0, 96, 1) == distributor()
    assert signal(distributor(), 1, 27, 1).irqs.get((1, 27)).line == 1


@pytest.mark.parametrize(("group", "ns", "active"), [(0, 1, 1), (1, 1, 0), (0, 0, 0)])
def test_the_end_of_a_linked_interrupt_is_a_nonsecure_deactivation(group: int, ns: int, active: int) -> None:
    start = distributor(((0, 40), evolve(LEVEL, group=group, active=1)), typer=0x422)
    assert deactivate(start, 0, 40, ns).irqs.get((0, 40)).active == active


IRQ: Irq = symbolic(Irq, "irq")
N, CPU, GROUPS, OTHER, BANK = (symbolic(kind, name) for kind, name in (
    (U10, "n"), (U3, "cpu"), (U2, "groups"), (U10, "other"), (U3, "bank")
))  # fmt: skip


def test_what_is_acknowledged_is_not_forwarded_again_before_its_end() -> None:
    taken = acknowledged(IRQ, N, CPU)
    assert proved(negate(forwards(GROUPS, CPU, key(CPU, N), taken)))
    assert not proved(negate(forwards(GROUPS, CPU, key(CPU, N), ended(taken))))


def test_a_falling_line_takes_back_only_what_is_level_sensitive_and_not_latched() -> None:
    lost = every(pending(IRQ, N), negate(pending(line_changed(IRQ, 0), N)))
    assert proved(implies(lost, every(IRQ.edge == 0, IRQ.latch == 0, N >= 16)))
    assert not proved(negate(lost))


def test_a_rising_edge_makes_pending_and_a_line_that_stays_high_is_no_second_edge() -> None:
    risen = line_changed(IRQ, 1)
    assert proved(pending(risen, N), IRQ.edge == 1, IRQ.line == 0, N >= 16)
    assert proved(same(line_changed(risen, 1), risen))


def test_no_interrupt_of_any_distributor_is_higher_than_the_highest() -> None:
    any_one = any_distributor()
    irqs: Any = any_one.irqs
    irqs.source.watched = [(BANK, OTHER)]
    rival = irqs.get((BANK, OTHER))
    chosen, own = highest(any_one, GROUPS, CPU, N), irqs.get(key(CPU, N))
    ahead = every(forwards(GROUPS, CPU, (BANK, OTHER), rival), rival.priority < own.priority)
    assert proved(every(negate(ahead), forwards(GROUPS, CPU, key(CPU, N), own)), chosen)
    level = every(forwards(GROUPS, CPU, (BANK, OTHER), rival), rival.priority == own.priority)
    assert not proved(negate(level), chosen)


def test_an_sgi_changes_only_whom_it_is_pending_from() -> None:
    start, sgir = any_distributor(), symbolic(U32, "sgir")
    sent = send_sgi(start, CPU, sgir, symbolic(U1, "ns"))
    before, after = start.irqs.get((BANK, OTHER)), sent.irqs.get((BANK, OTHER))
    changed = negate(same(before, after))
    added = evolve(before, sources=after.sources)
    assert proved(same(after, added))
    assert proved(implies(changed, every(OTHER == sgir & 15, before.sources & after.sources == before.sources)))
    gained = before.sources ^ after.sources
    assert proved(implies(changed, member(gained, (1 << n for n in range(8)))))
    assert not proved(negate(changed))
