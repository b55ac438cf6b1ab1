"""TLB maintenance: what each operation removes, by example, and that none removes too little."""

from typing import Any

import pytest

from properties.engines.inputs import symbolic
from spec.sparse import Sparse, sparse
from spec.translation.stage1 import READ, WRITE
from spec.translation.stage2 import Stage2
from spec.translation.tlb import (
    NOTHING,
    Cached,
    Held,
    Issuer,
    Tag,
    TlbOperation,
    broadcast,
    current_asid,
    invalidates,
    loaded,
    stage2_cached,
    tlb_operation,
)
from spec.translation.translate import regime
from spec.words import U1, U32, either, every, implies, negate
from tests.processors import processor
from tests.tables import VTCR, explored, memory, page, three_levels, valid

VA = 0x1234_5000
GUEST, HYP = Issuer(0, 0, 7), Issuer(0, 1, 7)
T = TlbOperation
OWN = Tag(0, Held.BOTH_STAGES, 7, 3, 1, 1, VA >> 12)
GLOBAL = Tag(0, Held.BOTH_STAGES, 7, 0, 0, 1, VA >> 12)
OTHER_ASID = Tag(0, Held.BOTH_STAGES, 7, 4, 1, 1, VA >> 12)
OTHER_PAGE = Tag(0, Held.BOTH_STAGES, 7, 3, 1, 1, 1)
OTHER_VMID = Tag(0, Held.BOTH_STAGES, 8, 3, 1, 1, VA >> 12)
ONLY_STAGE2 = Tag(0, Held.STAGE2, 7, 0, 0, 1, VA >> 12)
OF_HYP = Tag(0, Held.HYP, 0, 0, 0, 1, VA >> 12)
OF_HYP_ELSEWHERE = Tag(0, Held.HYP, 0, 0, 0, 1, 1)
ENTRIES = (OWN, GLOBAL, OTHER_ASID, OTHER_PAGE, OTHER_VMID, ONLY_STAGE2, OF_HYP, OF_HYP_ELSEWHERE)


@pytest.mark.parametrize(
    ("operation", "issuer", "gone"),
    [
        (T.TLBIALL, GUEST, {OWN, GLOBAL, OTHER_ASID, OTHER_PAGE}),
        (T.TLBIALL, HYP, {OWN, GLOBAL, OTHER_ASID, OTHER_PAGE, ONLY_STAGE2}),
        (T.TLBIMVA, GUEST, {OWN, GLOBAL}), (T.TLBIASID, GUEST, {OWN, OTHER_PAGE}),
        (T.TLBIMVAA, GUEST, {OWN, GLOBAL, OTHER_ASID}), (T.TLBIALLH, HYP, {OF_HYP, OF_HYP_ELSEWHERE}),
        (T.TLBIMVAH, HYP, {OF_HYP}),
        (T.TLBIALLNSNH, HYP, {OWN, GLOBAL, OTHER_ASID, OTHER_PAGE, OTHER_VMID, ONLY_STAGE2}),
    ],
)  # fmt: skip
def test_each_operation_removes_what_the_manual_says(operation: T, issuer: Issuer, gone: set[Tag]) -> None:
    assert {tag for tag in ENTRIES if invalidates(operation, 0, issuer, VA | 3, tag)} == gone


def test_a_local_operation_leaves_the_other_processors_alone() -> None:
    there = Tag(1, *(getattr(OWN, name) for name in ("held", "vmid", "asid", "non_global", "privileged", "page")))
    assert not invalidates(T.TLBIALL, 0, GUEST, 0, there)
    assert invalidates(T.TLBIALL, 1, GUEST, 0, there)


@pytest.mark.parametrize(
    ("crm", "hcr", "hyp", "everywhere"), [(3, 0, 0, 1), (7, 0, 0, 0), (7, 1 << 9, 0, 1), (5, 1 << 9, 0, 1),
                                          (7, 1 << 9, 1, 0), (3, 0, 1, 1)],
)  # fmt: skip
def test_force_broadcast_makes_the_local_operations_of_pl1_reach_all(
    crm: int, hcr: int, hyp: int, everywhere: int
) -> None:
    assert broadcast(crm, hcr, hyp) == everywhere


@pytest.mark.parametrize(
    ("opc1", "opc2", "operation"), [(0, 0, T.TLBIALL), (0, 1, T.TLBIMVA), (0, 2, T.TLBIASID), (0, 3, T.TLBIMVAA),
                                    (4, 0, T.TLBIALLH), (4, 1, T.TLBIMVAH), (4, 4, T.TLBIALLNSNH)],
)  # fmt: skip
def test_encodings_name_operations(opc1: int, opc2: int, operation: T) -> None:
    assert tlb_operation(opc1, opc2) == operation


def test_the_predicate_clears_a_map_of_entries() -> None:
    held: Sparse[Any] = sparse(NOTHING, [(tag, Cached(1, 5, 7)) for tag in ENTRIES])
    left = held.clear_where(lambda tag, _: invalidates(T.TLBIMVA, 0, GUEST, VA | 3, tag))
    assert {tag for tag in ENTRIES if left.get(tag).present == 1} == set(ENTRIES) - {OWN, GLOBAL}


@pytest.mark.parametrize(
    ("ttbcr", "asid"), [(0, 0x44), (1 << 31, 0x22), (1 << 31 | 1 << 22, 0x33)]
)  # fmt: skip
def test_the_asid_comes_from_contextidr_or_the_base_register_that_a1_names(ttbcr: int, asid: int) -> None:
    assert current_asid(ttbcr, 0x22 << 48, 0x33 << 48, 0x5544) == asid


def test_only_a_translation_that_does_not_fault_may_be_loaded() -> None:
    cpu = processor(hcr=1, vttbr=0x8000_0000, vtcr=VTCR)
    tables = three_levels(0x8000_0000, VA, page(0x9000_0000, hap=1, xn=1), 0x8001_0000)
    _, found = loaded(memory(tables), regime(cpu), 0, 7, 3, VA, 1)
    assert found == Cached(1, 0x9000_0, READ)
    _, missing = loaded(memory({}), regime(cpu), 0, 7, 3, VA, 1)
    assert missing == NOTHING


def test_an_entry_keeps_the_rights_that_both_stages_give() -> None:
    assert stage2_cached(Stage2(0, 3, 0x9000_0000, page(0x9000_0000, hap=2))) == Cached(1, 0x9000_0, WRITE)
    assert stage2_cached(Stage2(7, 3, 0x9000_0000, 0)) == NOTHING


ISSUER, TAG, OPERAND, ANYWHERE = (symbolic(kind, name) for kind, name in (
    (Issuer, "issuer"), (Tag, "tag"), (U32, "operand"), (U1, "everywhere")
))  # fmt: skip


def always(condition: Any) -> bool:
    exploration = explored(lambda: condition)
    return all(valid(exploration, path, path.outcome) for path in exploration.paths)


def test_no_operation_of_a_guest_removes_what_is_not_of_its_vmid() -> None:
    for operation in (T.TLBIALL, T.TLBIMVA, T.TLBIASID, T.TLBIMVAA):
        removed = invalidates(operation, ANYWHERE, ISSUER, OPERAND, TAG)
        assert always(implies(removed, every(TAG.vmid == ISSUER.vmid, negate(TAG.held == Held.HYP))))
        assert not always(implies(removed, TAG.asid == ISSUER.vmid))


def test_all_non_secure_entries_are_a_superset_of_every_other_operation_of_pl1() -> None:
    everything = invalidates(T.TLBIALLNSNH, ANYWHERE, ISSUER, OPERAND, TAG)
    for operation in (T.TLBIALL, T.TLBIMVA, T.TLBIASID, T.TLBIMVAA):
        assert always(implies(invalidates(operation, ANYWHERE, ISSUER, OPERAND, TAG), everything))
    assert not always(implies(invalidates(T.TLBIALLH, ANYWHERE, ISSUER, OPERAND, TAG), everything))


def test_after_tlbiall_from_hyp_nothing_of_the_vmid_is_left_where_it_reaches() -> None:
    hyp = Issuer(ISSUER.cpu, 1, ISSUER.vmid)
    guest = either(TAG.held == 0, TAG.held == 1)
    own = every(guest, TAG.vmid == ISSUER.vmid, either(ANYWHERE == 1, TAG.cpu == ISSUER.cpu))
    assert always(implies(own, invalidates(T.TLBIALL, ANYWHERE, hyp, OPERAND, TAG)))
    assert not always(implies(own, invalidates(T.TLBIALL, ANYWHERE, ISSUER, OPERAND, TAG)))
