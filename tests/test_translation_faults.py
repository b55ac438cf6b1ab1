"""How translation faults are reported: which mode, which syndrome, which address, and what is left UNKNOWN."""

from typing import Any

import pytest

from properties.engines.inputs import symbolic
from spec.processor import Processor
from spec.psr import Mode, mode
from spec.syndrome import ExceptionClass, FaultStatus, decode_data_abort, exception_class, instruction_syndrome
from spec.translation.faults import Transfer, data_syndrome, report
from spec.translation.stage1 import Access, Stage1, own_fault
from spec.translation.stage2 import Stage2
from spec.translation.translate import UNMAPPED, Translation
from spec.words import U32, bits, every, implies
from tests.processors import processor
from tests.tables import explored, valid

VA, IPA, UNKNOWN = 0x1234_5678, 0xFE_DCBA_9000, 0xDEAD_BEEF
READ, WRITE, FETCH = Access(0, 0, 1, 0), Access(1, 0, 1, 0), Access(0, 1, 1, 0)
LOAD = Transfer(single=1, size=1, signed=1, rt=5, maintenance=0, wide=1)
ATS = Transfer(single=0, size=0, signed=0, rt=0, maintenance=1, wide=1)
MAPPED = Stage1(0, 3, 0, IPA | 0x678, 7, 0xFF, 3, 0)


def on_access(status: int) -> Translation:
    return Translation(status, 2, MAPPED, Stage2(status, status & 3, 0, 0))


def on_walk(status: int) -> Translation:
    return Translation(status, 2, Stage1(status, status & 3, 1, IPA | 0x18, 0, 0, 0, 0), UNMAPPED)


def reported(found: Translation, access: Access = READ, transfer: Transfer = LOAD, **registers: int) -> Processor:
    cpu = processor(**{"cpsr": Mode.SVC, "hpfar": 0x110, "dfsr": 1, "dfar": 2} | registers)
    return report(cpu, VA, access, transfer, found, UNKNOWN)


@pytest.mark.parametrize(
    ("found", "page"),
    [
        (on_access(FaultStatus.TRANSLATION_2), IPA >> 12), (on_access(FaultStatus.ACCESS_FLAG_3), IPA >> 12),
        (on_access(FaultStatus.PERMISSION_3), UNKNOWN & 0xFFF_FFFF), (on_walk(FaultStatus.PERMISSION_3), IPA >> 12),
        (on_access(FaultStatus.ALIGNMENT), UNKNOWN & 0xFFF_FFFF), (on_walk(FaultStatus.TRANSLATION_1), IPA >> 12),
    ],
)  # fmt: skip
def test_hpfar_has_the_page_unless_the_access_itself_was_not_permitted(found: Translation, page: int) -> None:
    after = reported(found)
    assert (mode(after.cpsr), after.hyp.hdfar, after.hyp.hpfar) == (Mode.HYP, VA, page << 4)


def test_the_syndrome_describes_a_single_register_access_that_stage_2_faults() -> None:
    after = reported(on_access(FaultStatus.TRANSLATION_2), WRITE)
    cause = decode_data_abort(instruction_syndrome(after.hyp.hsr))
    assert exception_class(after.hyp.hsr) == ExceptionClass.DABT
    assert (cause.isv, cause.sas, cause.sse, cause.srt, cause.write, cause.walk) == (1, 1, 1, 5, 1, 0)


@pytest.mark.parametrize(("found", "transfer"), [(on_walk(6), LOAD), (on_access(6), ATS)])
def test_the_syndrome_describes_no_access_on_a_walk_or_of_another_instruction(
    found: Translation, transfer: Transfer
) -> None:
    assert decode_data_abort(data_syndrome(found, READ, transfer)).isv == 0


def test_a_maintenance_operation_counts_as_a_write() -> None:
    cause = decode_data_abort(data_syndrome(on_walk(5), READ, ATS))
    assert (cause.maintenance, cause.write, cause.walk) == (1, 1, 1)


def test_a_fetch_is_reported_in_hifar() -> None:
    after = reported(on_access(FaultStatus.TRANSLATION_3), FETCH, hdfar=0x999)
    assert (after.hyp.hifar, after.hyp.hdfar, after.hyp.hpfar) == (VA, 0x999, IPA >> 12 << 4)
    assert exception_class(after.hyp.hsr) == ExceptionClass.IABT


@pytest.mark.parametrize(("eae", "dfsr"), [(0, 0x805 | 2), (1 << 31, 0xA06)])
def test_a_stage_1_fault_stays_at_pl1_in_the_format_of_ttbcr(eae: int, dfsr: int) -> None:
    status = FaultStatus.TRANSLATION_2
    after = reported(Translation(status, 1, own_fault(status, 2), UNMAPPED), WRITE, ttbcr=eae, hdfar=7)
    assert (mode(after.cpsr), after.cp15.dfsr, after.cp15.dfar) == (Mode.ABT, dfsr, VA)
    assert (after.hyp.hdfar, after.hyp.hpfar) == (7, 0x110)


def test_any_fault_is_reported_with_its_own_address_and_no_other_state() -> None:
    cpu, found = symbolic(Processor, "cpu"), symbolic(Translation, "found")
    access, transfer, va = symbolic(Access, "access"), symbolic(Transfer, "transfer"), symbolic(U32, "va")
    unknown = symbolic(U32, "unknown")
    of_page = bits(found.ipa, 39, 12)
    permitted = every(found.stage == 2, found.walk == 0, bits(found.status, 5, 2) == 3)

    def holds(after: Processor) -> Any:
        changed = every(after.hyp.hpfar != cpu.hyp.hpfar, found.stage == 2)
        told = implies(changed, bits(after.hyp.hpfar, 31, 4) == of_page)
        return implies(bits(unknown, 27, 0) == of_page, told), implies(every(changed, permitted), told)

    exploration = explored(lambda: holds(report(cpu, va, access, transfer, found, unknown)))
    assert all(valid(exploration, path, path.outcome[0]) for path in exploration.paths)
    assert not all(valid(exploration, path, path.outcome[1]) for path in exploration.paths)
