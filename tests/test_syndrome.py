"""HSR, DFSR and IFSR: the words that hardware was seen to report, and encoding undone by decoding."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.registers import declared
from spec.syndrome import (
    SHORT_STATUS,
    BxjSyndrome,
    CoprocessorUse,
    DataAbortSyndrome,
    DoubleTransfer,
    ExceptionClass,
    FaultStatus,
    LoadStoreCoprocessor,
    PrefetchAbortSyndrome,
    RegisterTransfer,
    WaitSyndrome,
    decode_bxj,
    decode_call,
    decode_coprocessor,
    decode_data_abort,
    decode_double_transfer,
    decode_load_store_coprocessor,
    decode_prefetch_abort,
    decode_register_transfer,
    decode_wfx,
    dfsr,
    exception_class,
    hsr,
    ifsr,
    instruction_length,
    instruction_syndrome,
    iss_bxj,
    iss_call,
    iss_coprocessor,
    iss_data_abort,
    iss_double_transfer,
    iss_load_store_coprocessor,
    iss_prefetch_abort,
    iss_register_transfer,
    iss_wfx,
    reported_condition,
    short_status,
)

EC = ExceptionClass
AL = 0xE

LAYOUTS = {
    WaitSyndrome: (iss_wfx, decode_wfx),
    RegisterTransfer: (iss_register_transfer, decode_register_transfer),
    DoubleTransfer: (iss_double_transfer, decode_double_transfer),
    LoadStoreCoprocessor: (iss_load_store_coprocessor, decode_load_store_coprocessor),
    CoprocessorUse: (iss_coprocessor, decode_coprocessor),
    BxjSyndrome: (iss_bxj, decode_bxj),
    PrefetchAbortSyndrome: (iss_prefetch_abort, decode_prefetch_abort),
    DataAbortSyndrome: (iss_data_abort, decode_data_abort),
}


def load(sas: int, sse: int = 0, srt: int = 5, write: int = 0, status: int = 5) -> int:
    return iss_data_abort(1, sas, sse, srt, 0, 0, 0, write, status)


def opaque(walk: int = 0, write: int = 0, maintenance: int = 0, status: int = 5) -> int:
    return iss_data_abort(0, 0, 0, 0, 0, maintenance, walk, write, status)


VECTORS = [
    ("WFI", EC.WFX, 1, iss_wfx(1, AL, 0), 0x07E00000),
    ("WFI in 16 bits", EC.WFX, 0, iss_wfx(1, AL, 0), 0x05E00000),
    ("WFE", EC.WFX, 1, iss_wfx(1, AL, 1), 0x07E00001),
    ("SMC", EC.SMC, 1, 0, 0x4E000000),
    ("HVC #0xABCD", EC.HVC, 1, iss_call(0xABCD), 0x4A00ABCD),
    ("SVC #0x123456", EC.SVC_HYP, 1, iss_call(0x3456), 0x46003456),
    ("SVC #0x55 in 16 bits", EC.SVC_HYP, 0, iss_call(0x55), 0x44000055),
    ("undefined", EC.UNKNOWN, 1, 0, 0),
    ("MRC p15, 0, r0, c1, c0, 0", EC.CP15_32, 1, iss_register_transfer(1, AL, 0, 0, 1, 0, 0, 1), 0x0FE00401),
    ("MRRC p15, 1, r5, r6, c2", EC.CP15_64, 1, iss_double_transfer(1, AL, 1, 6, 5, 2, 1), 0x13E118A5),
    ("BXJ lr", EC.BXJ, 1, iss_bxj(1, AL, 14), 0x2BE0000E),
    ("VFP", EC.CP_0_13, 1, iss_coprocessor(1, AL, 0, 10), 0x1FE0000A),
    ("VFP through CP11", EC.CP_0_13, 1, iss_coprocessor(1, AL, 0, 11), 0x1FE0000A),
    ("BKPT, IL unknown", EC.IABT, 1, iss_prefetch_abort(0, 0, 0x22), 0x80000022),
    ("LDR r5", EC.DABT, 1, load(2), 0x93850005),
    ("STR r5", EC.DABT, 1, load(2, write=1), 0x93850045),
    ("LDRB r5", EC.DABT, 1, load(0), 0x93050005),
    ("LDRSB r5", EC.DABT, 1, load(0, sse=1), 0x93250005),
    ("LDRH r5", EC.DABT, 1, load(1), 0x93450005),
    ("LDRSH r5", EC.DABT, 1, load(1, sse=1), 0x93650005),
    ("LDR r5 in 16 bits", EC.DABT, 0, load(2), 0x91850005),
    ("STRB r5 in 16 bits", EC.DABT, 0, load(0, write=1), 0x91050045),
    ("LDM", EC.DABT, 1, opaque(), 0x90000005),
    ("STR lr", EC.DABT, 1, load(2, srt=14, write=1), 0x938E0045),
    ("permission, write", EC.DABT, 1, load(2, write=1, status=0xF), 0x9385004F),
    ("permission, read", EC.DABT, 1, load(2, status=0xF), 0x9385000F),
    ("fetch", EC.IABT, 1, iss_prefetch_abort(0, 0, 5), 0x80000005),
    ("fetch, never executable", EC.IABT, 1, iss_prefetch_abort(0, 0, 0xF), 0x8000000F),
    ("fetch, stage 1 walk", EC.IABT, 1, iss_prefetch_abort(0, 1, 5), 0x80000085),
    ("LDR, stage 1 walk", EC.DABT, 1, opaque(walk=1), 0x90000085),
    ("STR, stage 1 walk", EC.DABT, 1, opaque(walk=1, write=1), 0x900000C5),
    ("LDR, protected walk", EC.DABT, 1, opaque(walk=1, status=0xF), 0x9000008F),
    ("ATS1CPR, stage 1 walk", EC.DABT, 1, opaque(walk=1, write=1, maintenance=1), 0x900001C5),
]


@pytest.mark.parametrize(("ec", "il", "iss", "word"), [v[1:] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_hsr_is_what_hardware_reports(ec: int, il: int, iss: int, word: int) -> None:
    assert hsr(ec, il, iss) == word


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
@given(data=st.data())
def test_decoding_undoes_encoding(layout: type, data: st.DataObject) -> None:
    encode, decode = LAYOUTS[layout]
    fields = {
        name: data.draw(st.integers(0, 2**width.bits - 1), label=name) for name, width in declared(layout).items()
    }
    if fields.get("cv") == 0:
        fields["cond"] = 0
    if fields.get("isv") == 0:
        fields |= {"sas": 0, "sse": 0, "srt": 0}
    if layout is CoprocessorUse:
        fields["coprocessor"] = 0 if fields["simd"] else min(fields["coprocessor"], 10)
    assert attrs.asdict(decode(encode(**fields))) == fields


@given(imm16=st.integers(0, 0xFFFF))
def test_a_call_carries_its_immediate(imm16: int) -> None:
    assert decode_call(iss_call(imm16)) == imm16


@given(ec=st.sampled_from(ExceptionClass), il=st.integers(0, 1), iss=st.integers(0, 2**25 - 1))
def test_class_and_syndrome_are_read_back_from_hsr(ec: ExceptionClass, il: int, iss: int) -> None:
    word = hsr(ec, il, iss)
    assert (exception_class(word), instruction_syndrome(word)) == (ec, iss)


@pytest.mark.parametrize("ec", [EC.UNKNOWN, EC.IABT, EC.IABT_HYP, EC.DABT, EC.DABT_HYP])
def test_length_reads_zero_where_it_is_not_valid(ec: ExceptionClass) -> None:
    assert instruction_length(hsr(ec, 1, 0)) == 0


def test_sas_sse_and_srt_read_zero_without_a_valid_instruction_syndrome() -> None:
    assert iss_data_abort(0, 2, 1, 5, 0, 0, 0, 0, 5) == 5


def test_advanced_simd_reports_coprocessor_zero() -> None:
    assert iss_coprocessor(1, AL, 1, 10) & 0x3F == 0x20


CONDITIONS = [
    ("a passed condition reads as always", 0x0, 0x40000010, 1, 0, 0x1E),
    ("a passed condition as it is", 0x0, 0x40000010, 1, 1, 0x10),
    ("a failed condition is reported as it is", 0x0, 0x10, 1, 0, 0x10),
    ("an unconditional instruction reads as always", 0xF, 0x10, 1, 1, 0x1E),
    ("Thumb with CV = 0", 0xE, 0x30, 0, 1, 0x00),
    ("Thumb inside an IT block", 0xE, 0x40000030 | 0x0800, 1, 1, 0x10),
]


@pytest.mark.parametrize(
    ("condition", "cpsr", "thumb_valid", "as_is", "expected"),
    [c[1:] for c in CONDITIONS],
    ids=[c[0] for c in CONDITIONS],
)
def test_condition_reported(condition: int, cpsr: int, thumb_valid: int, as_is: int, expected: int) -> None:
    assert reported_condition(condition, cpsr, thumb_valid, as_is) >> 20 == expected


def test_dfsr_of_an_asynchronous_abort_in_the_short_format() -> None:
    assert dfsr(0, FaultStatus.ASYNCHRONOUS_EXTERNAL, 0, 0, 0) == 0x406


def test_dfsr_of_an_asynchronous_abort_in_the_long_format() -> None:
    assert dfsr(1, FaultStatus.ASYNCHRONOUS_EXTERNAL, 0, 0, 0) == 0x211


def test_ifsr_of_a_breakpoint() -> None:
    assert ifsr(0, FaultStatus.DEBUG, 0) == 2


def test_dfsr_says_write_external_and_maintenance() -> None:
    assert dfsr(0, FaultStatus.ALIGNMENT, 1, 1, 1) == 0x3801


def test_short_codes_are_distinct() -> None:
    assert len({short for _, short in SHORT_STATUS}) == len(SHORT_STATUS)


def test_a_third_level_fault_has_no_short_code() -> None:
    assert short_status(FaultStatus.TRANSLATION_3) == 0
