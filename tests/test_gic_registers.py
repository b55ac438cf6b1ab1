"""Register maps: what each offset and size reaches, by example, for every word of the maps, and for any access."""

from random import Random
from typing import Any

import pytest
from attrs import evolve

from properties.engines.inputs import check_fits, draw, shape, symbolic
from spec.gic import registers
from spec.gic.cpu_interface_registers import gicc_read, gicc_write
from spec.gic.distributor_registers import gicd_read, gicd_write
from spec.gic.registers import AT, GICC, GICD, GICH, GICV, Register
from spec.gic.state import OTHER_GROUP, SPURIOUS, U10, Choices, CpuInterface, Irq, VirtualInterface
from spec.gic.virtual_cpu_interface import NONE
from spec.gic.virtual_registers import gich_read, gich_write, gicv_read, gicv_write
from spec.words import U1, U3, U16, U32, bit, either, every, implies, member, negate, same
from tests.gic import (
    ANY,
    PLAIN,
    VMCR,
    any_distributor,
    distributor,
    linked,
    pending,
    physical,
    proved,
    virtual,
)
from tests.tables import explored, valid

FULL = virtual(*(pending(32 + place, eoi=1) for place in range(64)), apr=0xFFFFFFFF, hcr=0xF80000FF, vmcr=0xF8FC021F)
EVERY = Irq(1, 1, 1, 1, 1, 1, 0xF8, 3, 0xFF)
IDLE = evolve(EVERY, line=0, active=0, priority=0x80)
BUSY = distributor(
    *(((0, number), EVERY) for number in range(1020)), *(((1, number), EVERY) for number in range(32)), typer=0xFC3F
)
LANES = Choices(lanes=1)


def inside(map_: tuple[Register, ...], offset: int, access: str) -> bool:
    return any(access in r.access and r.offset <= offset < r.offset + 4 * r.words for r in map_)


def words(limit: int = 0x1100) -> range:
    return range(0, limit, 4)


def test_the_registers_of_a_map_do_not_overlap() -> None:
    for registers_of in (GICD, GICC, GICH, GICV):
        taken = [r.offset + 4 * word for r in registers_of for word in range(r.words)]
        assert len(taken) == len(set(taken))
        assert taken == sorted(taken)


def test_gich_reads_as_zero_and_keeps_nothing_outside_its_map() -> None:
    for offset in words(0x300):
        if not inside(GICH, offset, "r"):
            assert gich_read(FULL, offset, 4, PLAIN) == 0
        changed = gich_write(FULL, offset, 4, 0x12345678, PLAIN) != FULL
        assert changed == inside(GICH, offset, "w")


def test_gicv_reads_as_zero_and_keeps_nothing_outside_its_map() -> None:
    for offset in words():
        after, value = gicv_read(FULL, offset, 4, PLAIN)
        if not inside(GICV, offset, "r"):
            assert (after, value) == (FULL, 0)
        if not inside(GICV, offset, "w"):
            assert gicv_write(FULL, offset, 4, 0, LANES) == (FULL, NONE)


def test_gicd_reads_as_zero_and_keeps_nothing_outside_its_map() -> None:
    read = {offset for offset in words() if gicd_read(BUSY, 1, offset, 4, 0, PLAIN)}
    written = {
        offset
        for offset in words()
        if BUSY not in (gicd_write(BUSY, 1, offset, 4, value, 0, PLAIN) for value in (0, 0x01010101))
    }
    assert all(inside(GICD, offset, "r") for offset in read)
    assert all(inside(GICD, offset, "w") for offset in written)
    both = {r.name for r in GICD if any(r.offset <= offset < r.offset + 4 * r.words for offset in read)}
    assert both == {r.name for r in GICD if "r" in r.access}


def test_gicc_reads_as_zero_and_keeps_nothing_outside_its_map() -> None:
    interface = CpuInterface(0x7FF, 0xF8, 3, 4, 0xF, 0xF0000)
    for offset in words():
        after, left, value = gicc_read(BUSY, interface, 0, SPURIOUS, 0, offset, 4, 0, PLAIN)
        assert (after, left) == (BUSY, interface)
        assert (value > 0) <= inside(GICC, offset, "r")
        if not inside(GICC, offset, "w"):
            assert gicc_write(BUSY, interface, 0, offset, 4, 0, 0, LANES) == (BUSY, interface)


@pytest.mark.parametrize(
    ("offset", "writable"),
    [(0x00, 0xF80000FF), (0xF0, 0xFFFFFFFF), (0x100, 0xFF8FFFFF), (0x104, 0xFF8FFFFF), (0x108, 0)],
)
def test_what_gich_stores(offset: int, writable: int) -> None:
    written = gich_write(virtual(0, 0, hcr=0), offset, 4, 0xFFFFFFFF, PLAIN)
    assert gich_read(written, offset, 4, PLAIN) == writable


@pytest.mark.parametrize(("written", "kept"), [(0xFFFFFFFF, 0xF8FC021F), (0, 0x004C0000), (0x00280001, 0x004C0001)])
def test_binary_points_never_fall_below_the_lowest(written: int, kept: int) -> None:
    assert gich_write(virtual(0), 0x08, 4, written, PLAIN).vmcr == kept
    both = gicv_write(gicv_write(virtual(0), 0x08, 4, 0, PLAIN)[0], 0x1C, 4, 0, PLAIN)[0]
    assert (gicv_read(both, 0x08, 4, PLAIN)[1], gicv_read(both, 0x1C, 4, PLAIN)[1]) == (2, 3)


def test_the_guest_reads_and_writes_parts_of_gich_vmcr() -> None:
    start = virtual(0, vmcr=0x004C0000)
    for offset, value, vmcr in ((0x00, 0x21F, 0x004C021F), (0x04, 0xFF, 0xF84C0000), (0x08, 5, 0x00AC0000),
                                (0x1C, 7, 0x005C0000)):  # fmt: skip
        written = gicv_write(start, offset, 4, value, PLAIN)[0]
        assert written.vmcr == vmcr
        assert gicv_read(written, offset, 4, PLAIN)[1] == value & (0xF8 if offset == 4 else 0xFFFFFFFF)


def test_a_guest_acknowledges_and_ends_through_gicv() -> None:
    taken, number = gicv_read(virtual(linked(27, 0x3B)), 0x0C, 4, PLAIN)
    assert (number, gicv_read(taken, 0x14, 4, PLAIN)[1], gicv_read(taken, 0xD0, 4, PLAIN)[1]) == (27, 20 << 3, 1 << 20)
    done, ended = gicv_write(taken, 0x10, 4, number, PLAIN)
    assert (ended, gich_read(done, 0x100, 4, PLAIN) >> 28, gich_read(done, 0x30, 4, PLAIN)) == (0x3B, 0b1100, 1)


@pytest.mark.parametrize(("offset", "value"), [(0x0C, OTHER_GROUP), (0x20, 27)])
def test_without_ack_ctl_group_1_has_registers_of_its_own(offset: int, value: int) -> None:
    start = virtual(linked(27, 0x3B), vmcr=VMCR)
    assert gicv_read(start, offset, 4, PLAIN)[1] == value
    taken = gicv_read(start, 0x20, 4, PLAIN)[0]
    assert [gicv_write(taken, at, 4, 27, PLAIN)[1] for at in (0x10, 0x24)] == [NONE, 0x3B]


def test_the_host_acknowledges_by_one_register_only() -> None:
    state, interface = distributor(((0, 40), IDLE), typer=0x422), physical()
    for ns, acknowledging in ((0, {0x0C, 0x20}), (1, {0x0C})):
        reads = {offset: gicc_read(state, interface, 0, 40, 0, offset, 4, ns, PLAIN) for offset in words()}
        assert {at for at, (after, left, _) in reads.items() if (after, left) != (state, interface)} == acknowledging
        assert all(reads[at][2] == 40 for at in acknowledging)


@pytest.mark.parametrize(("ns", "active"), [(0, 0), (1, 1)])
def test_the_alias_for_ends_is_for_secure_software(ns: int, active: int) -> None:
    state = distributor(((0, 40), IDLE), typer=0x422)
    state, interface, _ = gicc_read(state, physical(), 0, 40, 0, 0x0C, 4, 1, PLAIN)
    after, _ = gicc_write(state, interface, 0, 0x24, 4, 40, ns, PLAIN)
    assert after.irqs.get((0, 40)).active == active


@pytest.mark.parametrize(("bpr", "common", "seen"), [(3, 0, 5), (3, 1, 4), (7, 1, 7)])
def test_nonsecure_software_shares_the_binary_point_where_it_is_common(bpr: int, common: int, seen: int) -> None:
    interface = physical(ctlr=7 | common << 4, bpr=bpr, abpr=5)
    assert gicc_read(distributor(), interface, 0, SPURIOUS, 0, 0x08, 4, 1, PLAIN)[2] == seen
    assert gicc_write(distributor(), interface, 0, 0x08, 4, 6, 1, PLAIN)[1].abpr == (5 if common else 6)


def test_a_byte_write_changes_the_priority_of_one_interrupt() -> None:
    after = gicd_write(BUSY, 0, 0x429, 1, 0x10, 0, PLAIN)
    assert gicd_read(after, 0, 0x428, 4, 0, PLAIN) == 0xF8F810F8
    assert gicd_read(after, 0, 0x429, 1, 0, PLAIN) == 0x10


@pytest.mark.parametrize(("offset", "value"), [(0x200, 0xFFFF), (0xC04, 0), (0xC00, 0), (0x800, 0), (0x81C, 0)])
def test_what_is_fixed_of_sgis_and_ppis_stays_as_it_is(offset: int, value: int) -> None:
    start = distributor(*(((0, number), evolve(EVERY, latch=0)) for number in range(32)))
    assert gicd_write(start, 0, offset, 4, value, 0, PLAIN) == start


def test_a_host_takes_an_interrupt_through_gicc_and_gicd() -> None:
    state, interface = distributor(), physical(ctlr=0, pmr=0)
    for offset, size, value in ((0x084, 4, 1 << 8), (0x104, 4, 1 << 8), (0x428, 1, 0xA3), (0x828, 1, 0xFF),
                                (0xC08, 4, 2 << 16), (0x204, 4, 1 << 8)):  # fmt: skip
        state = gicd_write(state, 0, offset, size, value, 0, PLAIN)
    assert state.irqs.get((0, 40)) == Irq(1, 1, 1, 0, 0, 1, 0xA0, 3, 0)
    for offset, value in ((0x00, 7), (0x04, 0xFF)):
        state, interface = gicc_write(state, interface, 0, offset, 4, value, 0, PLAIN)
    assert gicc_read(state, interface, 0, 40, 0, 0x18, 4, 0, PLAIN)[2] == 40
    state, interface, number = gicc_read(state, interface, 0, 40, 0, 0x0C, 4, 0, PLAIN)
    assert (number, gicd_read(state, 0, 0x304, 4, 0, PLAIN), gicd_read(state, 0, 0x204, 4, 0, PLAIN)) == (40, 1 << 8, 0)
    state, interface = gicc_write(state, interface, 0, 0x10, 4, 40, 0, PLAIN)
    assert gicd_read(state, 0, 0x304, 4, 0, PLAIN) == 0


@pytest.mark.parametrize(
    ("offset", "value", "seen"),
    [(0x800, 0xFFFFFFFF, 0x02020202), (0xC00, 0, 0xAAAAAAAA), (0x100, 0, 0xFFFF), (0x200, 0xFFFFFFFF, 0xFFFF0000),
     (0xF10, 0, 0), (0xF20, 0x0201, 0x0201), (0x400, 0xFFFFFFFF, 0xF8F8F8F8), (0x008, 0, 0x43B), (0xFE8, 0, 0x2B)],
)  # fmt: skip
def test_what_a_processor_reads_back_of_what_is_its_own(offset: int, value: int, seen: int) -> None:
    assert gicd_read(gicd_write(distributor(), 1, offset, 4, value, 0, PLAIN), 1, offset, 4, 0, PLAIN) == seen


def test_a_level_that_is_asserted_cannot_be_cleared() -> None:
    start = distributor(((0, 40), Irq(1, 1, 1, 1, 0, 0, 0, 1, 0)))
    cleared = gicd_write(start, 0, 0x284, 4, 1 << 8, 0, PLAIN)
    assert (cleared.irqs.get((0, 40)).latch, gicd_read(cleared, 0, 0x284, 4, 0, PLAIN)) == (0, 1 << 8)


@pytest.mark.parametrize(("ctlr", "view"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_nonsecure_software_has_its_own_view_of_the_distributor(ctlr: int, view: int) -> None:
    group1 = Irq(1, 1, 0, 0, 0, 1, 0xC0, 1, 0)
    both = distributor(((0, 40), group1), ((0, 41), evolve(group1, group=0)), typer=0x422)
    start = evolve(both, ctlr=ctlr)
    assert gicd_read(start, 0, 0, 4, 1, PLAIN) == view
    assert gicd_write(start, 0, 0, 4, 1, 1, PLAIN).ctlr == ctlr | 2
    assert [gicd_read(start, 0, 0x428, 4, ns, PLAIN) for ns in (0, 1)] == [0xC0C0, 0x80]
    assert [gicd_read(start, 0, 0x084, 4, ns, PLAIN) for ns in (0, 1)] == [0x100, 0]
    assert gicd_write(start, 0, 0x428, 1, 0x40, 1, PLAIN).irqs.get((0, 40)).priority == 0xA0


@pytest.mark.parametrize(
    ("offset", "seen"), [(0x00, 0x261), (0x04, 0xE0), (0x08, 4), (0x1C, 0), (0xD0, 0xF), (0xE0, 0), (0x14, 0)]
)
def test_nonsecure_software_has_its_own_view_of_the_cpu_interface(offset: int, seen: int) -> None:
    interface = CpuInterface(0x583, 0xF0, 3, 4, 0xF, 0xF0000)
    assert gicc_read(distributor(), interface, 0, SPURIOUS, 0, offset, 4, 1, PLAIN)[2] == seen
    changed = gicc_write(distributor(), interface, 0, 0x04, 4, 0, 1, PLAIN)[1]
    assert (changed.pmr, gicc_write(distributor(), evolve(interface, pmr=0x70), 0, 4, 4, 0, 1, PLAIN)[1].pmr) == (
        0x80,
        0x70,
    )


@pytest.mark.parametrize(
    ("offset", "size", "lanes", "value"),
    [(0x01, 1, 0, 0), (0x01, 1, 1, 0x40), (0x02, 2, 1, 0x9000), (0x02, 4, 1, 0), (0x01, 2, 1, 0), (0x00, 3, 1, 0)],
)
def test_narrow_accesses_to_word_registers_are_a_choice(offset: int, size: int, lanes: int, value: int) -> None:
    word = gich_write(virtual(0), 0x100, 4, 0x90004003, PLAIN)
    assert gich_read(word, 0x100 + offset, size, Choices(lanes=lanes)) == value


@pytest.mark.parametrize("lanes", [0, 1])
def test_a_narrow_read_acknowledges_only_where_it_reaches_the_register(lanes: int) -> None:
    start = virtual(pending(40))
    after, value = gicv_read(start, 0x0C, 1, Choices(lanes=lanes))
    assert (value, after == start) == ((40, False) if lanes else (0, True))


OFFSET, SIZE, VALUE, CPU, NS, CHOICES = (symbolic(kind, name) for kind, name in (
    (U16, "offset"), (U3, "size"), (U32, "value"), (U3, "cpu"), (U1, "ns"), (Choices, "choices")
))  # fmt: skip
WORD = OFFSET >> 2 << 2


def test_a_read_of_gicv_changes_nothing_but_by_an_acknowledge() -> None:
    after, value = gicv_read(ANY, OFFSET, SIZE, CHOICES)
    assert proved(implies(negate(member(WORD, (0x0C, 0x20))), same(after, ANY)))
    assert proved(every(after.hcr == ANY.hcr, after.vmcr == ANY.vmcr, value < 1 << 32))
    states = [(old ^ new) & 0xCFFFFFFF == 0 for old, new in zip(ANY.lrs, after.lrs, strict=True)]
    assert proved(every(*states))
    assert not proved(same(after, ANY))


def test_a_write_of_gicv_leaves_the_hypervisors_part_alone() -> None:
    after, ended = gicv_write(ANY, OFFSET, SIZE, VALUE, CHOICES)
    states = [(old ^ new) & 0xCFFFFFFF == 0 for old, new in zip(ANY.lrs, after.lrs, strict=True)]
    assert proved(every(*states, (after.hcr ^ ANY.hcr) & 0x07FFFFFF == 0))
    assert proved((after.vmcr ^ ANY.vmcr) & 0x0703FDE0 == 0)
    commands = member(WORD, (0x10, 0x24, 0x1000))
    assert proved(every(ended == NONE, after.hcr == ANY.hcr, same(after.lrs, ANY.lrs)), negate(commands))
    assert not proved(ended == NONE)


def test_an_access_that_is_not_aligned_reaches_nothing() -> None:
    skewed = either(
        every(SIZE == 4, OFFSET & 3 > 0), every(SIZE == 2, bit(OFFSET, 0) == 1), negate(member(SIZE, (1, 2, 4)))
    )
    assert proved(gich_read(ANY, OFFSET, SIZE, CHOICES) == 0, skewed)
    assert proved(same(gich_write(ANY, OFFSET, SIZE, VALUE, CHOICES), ANY), skewed)
    assert proved(same(gicv_write(ANY, OFFSET, SIZE, VALUE, CHOICES), (ANY, NONE)), skewed)
    assert proved(same(gicv_read(ANY, OFFSET, SIZE, CHOICES), (ANY, 0)), skewed)


def test_a_write_of_one_byte_of_gich_changes_that_byte_only() -> None:
    after = gich_write(ANY, OFFSET, 1, VALUE, CHOICES)
    for old, new in zip((ANY.apr, *ANY.lrs), (after.apr, *after.lrs), strict=True):
        reached = registers.lanes(OFFSET, 1)
        assert proved((old ^ new) & (reached ^ 0xFFFFFFFF) == 0)
    assert not proved(after.apr == ANY.apr)


BANK, OTHER = symbolic(U3, "bank"), symbolic(U10, "other")


def before_and_after(ns: Any) -> tuple[Any, Any]:
    """The word of any interrupt before and after any write of GICD, on every path."""
    start = any_distributor()
    place = (BANK, OTHER)
    exploration = explored(lambda: gicd_write(start, CPU, OFFSET, SIZE, VALUE, ns, CHOICES))
    return exploration, [
        (path, start, start.irqs.get(place), path.outcome.irqs.get(place)) for path in exploration.paths
    ]


def test_a_nonsecure_write_changes_nothing_of_group_0() -> None:
    exploration, found = before_and_after(1)
    assert len(found) == 6
    for path, start, old, new in found:
        secure = every(bit(start.typer, 10) == 1, old.group == 0)
        assert valid(exploration, path, implies(secure, same(old, new)))
    assert not all(valid(exploration, path, same(old, new)) for path, _, old, new in found)


def test_a_processor_changes_only_who_sends_an_sgi_to_another() -> None:
    exploration, found = before_and_after(NS)
    for path, _, old, new in found:
        banked = every(OTHER < 32, negate(BANK == CPU))
        assert valid(exploration, path, implies(banked, same(evolve(old, sources=new.sources), new)))
        assert valid(exploration, path, implies(every(banked, negate(WORD == 0xF00)), same(old, new)))
    assert not all(valid(exploration, path, implies(OTHER < 32, same(old, new))) for path, _, old, new in found)


def test_a_write_of_gicd_never_moves_a_line_and_changes_no_interrupt_that_does_not_exist() -> None:
    exploration, found = before_and_after(NS)
    for path, start, old, new in found:
        assert valid(exploration, path, old.line == new.line)
        none = every(OTHER >= 32, OTHER >> 5 > start.typer & 31)
        assert valid(exploration, path, implies(none, same(old, new)))


@pytest.mark.parametrize("lists", [1, 4, 64])
def test_any_sequence_of_accesses_has_a_result_that_fits(lists: int) -> None:
    random = Random(lists)
    interface: Any = shape(VirtualInterface).draw(random)
    interface = evolve(interface, lrs=tuple(draw(U32, random) for _ in range(lists)))
    for _ in range(300):
        offset, size, value, choices = (draw(kind, random) for kind in (U16, U3, U32, Choices))
        offset = random.choice((*AT.values(), offset)) ^ random.choice((0, 0, 1, 2))
        interface = gich_write(interface, offset, size, value, choices)
        interface, _ = gicv_read(interface, offset, size, choices)
        interface, ended = gicv_write(interface, offset, size, value, choices)
        check_fits(interface)
        check_fits((gich_read(interface, offset, size, choices), ended), tuple[U32, U10])
