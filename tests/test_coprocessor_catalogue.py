"""The catalogue of coprocessor registers is total, unambiguous, and consistent with the state and the trap controls."""

from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest

from spec.citations import Citation
from spec.coprocessor import cp10, cp14, cp15
from spec.coprocessor.controls import SECTIONS
from spec.coprocessor.decode import ALLOCATED, ROW, ROWS, UNALLOCATED, decode, encodings, holds, in_tidcp_space
from spec.coprocessor.row import Effect, Form, Gate, Row, Trap
from spec.registers import REGISTERS

SPACES = {
    (14, Form.WORD): (8, 16, 16, 8),
    (15, Form.WORD): (8, 16, 16, 8),
    (14, Form.DOUBLE): (16, 1, 16, 1),
    (15, Form.DOUBLE): (16, 1, 16, 1),
    (14, Form.MEMORY): (1, 16, 1, 1),
    (15, Form.MEMORY): (1, 16, 1, 1),
}
SPACE_IDS = [f"CP{coprocessor}-{form.name}" for coprocessor, form in SPACES]

CONTROL_LAYOUT = {
    "HCR": {
        "TID0": 15, "TID1": 16, "TID2": 17, "TID3": 18, "TAC": 21, "TSW": 22, "TPC": 23, "TPU": 24, "TTLB": 25,
        "TVM": 26,
    },
    "HSTR": {"TTEE": 16, "TJDBX": 17},
    "HCPTR": {"TTA": 20, "TCPAC": 31},
    "HDCR": {"TPMCR": 5, "TPM": 6, "TDA": 9, "TDOSA": 10, "TDRA": 11},
    "CNTHCTL": {"PL1PCTEN": 0, "PL1PCEN": 1},
}  # fmt: skip

TVM_REGISTERS = {
    "SCTLR", "TTBR0", "TTBR1", "TTBR0_64", "TTBR1_64", "TTBCR", "DACR", "DFSR", "IFSR", "DFAR", "IFAR", "ADFSR",
    "AIFSR", "MAIR0", "MAIR1", "AMAIR0", "AMAIR1", "CONTEXTIDR",
}  # fmt: skip

STATELESS = {
    Effect.ZERO, Effect.NOTHING, Effect.BARRIER, Effect.MAINTENANCE, Effect.TLB, Effect.INTERRUPT_STATUS,
    Effect.UNDEFINED,
}  # fmt: skip


def space(coprocessor: int, form: Form) -> Iterator[tuple[int, ...]]:
    return product(*(range(limit) for limit in SPACES[coprocessor, form]))


def rows_of(rows: tuple[Row, ...], coprocessor: int, form: Form) -> list[Row]:
    return [row for row in rows if (row.coprocessor, row.form) == (coprocessor, form)]


def covered(rows: list[Row]) -> Counter[tuple[int, ...]]:
    return Counter(encoding for row in rows for encoding in product(row.opc1, row.crn, row.crm, row.opc2))


def names_trapped_by(register: str, control: str) -> set[str]:
    return {row.name for row in ROWS if any((trap.register, trap.name) == (register, control) for trap in row.traps)}


@pytest.mark.parametrize(("coprocessor", "form"), SPACES, ids=SPACE_IDS)
def test_no_two_allocated_rows_hold_the_same_encoding(coprocessor: int, form: Form) -> None:
    counts = covered(rows_of(ALLOCATED, coprocessor, form))
    assert [encoding for encoding, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(("coprocessor", "form"), SPACES, ids=SPACE_IDS)
def test_no_two_regions_of_unallocated_encodings_overlap(coprocessor: int, form: Form) -> None:
    counts = covered(rows_of(UNALLOCATED, coprocessor, form))
    assert [encoding for encoding, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(("coprocessor", "form"), SPACES, ids=SPACE_IDS)
def test_no_row_covers_an_encoding_that_does_not_exist(coprocessor: int, form: Form) -> None:
    assert set(covered(rows_of(ROWS, coprocessor, form))) == set(space(coprocessor, form))


@pytest.mark.parametrize(("coprocessor", "form"), SPACES, ids=SPACE_IDS)
def test_every_encoding_of_an_allocated_row_decodes_to_that_row(coprocessor: int, form: Form) -> None:
    for row in rows_of(ALLOCATED, coprocessor, form):
        fields = product(row.opc1, row.crn, row.crm, row.opc2)
        assert all(decode(coprocessor, form, *encoding) is row for encoding in fields)


@pytest.mark.parametrize(("coprocessor", "form"), SPACES, ids=SPACE_IDS)
def test_every_encoding_decodes_to_a_row_that_covers_it(coprocessor: int, form: Form) -> None:
    assert all(decode(coprocessor, form, *encoding).covers(*encoding) for encoding in space(coprocessor, form))


def test_every_vfp_system_register_number_decodes_to_a_row_of_cp10() -> None:
    rows = [decode(10, Form.WORD, 7, number, 0, 0) for number in range(16)]
    assert all(row.coprocessor == 10 and number in row.crn for number, row in enumerate(rows))


def test_no_two_allocated_rows_of_cp10_hold_the_same_register_number() -> None:
    numbers = [number for row in cp10.ALLOCATED for number in row.crn]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_holds_an_encoding(row: Row) -> None:
    assert encodings(row) > 0


def test_the_rows_together_hold_every_encoding_once() -> None:
    assert sum(encodings(row) for row in ROWS) == 2 * 16384 + 2 * 256 + 2 * 16 + 16


@pytest.mark.parametrize("name", ["SCTLR", "CP15_C9_TIDCP", "CP15_C7_UNALLOCATED", "CP14_DEBUG_UNALLOCATED", "TRACE"])
def test_a_row_holds_just_the_encodings_that_decode_to_it(name: str) -> None:
    row = ROW[name]
    space_of_row = space(row.coprocessor, row.form)
    assert all(holds(row, *e) == (decode(row.coprocessor, row.form, *e) is row) for e in space_of_row)


def test_fields_that_a_form_lacks_do_not_matter_to_decoding() -> None:
    assert decode(15, Form.DOUBLE, 0, 9, 2, 5) is ROW["TTBR0_64"]


@pytest.mark.parametrize("coprocessor", [9, 11, 12])
def test_another_coprocessor_is_refused(coprocessor: int) -> None:
    with pytest.raises(KeyError):
        decode(coprocessor, Form.WORD, 0, 0, 0, 0)


def test_row_names_are_unique() -> None:
    assert len(ROW) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_reaches_only_a_declared_register(row: Row) -> None:
    assert row.state is None or row.state in REGISTERS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_names_a_register_exactly_where_its_effect_reaches_one(row: Row) -> None:
    assert (row.state is None) == (row.effect in STATELESS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_grants_pl1_reads_writes_both_or_nothing(row: Row) -> None:
    assert row.pl1 in ("rw", "r", "w", "-")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_pl0_may_do_nothing_that_pl1_may_not(row: Row) -> None:
    assert row.pl0 == "-" or (row.pl0 in ("rw", "r", "w") and set(row.pl0) <= set(row.pl1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_undefined_exactly_where_pl1_may_do_nothing(row: Row) -> None:
    assert (row.effect is Effect.UNDEFINED) == (row.pl1 == "-")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_only_a_row_that_pl0_may_use_has_a_gate(row: Row) -> None:
    assert row.gate is Gate.NONE or row.pl0 != "-"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_cites_a_source(row: Row) -> None:
    assert row.sources
    assert all(isinstance(source, Citation) for source in row.sources)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_only_rows_that_pl1_may_use_have_specific_traps(row: Row) -> None:
    assert not row.traps or row.pl1 != "-"


@pytest.mark.parametrize("trap", SECTIONS, ids=lambda trap: trap.id)
def test_every_trap_control_stands_at_its_bit(trap: Trap) -> None:
    assert CONTROL_LAYOUT[trap.register][trap.name] == trap.bit


@pytest.mark.parametrize("trap", SECTIONS, ids=lambda trap: trap.id)
def test_only_the_timer_controls_trap_when_their_bit_is_zero(trap: Trap) -> None:
    assert (trap.when == 0) == (trap.register == "CNTHCTL")


def test_every_trap_control_of_the_layout_traps_some_row() -> None:
    controls = {(register, name) for register, names in CONTROL_LAYOUT.items() for name in names}
    assert controls == {(trap.register, trap.name) for row in ROWS for trap in row.traps}


def test_tvm_traps_the_writes_of_just_the_virtual_memory_controls() -> None:
    assert names_trapped_by("HCR", "TVM") == TVM_REGISTERS


def test_reads_of_virtual_memory_controls_are_not_trapped_by_tvm() -> None:
    assert not any(trap.reads for row in ROWS for trap in row.traps if trap.name == "TVM")


def test_only_csselr_has_its_writes_trapped_by_an_id_group() -> None:
    writes = {row.name for row in ROWS for trap in row.traps if trap.name.startswith("TID") and trap.writes}
    assert writes == {"CSSELR"}


def test_set_way_maintenance_is_trapped_by_tsw() -> None:
    assert names_trapped_by("HCR", "TSW") == {row.name for row in ROWS if row.effect is Effect.SET_WAY}


def test_tlb_maintenance_is_trapped_by_ttlb() -> None:
    assert names_trapped_by("HCR", "TTLB") == {row.name for row in ROWS if row.effect is Effect.TLB}


def test_every_performance_monitor_is_trapped_by_tpm() -> None:
    assert names_trapped_by("HDCR", "TPM") == {row.name for row in cp15.MONITORS}


def test_every_debug_register_is_trapped_by_one_control_of_hdcr() -> None:
    assert all([trap.register for trap in row.traps] == ["HDCR"] for row in cp14.DEBUG)


def test_virtual_timer_accesses_are_never_trapped() -> None:
    assert all(not ROW[name].traps for name in ("CNTVCT", "CNTV_CTL", "CNTV_TVAL", "CNTV_CVAL", "CNTKCTL", "CNTFRQ"))


def test_registers_of_hyp_mode_are_undefined_below_it() -> None:
    assert all(row.effect is Effect.UNDEFINED for row in cp15.PL2_ONLY)


def test_no_row_that_can_be_used_reaches_a_register_of_hyp_mode() -> None:
    assert [row.name for row in ROWS if row.state is not None and REGISTERS[row.state].component == "hyp"] == []


def test_unallocated_rows_of_the_lockdown_regions_lie_inside_the_tidcp_space() -> None:
    regions = [row for row in UNALLOCATED if row.name.endswith("_TIDCP")]
    assert all(in_tidcp_space(crn, crm) for row in regions for crn in row.crn for crm in row.crm)


def test_other_unallocated_rows_lie_outside_the_tidcp_space() -> None:
    others = [row for row in rows_of(UNALLOCATED, 15, Form.WORD) if not row.name.endswith("_TIDCP")]
    assert not any(in_tidcp_space(crn, crm) for row in others for crn in row.crn for crm in row.crm)


def test_the_tidcp_space_has_twenty_one_pairs_of_crn_and_crm() -> None:
    assert sum(in_tidcp_space(crn, crm) for crn in range(16) for crm in range(16)) == 7 + 4 + 10


def test_the_l2_control_registers_lie_in_the_tidcp_space() -> None:
    rows = [ROW["L2CTLR"], ROW["L2ECTLR"]]
    assert all(in_tidcp_space(crn, crm) for row in rows for crn in row.crn for crm in row.crm)
