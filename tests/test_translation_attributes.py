"""Memory attributes: what the encodings state, and what two stages make of it together."""

import pytest

from properties.engines.inputs import symbolic
from spec.translation.attributes import (
    Attributes,
    Cacheability,
    MemoryType,
    Shareability,
    combined,
    mair_attributes,
    mair_byte,
    stage2_attributes,
)
from spec.words import U8, either, every, implies
from tests.tables import explored, valid

SO, DEVICE, NORMAL = MemoryType.STRONGLY_ORDERED, MemoryType.DEVICE, MemoryType.NORMAL
NC, WT, WB = Cacheability.NON_CACHEABLE, Cacheability.WRITE_THROUGH, Cacheability.WRITE_BACK
NON, OUTER, INNER = Shareability.NON_SHAREABLE, Shareability.OUTER_SHAREABLE, Shareability.INNER_SHAREABLE


@pytest.mark.parametrize(
    ("memattr", "kind", "outer", "inner", "unpredictable"),
    [
        (0b0000, SO, 0, 0, 0), (0b0001, DEVICE, 0, 0, 0), (0b0010, SO, 0, 0, 1), (0b0011, SO, 0, 0, 1),
        (0b0101, NORMAL, NC, NC, 0), (0b1010, NORMAL, WT, WT, 0), (0b1111, NORMAL, WB, WB, 0),
        (0b1101, NORMAL, WB, NC, 0), (0b1100, NORMAL, WB, NC, 1),
    ],
)  # fmt: skip
def test_memattr_of_stage_2(memattr: int, kind: int, outer: int, inner: int, unpredictable: int) -> None:
    found = stage2_attributes(memattr, INNER)
    assert (found.type, found.outer, found.inner, found.unpredictable) == (kind, outer, inner, unpredictable)


@pytest.mark.parametrize(
    ("attr", "kind", "outer", "inner", "hints", "unpredictable"),
    [
        (0x00, SO, 0, 0, (0, 0), 0), (0x04, DEVICE, 0, 0, (0, 0), 0), (0x08, SO, 0, 0, (0, 0), 1),
        (0x44, NORMAL, NC, NC, (0, 0), 0), (0xAA, NORMAL, WT, WT, (2, 2), 0), (0xFF, NORMAL, WB, WB, (3, 3), 0),
        (0xF4, NORMAL, WB, NC, (3, 0), 0), (0x40, NORMAL, NC, NC, (0, 0), 1), (0x7B, NORMAL, WB, WT, (3, 3), 0),
    ],
)  # fmt: skip
def test_a_byte_of_mair(
    attr: int, kind: int, outer: int, inner: int, hints: tuple[int, int], unpredictable: int
) -> None:
    found = mair_attributes(attr, INNER)
    assert (found.type, found.outer, found.inner, found.unpredictable) == (kind, outer, inner, unpredictable)
    assert (found.outer_hints, found.inner_hints) == hints


@pytest.mark.parametrize(
    ("first", "second", "kind", "outer", "inner"),
    [
        (0xFF, 0b1111, NORMAL, WB, WB), (0xFF, 0b0000, SO, 0, 0), (0x04, 0b1111, DEVICE, 0, 0),
        (0x00, 0b0001, SO, 0, 0), (0x04, 0b0000, SO, 0, 0), (0xFF, 0b1010, NORMAL, WT, WT),
        (0xF4, 0b1110, NORMAL, WB, NC), (0xAA, 0b0101, NORMAL, NC, NC),
    ],
)  # fmt: skip
def test_two_stages_give_the_stricter_of_each(first: int, second: int, kind: int, outer: int, inner: int) -> None:
    found = combined(mair_attributes(first, NON), stage2_attributes(second, NON))
    assert (found.type, found.outer, found.inner) == (kind, outer, inner)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [(NON, NON, NON), (NON, INNER, INNER), (INNER, NON, INNER), (INNER, OUTER, OUTER), (OUTER, NON, OUTER)],
)
def test_two_stages_give_the_wider_shareability(first: int, second: int, both: int) -> None:
    assert combined(mair_attributes(0xFF, first), stage2_attributes(15, second)).shareability == both


def test_uncached_memory_is_outer_shareable() -> None:
    for attr in (0x00, 0x04, 0x44):
        assert mair_attributes(attr, NON).shareability == OUTER
    assert combined(mair_attributes(0xFF, NON), stage2_attributes(0b0101, NON)).shareability == OUTER


def test_hints_are_those_of_stage_1_where_the_memory_is_still_cached() -> None:
    assert combined(mair_attributes(0xED, NON), stage2_attributes(15, NON)).outer_hints == 2
    assert combined(mair_attributes(0xED, NON), stage2_attributes(15, NON)).inner_hints == 1
    assert combined(mair_attributes(0xED, NON), stage2_attributes(0b0101, NON)).outer_hints == 0


def test_par_reports_what_mair_states() -> None:
    for attr in (0x00, 0x04, 0x44, 0xAA, 0xBB, 0xFF, 0xF4, 0x4F):
        assert mair_byte(mair_attributes(attr, INNER)) == attr


def test_stage_2_never_weakens_what_stage_1_states() -> None:
    attr, second = symbolic(U8, "attr"), symbolic(Attributes, "second")
    first = mair_attributes(attr, INNER)
    found = combined(first, second)
    strict = every(found.type <= first.type, found.outer <= first.outer, found.inner <= first.inner)
    exploration = explored(lambda: (strict, implies(second.type == NORMAL, either(found.type == second.type))))
    assert all(valid(exploration, path, path.outcome[0]) for path in exploration.paths)
    assert not all(valid(exploration, path, path.outcome[1]) for path in exploration.paths)
