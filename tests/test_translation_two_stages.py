"""Both stages together: every address goes through stage 2, and the first fault in the manual's order is the one."""

from typing import Any

import pytest

from properties.engines.explorer import Exploration
from properties.engines.inputs import symbolic
from properties.engines.maps import Arbitrary, Symbolic
from spec.sparse import Of
from spec.syndrome import FaultStatus
from spec.translation import translate as module
from spec.translation.attributes import MemoryType
from spec.translation.descriptors import FirstTable, stage2_leaf, table_descriptor
from spec.translation.stage1 import Access, Regime
from spec.translation.stage2 import Stage2
from spec.translation.translate import Translation, regime, translate
from spec.words import U32, Width, either, every, implies
from tests.processors import processor
from tests.tables import Recorder, explored, memory, valid

ROOT, EAE, PTW, DC, TGE = 0x8000_0000, 1 << 31, 1 << 2, 1 << 12, 1 << 27
READ, WRITE, FETCH = Access(0, 0, 1, 0), Access(1, 0, 1, 0), Access(0, 1, 1, 0)
UNALIGNED = Access(0, 0, 1, 1)
TABLES, VA = 0x4000_0000, 0x0020_0345
LEAF, USER_LEAF = 0x5000_0000 | 3 << 8 | 1 << 10 | 2 << 2 | 1, 1 << 6
"""The guest's block descriptor: Normal memory, PL1 only."""


def block(pa: int, hap: int = 3, memattr: int = 15, af: int = 1, xn: int = 0) -> int:
    return stage2_leaf(1, pa, memattr, hap, 3, af, xn)


def translated(
    access: Access = READ, leaf: int = LEAF, tables: int | None = None, target: int | None = None, **registers: int
) -> Translation:
    """Stage 1 tables at IPA 0x4000_0000, 512 GiB higher in physical memory; their leaf maps IPA 0x5000_0000."""
    entries = {
        ROOT + 1 * 8: block(0x80_4000_0000) if tables is None else tables,
        0x80_0000_0000 + TABLES: table_descriptor(0x4000_1000),
        0x80_0000_1000 + TABLES + (VA >> 21) * 8: leaf,
    }
    if target is not None:
        entries[ROOT + 2 * 8] = target
    given = {"sctlr": 1, "ttbcr": EAE, "ttbr0": TABLES, "prrr": 0x00FF_0400, "hcr": 1, "vttbr": ROOT, "vtcr": 0x58}
    return translate(memory(entries), regime(processor(**given | registers)), VA, access)


def at_second_gigabyte(access: Access = READ, target: int = 0, leaf: int = LEAF, **registers: int) -> Translation:
    return translated(access, leaf ^ 0x5000_0000 ^ 0x8000_0000, None, target, **registers)


def test_both_stages_map_the_access_and_its_descriptors() -> None:
    found = translated()
    assert (found.status, found.stage, found.ipa, found.pa) == (0, 0, 0x5000_0345, 0x80_5000_0345)
    assert found.attributes.type == MemoryType.NORMAL


def test_without_stage_2_the_output_of_stage_1_is_physical() -> None:
    entries = {TABLES: table_descriptor(0x4000_1000), 0x4000_1000 + (VA >> 21) * 8: LEAF}
    found = translate(memory(entries), regime(processor(sctlr=1, ttbcr=EAE, ttbr0=TABLES)), VA, READ)
    assert (found.status, found.pa) == (0, 0x5000_0345)


def test_a_refused_descriptor_is_a_stage_2_fault_about_the_descriptor() -> None:
    found = translated(tables=0)
    assert (found.status, found.stage, found.level, found.walk) == (FaultStatus.TRANSLATION_1, 2, 1, 1)
    assert found.ipa == TABLES


@pytest.mark.parametrize(
    ("tables", "hcr", "status"),
    [
        (block(0x80_4000_0000, hap=2), 1, FaultStatus.PERMISSION_1), (block(0x80_4000_0000, hap=1), 1, 0),
        (block(0x80_4000_0000, memattr=1), 1, 0), (block(0x80_4000_0000, memattr=1), 1 | PTW, FaultStatus.PERMISSION_1),
        (block(0x80_4000_0000, af=0), 1, FaultStatus.ACCESS_FLAG_1),
    ],
)  # fmt: skip
def test_a_descriptor_is_read_as_data_whatever_the_access(tables: int, hcr: int, status: int) -> None:
    for access in (READ, FETCH):
        found = translated(access, tables=tables, hcr=hcr)
        assert (found.status, found.walk) == (status, 1 if status else 0)


@pytest.mark.parametrize(
    ("access", "leaf", "target", "status", "stage"),
    [
        (READ, 0, 0, FaultStatus.TRANSLATION_2, 1), (READ, LEAF ^ 1 << 10, 0, FaultStatus.ACCESS_FLAG_2, 1),
        (WRITE, LEAF | 1 << 7, 0, FaultStatus.PERMISSION_2, 1), (READ, LEAF, 0, FaultStatus.TRANSLATION_1, 2),
        (READ, LEAF, block(0, af=0), FaultStatus.ACCESS_FLAG_1, 2), (READ, LEAF, block(0, hap=2), 0xD, 2),
        (WRITE, LEAF, block(0, hap=1), 0xD, 2), (FETCH, LEAF, block(0, xn=1), 0xD, 2),
        (FETCH, LEAF | 1 << 54, block(0, xn=1), FaultStatus.PERMISSION_2, 1), (READ, LEAF, block(0), 0, 0),
    ],
)  # fmt: skip
def test_stage_1_faults_come_before_those_of_stage_2(
    access: Access, leaf: int, target: int, status: int, stage: int
) -> None:
    found = at_second_gigabyte(access, target, leaf)
    assert (found.status, found.stage) == (status, stage)


def test_an_unaligned_access_faults_where_either_stage_makes_the_memory_strict() -> None:
    alignment = FaultStatus.ALIGNMENT
    device = LEAF ^ 2 << 2 | 1 << 2
    assert at_second_gigabyte(UNALIGNED, block(0)).status == 0
    assert [(found.status, found.stage) for found in (
        at_second_gigabyte(UNALIGNED, block(0), device), at_second_gigabyte(UNALIGNED, block(0, memattr=1)),
        at_second_gigabyte(UNALIGNED, block(0), sctlr=3), translated(UNALIGNED, tables=0, sctlr=3),
    )] == [(alignment, 1), (alignment, 2), (alignment, 1), (alignment, 1)]  # fmt: skip


@pytest.mark.parametrize(("hcr", "sctlr"), [(1, 0), (1 | DC, 1), (1 | TGE, 1), (DC, 0)])
def test_with_stage_1_off_the_address_itself_goes_through_stage_2(hcr: int, sctlr: int) -> None:
    found = translate(
        memory({ROOT: block(0x40_0000_0000)}),
        regime(processor(sctlr=sctlr, hcr=hcr, vttbr=ROOT, vtcr=0x58, ttbcr=EAE)), VA, READ,
    )  # fmt: skip
    assert (found.ipa, found.pa) == (VA, 0x40_0000_0000 | VA)


@pytest.mark.parametrize(
    ("hcr", "sctlr", "access", "kind", "outer"),
    [
        (0, 0, READ, MemoryType.STRONGLY_ORDERED, 0), (0, 0, FETCH, MemoryType.NORMAL, 1),
        (0, 1 << 12, FETCH, MemoryType.NORMAL, 2), (DC, 0, READ, MemoryType.NORMAL, 3),
    ],
)  # fmt: skip
def test_the_memory_type_where_stage_1_is_off(hcr: int, sctlr: int, access: Access, kind: int, outer: int) -> None:
    control = regime(processor(sctlr=sctlr, hcr=hcr, vttbr=ROOT, vtcr=0x58))
    found = translate(memory({ROOT: block(0)}), control, VA, access).attributes
    assert (found.type, found.outer) == (kind, outer)


CONTROL, ADDRESS, ACCESS = symbolic(Regime, "regime"), symbolic(U32, "va"), symbolic(Access, "access")


class AnyStage2:
    """Stage 2 as any function of the address, and the descriptors that stage 1 asked it for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        contents = Arbitrary("second", Of((Width(40),), Stage2, None))
        self.answers: Any = Symbolic(contents)
        self.asked: list[Any] = []
        monkeypatch.setattr(module, "table_read", self.table_read)
        monkeypatch.setattr(module, "translated", lambda _, __, ipa: self.answers.get(ipa))

    def table_read(self, _: Any, __: FirstTable, ___: int, ipa: int) -> Any:
        self.asked.append(ipa)
        return self.answers.get(ipa).status, self.answers.get(ipa).pa


@pytest.fixture
def stage2(monkeypatch: pytest.MonkeyPatch) -> AnyStage2:
    return AnyStage2(monkeypatch)


def any_translation(stage2: AnyStage2) -> Exploration:
    """Each path's translation, the doublewords read on it and the descriptors' addresses asked of stage 2."""
    contents: Any = Recorder()

    def run() -> Any:
        stage2.asked.clear()
        found = translate(contents.fresh(), CONTROL, ADDRESS, ACCESS)
        return found, tuple(key for key, _ in contents.reads), tuple(stage2.asked)

    return explored(run)


def proved(exploration: Exploration, holds: Any) -> bool:
    return all(valid(exploration, path, holds(*path.outcome)) for path in exploration.paths)


def test_with_stage_2_on_all_that_is_read_or_reached_is_what_stage_2_gave(stage2: AnyStage2) -> None:
    on = CONTROL.stage2 == 1

    def holds(found: Translation, read: tuple[int, ...], asked: tuple[int, ...]) -> Any:
        answers = [stage2.answers.get(ipa) for ipa in asked]
        # The last descriptor asked for may have been refused; all before it were read where stage 2 says.
        tables = every(*(
            every(answer.status == 0, key == answer.pa >> 3) for key, answer in zip(read, answers, strict=False)
        ))  # fmt: skip
        final = stage2.answers.get(found.ipa)
        reached = implies(found.status == 0, every(final.status == 0, found.pa == final.pa))
        return implies(on, every(len(read) <= len(asked), tables, reached))

    exploration = any_translation(stage2)
    assert proved(exploration, holds)
    assert not proved(exploration, lambda found, *_: implies(found.status == 0, found.pa == found.ipa))


def test_a_stage_2_fault_is_about_the_access_or_the_descriptor_that_was_refused(stage2: AnyStage2) -> None:
    def holds(found: Translation, _: Any, asked: tuple[int, ...]) -> Any:
        refused = stage2.answers.get(asked[-1]) if asked else None
        about_descriptor = refused is not None and every(found.ipa == asked[-1], found.status == refused.status)
        on_access = every(found.walk == 0, found.status != 0)
        return implies(found.stage == 2, either(every(found.walk == 1, about_descriptor), on_access))

    exploration = any_translation(stage2)
    assert proved(exploration, holds)
    assert not proved(exploration, lambda found, *_: found.stage != 2)


def test_with_stage_2_off_stage_2_is_never_asked_and_the_ipa_is_physical(stage2: AnyStage2) -> None:
    def holds(found: Translation, _: Any, asked: tuple[int, ...]) -> Any:
        off = every(len(asked) == 0, found.stage != 2, implies(found.status == 0, found.pa == found.ipa))
        return implies(CONTROL.stage2 == 0, off)

    assert proved(any_translation(stage2), holds)


def test_any_translation_has_a_bounded_number_of_paths_and_forty_bits(stage2: AnyStage2) -> None:
    exploration = any_translation(stage2)
    assert 40 < len(exploration.paths) < 200
    assert proved(exploration, lambda found, *_: found.pa < 1 << 40)


def test_stage_2_is_on_by_vm_or_dc_and_off_for_no_other_reason() -> None:
    for hcr in (0, 1, DC, 1 | DC, TGE, 1 | TGE):
        assert regime(processor(hcr=hcr)).stage2 == (hcr & (1 | DC) != 0)
