"""`python -m benchmarks [--quick] [--json FILE] [NAME...]`: measure, print a table, write the figures as JSON."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from benchmarks import commands, comparison, counterexamples, engines, execution, interrupts, peers, walks
from benchmarks.figure import Effort, Figure

QUICK = Effort(seconds=0.4, samples=3, long=False, patience=10.0)
FULL = Effort(seconds=3.0, samples=7, long=True, patience=60.0)
BENCHMARKS: dict[str, Callable[[Effort], tuple[Figure, ...]]] = {
    "operations": execution.guest_operations,
    "switch": execution.world_switches,
    "walks": walks.walking,
    "search": engines.searching,
    "explore": engines.exploring,
    "walk": engines.walking,
    "memory": engines.memory,
    "why": commands.explaining,
    "trace": commands.tracing,
    "prove": commands.proving,
    "matrix": commands.matrix,
    "crosshair": comparison.single_rules,
    "peers": peers.exploring,
    "interrupts": interrupts.exploring,
    "counterexamples": counterexamples.finding,
}


def measured(name: str, effort: Effort) -> tuple[Figure, ...]:
    """The figures of one benchmark; what it needs and does not find makes it `not available`."""
    try:
        return BENCHMARKS[name](effort)
    except (ImportError, commands.Refused) as reason:
        return (Figure(name, None, "", f"not available: {reason}"),)


def row(figure: Figure) -> str:
    """One line of the table."""
    value = "-" if figure.value is None else shown(figure.value)
    return f"{figure.name:<42} {value:>10} {figure.unit:<3} {figure.over}"


def shown(value: float) -> str:
    """A figure with three significant digits, without an exponent."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 4
    return f"{value:,.{digits}f}"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"python": platform.python_version(), "machine": platform.machine(), "processors": os.cpu_count()}


def main() -> int:
    """Measure what was asked for; 2 for a name that there is not, or a file that cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast the specification is.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all if none is given"
    )
    parser.add_argument("--quick", action="store_true", help="shorter measurements, and not the longest of them")
    parser.add_argument("--json", type=Path, metavar="FILE", default=Path("build/benchmarks.json"))
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        print(f"benchmarks: no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in given.names or BENCHMARKS:
        for figure in measured(name, QUICK if given.quick else FULL):
            print(row(figure), flush=True)
            figures.append(figure)
    report = {"quick": given.quick, **machine(), "figures": [attrs.asdict(figure) for figure in figures]}
    try:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(report, indent=2) + "\n")
    except OSError as error:
        print(f"benchmarks: {given.json}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
