"""GICH: status registers, the maintenance interrupt, and list registers without a meaning."""

from typing import Any

import pytest

from spec.gic import virtual_interface as gich
from spec.gic.list_registers import ListState, software, with_state
from spec.gic.virtual_interface import eisr, elrsr, lists_legal, maintenance, misr, vtr
from spec.words import bit, either, implies
from tests.gic import ANY, VMCR, linked, pending, proved, virtual

ENDED = software(40, 0, 1, 0, ListState.INVALID, 1)
ALL_CAUSES = 0xFF


def test_the_reset_values_of_the_cortex_a15() -> None:
    reset = virtual(0, 0, 0, 0, hcr=0, vmcr=0x004C0000)
    assert (vtr(reset), elrsr(reset), eisr(reset), misr(reset)) == (0x90000003, 0xF, 0, 0)


def test_sixty_four_list_registers_have_a_status_bit_each() -> None:
    many = virtual(*[ENDED] * 32, *[0] * 32)
    assert (vtr(many) & 0x3F, eisr(many), elrsr(many)) == (63, 0xFFFFFFFF, 0xFFFFFFFF << 32)


@pytest.mark.parametrize(
    ("lr", "ended", "free"),
    [(0, 0, 1), (ENDED, 1, 0), (with_state(linked(27, 0x227), 0), 0, 1), (pending(40, eoi=1), 0, 0),
     (with_state(ENDED, ListState.ACTIVE), 0, 0)],
)  # fmt: skip
def test_a_list_register_is_free_or_waits_for_its_hypervisor(lr: int, ended: int, free: int) -> None:
    assert (eisr(virtual(lr)), elrsr(virtual(lr))) == (ended, free)


@pytest.mark.parametrize(
    ("lrs", "hcr", "vmcr", "causes"),
    [
        ((ENDED, 0), 1, VMCR, {"EOI"}),
        ((pending(40), 0), ALL_CAUSES, VMCR, {"U", "VGRP0D", "VGRP1E"}),
        ((pending(40), pending(41)), ALL_CAUSES, VMCR, {"VGRP0D", "VGRP1E"}),
        ((0, 0), ALL_CAUSES, VMCR & 0xFFFFFFFC, {"U", "NP", "VGRP0D", "VGRP1D"}),
        ((pending(40), pending(41)), 0x0800_0000 | ALL_CAUSES, VMCR | 1, {"LRENP", "VGRP0E", "VGRP1E"}),
        ((0, 0), 1, VMCR, set()),
    ],
)  # fmt: skip
def test_each_cause_of_a_maintenance_interrupt(lrs: tuple[int, ...], hcr: int, vmcr: int, causes: set[str]) -> None:
    names = ("EOI", "U", "LRENP", "NP", "VGRP0E", "VGRP0D", "VGRP1E", "VGRP1D")
    interface = virtual(*lrs, hcr=hcr, vmcr=vmcr)
    assert {name for place, name in enumerate(names) if bit(misr(interface), place)} == causes
    assert maintenance(interface) == (1 if causes else 0)


def test_a_disabled_interface_asks_for_no_maintenance() -> None:
    assert maintenance(virtual(ENDED, hcr=0)) == 0
    assert proved(maintenance(ANY) == 0, bit(ANY.hcr, gich.EN) == 0)
    assert not proved(maintenance(ANY) == 0, bit(ANY.hcr, gich.EN) == 1)


def test_two_list_registers_with_one_number_have_no_meaning() -> None:
    assert lists_legal(virtual(pending(2, source=0), pending(3)))
    assert not lists_legal(virtual(pending(2, source=0), pending(2, source=1)))
    assert lists_legal(virtual(pending(2), with_state(pending(2), ListState.INVALID)))


def test_no_list_register_is_both_ended_and_free() -> None:
    assert proved(eisr(ANY) & elrsr(ANY) == 0)
    assert not proved(eisr(ANY) == 0)


def test_a_list_register_that_is_neither_ended_nor_free_holds_an_interrupt() -> None:
    def stated(place: int, lr: Any) -> Any:
        return implies(either(bit(eisr(ANY), place) == 1, bit(elrsr(ANY), place) == 1), lr & (3 << 28) == 0)

    assert all(proved(stated(place, lr)) for place, lr in enumerate(ANY.lrs))
    assert not proved(implies(bit(elrsr(ANY), 0) == 1, ANY.lrs[1] & (3 << 28) == 0))
