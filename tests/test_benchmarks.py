"""The benchmarks measure what they say, and say so where they cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.comparison import ours
from benchmarks.execution import MIX, entered
from benchmarks.figure import Effort, Figure
from benchmarks.rules import STATEMENTS, Statement
from benchmarks.walks import PA, walks
from model.designs.catalogue import DESIGNS
from spec.execute import execute
from spec.operations import Choices, Instruction
from spec.outcome import Event
from spec.words import bits

ROOT = Path(__file__).parent.parent
SHORT = Effort(seconds=0.0, samples=1, long=False, patience=1.0)
TRAPPED = ("Wfi, trapped", "Smc, trapped")


@pytest.mark.parametrize(("name", "operation"), MIX, ids=[name for name, _ in MIX])
def test_an_operation_of_the_mix_does_what_its_name_says(name, operation):
    cpu = entered(DESIGNS["reference"]()).processors[0].cpu
    event = execute(cpu, Instruction(operation), Choices()).event
    assert (event is Event.TRAPPED) == (name in TRAPPED)


@pytest.mark.parametrize("name", walks())
def test_every_measured_translation_reaches_the_guests_memory(name):
    for at in (0x345, 0x123_4567, 0x3FF_FFFF):
        found = walks()[name](at)
        assert (found.status, found.pa) == (0, PA + at)


@pytest.mark.parametrize("statement", STATEMENTS, ids=[statement.name for statement in STATEMENTS])
def test_a_compared_statement_is_proved(statement):
    assert ours(statement) == "proved"


def test_a_false_statement_is_not_proved():
    assert ours(Statement("x is below 16", (8,), lambda x: bits(x, 7, 4) == 0)) == "refuted or unknown"


def test_what_is_missing_is_not_available(monkeypatch):
    def absent(effort):
        raise ModuleNotFoundError("No module named 'absent'")

    monkeypatch.setitem(command.BENCHMARKS, "absent", absent)
    assert command.measured("absent", SHORT) == (Figure("absent", None, "", "not available: No module named 'absent'"),)


def test_figures_are_written_as_json(tmp_path):
    report = tmp_path / "figures.json"
    arguments = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(report), "switch"]
    subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True)
    names = [figure["name"] for figure in json.loads(report.read_text())["figures"]]
    assert names == ["world switch round trips", "world switch round trip"]


def test_an_unknown_benchmark_is_refused_in_one_line():
    outcome = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (outcome.returncode, outcome.stderr.count("\n")) == (2, 1)
