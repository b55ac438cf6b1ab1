"""GICV as a guest sees it: signals, acknowledge and end of interrupt, by example and for any list registers."""

from typing import Any

import pytest

from properties.engines.inputs import symbolic
from spec.gic import list_registers as lists
from spec.gic.list_registers import ListState, with_state
from spec.gic.state import OTHER_GROUP, SPURIOUS, Choices, VirtualInterface
from spec.gic.virtual_cpu_interface import (
    NONE,
    acknowledge,
    candidate,
    deactivation,
    drive,
    end_of_interrupt,
    group_enabled,
    highest_pending,
    interface_of,
    running_priority,
    signalled,
    virtual_signals,
)
from spec.gic.virtual_interface import eisr, lists_legal
from spec.interrupts import virtual_irq_pending, virtual_irq_taken
from spec.words import U32, add, bit, bits, either, every, implies, member, negate, put, same, sub
from tests.gic import ACK_CTL, ANY, ANY_CHOICES, CBPR, FIQ_EN, PLAIN, VEM, VMCR, linked, pending, proved, virtual
from tests.processors import processor


def states(interface: VirtualInterface) -> list[int]:
    return [lists.state(lr) for lr in interface.lrs]


def ended(interface: VirtualInterface, value: int, choices: Choices = PLAIN) -> VirtualInterface:
    return end_of_interrupt(interface, value, 0, choices)[0]


def count(interface: VirtualInterface) -> int:
    return bits(interface.hcr, 31, 27)


@pytest.mark.parametrize(
    ("before", "acknowledge_gives", "end_gives"),
    [
        (ListState.INVALID, ListState.INVALID, ListState.INVALID),
        (ListState.PENDING, ListState.ACTIVE, ListState.PENDING),
        (ListState.ACTIVE, ListState.ACTIVE, ListState.INVALID),
        (ListState.ACTIVE_AND_PENDING, ListState.ACTIVE_AND_PENDING, ListState.PENDING),
    ],
)
def test_the_state_machine_of_a_list_register(before: int, acknowledge_gives: int, end_gives: int) -> None:
    lr = with_state(pending(40), before)
    running = 1 << 20 if before >= ListState.ACTIVE else 0
    interface = virtual(lr, apr=running)
    assert states(acknowledge(interface, 0, PLAIN)[0]) == [acknowledge_gives]
    assert states(ended(interface, 40)) == [end_gives]


def test_the_highest_priority_is_acknowledged_and_ends() -> None:
    start = virtual(pending(40, 20), pending(41, 10), pending(42, 30))
    assert running_priority(start) == 0xFF
    taken, number = acknowledge(start, 0, PLAIN)
    assert (number, states(taken), taken.apr, running_priority(taken)) == (41, [1, 2, 1], 1 << 10, 80)
    done = ended(taken, 41)
    assert (states(done), done.apr) == ([1, 0, 1], 0)


def test_a_recorded_sgi_shows_its_source() -> None:
    taken, number = acknowledge(virtual(0x10000402, vmcr=VMCR | 1), 0, PLAIN)
    assert number == 0x402
    assert states(ended(taken, 2)) == [ListState.ACTIVE]
    assert states(ended(taken, 0x402)) == [ListState.INVALID]


def test_among_equals_the_choice_decides_and_else_the_first_list_register() -> None:
    start = virtual(pending(40), pending(41), pending(42, 30))
    assert [acknowledge(start, 0, Choices(tie=tie))[1] for tie in range(4)] == [40, 41, 40, 40]


@pytest.mark.parametrize(
    ("change", "number"),
    [({}, 40), ({"hcr": 0}, SPURIOUS), ({"vmcr": VMCR}, OTHER_GROUP), ({"vmcr": VMCR ^ 2 | 1 | ACK_CTL}, SPURIOUS),
     ({"vmcr": VMCR & 0x07FFFFFF | 20 << 27 | ACK_CTL}, SPURIOUS),
     ({"vmcr": VMCR & 0x07FFFFFF | 21 << 27 | ACK_CTL}, 40), ({"apr": 1 << 20}, SPURIOUS), ({"apr": 1 << 21}, 40)],
)  # fmt: skip
def test_what_is_acknowledged_depends_on_enables_mask_and_preemption(change: dict[str, int], number: int) -> None:
    start = virtual(pending(40, 20), **change)
    after, value = acknowledge(start, 0, PLAIN)
    assert value == number
    assert (after == start) == (value >= 1020)


@pytest.mark.parametrize(("group", "vmcr", "signals"), [(1, 0, (1, 0)), (0, 0, (1, 0)), (0, FIQ_EN, (0, 1)),
                                                        (1, FIQ_EN, (1, 0))])  # fmt: skip
def test_group_0_is_an_fiq_where_the_guest_asks_for_it(group: int, vmcr: int, signals: tuple[int, int]) -> None:
    assert virtual_signals(virtual(pending(40, group=group), vmcr=VMCR | 1 | vmcr), PLAIN) == signals


def test_the_alias_takes_only_group_1() -> None:
    vmcr = VMCR | 1
    assert acknowledge(virtual(pending(40), vmcr=vmcr), 1, PLAIN)[1] == 40
    assert acknowledge(virtual(pending(40, group=0), vmcr=vmcr), 1, PLAIN)[1] == SPURIOUS


@pytest.mark.parametrize(("hides", "number"), [(0, 41), (1, SPURIOUS)])
def test_whether_a_disabled_group_hides_the_other_one_is_a_choice(hides: int, number: int) -> None:
    start = virtual(pending(40, 1, group=0), pending(41))
    assert acknowledge(start, 0, Choices(hides=hides))[1] == number


@pytest.mark.parametrize(
    ("running", "vmcr", "number"),
    [(0x18, 0, 40), (0x15, 0, SPURIOUS), (0x14, 4 << 18, SPURIOUS), (0x15, 4 << 18, 40), (0x14, 5 << 18, SPURIOUS),
     (0x11, 7 << 18, 40), (0x11, 7 << 18 | CBPR, SPURIOUS), (0x15, 3 << 21, SPURIOUS), (0x15, 3 << 21 | CBPR, 40)],
)  # fmt: skip
def test_the_binary_point_of_the_group_decides_what_preempts(running: int, vmcr: int, number: int) -> None:
    points = vmcr | (0 if vmcr & (7 << 18) else 3 << 18) | (0 if vmcr & (7 << 21) else 2 << 21)
    start = virtual(pending(40, 0x15), vmcr=0xF8000002 | ACK_CTL | points, apr=1 << running)
    assert acknowledge(start, 0, PLAIN)[1] == number


def test_the_end_of_a_linked_interrupt_deactivates_the_physical_one() -> None:
    taken, _ = acknowledge(virtual(linked(27, 0x3B)), 0, PLAIN)
    assert end_of_interrupt(taken, 27, 0, PLAIN)[1] == 0x3B
    assert end_of_interrupt(acknowledge(virtual(pending(27)), 0, PLAIN)[0], 27, 0, PLAIN)[1] == NONE


def test_with_eoi_mode_the_end_and_the_drop_are_apart() -> None:
    taken, _ = acknowledge(virtual(linked(27, 0x3B), vmcr=VMCR | ACK_CTL | VEM), 0, PLAIN)
    dropped, physical = end_of_interrupt(taken, 27, 0, PLAIN)
    assert (dropped.apr, states(dropped), physical) == (0, [ListState.ACTIVE], NONE)
    done, physical = deactivation(dropped, 27, PLAIN)
    assert (states(done), physical) == ([ListState.INVALID], 0x3B)


def test_a_deactivation_without_eoi_mode_is_a_choice() -> None:
    taken, _ = acknowledge(virtual(pending(27)), 0, PLAIN)
    assert deactivation(taken, 27, PLAIN) == (taken, NONE)
    assert states(deactivation(taken, 27, Choices(deactivates=1))[0]) == [ListState.INVALID]


def test_an_end_that_no_list_register_knows_is_counted_and_the_count_wraps() -> None:
    assert count(ended(virtual(0, apr=1), 40)) == 1
    assert [count(ended(virtual(0), 40, Choices(mismatch=mismatch))) for mismatch in (0, 1)] == [0, 0]
    assert count(ended(virtual(0, apr=1, hcr=0xF8000001), 40)) == 0
    assert count(deactivation(virtual(0, vmcr=VMCR | VEM), 40, PLAIN)[0]) == 1


@pytest.mark.parametrize("value", [1020, 1021, 1022, 1023])
def test_the_end_of_a_special_number_changes_nothing(value: int) -> None:
    start = virtual(pending(40), apr=1)
    assert ended(start, value, Choices(mismatch=1)) == start


@pytest.mark.parametrize(("mismatch", "after"), [(0, (2, 2, 1 << 5 | 1 << 20)), (1, (0, 2, 1 << 20))])
def test_an_end_out_of_order_is_a_choice(mismatch: int, after: tuple[int, int, int]) -> None:
    active = [with_state(pending(number, level), ListState.ACTIVE) for number, level in ((40, 20), (41, 5))]
    found = ended(virtual(*active, apr=1 << 5 | 1 << 20), 40, Choices(mismatch=mismatch))
    assert (*states(found), found.apr) == after


def test_an_end_asks_for_maintenance_where_the_list_register_says_so() -> None:
    taken, _ = acknowledge(virtual(pending(40, eoi=1)), 0, PLAIN)
    assert (eisr(taken), eisr(ended(taken, 40))) == (0, 1)


@pytest.mark.parametrize(("masks", "number"), [(0, 40), (1, SPURIOUS)])
def test_whether_the_mask_hides_the_highest_pending_is_a_choice(masks: int, number: int) -> None:
    masked = virtual(pending(40, 20), vmcr=VMCR & 0x07FFFFFF | ACK_CTL)
    assert highest_pending(masked, 0, Choices(masks=masks)) == number


def test_the_signals_reach_the_exception_rules_next_to_hcr() -> None:
    guest = drive(processor(hcr=1 << 4, cpsr=0x13), virtual(pending(40)), PLAIN)
    assert virtual_irq_pending(guest) and virtual_irq_taken(guest)
    assert not virtual_irq_pending(drive(guest, virtual(0), PLAIN))


def test_the_registers_of_a_processor_signal_its_interrupts() -> None:
    guest = processor(hcr=1 << 4, cpsr=0x13, gich_hcr=1, gich_vmcr=VMCR, gich_lr3=pending(40))
    assert virtual_irq_taken(drive(guest, interface_of(guest), PLAIN))
    masked = processor(hcr=1 << 4, cpsr=0x13, gich_hcr=1, gich_vmcr=VMCR, gich_lr3=pending(40), gich_apr=1)
    assert not virtual_irq_taken(drive(masked, interface_of(masked), PLAIN))


TAKEN, NUMBER = acknowledge(ANY, 0, ANY_CHOICES)
IS_TAKEN = bits(NUMBER, 9, 0) < 1020
VALUE = symbolic(U32, "value")
LEGAL = lists_legal(ANY)


def test_what_is_acknowledged_was_pending_and_nothing_enabled_is_of_higher_priority() -> None:
    chosen = candidate(ANY, put(ANY_CHOICES, "hides", 0)).lr
    value = acknowledge(ANY, 0, put(ANY_CHOICES, "hides", 0))[1]
    taken = bits(value, 9, 0) < 1020
    for lr in ANY.lrs:
        waiting = every(lists.state(lr) == ListState.PENDING, group_enabled(ANY.vmcr, lr))
        assert proved(implies(waiting, lists.priority(chosen) <= lists.priority(lr)), taken)
        assert not proved(implies(waiting, lists.priority(chosen) < lists.priority(lr)), taken)
    pending_and_enabled = every(lists.state(chosen) == ListState.PENDING, group_enabled(ANY.vmcr, chosen))
    assert proved(every(pending_and_enabled, value == lists.interrupt_id(chosen)), taken)


def test_a_special_number_changes_nothing() -> None:
    assert proved(implies(negate(IS_TAKEN), same(TAKEN, ANY)), LEGAL)
    assert not proved(same(TAKEN, ANY), LEGAL)


def test_what_is_signalled_can_be_acknowledged_and_nothing_else() -> None:
    signals = virtual_signals(ANY, ANY_CHOICES)
    offered = every(either(ANY.vmcr & ACK_CTL > 0, lists.group(candidate(ANY, ANY_CHOICES).lr) == 0), LEGAL)
    assert proved((signals[0] | signals[1] == 1) == IS_TAKEN, offered)
    assert not proved((signals[0] | signals[1] == 1) == IS_TAKEN, LEGAL)
    assert proved(signals[0] & signals[1] == 0)


def test_after_an_acknowledge_and_its_end_all_is_as_before_but_the_interrupt_is_gone() -> None:
    done, _ = end_of_interrupt(TAKEN, NUMBER, 0, ANY_CHOICES)
    together = every(IS_TAKEN, LEGAL, ANY.vmcr & VEM == 0)
    assert proved(every(done.apr == ANY.apr, done.hcr == ANY.hcr, done.vmcr == ANY.vmcr), together)
    place = candidate(ANY, ANY_CHOICES).place
    for number, (before, after) in enumerate(zip(ANY.lrs, done.lrs, strict=True)):
        here = place == number
        assert proved(implies(here, lists.state(after) == ListState.INVALID), together)
        assert proved(implies(negate(here), after == before), together)
    assert not proved(done.lrs[0] == ANY.lrs[0], together)


def test_an_interrupt_pended_again_while_active_is_pending_behind_its_end() -> None:
    again = put(TAKEN, "lrs", tuple(lr | ((lr & lists.ACTIVE_BIT) >> 1) for lr in TAKEN.lrs))
    done, _ = end_of_interrupt(again, NUMBER, 0, ANY_CHOICES)
    place = candidate(ANY, ANY_CHOICES).place
    together = every(IS_TAKEN, LEGAL, ANY.vmcr & VEM == 0)
    for number, after in enumerate(done.lrs):
        assert proved(implies(place == number, lists.state(after) == ListState.PENDING), together)


@pytest.mark.parametrize("alias", [0, 1])
def test_an_end_drops_at_most_one_level_the_highest(alias: int) -> None:
    done, _ = end_of_interrupt(ANY, VALUE, alias, ANY_CHOICES)
    lost = ANY.apr ^ done.apr
    assert proved(every(lost & sub(lost, 1, 32) == 0, implies(lost > 0, lost == ANY.apr & sub(0, ANY.apr, 32))))
    assert not proved(lost == 0)


def changes(after: VirtualInterface) -> list[Any]:
    return [negate(old == new) for old, new in zip(ANY.lrs, after.lrs, strict=True)]


@pytest.mark.parametrize("what", ["acknowledge", "end", "deactivation"])
def test_a_guest_changes_the_state_of_one_list_register_and_nothing_else_of_any(what: str) -> None:
    after = {
        "acknowledge": TAKEN, "end": end_of_interrupt(ANY, VALUE, 0, ANY_CHOICES)[0],
        "deactivation": deactivation(ANY, VALUE, ANY_CHOICES)[0],
    }[what]  # fmt: skip
    changed = changes(after)
    assert proved(every(*(negate(every(a, b)) for n, a in enumerate(changed) for b in changed[:n])))
    states_only = ((old ^ new) & 0xCFFFFFFF == 0 for old, new in zip(ANY.lrs, after.lrs, strict=True))
    assert proved(every(*states_only, after.vmcr == ANY.vmcr, (after.hcr ^ ANY.hcr) & 0x07FFFFFF == 0))
    assert proved(lists_legal(after), LEGAL)
    assert not proved(negate(either(*changed)))


@pytest.mark.parametrize("what", ["end", "deactivation"])
def test_a_physical_interrupt_ends_only_with_the_list_register_that_is_linked_to_it(what: str) -> None:
    if what == "end":
        after, physical = end_of_interrupt(ANY, VALUE, 0, ANY_CHOICES)
    else:
        after, physical = deactivation(ANY, VALUE, ANY_CHOICES)
    linked_one = (
        every(lists.hw(old) == 1, lists.physical_id(old) == physical, old & lists.ACTIVE_BIT > 0, negate(old == new))
        for old, new in zip(ANY.lrs, after.lrs, strict=True)
    )
    assert proved(either(physical == NONE, *linked_one))
    assert not proved(physical == NONE)


def test_an_end_is_counted_only_where_no_list_register_holds_the_interrupt_as_active() -> None:
    done, _ = end_of_interrupt(ANY, VALUE, 0, ANY_CHOICES)
    spi = bits(VALUE, 9, 0) > 15
    held = either(*(every(lr & lists.ACTIVE_BIT > 0, lists.virtual_id(lr) == bits(VALUE, 9, 0)) for lr in ANY.lrs))
    assert proved(done.hcr == ANY.hcr, held, spi)
    assert proved(member(done.hcr, (ANY.hcr, add(ANY.hcr, 1 << 27, 32))))
    assert not proved(done.hcr == ANY.hcr)


def test_a_disabled_interface_signals_and_gives_nothing() -> None:
    off = bit(ANY.hcr, 0) == 0
    assert proved(every(NUMBER == SPURIOUS, negate(signalled(ANY, candidate(ANY, ANY_CHOICES)))), off)
