"""Stage 1 with long descriptors: regions, hierarchical attributes, and what SCTLR takes away."""

from typing import Any

import pytest

from properties.engines.explorer import Exploration
from properties.engines.inputs import symbolic
from spec.syndrome import FaultStatus
from spec.translation.attributes import MemoryType
from spec.translation.descriptors import table_descriptor
from spec.translation.regions import regions
from spec.translation.stage1 import EXECUTE, READ, WRITE, Access, Regime, Stage1, denied
from spec.translation.stage1_long import region, rights, walk
from spec.words import U1, U32, U64, bit, every, implies, member
from tests.processors import processor
from tests.tables import Recorder, explored, memory, valid

from spec.translation.translate import regime as regime_of  # isort: skip

LOW, HIGH, SPARE, PA = 0x8000_0000, 0x9000_0000, 0x8001_0000, 0x12_3456_7000
EAE, EPD0, EPD1 = 1 << 31, 1 << 7, 1 << 23
WXN, UWXN = 1 << 19, 1 << 20
PL1, PL0 = Access(0, 0, 1, 0), Access(0, 0, 0, 0)
VA = 0x1234_5000
AF, NG = 1 << 10, 1 << 11
USER, READ_ONLY, PXN, XN = 1 << 6, 1 << 7, 1 << 53, 1 << 54
PXN_TABLE, XN_TABLE, NO_USER_TABLE, READ_ONLY_TABLE = (1 << place for place in (59, 60, 61, 62))


def regime(ttbcr: int = 0, **registers: int) -> Regime:
    given = {"sctlr": 1, "ttbcr": EAE | ttbcr, "ttbr0": LOW, "ttbr1": HIGH, "prrr": 0xFF44_0400, "nmrr": 0xAA}
    return regime_of(processor(**given | registers))


def walked(leaf: int, access: Access = PL1, table: int = 0, **registers: int) -> Stage1:
    entries = {
        LOW + (VA >> 30) * 8: table_descriptor(SPARE),
        SPARE + (VA >> 21 & 0x1FF) * 8: table_descriptor(SPARE + 0x1000) | table,
        SPARE + 0x1000 + (VA >> 12 & 0x1FF) * 8: leaf,
    }
    return walk(memory(entries), regime(**registers), VA | 0xABC, access, None)


def test_a_page_is_found_with_its_attributes() -> None:
    found = walked(PA | 3 << 8 | AF | NG | 3 << 2 | 3)
    assert (found.status, found.level, found.ipa, found.walk) == (0, 3, PA | 0xABC, 0)
    assert (found.attr, found.sh, found.non_global) == (0xFF, 3, 1)
    assert found.attributes.type == MemoryType.NORMAL


@pytest.mark.parametrize(
    ("leaf", "status"), [(0, FaultStatus.TRANSLATION_3), (AF | 1, FaultStatus.TRANSLATION_3),
                         (3, FaultStatus.ACCESS_FLAG_3), (AF | 3, 0)],
)  # fmt: skip
def test_the_last_descriptor_decides_the_fault(leaf: int, status: int) -> None:
    assert walked(PA | leaf).status == status


@pytest.mark.parametrize(
    ("t0sz", "t1sz", "va", "first"),
    [
        (0, 0, 0xFFFF_FFFF, LOW), (1, 0, 0x7FFF_FFFF, LOW), (1, 0, 0x8000_0000, HIGH), (0, 2, 0xBFFF_FFFF, LOW),
        (0, 2, 0xC000_0000, HIGH), (2, 2, 0x3FFF_FFFF, LOW), (2, 2, 0xC000_0000, HIGH), (2, 2, 0x4000_0000, None),
        (2, 2, 0xBFFF_FFFF, None), (7, 0, 0x0200_0000, HIGH),
    ],
)  # fmt: skip
def test_ttbcr_divides_the_addresses(t0sz: int, t1sz: int, va: int, first: int | None) -> None:
    found, address = region(regime(t0sz | t1sz << 16), va)
    assert (found.key << 3 if address < found.size else None) == first


@pytest.mark.parametrize(("t1sz", "level", "alignment"), [(0, 1, 5), (1, 1, 4), (2, 2, 12), (7, 2, 7)])
def test_the_size_of_a_region_gives_the_start_level_and_the_alignment(t1sz: int, level: int, alignment: int) -> None:
    found = regions(t1sz << 16, 0, 0xFF_FFFF_FFFF).high.table
    assert (found.level, found.key << 3) == (level, 0xFF_FFFF_FFFF >> alignment << alignment)


@pytest.mark.parametrize(("disabled", "va"), [(EPD0, 0), (EPD1, 0xC000_0000)])
def test_a_disabled_region_is_a_translation_fault_of_level_1(disabled: int, va: int) -> None:
    filled = {base + entry * 8: AF | 1 for base in (LOW, HIGH) for entry in range(4)}
    control = regime(2 << 16 | disabled)
    assert walk(memory(filled), control, va, PL1, None).status == FaultStatus.TRANSLATION_1
    assert walk(memory(filled), control, va ^ 0xC000_0000, PL1, None).status == 0


def test_an_address_of_ttbr1_counts_from_the_start_of_its_region() -> None:
    entries = {HIGH + (0x12 << 3): 0x40_0000_0000 | AF | 1}
    assert walk(memory(entries), regime(2 << 16), 0xC000_0000 | 0x12 << 21 | 0x345, PL1, None).ipa == 0x40_0000_0345


ALL = READ | WRITE | EXECUTE


@pytest.mark.parametrize(
    ("leaf", "table", "sctlr", "privileged", "user"),
    [
        (0, 0, 0, ALL, 0), (USER, 0, 0, ALL, ALL), (READ_ONLY, 0, 0, READ | EXECUTE, 0),
        (USER | READ_ONLY, 0, 0, READ | EXECUTE, READ | EXECUTE), (USER | PXN, 0, 0, READ | WRITE, ALL),
        (USER | XN, 0, 0, READ | WRITE, READ | WRITE), (USER, NO_USER_TABLE, 0, ALL, 0),
        (USER, READ_ONLY_TABLE, 0, READ | EXECUTE, READ | EXECUTE), (USER, PXN_TABLE, 0, READ | WRITE, ALL),
        (USER, XN_TABLE, 0, READ | WRITE, READ | WRITE), (USER, 0, WXN, READ | WRITE, READ | WRITE),
        (USER | READ_ONLY, 0, WXN, READ | EXECUTE, READ | EXECUTE), (USER, 0, UWXN, READ | WRITE, ALL),
        (0, 0, UWXN, ALL, 0),
    ],
)  # fmt: skip
def test_rights_by_descriptor_tables_and_sctlr(leaf: int, table: int, sctlr: int, privileged: int, user: int) -> None:
    found = [walked(PA | AF | 3 | leaf, access, table, sctlr=1 | sctlr).allows for access in (PL1, PL0)]
    assert found == [privileged, user]


def test_what_is_not_allowed_is_a_permission_fault_of_the_level() -> None:
    found = walked(PA | AF | 3 | READ_ONLY | XN)
    asked = [denied(found, Access(write=kind == 1, fetch=kind == 2, privileged=1, unaligned=0)) for kind in range(3)]
    assert asked == [0, FaultStatus.PERMISSION_3, FaultStatus.PERMISSION_3]


def any_walk() -> Exploration:
    contents, control, va = Recorder(), symbolic(Regime, "regime"), symbolic(U32, "va")
    access = symbolic(Access, "access")
    return explored(lambda: walk(contents.fresh(), control, va, access, None))  # type: ignore[arg-type]


def test_any_walk_has_six_paths_and_gives_an_address_of_forty_bits() -> None:
    exploration = any_walk()
    assert len(exploration.paths) == 6
    assert all(valid(exploration, path, path.outcome.ipa < 1 << 40) for path in exploration.paths)
    assert not all(valid(exploration, path, path.outcome.ipa < 1 << 39) for path in exploration.paths)


def test_no_table_attribute_ever_adds_a_right() -> None:
    control, descriptor, tables = symbolic(Regime, "regime"), symbolic(U64, "descriptor"), symbolic(U64, "tables")
    privileged = symbolic(U1, "privileged")

    def kept(right: int) -> Any:
        with_tables = rights(control, privileged, descriptor, tables)
        alone = rights(control, privileged, descriptor, 0)
        # A table that makes a page read-only may make it executable again under WXN.
        allowed_before = bit(alone, 0) == 1 if right == 2 else bit(alone, right) == 1
        return implies(bit(with_tables, right) == 1, allowed_before)

    exploration = explored(lambda: every(*(kept(right) for right in range(3))))
    assert all(valid(exploration, path, path.outcome) for path in exploration.paths)


def test_pl0_never_may_what_pl1_may_not_but_execute() -> None:
    control, descriptor, tables = symbolic(Regime, "regime"), symbolic(U64, "descriptor"), symbolic(U64, "tables")
    exploration = explored(lambda: (rights(control, 0, descriptor, tables), rights(control, 1, descriptor, tables)))
    for path in exploration.paths:
        user, privileged = path.outcome
        assert valid(exploration, path, member(user & 3 | privileged & 3, (0, 1, 3)))
        assert valid(exploration, path, user & 3 & (privileged & 3 ^ 3) == 0)
        assert not valid(exploration, path, user & 4 & (privileged & 4 ^ 4) == 0)
