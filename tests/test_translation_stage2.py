"""Stage 2: levels, start levels, faults and permissions, by example and for any tables."""

from itertools import pairwise
from typing import Any

import pytest

from properties.engines.explorer import Exploration
from properties.engines.inputs import symbolic
from spec.syndrome import FaultStatus
from spec.translation.attributes import MemoryType
from spec.translation.descriptors import leaf_status, stage2_leaf, table_address, table_descriptor
from spec.translation.stage2 import Stage2, covered, permits, stage2_table, table_read, walk
from spec.words import U32, U40, U64, bits, every, implies, member
from tests.tables import DEVICE, NORMAL, READ_WRITE, VTCR, Recorder, explored, memory, page, three_levels, valid

ROOT, SPARE, IPA, PA = 0x8000_0000, 0x8001_0000, 0xFE_4567_8000, 0x12_3456_7000


def mapped(leaf: int) -> Stage2:
    return walk(memory(three_levels(ROOT, IPA, leaf, SPARE)), ROOT, VTCR, IPA | 0xABC)


def test_a_page_maps_the_offset_unchanged() -> None:
    found = mapped(page(PA))
    assert (found.status, found.level, found.pa) == (0, 3, PA | 0xABC)
    assert (found.readable, found.writable, found.executable) == (1, 1, 1)
    assert found.attributes.type == MemoryType.NORMAL


@pytest.mark.parametrize(("level", "size"), [(1, 1 << 30), (2, 1 << 21)])
def test_a_block_maps_all_addresses_of_its_size(level: int, size: int) -> None:
    base = 0x40_0000_0000
    entries = three_levels(ROOT, IPA, 0, SPARE)
    at = list(entries)[level - 1]
    entries[at] = stage2_leaf(level, base, NORMAL, READ_WRITE, 3, 1, 0)
    found = walk(memory(entries), ROOT, VTCR, IPA | 0xABC)
    assert (found.status, found.level, found.pa) == (0, level, base | (IPA | 0xABC) & (size - 1))


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("descriptor", [0, 2, 0xFFFF_FFFF_FFFF_FFFE])
def test_an_invalid_descriptor_is_a_translation_fault_of_its_level(level: int, descriptor: int) -> None:
    entries = three_levels(ROOT, IPA, page(PA), SPARE)
    entries[list(entries)[level - 1]] = descriptor
    found = walk(memory(entries), ROOT, VTCR, IPA)
    assert (found.status, found.level) == (FaultStatus(FaultStatus.TRANSLATION_1 - 1 + level), level)


def test_a_block_at_level_3_is_reserved_and_faults() -> None:
    assert mapped(page(PA) ^ 2).status == FaultStatus.TRANSLATION_3


def test_a_clear_access_flag_is_an_access_flag_fault() -> None:
    assert mapped(page(PA, af=0)).status == FaultStatus.ACCESS_FLAG_3


def test_an_address_beyond_the_input_size_is_a_translation_fault_of_level_1_whatever_the_start_level() -> None:
    found = walk(memory({}), ROOT, 0x02, 1 << 30)
    assert (found.status, found.level) == (FaultStatus.TRANSLATION_1, 1)


@pytest.mark.parametrize(
    ("vtcr", "size", "level", "alignment"),
    [
        (0x58, 40, 1, 13), (0x59, 39, 1, 12), (0x5F, 33, 1, 6), (0x40, 32, 1, 5), (0x41, 31, 1, 4),
        (0x1E, 34, 2, 16), (0x1F, 33, 2, 15), (0x00, 32, 2, 14), (0x02, 30, 2, 12), (0x07, 25, 2, 7),
    ],
)  # fmt: skip
def test_vtcr_gives_the_input_size_the_start_level_and_the_alignment(
    vtcr: int, size: int, level: int, alignment: int
) -> None:
    first = stage2_table((0xFF << 48) | 0xFF_FFFF_FFFF, vtcr)
    assert (first.size, first.level) == (1 << size, level)
    assert first.key << 3 == 0xFF_FFFF_FFFF >> alignment << alignment


@pytest.mark.parametrize("vtcr", [0x42, 0x47, 0x08, 0x1D, 0x18, 0x48, 0x50, 0x10, 0x80, 0xC0, 0xD8])
def test_an_illegal_start_covers_nothing(vtcr: int) -> None:
    assert covered(vtcr) == 0
    assert walk(memory({}), ROOT, vtcr, 0).status == FaultStatus.TRANSLATION_1


@pytest.mark.parametrize("first", [0x0, 0x3FF << 21, 0x1FFF << 21])
def test_concatenated_tables_are_indexed_as_one(first: int) -> None:
    entries = {ROOT + (first >> 21 << 3): stage2_leaf(2, 0x40_0000_0000, NORMAL, READ_WRITE, 3, 1, 0)}
    assert walk(memory(entries), ROOT, 0x1E, first | 0x1234).pa == 0x40_0000_1234


@pytest.mark.parametrize(("hap", "read", "write", "fetch"), [(0, 0, 0, 0), (1, 1, 0, 1), (2, 0, 1, 0), (3, 1, 1, 1)])
def test_hap_permits_reads_and_writes_apart_and_a_fetch_needs_read(hap: int, read: int, write: int, fetch: int) -> None:
    found = mapped(page(PA, hap=hap))
    denied = [permits(found, write=kind == 1, fetch=kind == 2) for kind in range(3)]
    assert denied == [0 if allowed else FaultStatus.PERMISSION_3 for allowed in (read, write, fetch)]


def test_xn_denies_only_the_fetch() -> None:
    found = mapped(page(PA, xn=1))
    assert [permits(found, 0, 0), permits(found, 1, 0), permits(found, 0, 1)] == [0, 0, FaultStatus.PERMISSION_3]


@pytest.mark.parametrize(("memattr", "protected", "status"), [(DEVICE, 1, 15), (0, 1, 15), (DEVICE, 0, 0), (5, 1, 0)])
def test_protected_walks_refuse_tables_in_device_memory(memattr: int, protected: int, status: int) -> None:
    tables = memory(three_levels(ROOT, IPA, page(PA, memattr=memattr), SPARE))
    assert table_read(tables, stage2_table(ROOT, VTCR), protected, IPA)[0] == status


def test_a_descriptor_in_write_only_memory_cannot_be_read() -> None:
    tables = memory(three_levels(ROOT, IPA, page(PA, hap=2), SPARE))
    assert table_read(tables, stage2_table(ROOT, VTCR), 0, IPA)[0] == FaultStatus.PERMISSION_3


VTTBR, ANY_VTCR, ANY_IPA = symbolic(U64, "vttbr"), symbolic(U32, "vtcr"), symbolic(U40, "ipa")


def any_walk() -> Exploration:
    tables = Recorder()
    return explored(lambda: (walk(tables.fresh(), VTTBR, ANY_VTCR, ANY_IPA), tuple(tables.reads)))


def proved(exploration: Exploration, holds: Any) -> bool:
    return all(valid(exploration, path, holds(*path.outcome)) for path in exploration.paths)


def test_a_walk_has_six_paths_for_any_tables_and_controls() -> None:
    assert len(any_walk().paths) == 6


def test_any_walk_gives_an_address_of_forty_bits() -> None:
    assert proved(any_walk(), lambda found, _: found.pa < 1 << 40)
    assert not proved(any_walk(), lambda found, _: found.pa < 1 << 39)


def test_any_walk_keeps_the_offset_in_the_page() -> None:
    assert proved(any_walk(), lambda found, _: implies(found.status == 0, found.pa & 0xFFF == ANY_IPA & 0xFFF))
    assert not proved(any_walk(), lambda found, _: implies(found.status == 0, found.pa & 0x1000 == ANY_IPA & 0x1000))


def test_any_fault_of_a_walk_is_a_translation_or_access_flag_fault_of_the_level_reached() -> None:
    def stated(found: Stage2, _: Any) -> bool:
        return every(found.level > 0, member(found.status, (0, 4 | found.level, 8 | found.level)))

    assert proved(any_walk(), stated)
    assert not proved(any_walk(), lambda found, _: member(found.status, (0, 4 | found.level)))


def test_any_walk_reads_its_first_tables_and_then_the_tables_that_these_point_to() -> None:
    first = stage2_table(VTTBR, ANY_VTCR)

    def inside(_: Stage2, reads: tuple[tuple[int, int], ...]) -> bool:
        if not reads:
            return True
        start = every(reads[0][0] >= first.key, reads[0][0] < first.key + (first.size >> 21))
        pointed = (key >> 9 == bits(above, 39, 12) for (_, above), (key, _) in pairwise(reads))
        return every(start, *pointed)

    assert proved(any_walk(), inside)
    assert not proved(any_walk(), lambda _, reads: len(reads) < 3)


def test_encoded_descriptors_decode_to_what_they_say() -> None:
    assert table_address(table_descriptor(PA)) == PA
    assert leaf_status(3, page(PA)) == 0
    assert mapped(page(PA, memattr=DEVICE)).attributes.type == MemoryType.DEVICE
