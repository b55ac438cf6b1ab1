"""Masking of asynchronous exceptions, exhaustively, and what wakes a waiting processor."""

from itertools import product

import pytest
from processors import processor

from spec import interrupts
from spec.exceptions import AMO, FMO, IMO, TGE, VA, VF, VI
from spec.psr import A_BIT, F_BIT, I_BIT, Mode

KINDS = {
    "irq": (IMO, I_BIT, VI),
    "fiq": (FMO, F_BIT, VF),
    "abort": (AMO, A_BIT, VA),
}
ORIGINS = (Mode.USR, Mode.SVC, Mode.SYS, Mode.HYP)
EVERY_CASE = tuple(product(ORIGINS, (0, 1), (0, 1), (0, 1), (0, 1)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("mode", "asserted", "masked", "routed", "tge"), EVERY_CASE)
def test_physical_exception_is_masked_unless_hyp_mode_takes_it_from_below(
    kind: str, mode: int, asserted: int, masked: int, routed: int, tge: int
) -> None:
    route, mask_bit, _ = KINDS[kind]
    cpu = processor(cpsr=mode | masked << mask_bit, hcr=routed << route | tge << TGE, **{kind: asserted})
    to_hyp_from_below = (routed or tge) and mode != Mode.HYP
    assert getattr(interrupts, f"{kind}_taken")(cpu) == bool(asserted and (to_hyp_from_below or not masked))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("mode", "pending", "masked", "routed", "tge"), EVERY_CASE)
def test_virtual_exception_needs_routing_and_no_mask_below_hyp_mode(
    kind: str, mode: int, pending: int, masked: int, routed: int, tge: int
) -> None:
    route, mask_bit, pending_bit = KINDS[kind]
    cpu = processor(cpsr=mode | masked << mask_bit, hcr=pending << pending_bit | routed << route | tge << TGE)
    expected = bool(pending and routed and not tge and not masked and mode != Mode.HYP)
    assert getattr(interrupts, f"virtual_{kind}_taken")(cpu) == expected


@pytest.mark.parametrize("kind", ["irq", "fiq"])
def test_the_gic_signals_a_virtual_interrupt(kind: str) -> None:
    cpu = processor(hcr=1 << KINDS[kind][0], **{f"virtual_{kind}": 1})
    assert getattr(interrupts, f"virtual_{kind}_taken")(cpu)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_each_routing_bit_enables_its_own_virtual_exception(kind: str, other: str) -> None:
    cpu = processor(hcr=1 << KINDS[kind][2] | 1 << KINDS[other][0])
    assert getattr(interrupts, f"virtual_{kind}_taken")(cpu) == (kind == other)


ALL_MASKED = Mode.SVC | 1 << A_BIT | 1 << I_BIT | 1 << F_BIT


@pytest.mark.parametrize("kind", KINDS)
def test_wfi_ends_with_a_masked_physical_exception(kind: str) -> None:
    assert interrupts.wfi_wakes(processor(cpsr=ALL_MASKED, **{kind: 1}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("routed", [0, 1])
def test_wfi_ends_with_a_masked_virtual_exception_that_is_enabled(kind: str, routed: int) -> None:
    route, _, pending_bit = KINDS[kind]
    cpu = processor(cpsr=ALL_MASKED, hcr=1 << pending_bit | routed << route)
    assert interrupts.wfi_wakes(cpu) == bool(routed)


def test_wfi_in_hyp_mode_ignores_virtual_exceptions() -> None:
    assert not interrupts.wfi_wakes(processor(cpsr=Mode.HYP, hcr=1 << VI | 1 << IMO))


def test_wfi_waits_while_nothing_is_asserted() -> None:
    assert not interrupts.wfi_wakes(processor(cpsr=ALL_MASKED, event=1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("masked", [0, 1])
def test_wfe_ends_with_a_physical_exception_that_is_not_masked(kind: str, masked: int) -> None:
    cpu = processor(cpsr=ALL_MASKED if masked else Mode.SVC, **{kind: 1})
    assert interrupts.wfe_wakes(cpu) == (not masked)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("masked", [0, 1])
def test_wfe_ends_with_a_virtual_exception_that_is_not_masked(kind: str, masked: int) -> None:
    route, _, pending_bit = KINDS[kind]
    cpu = processor(cpsr=ALL_MASKED if masked else Mode.SVC, hcr=1 << pending_bit | 1 << route)
    assert interrupts.wfe_wakes(cpu) == (not masked)


def test_wfe_ends_with_an_event() -> None:
    assert interrupts.wfe_wakes(processor(cpsr=ALL_MASKED, event=1))


STATUS = [
    ("physical IRQ", Mode.SVC, 0, {"irq": 1}, 0x80),
    ("physical FIQ", Mode.SVC, 0, {"fiq": 1}, 0x40),
    ("physical abort", Mode.SVC, 0, {"abort": 1}, 0x100),
    ("virtual IRQ with IMO", Mode.SVC, 1 << VI | 1 << IMO, {}, 0x80),
    ("virtual FIQ with FMO", Mode.SVC, 1 << VF | 1 << FMO, {}, 0x40),
    ("virtual abort with AMO", Mode.SVC, 1 << VA | 1 << AMO, {}, 0x100),
    ("virtual IRQ without IMO", Mode.SVC, 1 << VI, {}, 0),
    ("physical IRQ hidden by IMO", Mode.SVC, 1 << IMO, {"irq": 1}, 0),
    ("physical IRQ seen by Hyp mode", Mode.HYP, 1 << IMO, {"irq": 1}, 0x80),
    ("virtual IRQ from the GIC", Mode.SVC, 1 << IMO, {"virtual_irq": 1}, 0x80),
    ("masks do not matter", ALL_MASKED, 1 << VI | 1 << IMO, {}, 0x80),
]


@pytest.mark.parametrize(("cpsr", "hcr", "signals", "isr"), [s[1:] for s in STATUS], ids=[s[0] for s in STATUS])
def test_isr_shows(cpsr: int, hcr: int, signals: dict[str, int], isr: int) -> None:
    assert interrupts.interrupt_status(processor(cpsr=cpsr, hcr=hcr, **signals)) == isr
