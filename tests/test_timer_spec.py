"""The generic timer: counters, compare values, views of 32 bits and outputs, by example and for all 64-bit counts."""

from typing import Any

import pytest
from attrs import evolve

from properties.engines.inputs import symbolic
from spec.coprocessor.decode import ROW
from spec.coprocessor.row import Gate
from spec.gic.distributor import pending
from spec.gic.state import Irq
from spec.processor import Timer
from spec.timer import access, counters, events, timers
from spec.timer.timers import GenericTimer
from spec.words import U32, U64, add, bit, every, implies, negate, same, sub
from tests.gic import distributor, proved

ANY: Timer = symbolic(Timer, "timer")
CNTP, CNTV, CNTHP = GenericTimer
COUNT, CVAL = symbolic(U64, "count"), symbolic(U64, "cval")
TICKS: Any = symbolic(U64, "ticks")
VALUE = symbolic(U32, "value")
LAST = (1 << 64) - 1
TIMER = Timer(0, 3, 0, 0, 0, 0, 0, 0, 0, 0)
every_timer = pytest.mark.parametrize("which", GenericTimer, ids=lambda which: which.name)


def test_the_virtual_counter_starts_anew_where_its_offset_is_the_physical_count() -> None:
    assert counters.virtual_count(evolve(TIMER, cntpct=1000, cntvoff=1000)) == 0
    assert counters.virtual_count(evolve(TIMER, cntpct=2, cntvoff=LAST)) == 3


def test_virtual_time_passes_as_physical_time_does_also_across_the_end_of_the_count() -> None:
    then = counters.passed(ANY, TICKS)
    elapsed = sub(counters.virtual_count(then), counters.virtual_count(ANY), 64)
    assert proved(elapsed == TICKS)


def test_virtual_time_of_an_offset_is_the_same_on_two_processors() -> None:
    other = evolve(symbolic(Timer, "other"), cntpct=ANY.cntpct, cntvoff=ANY.cntvoff)
    assert proved(counters.virtual_count(other) == counters.virtual_count(ANY))


@every_timer
def test_a_timer_of_which_no_bit_is_set_never_signals(which: GenericTimer) -> None:
    assert proved(negate(timers.output(evolve(ANY, **{which.ctl: 0}), which)))


@every_timer
def test_a_masked_timer_shows_that_it_has_fired_and_does_not_signal(which: GenericTimer) -> None:
    masked = evolve(ANY, **{which.ctl: 3, which.cval: 0})
    assert proved(every(timers.ctl_value(masked, which, VALUE) == 7, negate(timers.output(masked, which))))


@every_timer
def test_a_timer_signals_where_it_is_not_masked_and_its_status_is_set(which: GenericTimer) -> None:
    shown = timers.ctl_value(ANY, which, VALUE)
    signals = every(bit(shown, 0) == 1, bit(shown, 1) == 0, bit(shown, 2) == 1)
    assert proved(same(timers.output(ANY, which), signals))


@every_timer
def test_whether_a_timer_that_is_off_has_fired_is_unknown(which: GenericTimer) -> None:
    off = evolve(ANY, **{which.ctl: 0})
    assert proved(timers.ctl_value(off, which, VALUE) == VALUE & 4)


@every_timer
def test_only_enable_and_mask_of_a_control_register_can_be_written(which: GenericTimer) -> None:
    written = timers.with_ctl(ANY, which, VALUE)
    assert proved(getattr(written, which.ctl) == VALUE & 3)


def test_a_timer_that_has_fired_goes_on_until_its_counter_wraps_around() -> None:
    fired, later = timers.condition_met(COUNT, CVAL), timers.condition_met(add(COUNT, TICKS, 64), CVAL)
    assert proved(implies(fired, later), COUNT + TICKS < 1 << 64)
    assert not proved(implies(fired, later))


def test_a_compare_value_before_the_end_of_the_count_is_reached_by_then() -> None:
    ahead = sub(CVAL, COUNT, 64)
    assert proved(timers.condition_met(add(COUNT, ahead, 64), CVAL))


def test_no_timer_fires_before_its_compare_value() -> None:
    assert proved(negate(timers.condition_met(add(COUNT, TICKS, 64), CVAL)), COUNT + TICKS < CVAL)


@every_timer
def test_the_32_bit_view_gives_back_what_was_written_at_the_same_moment(which: GenericTimer) -> None:
    assert proved(timers.tval(timers.with_tval(ANY, which, VALUE), which) == VALUE)


@every_timer
def test_a_written_view_of_positive_value_fires_after_as_many_ticks(which: GenericTimer) -> None:
    armed = timers.with_tval(evolve(ANY, **{which.ctl: 1}), which, VALUE)
    count = timers.count_of(armed, which)
    in_range = [count + VALUE < 1 << 64, VALUE > 0, VALUE < 1 << 31]
    before, then = counters.passed(armed, VALUE + ((1 << 64) - 1) & LAST), counters.passed(armed, VALUE)
    assert proved(timers.output(then, which), *in_range)
    assert proved(negate(timers.output(before, which)), *in_range)


@pytest.mark.parametrize(("cval", "count", "shown"), [(10, 3, 7), (3, 10, 0xFFFFFFF9), (0, 0, 0), (1 << 32, 0, 0)])
def test_the_32_bit_view_is_a_signed_distance(cval: int, count: int, shown: int) -> None:
    assert timers.tval(evolve(TIMER, cntv_cval=cval, cntpct=count), CNTV) == shown


def test_a_negative_view_is_a_compare_value_behind_the_counter() -> None:
    assert timers.with_tval(evolve(TIMER, cntpct=10), CNTP, 0xFFFFFFFF).cntp_cval == 9
    assert timers.with_tval(TIMER, CNTP, 0x80000000).cntp_cval == LAST - (1 << 31) + 1


def test_the_offset_moves_the_virtual_timer_and_no_other() -> None:
    timer = evolve(TIMER, cntpct=100, cntvoff=60, cntv_ctl=1, cntv_cval=50, cntp_ctl=1, cntp_cval=50, cnthp_ctl=1)
    assert [timers.output(timer, which) for which in (CNTP, CNTV, CNTHP)] == [True, False, True]


def test_the_outputs_are_levels_of_private_interrupts() -> None:
    numbers = {CNTP: 30, CNTV: 27, CNTHP: 26}
    start = distributor(*(((0, n), Irq(1, 1, 0, 0, 0, 0, 0x80, 1, 0)) for n in numbers.values()))
    firing = evolve(TIMER, cntv_ctl=1)
    raised = timers.signalled(start, 0, firing)
    assert [pending(raised.irqs.get((0, n)), n) for n in numbers.values()] == [False, True, False]
    lowered = timers.signalled(raised, 0, evolve(firing, cntv_ctl=0))
    assert not pending(lowered.irqs.get((0, 27)), 27)


@pytest.mark.parametrize("control", range(16))
def test_the_event_stream_follows_one_edge_of_one_bit(control: int) -> None:
    word, shift = 1 << 2 | control << 4, 1 << control
    assert [events.generates(word | down << 3, shift - 1, shift) for down in (0, 1)] == [True, False]
    assert [events.generates(word | down << 3, 2 * shift - 1, 2 * shift) for down in (0, 1)] == [False, True]


def test_an_event_stream_comes_only_where_it_is_enabled_and_from_its_own_counter() -> None:
    at = evolve(TIMER, cntpct=7, cntvoff=1)
    assert not events.event(at)
    assert not events.event(evolve(at, cntkctl=1 << 2 | 3 << 4))
    assert events.event(evolve(at, cnthctl=1 << 2 | 3 << 4))
    assert events.event(evolve(at, cntvoff=0, cntkctl=1 << 2 | 3 << 4))


@pytest.mark.parametrize(
    ("gate", "bits"), [(Gate.PL0PCTEN, 1), (Gate.PL0VCTEN, 2), (Gate.PL0_ANY_COUNT, 3), (Gate.PL0VTEN, 256),
                       (Gate.PL0PTEN, 512)],
)  # fmt: skip
def test_what_the_kernel_grants_to_user_mode(gate: Gate, bits: int) -> None:
    assert proved(same(access.granted(VALUE, gate), VALUE & bits > 0))


@pytest.mark.parametrize("name", ["CNTPCT", "CNTP_CTL", "CNTP_CVAL", "CNTP_TVAL"])
@pytest.mark.parametrize("control", range(4))
def test_what_hyp_mode_keeps_is_what_its_traps_say(name: str, control: int) -> None:
    (trap,) = ROW[name].traps
    kept = access.count_trapped(control) if name == "CNTPCT" else access.timer_trapped(control)
    assert kept == (bit(control, trap.bit) == trap.when)


@pytest.mark.parametrize("name", ["CNTVCT", "CNTV_CTL", "CNTV_CVAL", "CNTV_TVAL"])
def test_the_virtual_half_never_traps(name: str) -> None:
    assert not ROW[name].traps
