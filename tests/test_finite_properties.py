"""The properties of tables, and the helper invariants of the proofs: they hold of the reference, and they can fail."""

from functools import cache

import pytest
import z3
from attrs import evolve

import spec.execute
import spec.outcome
from model.design import Design
from model.designs.catalogue import DESIGNS, reference_without
from properties.catalogue import PROPERTIES
from properties.claims import CLAIMS, checked_by
from properties.classification import CLASSIFIED, Class, Classified, classify, unclassified
from properties.engines.explorer import new_solver
from properties.engines.formulas import formula
from properties.engines.inputs import symbolic
from properties.engines.prove import settle
from properties.engines.transactions import transactions
from properties.evidence import Evidence, gather
from properties.faults.catalogue import FAULT
from properties.property import Enumeration, Kind, Property
from properties.sensitive import NOT_VIRTUALIZABLE, silently_sensitive
from properties.specification import LEGAL_STATE, TOTAL, WORDS_FIT, misclassified, status_legal
from properties.table1 import DERIVED, Row, table
from spec.banking import read_core
from spec.coprocessor.decode import ROW, ROWS, decode
from spec.operations import Choices, Instruction
from spec.outcome import Event, Outcome
from spec.processor import Processor, SystemControl
from spec.psr import is_legal_guest
from spec.registers import REGISTERS, Register
from spec.words import U32, choose, clear

REFERENCE = DESIGNS["reference"]()
FINITE = [prop for prop in PROPERTIES if prop.kind is Kind.FINITE]


@cache
def enumerated(prop: Property, design: Design) -> Enumeration:
    assert prop.enumerate is not None
    return prop.enumerate(design)


def failures(prop: Property, design: Design = REFERENCE) -> tuple[str, ...]:
    return enumerated(prop, design).failures


def planted(fault: str) -> Design:
    return FAULT[fault].plant(REFERENCE)


@cache
def classes() -> dict[str, Classified]:
    return {entry.name: entry for entry in classify(REFERENCE)}


@cache
def rows(design: str = "reference") -> dict[str, Row]:
    return {row.state: row for row in table(DESIGNS[design]())}


def refuted(prop: Property, transaction: str) -> set[str]:
    """The properties that one obligation of the proof refutes."""
    obligations = transactions(REFERENCE, (prop,))
    found = next(obligation for obligation in obligations if obligation.name == transaction)
    return {name for name, _ in settle(found.make()).failures}


@pytest.mark.parametrize("prop", FINITE, ids=lambda prop: prop.id)
def test_a_property_of_a_table_holds_of_the_reference(prop: Property) -> None:
    assert failures(prop) == ()


@pytest.mark.parametrize("prop", FINITE, ids=lambda prop: prop.id)
def test_a_property_of_a_table_goes_through_something(prop: Property) -> None:
    assert enumerated(prop, REFERENCE).size > 0


@pytest.mark.parametrize("prop", FINITE, ids=lambda prop: prop.id)
def test_a_property_of_a_table_speaks_about_no_action(prop: Property) -> None:
    assert prop.about == ()


def test_the_classification_goes_through_every_encoding_of_both_coprocessors() -> None:
    assert enumerated(TOTAL, REFERENCE).size == 2 * (16384 + 256 + 16) + 16


def test_an_encoding_that_no_row_holds_is_found() -> None:
    assert list(misclassified(tuple(row for row in ROWS if row.name != "CTR"))) == [
        "WORD p15 (0, 0, 0, 1): held by no row"
    ]


def test_an_encoding_that_two_rows_hold_is_found() -> None:
    copied = (*ROWS, evolve(ROW["CP14_MEMORY_UNALLOCATED"], name="SECOND"))
    assert len(list(misclassified(copied))) == 15


def test_an_encoding_that_decodes_to_another_row_than_holds_it_is_found() -> None:
    def wrong(*encoding: int) -> object:
        return ROW["MIDR"] if encoding[2:] == (0, 0, 0, 1) and encoding[0] == 15 else decode(*encoding)  # type: ignore[arg-type]

    assert list(misclassified(ROWS, wrong)) == ["WORD p15 (0, 0, 0, 1): held by CTR"]  # type: ignore[arg-type]


def test_no_branch_to_jazelle_leads_to_an_illegal_state() -> None:
    assert refuted(LEGAL_STATE, "guest: Bxj") == set()


def test_a_branch_that_keeps_the_it_state_in_arm_state_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(cpu: Processor, instruction: Instruction, choices: Choices, target: int) -> Outcome:
        return Outcome(evolve(cpu, cpsr=clear(cpu.cpsr, 0x20)), Event.COMPLETED)

    monkeypatch.setattr(spec.execute, "branch_jazelle", careless)
    assert refuted(LEGAL_STATE, "guest: Bxj") == {LEGAL_STATE.id}


def test_what_is_asked_of_a_changed_status_is_that_it_is_legal() -> None:
    old, new = symbolic(U32, "old"), symbolic(U32, "new")
    cp15 = symbolic(SystemControl, "cp15")
    solver = new_solver()
    solver.add(formula(is_legal_guest(old)))
    solver.add(formula(is_legal_guest(new)) != formula(status_legal(old, new, cp15, cp15)))
    assert solver.check() == z3.unsat


def test_a_program_counter_wraps_around_within_its_width() -> None:
    assert refuted(WORDS_FIT, "guest: Yield") == set()


def test_a_program_counter_that_outgrows_its_width_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(before: Processor, after: Processor, instruction: Instruction) -> Processor:
        return evolve(after, pc=before.pc + choose(read_core(before, 0) == 0, 2, 4))

    monkeypatch.setattr(spec.outcome, "stepped", careless)
    assert refuted(WORDS_FIT, "guest: Yield") == {WORDS_FIT.id}


@pytest.mark.parametrize(
    ("register", "expected"),
    [
        ("sctlr", Class.SWITCHED), ("pc", Class.SWITCHED), ("cpsr", Class.SWITCHED), ("r0", Class.SWITCHED),
        ("r8_fiq", Class.SWITCHED), ("d31", Class.LAZY), ("exclusive", Class.CLEARED), ("cntv_cval", Class.DEVICE),
        ("gich_lr0", Class.DEVICE), ("actlr", Class.TRAPPED), ("caches", Class.TRAPPED), ("cntp_ctl", Class.TRAPPED),
        ("midr", Class.VIRTUALISED), ("vpidr", Class.VIRTUALISED), ("cntvoff", Class.VIRTUALISED),
        ("virtual_irq", Class.VIRTUALISED), ("cntpct", Class.DECLASSIFIED), ("ctr", Class.CONSTANT),
        ("hcr", Class.HYP), ("sp_hyp", Class.HYP), ("cnthp_ctl", Class.HYP),
    ],
)  # fmt: skip
def test_a_register_belongs_to_its_class(register: str, expected: Class) -> None:
    assert classes()[register].cls is expected


def test_every_register_of_the_processor_is_classified() -> None:
    assert set(classes()) == set(REGISTERS)


def test_every_class_of_a_register_comes_with_what_shows_it() -> None:
    assert [entry.name for entry in classes().values() if not entry.reason] == []


@pytest.mark.parametrize(
    ("repair", "register"),
    [("fiq-bank-saved", "R8_FIQ"), ("user-monitors-closed", "PMUSERENR")],
)
def test_a_design_without_a_repair_has_a_register_without_a_class(repair: str, register: str) -> None:
    assert any(failure.startswith(register) for failure in failures(CLASSIFIED, reference_without(repair)))


@pytest.mark.parametrize(
    ("fault", "register"),
    [
        ("unswitched/sctlr", "SCTLR"), ("without/HCR.TAC", "ACTLR"),
        ("without/enter-gich_apr", "GICH_APR"), ("without/exit-pop-host-svc-bank", "SP_SVC"),
    ],
)  # fmt: skip
def test_a_register_that_is_not_looked_after_is_found(fault: str, register: str) -> None:
    assert any(failure.startswith(register) for failure in failures(CLASSIFIED, planted(fault)))


def test_a_design_that_enters_no_guest_classifies_nothing() -> None:
    assert failures(CLASSIFIED, DESIGNS["no-lowvisor"]()) == ("the design does not enter a guest and come back",)


def test_a_new_register_that_nobody_has_thought_of_is_found() -> None:
    registers = {"dbgnew": Register("dbgnew", "debug", "dbgnew", 32)}
    found = classify(REFERENCE, registers, gather(REFERENCE))
    assert list(unclassified(found, registers)) == ["DBGNEW: the policy knows no owner of debug.dbgnew"]


def test_evidence_that_contradicts_the_policy_is_found() -> None:
    evidence = {"actlr": Evidence(loaded=True, saved=True, kept=True)}
    found = classify(REFERENCE, {"actlr": REGISTERS["actlr"]}, evidence)
    assert list(unclassified(found)) == ["ACTLR is switched, but the host's; no guest may reach it"]


@pytest.mark.parametrize(
    "instruction", ["CPS, MSR CPSR", "MRS CPSR", "MRS SPSR", "SUBS PC, LR, a return from an exception", "WFI"]
)
def test_a_kernel_in_user_mode_executes_a_sensitive_instruction_silently(instruction: str) -> None:
    assert instruction in failures(NOT_VIRTUALIZABLE, DESIGNS["no-extensions"]())


@pytest.mark.parametrize("word", ["LDR", "computes", "SVC", "VFP", "SCTLR", "TPIDRURW", "CNTVCT"])
def test_what_is_not_sensitive_or_not_silent_is_not_listed(word: str) -> None:
    assert [text for text in silently_sensitive() if word in text] == []


def test_an_operation_that_reaches_the_host_is_not_confined() -> None:
    assert "MCR p15: ACTLR <- r6" in failures(NOT_VIRTUALIZABLE, planted("without/HCR.TAC"))


def test_a_design_that_enters_no_guest_confines_nothing() -> None:
    assert failures(NOT_VIRTUALIZABLE, DESIGNS["no-lowvisor"]()) == ("no guest is entered",)


@pytest.mark.parametrize(
    ("state", "model"),
    [
        ("general purpose registers", 37), ("control registers, in words", 29), ("VGIC control registers", 8),
        ("VGIC list registers", 4), ("timer control registers", 2), ("64-bit VFP registers", 32),
        ("32-bit VFP control registers", 2), ("cache operations by set and way", 3), ("L2CTLR and L2ECTLR", 4),
    ],
)  # fmt: skip
def test_a_row_of_table_1_has_the_model_s_own_count(state: str, model: int) -> None:
    assert rows()[state].model == model


def test_the_control_words_of_linux_3_10_are_the_paper_s_but_for_what_is_kept_and_not_switched() -> None:
    assert rows("linux-3.10")["control registers, in words"].model == 26 - 3


def test_every_row_of_table_1_that_differs_says_why() -> None:
    differing = [row for row in rows().values() if row.paper is not None and row.paper != row.model]
    assert all(row.explanation for row in differing)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("without/HCR.TWI", "WFI instructions: not trapped: WFI"),
        ("without/HCR.TSC", "SMC instructions: not trapped: SMC #0"),
        ("without/HCPTR.TTA", "CP14 trace registers"),
        ("unswitched/sctlr", "control registers, in words"),
        ("unswitched/gich_lr2", "VGIC list registers"),
        ("unswitched/sp_abt", "general purpose registers"),
    ],
)
def test_a_row_of_table_1_that_the_design_breaks_is_found(fault: str, state: str) -> None:
    assert any(failure.startswith(state) for failure in failures(DERIVED, planted(fault)))


def test_there_are_the_31_claims_of_the_paper() -> None:
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 32)]


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.id)
def test_every_claim_that_a_property_names_exists(prop: Property) -> None:
    assert [claim for claim in prop.claims if claim not in CLAIMS] == []


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_is_checked_or_waits_for_something(claim: str) -> None:
    assert checked_by(claim) or CLAIMS[claim].pending is not None


def test_a_claim_knows_the_properties_that_check_it() -> None:
    assert "world_switch.host_restored" in checked_by("C5")


def test_a_claim_that_the_paper_does_not_make_has_no_checks() -> None:
    with pytest.raises(KeyError):
        checked_by("C32")
