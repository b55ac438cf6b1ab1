"""Stage 1 with short descriptors: by example, against a table read from pictures of the formats, and for any tables."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from properties.engines.inputs import draw, symbolic
from spec.sparse import Sparse
from spec.syndrome import FaultStatus
from spec.translation.attributes import Attributes, Cacheability, MemoryType, Shareability
from spec.translation.short_descriptors import first_entry, first_level, short_regions, word_at
from spec.translation.stage1 import Access, Regime, Stage1, denied
from spec.translation.stage1_short import walk_short
from spec.translation.stage2 import stage2_table, table_read
from spec.words import U6, U32, U40, bit, either, every, implies
from tests.tables import VTCR, Recorder, explored, memory, page, three_levels, valid

ROOT, SECOND, VA = 0x8000_0000, 0x8100_0400, 0x1234_5678
PL1_READ, PL0_READ = Access(0, 0, 1, 0), Access(0, 0, 0, 0)
CLIENTS = 0x5555_5555
M, AFE, TRE, WXN, UWXN = 1, 1 << 29, 1 << 28, 1 << 19, 1 << 20
NO_STAGE2 = stage2_table(0, VTCR)

SUPERSECTION = "oooooooohhhhN1GSATTTAA.eeeeXCB1P"
SECTION = "ooooooooooooN0GSATTTAA.DDDDXCB1P"
TABLE = "oooooooooooooooooooooo.DDDD.NP01"
LARGE = "ooooooooooooooooXTTTGSA...AACB01"
SMALL = "ooooooooooooooooooooGSATTTAACB1X"
"""The formats, bit 31 first: o output or table address, e and h its bits 39:36 and 35:32, D domain, G nG, P PXN."""
RIGHTS = ("-- --", "rw --", "rw r-", "rw rw", "-- --", "r- --", "r- r-", "r- r-")
"""What AP[2:0] gives PL1 and PL0."""


def regime(sctlr: int = M, ttbcr: int = 0, **others: int) -> Regime:
    values = {"ttbr0": ROOT, "ttbr1": 0x9000_0000, "mair0": 0, "mair1": 0, "dacr": CLIENTS} | others
    return Regime(sctlr=sctlr, ttbcr=ttbcr, default_cacheable=0, stage2=0, protected=0, second=NO_STAGE2, **values)


def words(entries: dict[int, int]) -> Sparse[int]:
    """Memory with 32-bit words at the given addresses."""
    doublewords: dict[int, int] = {}
    for address, value in entries.items():
        base = address & ~7
        doublewords[base] = doublewords.get(base, 0) | value << 8 * (address - base)
    return memory(doublewords)


def field(picture: str, letter: str, descriptor: int) -> int:
    """The bits of a descriptor at a letter of its picture."""
    digits = [descriptor >> 31 - place & 1 for place, sign in enumerate(picture) if sign == letter]
    return int("".join(map(str, digits)) or "0", 2)


def encoded(picture: str, **fields: int) -> int:
    """A descriptor by its picture, with fields given by their letters."""
    result = 0
    for place in range(31, -1, -1):
        sign = picture[place]
        result |= (int(sign) if sign.isdigit() else fields.get(sign, 0) & 1) << 31 - place
        fields[sign] = fields.get(sign, 0) >> 1
    return result


def at_first_level(descriptor: int, access: Access = PL1_READ, **registers: int) -> Stage1:
    return walk_short(words({ROOT + (VA >> 20 << 2): descriptor}), regime(**registers), VA, access)


def at_second_level(descriptor: int, table: int = 0, access: Access = PL1_READ, **registers: int) -> Stage1:
    first = table or encoded(TABLE, o=SECOND >> 10)
    entries = {ROOT + (VA >> 20 << 2): first, SECOND + (VA >> 12 & 0xFF) * 4: descriptor}
    return walk_short(words(entries), regime(**registers), VA, access)


def test_a_section_maps_a_megabyte() -> None:
    found = at_first_level(encoded(SECTION, o=0xABC, A=3))
    assert (found.status, found.level, found.ipa) == (0, 1, 0xABC4_5678)


def test_a_supersection_maps_sixteen_megabytes_to_a_40_bit_address_in_domain_0() -> None:
    found = at_first_level(encoded(SUPERSECTION, o=0xAB, h=0xC, e=0xD, A=3), dacr=1)
    assert (found.status, found.ipa) == (0, 0xDC_AB34_5678)


def test_a_large_page_maps_64_kilobytes() -> None:
    found = at_second_level(encoded(LARGE, o=0xABCD, A=3))
    assert (found.status, found.level, found.ipa) == (0, 2, 0xABCD_5678)


def test_a_small_page_maps_4_kilobytes() -> None:
    found = at_second_level(encoded(SMALL, o=0xABCDE, A=3))
    assert (found.status, found.level, found.ipa) == (0, 2, 0xABCD_E678)


@pytest.mark.parametrize(("n", "va", "upper"), [(0, 0xFFFF_FFFF, False), (1, 0x7FFF_FFFF, False),
    (1, 0x8000_0000, True), (7, 0x01FF_FFFF, False), (7, 0x0200_0000, True)])  # fmt: skip
def test_ttbr1_translates_above_the_region_that_ttbcr_n_leaves_to_ttbr0(n: int, va: int, upper: bool) -> None:
    regions = short_regions(n, 0, 0)
    assert first_level(regions, va) is (regions.high if upper else regions.low)


def entry_of(ttbcr: int, ttbr0: int, ttbr1: int, va: int) -> int:
    return first_entry(first_level(short_regions(ttbcr, ttbr0, ttbr1), va), va)


def test_the_table_of_ttbr0_shrinks_with_its_region_and_that_of_ttbr1_does_not() -> None:
    assert entry_of(3, 0xFFFF_FFFF, 0, 0x1FFF_FFFF) == 0xFFFF_FFFC
    assert entry_of(3, 0x8000_0800, 0, 0x0010_0000) == 0x8000_0804
    assert entry_of(3, 0, 0x8000_3FFF, 0x2000_0000) == 0x8000_0800


@pytest.mark.parametrize(("ttbcr", "va"), [(0x10, VA), (0x21, 0xFFFF_0000)])
def test_a_disabled_region_is_a_translation_fault_of_level_1(ttbcr: int, va: int) -> None:
    found = walk_short(words({}), regime(ttbcr=ttbcr), va, PL1_READ)
    assert (found.status, found.level, found.walk) == (FaultStatus.TRANSLATION_1, 1, 0)


def test_an_invalid_descriptor_is_a_translation_fault_of_its_level() -> None:
    assert at_first_level(0xFFFF_FFFC).status == FaultStatus.TRANSLATION_1
    assert at_second_level(0xFFFF_FFFC).status == FaultStatus.TRANSLATION_2


@pytest.mark.parametrize("rights", [0, 2])
def test_a_domain_without_access_is_a_domain_fault_of_the_last_level(rights: int) -> None:
    section, table = encoded(SECTION, o=1, A=3, D=5), encoded(TABLE, o=SECOND >> 10, D=5)
    assert at_first_level(section, dacr=rights << 10).status == FaultStatus.DOMAIN_1
    assert at_second_level(encoded(SMALL, A=3), table, dacr=rights << 10).status == FaultStatus.DOMAIN_2


def test_ap_0_is_the_access_flag_under_afe_and_its_fault_beats_that_of_the_domain() -> None:
    assert at_first_level(encoded(SECTION, A=2), sctlr=M | AFE, dacr=0).status == FaultStatus.ACCESS_FLAG_1
    assert at_second_level(encoded(SMALL, A=2), sctlr=M | AFE, dacr=0).status == FaultStatus.ACCESS_FLAG_2
    assert at_second_level(encoded(SMALL, A=2), sctlr=M).status == 0


@pytest.mark.parametrize(("afe", "ap"), [*((0, ap) for ap in range(8)), *((AFE, ap) for ap in (1, 3, 5, 7))])
@pytest.mark.parametrize("privileged", [1, 0])
def test_ap_gives_the_rights_of_the_manuals_table(afe: int, ap: int, privileged: int) -> None:
    found = at_second_level(encoded(SMALL, A=ap), access=Access(0, 0, privileged, 0), sctlr=M | afe)
    rights = RIGHTS[ap].split()[1 - privileged]
    assert found.allows == ("r" in rights) * 5 + ("w" in rights) * 2


def test_a_manager_may_do_everything_even_execute_what_is_marked_never_to_be() -> None:
    assert at_first_level(encoded(SECTION, A=0, X=1, P=1), dacr=3).allows == 7


def test_pxn_of_the_table_forbids_execution_at_pl1_only() -> None:
    table = encoded(TABLE, o=SECOND >> 10, P=1)
    assert at_second_level(encoded(SMALL, A=3), table).allows == 3
    assert at_second_level(encoded(SMALL, A=3), table, PL0_READ).allows == 7


def test_uwxn_forbids_pl1_to_execute_what_pl0_may_write() -> None:
    assert at_first_level(encoded(SECTION, A=3), sctlr=M | UWXN).allows == 3
    assert at_first_level(encoded(SECTION, A=1), sctlr=M | UWXN).allows == 7


def test_a_denied_access_is_a_permission_fault_of_the_level() -> None:
    assert denied(at_first_level(encoded(SECTION, A=2)), Access(1, 0, 1, 0)) == 0
    assert denied(at_first_level(encoded(SECTION, A=2), PL0_READ), Access(1, 0, 0, 0)) == FaultStatus.PERMISSION_1
    assert denied(at_second_level(encoded(SMALL, A=2), access=PL0_READ), Access(1, 0, 0, 0)) == FaultStatus.PERMISSION_2


def stated(tex: int, cb: int, s: int = 0, **registers: int) -> Attributes:
    descriptor = encoded(SMALL, A=3, T=tex, C=cb >> 1, B=cb & 1, S=s)
    return at_second_level(descriptor, **registers).attributes


@pytest.mark.parametrize(("tex", "cb", "kind"), [(0, 0, MemoryType.STRONGLY_ORDERED), (0, 1, MemoryType.DEVICE),
    (2, 0, MemoryType.DEVICE), (1, 0, MemoryType.NORMAL), (0, 2, MemoryType.NORMAL)])  # fmt: skip
def test_tex_c_and_b_name_the_memory_type(tex: int, cb: int, kind: MemoryType) -> None:
    found = stated(tex, cb)
    assert (found.type, found.unpredictable) == (kind, 0)


@pytest.mark.parametrize(("code", "cacheability", "hints"), [(0, Cacheability.NON_CACHEABLE, 0),
    (1, Cacheability.WRITE_BACK, 3), (2, Cacheability.WRITE_THROUGH, 2), (3, Cacheability.WRITE_BACK, 2)])  # fmt: skip
def test_tex_can_name_the_outer_and_c_and_b_the_inner_cacheability(code: int, cacheability: int, hints: int) -> None:
    outer, inner = stated(4 | code, 0b01), stated(0b101, code)
    assert (outer.outer, outer.outer_hints, outer.inner) == (cacheability, hints, Cacheability.WRITE_BACK)
    assert (inner.inner, inner.inner_hints, inner.outer) == (cacheability, hints, Cacheability.WRITE_BACK)


@pytest.mark.parametrize(("tex", "cb"), [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 0), (3, 3)])
def test_a_reserved_encoding_is_marked(tex: int, cb: int) -> None:
    assert stated(tex, cb).unpredictable == 1


def test_tex_remap_reads_the_region_from_prrr_and_nmrr() -> None:
    linux = {"sctlr": M | TRE, "mair0": 0xFF0A_81A8, "mair1": 0x80E0_40E0}
    assert stated(0, 0b00, **linux).type == MemoryType.STRONGLY_ORDERED
    assert stated(1, 0b00, **linux).type == MemoryType.DEVICE
    allocating, shared = stated(1, 0b11, **linux), stated(1, 0b11, 1, **linux)
    assert (allocating.type, allocating.inner_hints) == (MemoryType.NORMAL, 3)
    assert (allocating.inner, allocating.outer) == (Cacheability.WRITE_BACK, Cacheability.WRITE_THROUGH)
    assert (allocating.shareability, shared.shareability) == (Shareability.NON_SHAREABLE, Shareability.INNER_SHAREABLE)


def reference(entries: dict[int, int], r: Regime, va: int, access: Access) -> Any:
    """Status, address, rights and nG of a walk, from the pictures alone."""
    n = r.ttbcr & 7
    low = n == 0 or va >> 32 - n == 0
    if r.ttbcr >> (4 if low else 5) & 1:
        return FaultStatus.TRANSLATION_1
    base, index = (r.ttbr0 >> 14 - n << 14 - n, va >> 20) if low else (r.ttbr1 >> 14 << 14, va >> 20)
    first = entries.get((base & 0xFFFF_FFFF) + index * 4, 0)
    level, last = 1, first
    if first & 3 == 1:
        level, last = 2, entries.get(field(TABLE, "o", first) * 1024 + (va >> 12 & 0xFF) * 4, 0)
        picture, size = (SMALL, 12) if last & 2 else (LARGE, 16)
    else:
        picture, size = (SUPERSECTION, 24) if first >> 18 & 1 else (SECTION, 20)
    if last & 3 == 0:
        return FaultStatus[f"TRANSLATION_{level}"]
    ap, afe = field(picture, "A", last), r.sctlr & AFE
    if afe and not ap & 1:
        return FaultStatus[f"ACCESS_FLAG_{level}"]
    rights = r.dacr >> 2 * field(TABLE if level == 2 else picture, "D", first) & 3
    if rights not in (1, 3):
        return FaultStatus[f"DOMAIN_{level}"]
    ipa = field(picture, "o", last) << size | va & (1 << size) - 1
    ipa |= field(picture, "h", last) << 32 | field(picture, "e", last) << 36
    here, user = RIGHTS[ap | 1 if afe else ap].split()[1 - access.privileged], RIGHTS[ap | 1 if afe else ap].split()[1]
    never = field(picture, "X", last) or (access.privileged and field(TABLE if level == 2 else picture, "P", first))
    never = never or (r.sctlr & WXN and "w" in here) or (r.sctlr & UWXN and access.privileged and "w" in user)
    allows = ("r" in here) + ("w" in here) * 2 + ("r" in here and not never) * 4
    return ipa, 7 if rights == 3 else allows, field(picture, "G", last)


@settings(max_examples=1000)
@given(st.randoms(use_true_random=False))
def test_any_walk_is_as_the_pictures_say(random: Any) -> None:
    va, access = random.getrandbits(32), draw(Access, random)
    sctlr, dacr = random.choice((M, M | AFE, draw(U32, random))), random.choice((CLIENTS, random.getrandbits(32)))
    r = regime(sctlr, random.choice((0, 0, random.getrandbits(6))), dacr=dacr)
    index, n = va >> 20, r.ttbcr & 7
    base = ROOT if n == 0 or va >> 32 - n == 0 else 0x9000_0000
    kind = random.choice((0, 1, 1, 1, 2, 3))
    first = encoded(TABLE, o=SECOND >> 10, D=random.getrandbits(4), P=random.getrandbits(1)) if kind == 1 else kind
    first |= random.getrandbits(30) << 2 if kind != 1 else 0
    second = random.getrandbits(32)
    entries = {base + index * 4: first, SECOND + (va >> 12 & 0xFF) * 4: second}
    found = walk_short(words(entries), r, va, access)
    expected = reference(entries, r, va, access)
    assert expected == (found.status or (found.ipa, found.allows, found.non_global))


def any_walk(recorder: Recorder, locate: Any = None) -> tuple[Stage1, list[Any]]:
    contents: Any = recorder.fresh()
    found = walk_short(contents, symbolic(Regime, "regime"), symbolic(U32, "va"), symbolic(Access, "access"), locate)
    return found, list(recorder.reads)


def test_any_tables_give_a_40_bit_address_by_at_most_two_reads_below_4_gigabytes() -> None:
    recorder = Recorder()
    exploration = explored(lambda: any_walk(recorder))
    assert len(exploration.paths) <= 20
    for path in exploration.paths:
        found, reads = path.outcome
        assert len(reads) <= 2
        assert valid(exploration, path, every(found.ipa < 1 << 40, *(key < 1 << 29 for key, _ in reads)))


def test_only_a_supersection_leads_beyond_4_gigabytes() -> None:
    recorder = Recorder()
    exploration = explored(lambda: any_walk(recorder))
    for path in exploration.paths:
        found, reads = path.outcome
        r, va = symbolic(Regime, "regime"), symbolic(U32, "va")
        wide = [bit(word_at(held, entry_of(r.ttbcr, r.ttbr0, r.ttbr1, va)), 18) == 1 for _, held in reads]
        assert valid(exploration, path, implies(found.ipa >= 1 << 32, every(found.level == 1, *wide)))


def test_every_descriptor_is_read_where_stage_2_puts_it() -> None:
    recorder = Recorder()
    asked: list[Any] = []

    def locate(ipa: Any) -> tuple[int, int]:
        asked.append((symbolic(U6, f"status{len(asked)}"), symbolic(U40, f"pa{len(asked)}")))
        return asked[-1]

    def run() -> Any:
        asked.clear()
        found, reads = any_walk(recorder, locate)
        return found, reads, list(asked)

    exploration = explored(run)
    for path in exploration.paths:
        found, reads, located = path.outcome
        assert all(valid(exploration, path, key == pa >> 3) for (key, _), (_, pa) in zip(reads, located, strict=False))
        blocked = len(reads) < len(located)
        assert valid(exploration, path, either(found.walk == 0, blocked))
        assert not blocked or valid(exploration, path, every(found.walk == 1, found.status == located[-1][0]))


def through_stage2(contents: Sparse[int]) -> Stage1:
    """The walk of VA where stage 2's tables begin at 0x100000."""
    second = stage2_table(0x10_0000, VTCR)
    return walk_short(contents, regime(), VA, PL1_READ, lambda ipa: table_read(contents, second, 0, ipa))


def test_a_table_that_stage_2_does_not_map_faults_at_the_descriptors_address() -> None:
    first = ROOT + (VA >> 20 << 2)
    contents = memory(three_levels(0x10_0000, first, 0, 0x20_0000))
    found = through_stage2(contents)
    assert (found.walk, found.ipa, found.status) == (1, first, FaultStatus.TRANSLATION_3)


def test_a_table_elsewhere_in_physical_memory_is_found_through_stage_2() -> None:
    first = ROOT + (VA >> 20 << 2)
    tables = three_levels(0x10_0000, first, page(0x30_0000), 0x20_0000)
    place = 0x30_0000 + (first & 0xFFF)
    descriptor = encoded(SECTION, o=0xABC, A=3)
    contents = memory(tables | {place & ~7: descriptor << 8 * (place & 7)})
    found = through_stage2(contents)
    assert (found.status, found.ipa) == (0, 0xABC4_5678)
