"""A second solver reads the exported obligations and agrees: on the reference, and on designs with a planted fault."""

from pathlib import Path

import pytest

from model.designs.catalogue import reference
from properties.catalogue import PROPERTIES
from properties.engines.prove import settle
from properties.engines.transactions import transactions
from properties.faults.catalogue import FAULT

bitwuzla = pytest.importorskip("bitwuzla")

SAMPLE = (
    "entry",
    "guest: exit by trap",
    "guest: exit by call",
    "guest: irq",
    "guest: Hvc",
    "guest: Compute",
    "first VFP use",
)


def answers(design, names, folder: Path) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """What the second solver says of each exported obligation, by its file's name."""
    for obligation in transactions(design, PROPERTIES):
        if obligation.name in names:
            settle(obligation.make(), folder)
    found = {}
    for file in sorted(folder.glob("*.smt2")):
        parser = bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options())
        parser.parse(str(file), parse_only=True)
        found[file.stem] = str(parser.bitwuzla().check_sat())
    return found


def test_the_second_solver_finds_no_counterexample_on_the_reference(tmp_path: Path) -> None:
    found = answers(reference(), SAMPLE, tmp_path)
    assert found
    assert set(found.values()) == {"unsat"}


@pytest.mark.parametrize(
    ("fault", "name"),
    [("omit/enter-load-guest-svc-bank/sp_svc", "entry"), ("D5", "guest: exit by trap"), ("D6", "guest: Smc")],
)
def test_the_second_solver_finds_the_counterexample_of_a_planted_fault(fault: str, name: str, tmp_path: Path) -> None:
    assert "sat" in answers(FAULT[fault].plant(reference()), (name,), tmp_path).values()
