"""Address translation operations: what PAR says in both formats, and what a hypervisor may conclude from it."""

from typing import Any

import attrs
import pytest

from properties.engines.inputs import symbolic
from spec.exceptions import Vector
from spec.processor import Processor
from spec.psr import Mode
from spec.sparse import Sparse
from spec.syndrome import FaultStatus
from spec.translation.ats import Ats, address_translation, asked_from_hyp, mapped_64
from spec.translation.attributes import mair_attributes
from spec.translation.descriptors import table_descriptor
from spec.translation.hyp_regime import hyp_leaf
from spec.translation.stage1 import Access, Regime, denied
from spec.translation.stage2 import stage2_table
from spec.translation.translate import stage1
from spec.words import U32, bit, bits, every, implies
from tests.processors import processor
from tests.tables import DEVICE, VTCR, Recorder, explored, memory, page, three_levels, valid

STAGE2, ROOT, VA, IPA, PA = 0x10_0000, 0x8000_0000, 0x1234_5678, 0x4567_8000, 0x12_3456_7000
VM, EAE, M = 1, 1 << 31, 1
GUEST, HOST = Mode.SVC, Mode.HYP
UNKNOWN = 0
F, LPAE = 1, 1 << 11


def guest(mode: int = GUEST, **registers: int) -> Processor:
    values = {"sctlr": M, "ttbr0": ROOT, "dacr": 1, "hcr": VM, "vttbr": STAGE2, "vtcr": VTCR} | registers
    return processor(cpsr=int(mode), **values)


def tables(ipa: int, descriptor: int) -> dict[int, int]:
    """A stage 2 that maps one page."""
    return three_levels(STAGE2, ipa, descriptor, STAGE2 + 0x1_0000)


def section(ap: int = 3, texcb: int = 0b00111, s: int = 1) -> int:
    """The section descriptor of the megabyte of IPA."""
    return IPA >> 20 << 20 | s << 16 | texcb >> 2 << 12 | ap << 10 | (texcb & 3) << 2 | 2


def with_section(descriptor: int, mapped: bool = True) -> Sparse[int]:
    """Memory in which stage 1 has one section and stage 2 maps its table, or nothing."""
    entry = ROOT + (VA >> 20 << 2)
    held = {entry & ~7: descriptor << 8 * (entry & 7)}
    return memory(held | (tables(entry, page(entry & ~0xFFF)) if mapped else {}))


def after(operation: Ats, contents: Sparse[int], cpu: Processor, va: int = VA, unknown: int = UNKNOWN) -> int:
    return address_translation(cpu, contents, operation, va, unknown).cp15.par


def test_the_32_bit_format_gives_the_address_and_the_attributes_of_stage_1() -> None:
    par = after(Ats.ATS1CPR, with_section(section()), guest())
    assert par == (IPA & 0xFFF0_0000 | VA & 0xF_F000) | 1 << 7 | 0b101 << 4 | 0b01 << 2


@pytest.mark.parametrize(("texcb", "inner", "outer"), [(0b00000, 0b001, 0), (0b00001, 0b011, 0), (0b00100, 0b000, 0),
    (0b00111, 0b101, 1), (0b00010, 0b110, 2), (0b00011, 0b111, 3), (0b10001, 0b101, 0)])  # fmt: skip
def test_the_32_bit_format_encodes_type_and_cacheability(texcb: int, inner: int, outer: int) -> None:
    par = after(Ats.ATS1CPR, with_section(section(texcb=texcb)), guest())
    assert (bits(par, 6, 4), bits(par, 3, 2)) == (inner, outer)


def test_the_32_bit_format_has_room_for_the_address_of_a_supersection() -> None:
    par = after(Ats.ATS1CPR, with_section(0xAB << 24 | 0xC << 20 | 1 << 18 | 3 << 10 | 0xD << 5 | 2), guest())
    assert (par & 0xFFFF_F000, bit(par, 1)) == (0xABDC_0000, 1)


def test_a_fault_of_stage_1_is_reported_in_the_format_that_ttbcr_selects() -> None:
    invalid = with_section(0)
    assert after(Ats.ATS1CPR, invalid, guest()) == 0b00101 << 1 | F
    entry = ROOT + (VA >> 30) * 8
    assert after(Ats.ATS1CPR, memory(tables(entry, page(ROOT))), guest(ttbcr=EAE)) == LPAE | 0x05 << 1 | F


def test_a_refused_access_is_reported_as_a_permission_fault() -> None:
    read_only = with_section(section(ap=2))
    assert after(Ats.ATS1CUR, read_only, guest()) & F == 0
    assert after(Ats.ATS1CUW, read_only, guest()) == 0b01101 << 1 | F
    assert after(Ats.ATS1CPW, read_only, guest()) & F == 0


def test_from_hyp_mode_the_format_has_64_bits_even_for_short_descriptors() -> None:
    par = after(Ats.ATS1CPR, with_section(section()), guest(HOST))
    assert par == 0xFF << 56 | (IPA & 0xFFF0_0000 | VA & 0xF_F000) | LPAE | 2 << 7


def test_a_domain_fault_has_a_code_in_the_64_bit_format() -> None:
    assert after(Ats.ATS1CPR, with_section(section()), guest(HOST, dacr=0)) == LPAE | FaultStatus.DOMAIN_1 << 1 | F


def test_from_pl1_a_stage_2_fault_on_the_walk_is_an_abort_to_hyp_mode() -> None:
    cpu = address_translation(guest(hvbar=0x1000), with_section(section(), mapped=False), Ats.ATS1CPR, VA, UNKNOWN)
    assert (cpu.cpsr & 0x1F, cpu.pc) == (Mode.HYP, 0x1000 | Vector.HYP_TRAP)
    assert cpu.hyp.hsr == 0x9000_01C5, "EC 0x24, no instruction syndrome, CM, S1PTW, WnR, Translation fault of level 1"
    assert (cpu.hyp.hdfar, cpu.hyp.hpfar) == (VA, ROOT + (VA >> 20 << 2) >> 12 << 4)


def test_an_operation_that_aborts_leaves_par_unknown() -> None:
    assert after(Ats.ATS1CPR, with_section(section(), mapped=False), guest(), unknown=0x123) == 0x123


def test_from_hyp_mode_a_stage_2_fault_on_the_walk_is_an_answer() -> None:
    cpu = address_translation(guest(HOST), with_section(section(), mapped=False), Ats.ATS1CPR, VA, UNKNOWN)
    assert cpu.cp15.par == LPAE | 1 << 9 | 1 << 8 | FaultStatus.TRANSLATION_1 << 1 | F
    assert cpu.pc == 0


def test_protected_table_walks_count_for_the_operations() -> None:
    entry = ROOT + (VA >> 20 << 2)
    held = {entry & ~7: section() << 8 * (entry & 7)}
    contents = memory(held | tables(entry, page(entry & ~0xFFF, memattr=DEVICE)))
    assert after(Ats.ATS1CPR, contents, guest(HOST)) & F == 0
    protected = after(Ats.ATS1CPR, contents, guest(HOST, hcr=VM | 1 << 2))
    assert protected == LPAE | 1 << 9 | 1 << 8 | FaultStatus.PERMISSION_3 << 1 | F


def both_stages(descriptor: int) -> Sparse[int]:
    """Memory in which stage 1 is off and stage 2 maps the page of VA."""
    return memory(tables(VA, descriptor))


def test_asking_both_stages_gives_the_physical_address() -> None:
    par = after(Ats.ATS12NSOPR, both_stages(page(PA)), guest(HOST, sctlr=0, hcr=VM | 1 << 12))
    assert par == 0xFF << 56 | PA | LPAE | 3 << 7


def test_asking_both_stages_says_which_faults() -> None:
    cpu = guest(HOST, sctlr=0)
    assert after(Ats.ATS12NSOPR, both_stages(0), cpu) == LPAE | 1 << 9 | FaultStatus.TRANSLATION_3 << 1 | F
    assert after(Ats.ATS12NSOPW, both_stages(page(PA, hap=1)), cpu) == LPAE | 1 << 9 | FaultStatus.PERMISSION_3 << 1 | F
    assert after(Ats.ATS12NSOPR, both_stages(page(PA, hap=1)), cpu) & F == 0


def test_asking_both_stages_says_when_the_walk_of_the_first_meets_the_second() -> None:
    par = after(Ats.ATS12NSOPR, with_section(section(), mapped=False), guest(HOST))
    assert par == LPAE | 1 << 9 | 1 << 8 | FaultStatus.TRANSLATION_1 << 1 | F


def test_asking_both_stages_without_a_second_has_the_format_of_ttbcr() -> None:
    assert after(Ats.ATS12NSOPR, memory({}), guest(HOST, sctlr=0, hcr=0)) & (LPAE | 0xFFFF_F000) == VA & ~0xFFF
    par = after(Ats.ATS12NSOPR, memory({}), guest(HOST, sctlr=0, hcr=0, ttbcr=EAE))
    assert par & (LPAE | 0xFFFF_F000) == VA & ~0xFFF | LPAE


def test_the_regime_of_hyp_mode_is_asked_by_operations_of_its_own() -> None:
    entries = {
        ROOT: table_descriptor(ROOT + 0x1000),
        ROOT + 0x1000 + (VA >> 21) * 8: table_descriptor(ROOT + 0x2000),
        ROOT + 0x2000 + (VA >> 12 & 0x1FF) * 8: hyp_leaf(3, PA, 1, 1, 3, 0),
    }
    cpu = guest(HOST, hsctlr=M, httbr=ROOT, hmair0=0xFF00, ttbr0=0)
    assert after(Ats.ATS1HR, memory(entries), cpu) == 0xFF << 56 | PA | LPAE | 3 << 7
    assert after(Ats.ATS1HW, memory(entries), cpu) == LPAE | FaultStatus.PERMISSION_3 << 1 | F


@pytest.mark.parametrize("unknown", [0, 3])
def test_ns_and_the_inner_shareability_of_unshared_memory_are_unknown(unknown: int) -> None:
    par = after(Ats.ATS1CPR, with_section(section(s=0)), guest(), unknown=unknown)
    assert (bit(par, 9), bit(par, 10), bit(par, 7)) == (unknown & 1, unknown >> 1, 0)


@pytest.mark.parametrize("attr", [0x00, 0x04, 0x44, 0xAA, 0xBB, 0xEE, 0xFF, 0x4F, 0xF4])
def test_the_64_bit_format_gives_the_attributes_as_mair_does(attr: int) -> None:
    assert mapped_64(0, mair_attributes(attr, 3), 0) >> 56 == attr


def test_what_hyp_mode_is_told_is_where_stage_1_put_the_access() -> None:
    """For any tables, registers and access that reaches stage 2: ATS1CPR finds the address that HPFAR may not give."""
    recorder = Recorder()
    va, access = symbolic(U32, "va"), symbolic(Access, "access")
    regime = attrs.evolve(symbolic(Regime, "regime"), stage2=1, second=stage2_table(STAGE2, VTCR))

    def run() -> Any:
        contents: Any = recorder.fresh()
        first = stage1(contents, regime, va, access)
        par = asked_from_hyp(contents, regime, va, Access(0, 0, 1, 0), 0)
        found = every(bit(par, 0) == 0, bits(par, 39, 12) == bits(first.ipa, 39, 12))
        return first, implies(every(first.status == 0, denied(first, access) == 0), found)

    exploration = explored(run)
    assert all(valid(exploration, path, path.outcome[1]) for path in exploration.paths)
    assert any(not valid(exploration, path, path.outcome[0].status > 0) for path in exploration.paths)
