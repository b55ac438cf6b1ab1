"""The table of verdicts: what several verdicts cover alike is said once."""

from attrs import evolve

from properties.command.checking import verdicts
from properties.property import Result, Verdict

LONG = "all 4711 states, 9000 transitions of three configurations: one, two and three, each of them completely"


def result(name: str, covers: str) -> Result:
    return Result("reference", name, "explore", Verdict.EXPLORED, covers, 1.0)


def test_what_several_verdicts_cover_stands_once_in_a_note() -> None:
    said = verdicts((result("a.b", LONG), result("a.c", LONG), result("a.d", "six registers")), False)
    assert said.count("4711 states") == 1
    assert [line.split()[2] for line in said.splitlines()[1:4]] == ["[1]", "[1]", "six"]


def test_what_two_engines_cover_stands_in_two_notes() -> None:
    proof = "z3, by induction for any contents of tables and any number of pages of memory"
    both = [evolve(result(name, proof), asked=n, also=result(name, LONG)) for n, name in enumerate(("a.b", "a.c"), 3)]
    said = verdicts(both, False)
    assert "[1]: 3 questions; and explored: [2]" in said
    assert "[1]: 4 questions; and explored: [2]" in said


def test_what_one_verdict_covers_stands_beside_it() -> None:
    said = verdicts((result("a.b", LONG), result("a.c", "six registers")), False)
    assert "[1]" not in said
