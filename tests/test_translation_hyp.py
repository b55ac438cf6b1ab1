"""The translation regime of Hyp mode: its one base register, its descriptors, and why a kernel's tables do not fit."""

from typing import Any

import attrs
import pytest

from properties.engines.explorer import explore
from properties.engines.inputs import symbolic
from spec.processor import Processor
from spec.syndrome import FaultStatus
from spec.translation.attributes import MemoryType
from spec.translation.descriptors import table_descriptor
from spec.translation.hyp_regime import hyp_leaf, hyp_regime, hyp_rights, hyp_stage1, is_valid_for_hyp
from spec.translation.stage1 import EXECUTE, READ, WRITE, Access, Regime, Stage1
from spec.translation.stage1_long import rights
from spec.words import U1, U2, U3, U32, U40, U64, bit, bits, every, implies
from tests.processors import processor
from tests.tables import Recorder, explored, memory, valid

ROOT, SPARE, VA, PA = 0x8000_0000, 0x8001_0000, 0xC123_4567, 0x12_3456_7000
READ_ACCESS, FETCH = Access(0, 0, 1, 0), Access(0, 1, 1, 0)
M, WXN, UWXN = 1, 1 << 19, 1 << 20
KERNEL_PAGE = PA | 0x403
"""AP[2:1] = 00: PL1 may read and write, PL0 nothing."""
USER_PAGE = KERNEL_PAGE | 1 << 6
NG, PXN = 1 << 11, 1 << 53


def hyp_processor(**registers: int) -> Processor:
    return processor(**{"hsctlr": M, "httbr": ROOT, "hmair0": 0xFF44_0400, "hmair1": 0xAA} | registers)


def walked(leaf: int, access: Access = READ_ACCESS, tables: int = 0, **registers: int) -> Stage1:
    entries = {
        ROOT + (VA >> 30) * 8: table_descriptor(SPARE) | tables,
        SPARE + (VA >> 21 & 0x1FF) * 8: table_descriptor(SPARE + 0x1000),
        SPARE + 0x1000 + (VA >> 12 & 0x1FF) * 8: leaf,
    }
    return hyp_stage1(memory(entries), hyp_regime(hyp_processor(**registers)), VA, access)


def test_a_page_is_found_through_httbr() -> None:
    found = walked(hyp_leaf(3, PA, 3, 0, 3, 0))
    assert (found.status, found.level, found.ipa) == (0, 3, PA | 0x567)
    assert found.allows == READ | WRITE | EXECUTE
    assert found.attributes.type == MemoryType.NORMAL


@pytest.mark.parametrize(("index", "kind"), [(0, MemoryType.STRONGLY_ORDERED), (1, MemoryType.DEVICE),
    (2, MemoryType.NORMAL), (4, MemoryType.NORMAL)])  # fmt: skip
def test_hmair_states_the_memory_attributes(index: int, kind: MemoryType) -> None:
    assert walked(hyp_leaf(3, PA, index, 0, 3, 0)).attributes.type == kind


@pytest.mark.parametrize(("read_only", "xn", "hsctlr", "allows"), [(1, 0, M, READ | EXECUTE), (0, 1, M, READ | WRITE),
    (0, 0, M | WXN, READ | WRITE), (1, 0, M | WXN, READ | EXECUTE), (0, 0, M | UWXN, 7)])  # fmt: skip
def test_ap_2_xn_and_wxn_decide_what_hyp_mode_may_do(read_only: int, xn: int, hsctlr: int, allows: int) -> None:
    assert walked(hyp_leaf(3, PA, 0, read_only, 3, xn), hsctlr=hsctlr).allows == allows


def test_the_bits_that_tell_pl1_from_pl0_change_nothing_for_hyp_mode() -> None:
    plain = walked(hyp_leaf(3, PA, 0, 0, 3, 0))
    assert walked(hyp_leaf(3, PA, 0, 0, 3, 0) ^ 1 << 6 | PXN | NG) == plain
    assert walked(hyp_leaf(3, PA, 0, 0, 3, 0), tables=1 << 61 | 1 << 59) == plain


def test_the_other_hierarchical_bits_count() -> None:
    assert walked(hyp_leaf(3, PA, 0, 0, 3, 0), tables=1 << 62 | 1 << 60).allows == READ


def test_a_smaller_region_starts_at_level_2_and_ends_in_a_fault() -> None:
    leaf = hyp_leaf(2, 0x4000_0000, 0, 0, 3, 0)
    regime = hyp_regime(hyp_processor(htcr=2))
    contents = memory({ROOT + (0x3FE0_0000 >> 21) * 8: leaf})
    assert hyp_stage1(contents, regime, 0x3FE0_1234, READ_ACCESS).ipa == 0x4000_1234
    assert hyp_stage1(contents, regime, 0x4000_0000, READ_ACCESS).status == FaultStatus.TRANSLATION_1


def test_with_hsctlr_m_clear_addresses_are_physical() -> None:
    data, code = walked(0, hsctlr=0), walked(0, FETCH, hsctlr=0)
    assert (data.status, data.ipa, data.allows) == (0, VA, 7)
    assert (data.attributes.type, code.attributes.type) == (MemoryType.STRONGLY_ORDERED, MemoryType.NORMAL)


def any_cpu() -> Any:
    return symbolic(Processor, "cpu")


def test_no_register_of_pl1_takes_part() -> None:
    """Whatever the host or a guest keeps in the registers of its own regime, Hyp mode translates the same."""
    ours, theirs = any_cpu(), symbolic(Processor, "other")
    assert hyp_regime(attrs.evolve(ours, cp15=theirs.cp15)) == hyp_regime(ours)


def test_any_walk_begins_in_the_one_table_of_httbr_and_gives_a_40_bit_address() -> None:
    recorder = Recorder()
    cpu, va, access = any_cpu(), symbolic(U32, "va"), symbolic(Access, "access")

    def run() -> Any:
        contents: Any = recorder.fresh()
        found = hyp_stage1(contents, hyp_regime(cpu), va, access)
        return found, list(recorder.reads)

    exploration = explored(run)
    assert len(exploration.paths) <= 20
    for path in exploration.paths:
        found, reads = path.outcome
        assert valid(exploration, path, found.ipa < 1 << 40)
        assert all(valid(exploration, path, bits(key, 36, 9) == bits(cpu.hyp.httbr, 39, 12)) for key, _ in reads[:1])
    assert {len(path.outcome[1]) for path in exploration.paths} == {0, 1, 2, 3}


def test_a_valid_hyp_leaf_is_what_the_encoder_makes() -> None:
    level, pa = symbolic(U2, "level"), symbolic(U40, "pa") & 0xFF_FFFF_F000
    leaf = hyp_leaf(level, pa, symbolic(U3, "index"), symbolic(U1, "ro"), symbolic(U2, "sh"), symbolic(U1, "xn"))
    assert is_valid_for_hyp(leaf, 0) is True


def proved(claim: Any) -> bool:
    """Whether a condition on free words holds for all of them."""
    exploration = explore(lambda: bool(claim))
    return not exploration.undecided and {path.outcome for path in exploration.paths} == {True}


REGIME, DESCRIPTOR, TABLES = symbolic(Regime, "regime"), symbolic(U64, "descriptor"), symbolic(U64, "tables")


def test_no_page_is_both_kept_from_pl0_and_fit_for_hyp_mode() -> None:
    """A kernel's own pages cannot serve Hyp mode: their AP[1] is zero where Hyp mode's should be one."""
    pl0 = rights(REGIME, 0, DESCRIPTOR, TABLES)
    assert proved(implies(pl0 == 0, is_valid_for_hyp(DESCRIPTOR, TABLES) ^ True))
    assert not is_valid_for_hyp(KERNEL_PAGE, 0)


def test_whatever_hyp_mode_may_write_pl0_could_write_if_the_tables_were_shared() -> None:
    pl0, hyp = rights(REGIME, 0, DESCRIPTOR, TABLES), hyp_rights(REGIME, DESCRIPTOR, TABLES)
    both = is_valid_for_hyp(DESCRIPTOR, TABLES)
    assert proved(implies(both, every(bit(pl0, 0) == bit(hyp, 0), bit(pl0, 1) == bit(hyp, 1))))


def test_the_pages_of_a_process_are_fit_only_if_they_are_global() -> None:
    assert is_valid_for_hyp(USER_PAGE, 0)
    assert not is_valid_for_hyp(USER_PAGE | NG, 0)
    assert not is_valid_for_hyp(USER_PAGE | PXN, 0)
    assert not is_valid_for_hyp(USER_PAGE, 1 << 61)
