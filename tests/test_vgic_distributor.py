"""The virtual distributor's registers as a guest sees them."""

from typing import Any

import pytest

from model.design import Design
from model.vgic import system as vgic
from model.vgic.design import Do
from model.vgic.state import Access, VgicState
from properties.interrupts.steps import those
from properties.interrupts.stores import missed
from spec.words import put
from tests.interrupts import EDGE, ITARGETSR40, LEVEL, LINUX, REFERENCE, SGI, Machine, machine

BOTH = pytest.mark.parametrize("design", [LINUX, REFERENCE], ids=["linux", "reference"])


def running(design: Design) -> Machine:
    m = machine(design, SGI, EDGE, LEVEL)
    m.enter(0, 0)
    return m


@BOTH
@pytest.mark.parametrize(
    ("offset", "value"),
    [(0x000, 1), (0x004, 0x27), (0x008, 0x4B00043B), (0x100, 0x0000FFFF), (0x104, 0x300), (0x800, 0x01010101)],
    ids=["CTLR", "TYPER", "IIDR", "private enables", "SPI enables", "own targets"],
)
def test_what_a_register_reads_as_at_first(design: Design, offset: int, value: int) -> None:
    assert running(design).load(0, offset) == value


@BOTH
def test_set_and_clear_registers_are_two_views_of_one_state(design: Design) -> None:
    m = running(design)
    m.store(0, 0x108, 0x81)
    m.store(0, 0x188, 0x01)
    assert m.load(0, 0x108) == m.load(0, 0x188) == 0x80


@BOTH
def test_sgis_stay_enabled(design: Design) -> None:
    m = running(design)
    m.store(0, 0x180, 0xFFFFFFFF)
    assert m.load(0, 0x100) == 0xFFFF


@BOTH
def test_private_enables_are_banked(design: Design) -> None:
    m = running(design)
    m.enter(1, 1)
    m.store(0, 0x100, 1 << 27)
    assert m.load(0, 0x100) == 0x0800FFFF
    assert m.load(1, 0x100) == 0xFFFF


@BOTH
@pytest.mark.parametrize("size", [1, 2, 4])
def test_an_access_reaches_the_bytes_that_it_names(design: Design, size: int) -> None:
    m = running(design)
    m.store(0, 0x430, 0x40302010)
    m.store(0, 0x430, 0xA8989088, size=size)
    expected = (0xA8989088 & ((1 << 8 * size) - 1)) | (0x40302010 >> 8 * size << 8 * size)
    assert m.load(0, 0x430) == expected


@BOTH
def test_bytes_are_loaded_alone(design: Design) -> None:
    m = running(design)
    m.store(0, 0x430, 0x40302010)
    assert [m.load(0, 0x430 + n, size=1) for n in range(4)] == [0x10, 0x20, 0x30, 0x40]
    assert m.load(0, 0x432, size=2) == 0x4030


@BOTH
def test_of_several_targets_the_first_is_kept(design: Design) -> None:
    m = running(design)
    m.store(0, 0x828, 0x03020100)
    assert m.load(0, 0x828) == 0x01020101


@BOTH
def test_configuration_of_even_words_is_stored(design: Design) -> None:
    m = running(design)
    m.store(0, 0xC08, 0b10 << 20)
    assert m.load(0, 0xC08) == 0b10 << 20


@BOTH
def test_private_interrupts_are_edge_triggered_always(design: Design) -> None:
    m = running(design)
    m.store(0, 0xC04, 0)
    assert m.load(0, 0xC00) == 0xAAAAAAAA


def test_an_odd_word_of_the_configuration_loses_half_in_linux_3_12() -> None:
    m = running(LINUX)
    m.store(0, 0xC0C, 0xAAAAAAAA)
    assert m.load(0, 0xC08) == 0b10 << 16
    edges = sorted(irq for (_, _, irq), record in m.state.irqs.entries.items() if record.edge == 1)
    assert edges == [40, *range(56, 64)]


@BOTH
def test_active_and_group_registers_ignore_writes(design: Design) -> None:
    m = running(design)
    for offset in (0x080, 0x304, 0x384):
        m.store(0, offset, 0xFFFFFFFF)
        assert m.load(0, offset) == 0


@BOTH
@pytest.mark.parametrize(
    ("filter_", "reached"), [(0, [1]), (1, [1]), (2, [0]), (3, [1])], ids=["list", "others", "self", "reserved"]
)
def test_where_an_sgi_goes(design: Design, filter_: int, reached: list[int]) -> None:
    m = running(design)
    m.do(vgic.GuestAccessesDistributor(0, Access(0xF00, 4, (filter_ << 24) | (0b10 << 16) | 1, 1)))
    m.until(0, Do.UNLOCK)
    m.until(0, Do.UPDATE)
    assert [number for number in (0, 1) if m.state.irqs.get((0, number, 1)).sources == 1] == reached


@BOTH
@pytest.mark.parametrize("irq", [3, 128, 300, 60000])
def test_user_space_cannot_raise_what_is_no_line(design: Design, irq: int) -> None:
    m = running(design)
    before = m.state.irqs
    m.line(irq, 1)
    assert m.state.irqs == before
    assert m.state.crashed == 0


def amid(design: Design, offset: int, value: int) -> tuple[VgicState, Any, VgicState]:
    """The step in which a store changes its first interrupt: the state before it, the action, the state behind it."""
    m = running(design)
    m.do(vgic.GuestAccessesDistributor(0, Access(offset, 4, value, 1)))
    m.until(0, Do.WRITE_ONE)
    before = m.state
    m.step(0)
    return before, vgic.VgicSteps(0), m.state


@pytest.mark.parametrize(("design", "count"), [(REFERENCE, 0), (LINUX, 1)], ids=["reference", "linux"])
def test_gicd_ispendr_changes_no_sgi(design: Design, count: int) -> None:
    before, action, after = amid(design, 0x200, 1 << 2)
    assert len(list(those(missed(design.vgic, before, action, after)))) == count


def test_a_target_that_stays_what_it_was_is_noticed() -> None:
    before, action, after = amid(REFERENCE, ITARGETSR40, 0b10)
    assert not list(those(missed(REFERENCE.vgic, before, action, after)))
    assert list(those(missed(REFERENCE.vgic, before, action, put(after, "irqs", before.irqs))))
