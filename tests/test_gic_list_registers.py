"""List registers: fields, builders, and what hardware must make sense of."""

import pytest

from spec.gic import list_registers as lr
from spec.gic.list_registers import ListState


def test_a_recorded_list_register_of_an_sgi() -> None:
    word = 0x10000402
    assert (lr.virtual_id(word), lr.cpu_id(word), lr.state(word)) == (2, 1, ListState.PENDING)
    assert lr.interrupt_id(word) == 0x402


def test_the_builders_fill_every_field() -> None:
    word = lr.software(5, 3, 1, 0x14, ListState.PENDING, 1)
    found = (lr.virtual_id(word), lr.cpu_id(word), lr.eoi(word), lr.priority(word), lr.group(word), lr.hw(word))
    assert found == (5, 3, 1, 0x14, 1, 0)
    linked = lr.hardware(27, 0x3FF, 2, ListState.ACTIVE, 0)
    assert (lr.virtual_id(linked), lr.physical_id(linked), lr.priority(linked)) == (27, 0x3FF, 2)
    assert (lr.state(linked), lr.group(linked), lr.hw(linked)) == (ListState.ACTIVE, 0, 1)


@pytest.mark.parametrize(
    ("before", "acknowledged", "deactivated"),
    [(ListState.PENDING, ListState.ACTIVE, ListState.PENDING), (ListState.ACTIVE, None, ListState.INVALID),
     (ListState.ACTIVE_AND_PENDING, None, ListState.PENDING), (ListState.INVALID, None, ListState.INVALID)],
)  # fmt: skip
def test_the_states_of_a_list_register(before: ListState, acknowledged: ListState | None, deactivated: int) -> None:
    word = lr.software(40, 0, 1, 3, before, 1)
    if acknowledged is not None:
        assert lr.acknowledged(word) == lr.with_state(word, acknowledged)
    assert lr.deactivated(word) == lr.with_state(word, deactivated)


@pytest.mark.parametrize(
    ("word", "legal"),
    [
        (lr.software(1019, 0, 0, 0, 1, 0), True), (lr.software(1020, 0, 0, 0, 1, 0), False),
        (lr.software(1020, 0, 0, 0, 0, 0), True), (lr.software(15, 7, 0, 0, 3, 0), True),
        (lr.software(16, 1, 0, 0, 1, 0), False), (lr.hardware(27, 27, 0, 2, 0), True),
        (lr.hardware(27, 15, 0, 1, 0), False), (lr.hardware(27, 1020, 0, 1, 0), False),
        (lr.hardware(27, 27, 0, 3, 0), False),
    ],
)  # fmt: skip
def test_what_hardware_must_make_sense_of(word: int, legal: bool) -> None:
    assert lr.legal(word) == legal
