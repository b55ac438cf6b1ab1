"""The physical CPU interface: acknowledge, priority drop, deactivation, and what Non-secure software sees of them."""

from typing import Any

import pytest
from attrs import evolve

from properties.engines.inputs import symbolic
from spec.gic.cpu_interface import (
    acknowledge,
    deactivation,
    enabled_groups,
    end_of_interrupt,
    highest_pending,
    running_priority,
    signalled,
    signals,
)
from spec.gic.distributor import key
from spec.gic.state import OTHER_GROUP, SPURIOUS, U10, Choices, CpuInterface, Distributor, Irq
from spec.words import U1, U3, U32, bits, every, implies, negate, same, sub
from tests.gic import PLAIN, any_distributor, distributor, physical, proved

SPI = Irq(1, 1, 1, 0, 0, 1, 0xA0, 1, 0)
URGENT = evolve(SPI, priority=0x40)
ONE = distributor(((0, 40), SPI), ((0, 41), URGENT), ((0, 3), evolve(SPI, latch=0, sources=0b110)))
SECURE = evolve(ONE, typer=0x422)
GROUP0 = distributor(((0, 40), evolve(SPI, group=0)), typer=0x422)
State = tuple[Distributor, CpuInterface]


def take(state: State, number: int, source: int = 0) -> tuple[State, int]:
    *after, value = acknowledge(*state, 0, number, source, 0, 0)
    return (after[0], after[1]), value


def test_an_interrupt_is_acknowledged_preempted_and_both_end() -> None:
    (state, value), idle = take((ONE, physical()), 40), physical()
    assert (value, state[0].irqs.get((0, 40)).active, state[1].nsapr) == (40, 1, 1 << 20)
    assert running_priority(state[1], 0) == 0xA0
    state, value = take(state, 41)
    assert (value, running_priority(state[1], 0)) == (41, 0x40)
    state = end_of_interrupt(*state, 0, 41, 0, 0, PLAIN)
    assert running_priority(state[1], 0) == 0xA0
    state = end_of_interrupt(*state, 0, 40, 0, 0, PLAIN)
    assert state[1] == idle
    assert not any(state[0].irqs.get((0, number)).active for number in (40, 41))


def test_what_is_not_urgent_enough_waits() -> None:
    state, _ = take((ONE, physical()), 41)
    assert take(state, 40) == (state, SPURIOUS)
    masked = physical(pmr=0xA0)
    assert take((ONE, masked), 40) == ((ONE, masked), SPURIOUS)
    assert take((ONE, physical(pmr=0xA8)), 40)[1] == 40


def test_one_acknowledge_takes_one_source_of_an_sgi() -> None:
    state, value = take((ONE, physical()), 3, 2)
    assert (value, state[0].irqs.get((0, 3)).sources) == (2 << 10 | 3, 0b010)
    assert take(state, 3, 1)[1] == SPURIOUS
    assert take(end_of_interrupt(*state, 0, value, 0, 0, PLAIN), 3, 1)[1] == 1 << 10 | 3


@pytest.mark.parametrize(
    ("state", "ctlr", "ns", "alias", "value"),
    [(ONE, 7, 0, 0, 40), (ONE, 3, 0, 0, OTHER_GROUP), (ONE, 3, 0, 1, 40), (ONE, 5, 0, 0, SPURIOUS),
     (SECURE, 3, 1, 0, 40), (GROUP0, 7, 1, 0, SPURIOUS), (GROUP0, 7, 0, 1, SPURIOUS), (GROUP0, 3, 0, 0, 40)],
)  # fmt: skip
def test_special_numbers_hide_what_an_access_may_not_take(
    state: Distributor, ctlr: int, ns: int, alias: int, value: int
) -> None:
    interface = physical(ctlr=ctlr)
    after, left, found = acknowledge(state, interface, 0, 40, 0, ns, alias)
    assert found == value
    assert ((after, left) == (state, interface)) == (value >= 1020)
    assert highest_pending(state, interface, 0, 40, 0, ns, alias, PLAIN) == value


@pytest.mark.parametrize(("state", "ctlr", "levels"), [(ONE, 7, (1, 0)), (ONE, 0xF, (1, 0)), (GROUP0, 0xF, (0, 1)),
                                                       (GROUP0, 7, (1, 0)), (ONE, 1, (0, 0))])  # fmt: skip
def test_group_0_is_an_fiq_where_it_is_told_to(state: Distributor, ctlr: int, levels: tuple[int, int]) -> None:
    assert signals(state, physical(ctlr=ctlr), 0, 40) == levels
    assert signals(state, physical(ctlr=ctlr), 0, SPURIOUS) == (0, 0)


@pytest.mark.parametrize(("ns", "mode"), [(0, 1 << 9), (1, 1 << 10)])
def test_with_eoi_mode_the_drop_and_the_end_are_apart(ns: int, mode: int) -> None:
    start = SECURE if ns else ONE
    after, left, _ = acknowledge(start, physical(ctlr=7 | mode), 0, 40, 0, ns, 0)
    after, left = end_of_interrupt(after, left, 0, 40, ns, 0, PLAIN)
    assert (left.nsapr, after.irqs.get((0, 40)).active) == (0, 1)
    assert deactivation(after, left, 0, 40, ns, PLAIN).irqs.get((0, 40)).active == 0


def test_with_eoi_mode_the_drop_may_follow_the_end() -> None:
    after, left, _ = acknowledge(ONE, physical(ctlr=7 | 1 << 9), 0, 40, 0, 0, 0)
    after = deactivation(after, left, 0, 40, 0, PLAIN)
    assert end_of_interrupt(after, left, 0, 40, 0, 0, PLAIN)[1].nsapr == 0


def test_an_end_of_group_1_does_not_fit_while_group_0_runs() -> None:
    (after, left), _ = take((ONE, physical()), 40)
    above = evolve(left, apr=1 << 4)
    assert end_of_interrupt(after, above, 0, 40, 0, 0, PLAIN) == (after, above)


@pytest.mark.parametrize("deactivates", [0, 1])
def test_a_deactivation_without_eoi_mode_is_a_choice(deactivates: int) -> None:
    (after, left), _ = take((ONE, physical()), 40)
    found = deactivation(after, left, 0, 40, 0, Choices(deactivates=deactivates))
    assert found.irqs.get((0, 40)).active == 1 - deactivates


@pytest.mark.parametrize("mismatch", [0, 1])
def test_an_end_that_does_not_fit_is_a_choice(mismatch: int) -> None:
    state, _ = take(take((ONE, physical()), 40)[0], 41)
    after, left = end_of_interrupt(*state, 0, 40, 0, 0, Choices(mismatch=mismatch))
    assert after.irqs.get((0, 40)).active == 1 - mismatch
    assert ((after, left) == state) == (mismatch == 0)


@pytest.mark.parametrize(
    ("apr", "nsapr", "ns", "priority"),
    [(0, 0, 1, 0xFF), (1 << 4, 0, 1, 0), (0, 1 << 20, 1, 0x40), (0, 1 << 20, 0, 0xA0), (1 << 4, 1 << 20, 0, 0x20)],
)
def test_the_running_priority_as_each_side_sees_it(apr: int, nsapr: int, ns: int, priority: int) -> None:
    assert running_priority(physical(apr=apr, nsapr=nsapr), ns) == priority


def test_nonsecure_software_cannot_end_group_0() -> None:
    (after, left), _ = take((GROUP0, physical()), 40)
    assert end_of_interrupt(after, left, 0, 40, 1, 0, Choices(mismatch=1)) == (after, left)


INTERFACE: CpuInterface = symbolic(CpuInterface, "interface")
CPU, N, SOURCE, NS, ALIAS, VALUE = (symbolic(kind, name) for kind, name in (
    (U3, "cpu"), (U10, "n"), (U3, "source"), (U1, "ns"), (U1, "alias"), (U32, "value")
))  # fmt: skip
ANY_CHOICES: Choices = symbolic(Choices, "choices")
BANK, OTHER = symbolic(U3, "bank"), symbolic(U10, "other")


def at(one: Distributor, *place: Any) -> Any:
    return one.irqs.get(place or (BANK, OTHER))


def test_an_acknowledge_changes_nothing_but_the_interrupt_it_gives() -> None:
    start = any_distributor()
    after, left, value = acknowledge(start, INTERFACE, CPU, N, SOURCE, NS, ALIAS)
    taken = bits(value, 9, 0) < 1020
    assert proved(implies(negate(taken), every(same(at(after), at(start)), same(left, INTERFACE))))
    elsewhere = negate(same((BANK, OTHER), key(CPU, N)))
    assert proved(implies(elsewhere, same(at(after), at(start))))
    assert proved(every(signalled(start, INTERFACE, CPU, N), bits(value, 9, 0) == N), taken)
    assert proved(at(after, *key(CPU, N)).active == 1, taken)
    assert not proved(negate(taken))


def test_an_acknowledged_interrupt_holds_the_running_priority() -> None:
    start = any_distributor()
    _, left, value = acknowledge(start, INTERFACE, CPU, N, SOURCE, 0, ALIAS)
    irq = at(start, *key(CPU, N))
    taken = bits(value, 9, 0) < 1020
    assert proved(running_priority(left, 0) <= irq.priority, taken)
    assert proved(running_priority(left, 0) < running_priority(INTERFACE, 0), taken)
    assert not proved(running_priority(left, 0) == irq.priority & 0xF8, taken)


def test_an_end_drops_at_most_one_level_and_ends_at_most_the_interrupt_it_names() -> None:
    start = any_distributor()
    after, left = end_of_interrupt(start, INTERFACE, CPU, VALUE, NS, ALIAS, ANY_CHOICES)
    for old, new in ((INTERFACE.apr, left.apr), (INTERFACE.nsapr, left.nsapr)):
        assert proved((old ^ new) & sub(old ^ new, 1, 32) == 0)
    assert proved(negate(every(negate(left.apr == INTERFACE.apr), negate(left.nsapr == INTERFACE.nsapr))))
    assert not proved(left.apr == INTERFACE.apr)
    other = negate(same((BANK, OTHER), key(CPU, bits(VALUE, 9, 0))))
    assert proved(same(at(after), at(start)), other)
    assert proved(same(evolve(at(after), active=0), evolve(at(start), active=0)))
    assert not proved(same(at(after), at(start)))


def test_acknowledge_and_end_leave_the_interface_as_it_was() -> None:
    start = any_distributor()
    after, left, value = acknowledge(start, INTERFACE, CPU, N, SOURCE, NS, 0)
    done, back = end_of_interrupt(after, left, CPU, value, NS, 0, ANY_CHOICES)
    own = every(bits(value, 9, 0) < 1020, start.typer & (1 << 10) > 0, N < 1020, N >> 5 <= start.typer & 31)
    assert proved(same(back, INTERFACE), own)
    together = bits(INTERFACE.ctlr, 10, 9) == 0
    assert proved(at(done, *key(CPU, N)).active == 0, own, together)
    assert not proved(at(done, *key(CPU, N)).active == 0, own)


def test_nonsecure_software_takes_no_interrupt_of_group_0() -> None:
    start = any_distributor()
    _, left, value = acknowledge(start, INTERFACE, CPU, N, SOURCE, 1, ALIAS)
    assert proved(implies(bits(value, 9, 0) < 1020, at(start, *key(CPU, N)).group == 1))
    assert proved(left.apr == INTERFACE.apr)
    assert not proved(left.nsapr == INTERFACE.nsapr)


def test_an_interrupt_of_a_disabled_group_is_never_signalled() -> None:
    start = any_distributor()
    off = enabled_groups(start, INTERFACE) == 0
    assert proved(negate(signalled(start, INTERFACE, CPU, N)), off)
