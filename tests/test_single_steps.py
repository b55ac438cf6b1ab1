"""Properties of single steps are proved from any state, and a fault refutes just the one that it is about."""

import pytest
from attrs import evolve

from model.designs.catalogue import reference
from properties.catalogue import PROPERTY
from properties.check_parts import with_single_steps
from properties.engines.parts.part import Case
from properties.engines.parts.prove import prove_steps
from properties.faults.catalogue import FAULT
from properties.parts import PARTS
from properties.property import Result, Verdict

DESIGN = reference()
PROOFS = {name: cases for part in PARTS for name, cases in part.proofs.items()}
REFUTES = {
    "power.initialised": "ioctl-before-vcpu-init",
    "power.values_checked": "user-sets-hyp-mode-cpsr",
    "power.saved_and_restored": "system-mode-refused",
    "power.reset_as_asked": "cpu-on-without-context",
    "hyp.registers": "hyp-registers-not-cleared",
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_property_of_single_steps_holds_from_any_state(name: str) -> None:
    found = prove_steps(DESIGN, PROPERTY[name], PROOFS[name])
    assert (found.wrong, found.questions > 0) == ((), True)


@pytest.mark.parametrize(("name", "fault"), REFUTES.items(), ids=list(REFUTES))
def test_a_fault_refutes_the_proof(name: str, fault: str) -> None:
    found = prove_steps(FAULT[fault].plant(DESIGN), PROPERTY[name], PROOFS[name])
    assert any(reason.endswith("false") for reason in found.wrong)


def test_the_proof_of_a_step_that_is_never_possible_is_none() -> None:
    prop = PROPERTY["power.reset_as_asked"]

    def outside(design):  # type: ignore[no-untyped-def]
        for case in PROOFS[prop.id](design):
            power = case.state.power
            assert power is not None
            idle = evolve(power, cores=(evolve(power.cores[0], busy=0),))
            yield Case(case.name, evolve(case.state, power=idle), case.action)

    assert prove_steps(DESIGN, prop, outside).wrong == ("reset: impossible",)


@pytest.mark.parametrize(("fault", "verdict"), [(None, Verdict.PROVED), ("reset-lost-on-save", Verdict.EXPLORED)])
def test_what_is_not_proved_stays_explored_and_says_so(fault: str | None, verdict: Verdict) -> None:
    before = Result("reference", "power.saved_and_restored", "explore", Verdict.EXPLORED, "all states", 1.0)
    after = with_single_steps("reference", fault, before)
    assert after.verdict is verdict
    assert after.told().startswith("z3" if fault is None else "all states; not proved: UserGetsRegister: false")


def test_every_proof_has_a_fault_in_the_table_above() -> None:
    assert set(PROOFS) == set(REFUTES)
