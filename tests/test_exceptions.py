"""Exceptions: where each one goes, what its entry saves and sets, and what a return restores."""

from collections.abc import Callable

import pytest
from processors import processor

from spec.exceptions import (
    AMO,
    EAE,
    EE,
    FMO,
    IMO,
    TDE,
    TE,
    TGE,
    VA,
    AbortKind,
    ExceptionMode,
    V,
    Vector,
    enter_hyp,
    enter_pl1,
    is_legal_return,
    return_from_hyp,
    return_from_pl1,
    take_abort,
    take_breakpoint,
    take_data_abort,
    take_fiq,
    take_hvc,
    take_hyp_trap,
    take_irq,
    take_prefetch_abort,
    take_svc,
    take_undefined,
    take_virtual_abort,
    take_virtual_fiq,
    take_virtual_irq,
)
from spec.processor import Processor
from spec.psr import Mode, mode
from spec.registers import read
from spec.syndrome import FaultStatus, iss_data_abort, iss_prefetch_abort

PC, VBAR, HVBAR = 0x8000, 0x1000, 0x2000
THUMB = 0x20
UNKNOWN = 0x5A5A5A5A
LOAD = iss_data_abort(1, 2, 0, 5, 0, 0, 0, 0, FaultStatus.TRANSLATION_1)
FETCH = iss_prefetch_abort(0, 0, FaultStatus.TRANSLATION_1)


def at(state: int, **registers: int) -> Processor:
    return processor(**({"cpsr": state, "pc": PC, "vbar": VBAR, "hvbar": HVBAR} | registers))


def data_abort(kind: AbortKind) -> Callable[[Processor], Processor]:
    return lambda cpu: take_data_abort(cpu, kind, LOAD, 0x1234, 0x80001, 1, UNKNOWN)


def prefetch_abort(kind: AbortKind) -> Callable[[Processor], Processor]:
    return lambda cpu: take_prefetch_abort(cpu, kind, FETCH, 0x1234, 0x80001, UNKNOWN)


def svc(cpu: Processor) -> Processor:
    return take_svc(cpu, 0x3456, 1)


def hvc(cpu: Processor) -> Processor:
    return take_hvc(cpu, 0xABCD)


def abort(cpu: Processor) -> Processor:
    return take_abort(cpu, UNKNOWN)


def virtual_abort(cpu: Processor) -> Processor:
    return take_virtual_abort(cpu, UNKNOWN)


def breakpoint_instruction(cpu: Processor) -> Processor:
    return take_breakpoint(cpu, UNKNOWN)


USR, SVC, ABT, UND, IRQ, FIQ, HYP = Mode.USR, Mode.SVC, Mode.ABT, Mode.UND, Mode.IRQ, Mode.FIQ, Mode.HYP
TGE_SET = {"hcr": 1 << TGE}
TDE_SET = {"hdcr": 1 << TDE}
STAGE1, STAGE2 = AbortKind.STAGE1, AbortKind.STAGE2
ALIGNMENT, EXTERNAL, DEBUG = AbortKind.ALIGNMENT, AbortKind.EXTERNAL, AbortKind.DEBUG

ROUTES = [
    ("UND from USR", take_undefined, USR, {}, UND, 0x04),
    ("UND from SVC", take_undefined, SVC, TGE_SET, UND, 0x04),
    ("UND from USR with TGE", take_undefined, USR, TGE_SET, HYP, 0x14),
    ("UND from Hyp", take_undefined, HYP, TGE_SET, HYP, 0x04),
    ("SVC from USR", svc, USR, {}, SVC, 0x08),
    ("SVC from USR with TGE", svc, USR, TGE_SET, HYP, 0x14),
    ("SVC from Hyp", svc, HYP, {}, HYP, 0x08),
    ("HVC from SVC", hvc, SVC, {}, HYP, 0x14),
    ("HVC from Hyp", hvc, HYP, {}, HYP, 0x08),
    ("stage 1 fault on a load", data_abort(STAGE1), USR, {}, ABT, 0x10),
    ("stage 2 fault on a load", data_abort(STAGE2), SVC, {}, HYP, 0x14),
    ("stage 1 fault on a load in Hyp", data_abort(STAGE1), HYP, {}, HYP, 0x10),
    ("alignment fault in USR", data_abort(ALIGNMENT), USR, {}, ABT, 0x10),
    ("alignment fault in USR with TGE", data_abort(ALIGNMENT), USR, TGE_SET, HYP, 0x14),
    ("alignment fault in SVC with TGE", data_abort(ALIGNMENT), SVC, TGE_SET, ABT, 0x10),
    ("external abort in SVC with AMO", data_abort(EXTERNAL), SVC, {"hcr": 1 << AMO}, ABT, 0x10),
    ("external abort in USR with TGE", data_abort(EXTERNAL), USR, TGE_SET, HYP, 0x14),
    ("watchpoint", data_abort(DEBUG), SVC, {}, ABT, 0x10),
    ("watchpoint with TDE", data_abort(DEBUG), SVC, TDE_SET, HYP, 0x14),
    ("watchpoint with TGE", data_abort(DEBUG), USR, TGE_SET, HYP, 0x14),
    ("stage 1 fault on a fetch", prefetch_abort(STAGE1), USR, {}, ABT, 0x0C),
    ("stage 2 fault on a fetch", prefetch_abort(STAGE2), USR, {}, HYP, 0x14),
    ("fault on a fetch in Hyp", prefetch_abort(STAGE1), HYP, {}, HYP, 0x0C),
    ("external abort on a fetch in USR with TGE", prefetch_abort(EXTERNAL), USR, TGE_SET, HYP, 0x14),
    ("BKPT", breakpoint_instruction, SVC, {}, ABT, 0x0C),
    ("BKPT with TDE", breakpoint_instruction, SVC, TDE_SET, HYP, 0x14),
    ("BKPT in Hyp", breakpoint_instruction, HYP, {}, HYP, 0x0C),
    ("IRQ", take_irq, USR, {}, IRQ, 0x18),
    ("IRQ with IMO", take_irq, SVC, {"hcr": 1 << IMO}, HYP, 0x18),
    ("IRQ with FMO and AMO only", take_irq, SVC, {"hcr": 1 << FMO | 1 << AMO}, IRQ, 0x18),
    ("IRQ with TGE", take_irq, USR, TGE_SET, HYP, 0x18),
    ("IRQ in Hyp", take_irq, HYP, {}, HYP, 0x18),
    ("FIQ", take_fiq, USR, {}, FIQ, 0x1C),
    ("FIQ with FMO", take_fiq, USR, {"hcr": 1 << FMO}, HYP, 0x1C),
    ("FIQ in Hyp", take_fiq, HYP, {}, HYP, 0x1C),
    ("asynchronous abort", abort, SVC, {}, ABT, 0x10),
    ("asynchronous abort with AMO", abort, SVC, {"hcr": 1 << AMO}, HYP, 0x14),
    ("asynchronous abort in Hyp", abort, HYP, {}, HYP, 0x10),
    ("virtual IRQ", take_virtual_irq, USR, {"hcr": 1 << IMO}, IRQ, 0x18),
    ("virtual FIQ", take_virtual_fiq, USR, {"hcr": 1 << FMO}, FIQ, 0x1C),
    ("virtual abort", virtual_abort, USR, {"hcr": 1 << AMO | 1 << VA}, ABT, 0x10),
]


@pytest.mark.parametrize(
    ("take", "origin", "registers", "target", "offset"), [r[1:] for r in ROUTES], ids=[r[0] for r in ROUTES]
)
def test_exception_is_taken_to(
    take: Callable[[Processor], Processor], origin: int, registers: dict[str, int], target: int, offset: int
) -> None:
    after = take(at(origin, **registers))
    assert (mode(after.cpsr), after.pc) == (target, (HVBAR if target == HYP else VBAR) + offset)


SYNDROMES = [
    ("UND from Hyp", take_undefined, HYP, {}, 0),
    ("UND from Hyp for a reason", lambda cpu: take_undefined(cpu, 0x1FE0000A), HYP, {}, 0x1FE0000A),
    ("SVC with TGE", svc, USR, TGE_SET, 0x46003456),
    ("16-bit SVC with TGE", lambda cpu: take_svc(cpu, 0x55, 0), USR | THUMB, TGE_SET, 0x44000055),
    ("HVC", hvc, SVC, {}, 0x4A00ABCD),
    ("BKPT with TDE", breakpoint_instruction, SVC, TDE_SET, 0x80000022),
    ("stage 2 fault on LDR r5", data_abort(STAGE2), SVC, {}, 0x93850005),
    ("stage 2 fault on a fetch", prefetch_abort(STAGE2), SVC, {}, 0x80000005),
    ("fault on a fetch in Hyp", prefetch_abort(STAGE1), HYP, {}, 0x84000005),
    ("asynchronous abort with AMO", abort, SVC, {"hcr": 1 << AMO}, 0x90000011),
    ("asynchronous abort in Hyp", abort, HYP, {}, 0x94000011),
    ("a trap", lambda cpu: take_hyp_trap(cpu, 0x07E00000, cpu.pc), USR, {}, 0x07E00000),
    ("IRQ leaves HSR alone", take_irq, HYP, {"hsr": 0x123}, 0x123),
]


@pytest.mark.parametrize(
    ("take", "origin", "registers", "hsr"), [s[1:] for s in SYNDROMES], ids=[s[0] for s in SYNDROMES]
)
def test_hyp_mode_finds_the_syndrome(
    take: Callable[[Processor], Processor], origin: int, registers: dict[str, int], hsr: int
) -> None:
    assert take(at(origin, **registers)).hyp.hsr == hsr


RETURN_ADDRESSES = [
    ("UND with TGE", take_undefined, USR, TGE_SET, "elr_hyp", 0),
    ("SVC with TGE", svc, USR, TGE_SET, "elr_hyp", 4),
    ("16-bit SVC with TGE", lambda cpu: take_svc(cpu, 0, 0), USR | THUMB, TGE_SET, "elr_hyp", 2),
    ("HVC", hvc, SVC, {}, "elr_hyp", 4),
    ("stage 2 fault", data_abort(STAGE2), SVC, {}, "elr_hyp", 0),
    ("IRQ with IMO", take_irq, SVC, {"hcr": 1 << IMO}, "elr_hyp", 0),
    ("UND in ARM state", take_undefined, USR, {}, "lr_und", 4),
    ("UND in Thumb state", take_undefined, USR | THUMB, {}, "lr_und", 2),
    ("SVC in ARM state", svc, USR, {}, "lr_svc", 4),
    ("SVC in Thumb state", lambda cpu: take_svc(cpu, 0, 0), USR | THUMB, {}, "lr_svc", 2),
    ("prefetch abort", prefetch_abort(STAGE1), USR | THUMB, {}, "lr_abt", 4),
    ("data abort", data_abort(STAGE1), USR | THUMB, {}, "lr_abt", 8),
    ("IRQ", take_irq, USR | THUMB, {}, "lr_irq", 4),
    ("FIQ", take_fiq, USR, {}, "lr_fiq", 4),
    ("virtual IRQ", take_virtual_irq, USR, {}, "lr_irq", 4),
    ("virtual abort", virtual_abort, USR, {}, "lr_abt", 8),
]


@pytest.mark.parametrize(
    ("take", "state", "registers", "link", "distance"),
    [r[1:] for r in RETURN_ADDRESSES],
    ids=[r[0] for r in RETURN_ADDRESSES],
)
def test_return_address_lies_behind_the_instruction_by(
    take: Callable[[Processor], Processor], state: int, registers: dict[str, int], link: str, distance: int
) -> None:
    assert read(take(at(state, **registers)), link) == PC + distance


def test_return_address_wraps_at_the_top_of_memory() -> None:
    assert take_hvc(at(SVC, pc=0xFFFFFFFC), 0).hyp.elr_hyp == 0


def test_hyp_entry_masks_everything_in_arm_state() -> None:
    assert enter_hyp(at(SVC), Vector.HYP_TRAP, PC).cpsr == 0x1DA


def test_hyp_entry_takes_state_and_endianness_from_hsctlr() -> None:
    assert enter_hyp(at(SVC, hsctlr=1 << TE | 1 << EE), Vector.IRQ, PC).cpsr == 0x3FA


def test_hyp_entry_keeps_flags_and_clears_it_state() -> None:
    assert enter_hyp(at(0xFF0FFE3F), Vector.IRQ, PC).cpsr == 0xF80F01DA


def test_hyp_entry_saves_cpsr() -> None:
    assert enter_hyp(at(0x60000053), Vector.IRQ, PC).hyp.spsr_hyp == 0x60000053


def test_hyp_entry_leaves_lr_usr_alone() -> None:
    assert enter_hyp(at(SVC, lr_usr=7), Vector.IRQ, PC).general.lr_usr == 7


def test_hyp_entry_ends_a_wait() -> None:
    assert enter_hyp(at(SVC, waiting=1), Vector.IRQ, PC).local.waiting == 0


def test_hyp_entry_synchronises_hcptr() -> None:
    assert enter_hyp(at(SVC, hcptr=0x33FF), Vector.IRQ, PC).hyp.hcptr_in_force == 0x33FF


PL1_ENTRIES = [
    (ExceptionMode.UND, 0x080),
    (ExceptionMode.SVC, 0x080),
    (ExceptionMode.ABT, 0x180),
    (ExceptionMode.IRQ, 0x180),
    (ExceptionMode.FIQ, 0x1C0),
]


@pytest.mark.parametrize(("target", "masks"), PL1_ENTRIES)
def test_pl1_entry_masks(target: ExceptionMode, masks: int) -> None:
    assert enter_pl1(at(USR), target, Vector.IRQ, 0).cpsr == masks | target


def test_pl1_entry_keeps_masks_that_were_set() -> None:
    assert enter_pl1(at(0x150), ExceptionMode.SVC, Vector.CALL, 0).cpsr == 0x1D3


def test_pl1_entry_takes_state_and_endianness_from_sctlr() -> None:
    assert enter_pl1(at(USR, sctlr=1 << TE | 1 << EE), ExceptionMode.SVC, Vector.CALL, 0).cpsr == 0x2B3


def test_pl1_entry_saves_cpsr_in_the_mode_it_enters() -> None:
    assert enter_pl1(at(0x60000010), ExceptionMode.FIQ, Vector.FIQ, 0).fiq.spsr_fiq == 0x60000010


def test_pl1_entry_uses_high_vectors_where_sctlr_asks() -> None:
    assert enter_pl1(at(USR, sctlr=1 << V), ExceptionMode.IRQ, Vector.IRQ, 0).pc == 0xFFFF0018


def test_svc_saves_the_it_state_of_the_next_instruction() -> None:
    inside_block = USR | THUMB | 0x0400
    assert take_svc(at(inside_block), 0, 0).banked.spsr_svc == USR | THUMB | 0x0800


def test_a_trapped_instruction_saves_its_own_it_state() -> None:
    inside_block = USR | THUMB | 0x0400
    assert take_hyp_trap(at(inside_block), 0, PC).hyp.spsr_hyp == inside_block


def test_stage2_abort_reports_address_and_intermediate_page() -> None:
    hyp = data_abort(STAGE2)(at(SVC)).hyp
    assert (hyp.hdfar, hyp.hpfar) == (0x1234, 0x800010)


def test_stage2_fetch_abort_reports_address_and_intermediate_page() -> None:
    hyp = prefetch_abort(STAGE2)(at(SVC)).hyp
    assert (hyp.hifar, hyp.hpfar) == (0x1234, 0x800010)


def test_intermediate_page_is_unknown_after_a_permission_fault() -> None:
    iss = iss_data_abort(0, 0, 0, 0, 0, 0, 0, 0, FaultStatus.PERMISSION_3)
    assert take_data_abort(at(SVC), STAGE2, iss, 0, 0x80001, 1, UNKNOWN).hyp.hpfar == 0xA5A5A5A0


def test_intermediate_page_is_known_after_a_permission_fault_of_a_table_walk() -> None:
    iss = iss_data_abort(0, 0, 0, 0, 0, 0, 1, 0, FaultStatus.PERMISSION_3)
    assert take_data_abort(at(SVC), STAGE2, iss, 0, 0x80001, 1, UNKNOWN).hyp.hpfar == 0x800010


def test_pl1_data_abort_reports_in_dfsr_and_dfar() -> None:
    cp15 = data_abort(STAGE1)(at(USR)).cp15
    assert (cp15.dfsr, cp15.dfar) == (0x5, 0x1234)


def test_pl1_prefetch_abort_reports_in_ifsr_and_ifar() -> None:
    cp15 = prefetch_abort(STAGE1)(at(USR, ttbcr=1 << EAE)).cp15
    assert (cp15.ifsr, cp15.ifar) == (0x205, 0x1234)


def test_pl1_abort_leaves_the_hyp_syndrome_alone() -> None:
    assert data_abort(STAGE1)(at(USR, hsr=0x77)).hyp.hsr == 0x77


def test_breakpoint_leaves_ifar_unknown() -> None:
    assert take_breakpoint(at(SVC), UNKNOWN).cp15.ifar == UNKNOWN


def test_virtual_abort_clears_its_pending_bit() -> None:
    assert virtual_abort(at(SVC, hcr=1 << VA | 1 << AMO)).hyp.hcr == 1 << AMO


def test_virtual_abort_reports_an_asynchronous_external_abort() -> None:
    assert virtual_abort(at(SVC)).cp15.dfsr == 0x406


def test_return_from_hyp_restores_what_entry_saved() -> None:
    before = at(0x600001D3)
    after = return_from_hyp(enter_hyp(before, Vector.IRQ, before.pc))
    assert (after.cpsr, after.pc) == (before.cpsr, before.pc)


def test_return_from_hyp_synchronises_hcptr() -> None:
    assert return_from_hyp(at(HYP, hcptr=0x33FF)).hyp.hcptr_in_force == 0x33FF


def test_return_from_pl1_takes_the_given_address_and_state() -> None:
    after = return_from_pl1(at(SVC), 0x4000, 0x60000010)
    assert (after.pc, after.cpsr) == (0x4000, 0x60000010)


RETURNS = [
    ("SVC to USR", SVC, USR, {}, True),
    ("SVC to FIQ", SVC, FIQ, {}, True),
    ("SVC to Hyp", SVC, HYP, {}, False),
    ("SVC to Monitor", SVC, 0x16, {}, False),
    ("Hyp to SVC", HYP, SVC, {}, True),
    ("Hyp to Hyp", HYP, HYP, {}, True),
    ("Hyp to Monitor", HYP, 0x16, {}, False),
    ("Hyp to SVC with TGE", HYP, SVC, TGE_SET, False),
    ("Hyp to USR with TGE", HYP, USR, TGE_SET, True),
    ("Hyp to Hyp with TGE", HYP, HYP, TGE_SET, True),
    ("USR, which has no SPSR", USR, USR, {}, False),
    ("SYS, which has no SPSR", Mode.SYS, USR, {}, False),
    ("to IT state in ARM state", SVC, USR | 0x0400, {}, False),
    ("to IT state in Thumb state", SVC, USR | THUMB | 0x0400, {}, True),
    ("to Jazelle state", SVC, USR | 1 << 24, {}, False),
]


@pytest.mark.parametrize(
    ("origin", "saved", "registers", "legal"), [r[1:] for r in RETURNS], ids=[r[0] for r in RETURNS]
)
def test_return_is_legal(origin: int, saved: int, registers: dict[str, int], legal: bool) -> None:
    assert is_legal_return(at(origin, **registers), saved) == legal
