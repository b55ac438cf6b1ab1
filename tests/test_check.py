"""A check asks nothing in vain, and says what its budget has kept from being asked."""

import time
from pathlib import Path

import pytest
from attrs import evolve

from properties.catalogue import PROPERTY
from properties.check_parts import UNBLAMED, blamed, inductions, with_proof, without_induction
from properties.designs import resolve
from properties.engines.obligations import Obligation
from properties.engines.prove import Settled, prove_share, told_apart
from properties.property import Result, Verdict
from properties.workers import performed


def result(prop: str, verdict: Verdict) -> Result:
    return Result("linux-3.12", prop, "explore", verdict, "all states", 0.0)


def silent(*_: object) -> None:
    return None


def test_no_induction_is_begun_whose_invariants_a_run_violates() -> None:
    found = [result("time.inductive", Verdict.VIOLATED), result("time.monotonic", Verdict.EXPLORED)]
    found += [result("memory.inductive", Verdict.EXPLORED), result("memory.isolated", Verdict.EXPLORED)]
    assert inductions(found)[:2] == (("memory",), ("time",))


def test_a_property_without_an_induction_says_why() -> None:
    settled = without_induction((), ("time",))[0]
    told = with_proof(result("time.monotonic", Verdict.EXPLORED), settled, 0.0)
    assert told.verdict is Verdict.EXPLORED
    assert told.unproved == "time, a run violates the invariants"


def test_nothing_is_proved_where_a_case_is_contradictory() -> None:
    explored = result("interrupts.delivered", Verdict.EXPLORED)
    sound = Settled(3, 3, (), (("interrupts.delivered", 3),), ())
    assert with_proof(explored, sound, 0.0).verdict is Verdict.PROVED
    empty = with_proof(explored, evolve(sound, vacuous=("interrupts: x",)), 0.0)
    assert (empty.verdict, empty.unproved) == (Verdict.EXPLORED, "interrupts: x")


def test_tasks_behind_the_deadline_are_left_out() -> None:
    assert performed({"late": (abs, (-1,))}, 1, time.monotonic() - 1, silent) == {}
    assert performed({"done": (abs, (-1,))}, 2, time.monotonic() + 60, silent) == {"done": 1}


def test_obligations_behind_the_deadline_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KVMARM_CACHE", str(tmp_path))
    asked = (PROPERTY["split_mode.double_trap"],)
    settled = prove_share(resolve("reference"), asked, 0, 100, None, time.monotonic() - 1)
    assert settled.late == settled.obligations > 0


def test_a_verdict_says_that_deviations_were_not_tried() -> None:
    late = time.monotonic() - 1
    (told,) = blamed("linux-3.12", None, [result("time.monotonic", Verdict.EXPLORED)], late, 1, silent)
    assert told.covers.endswith(UNBLAMED)
    (untouched,) = blamed("reference", None, [result("time.monotonic", Verdict.EXPLORED)], late, 1, silent)
    assert untouched.covers == "all states"


def test_obligations_of_one_name_are_told_apart() -> None:
    once, twice = Obligation("x", lambda: None), Obligation("x", lambda: None)  # type: ignore[arg-type,return-value]
    assert [each.name for each in told_apart([once, twice])] == ["x", "x (2)"]
