"""Proof and search answer alike: what one refutes the other finds, and neither finds anything in the reference."""

import pytest

from model.designs.catalogue import reference
from model.topology import TOPOLOGIES, initial
from properties.catalogue import PROPERTIES, PROPERTY
from properties.engines.domain import everything, relevant
from properties.engines.equivalence import equivalent
from properties.engines.prove import combine, settle
from properties.engines.search import search
from properties.engines.transactions import transactions
from properties.faults.catalogue import FAULT
from properties.why import COSTLY, TOPOLOGY

CHEAP = tuple(prop for prop in PROPERTIES if prop.id not in COSTLY and prop.enumerate is None)
CASES = (
    ("without/HCR.TSC", "trap_completeness.confined", ("guest: Smc",)),
    ("without/HCR.TWI", "trap_completeness.waits_yield", ("guest: Wfi",)),
    ("without/HCR.TIDCP", "trap_completeness.confined", ("guest: CoprocessorAccess L2CTLR",)),
    ("without/HDCR.TDRA", "trap_completeness.independent", ("guest: CoprocessorAccess DBGDRAR",)),
    ("D5", "world_switch.guest_preserved", ("guest: exit by call",)),
    ("D6", "trap_completeness.injected_like_hardware", ("guest: Smc",)),
    ("D19", "world_switch.host_survives", ("guest: fiq",)),
    ("unswitched/tpidrurw", "world_switch.host_restored", ("guest: exit by call",)),
    ("exclusive-monitor-survives-switch", "world_switch.monitor_cleared", ("entry",)),
    ("hcptr-write-unsynchronised", "world_switch.no_exception_in_hyp", ("guest: exit by call",)),
    ("without/enter-vmpidr", "world_switch.shadow_ids", ("entry",)),
    ("extra/HCR.TVM", "trap_completeness.no_needless_trap", ("guest: CoprocessorAccess SCTLR",)),
)


@pytest.mark.parametrize(("fault", "prop", "names"), CASES, ids=[case[0] for case in CASES])
def test_search_reaches_what_the_proof_refutes(fault: str, prop: str, names: tuple[str, ...]) -> None:
    design = FAULT[fault].plant(reference())
    chosen = (PROPERTY[prop],)
    obligations = [o for o in transactions(design, chosen) if o.name in names]
    refuted = {name for name, _ in combine([settle(o.make()) for o in obligations]).failures}
    start = initial(TOPOLOGIES[TOPOLOGY], design)
    reached = set(search(design, start, relevant(FAULT[fault].touches), chosen, 4, prop).found)
    assert refuted == reached == {prop}


def test_search_over_every_operation_finds_nothing_on_the_reference() -> None:
    design = reference()
    found = search(design, initial(TOPOLOGIES["one"], design), everything(), CHEAP, 2)
    assert found.found == {}


TOLD_APART = (
    "without/HCR.VM",
    "without/HCR.FB",
    "without/enter-pmuserenr",
    "without/HCPTR.TCP11",
    "without/emulated-actlr",
)


@pytest.mark.parametrize("fault", TOLD_APART)
def test_designs_that_a_guest_can_tell_apart_are_not_proved_alike(fault: str) -> None:
    assert equivalent(FAULT[fault].plant(reference()), reference())[0] is False


def test_a_design_is_proved_alike_to_itself_with_a_redundant_trap_bit_left_out() -> None:
    assert equivalent(FAULT["without/HCR.SWIO"].plant(reference()), reference())[0] is True
