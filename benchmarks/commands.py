"""The command `kvmarm` as its users meet it: whole processes, from start to exit."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.figure import Effort, Figure

ROOT = Path(__file__).resolve().parents[1]
ANSWERED = (0, 1, 3)
"""Exit statuses of a command that did what it was asked: it holds, it is violated, it is undecided."""


class Refused(Exception):
    """The command did not do what it was asked; the message is its last line."""


def seconds_of(*arguments: str, cache: str | None = None) -> float:
    """The wall time of one run of the command; `cache` is the folder for its results. Raises Refused."""
    environment = {**os.environ, **({} if cache is None else {"KVMARM_CACHE": cache})}
    begun = perf_counter()
    outcome = subprocess.run(
        [sys.executable, "-m", "properties.cli", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = perf_counter() - begun
    if outcome.returncode not in ANSWERED or "defect of kvmarm" in outcome.stderr:
        raise Refused((outcome.stderr.strip().splitlines() or ["no message"])[-1])
    return seconds


def proving(effort: Effort) -> tuple[Figure, ...]:
    """The wall time of the proof of every property of the reference, by one worker and by two, nothing known before."""
    figures: list[Figure] = []
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as cache:
            arguments = ("check", "--engine", "prove", "--jobs", str(jobs))
            cold = seconds_of(*arguments, cache=cache)
            figures.append(Figure(f"prove, {jobs} jobs", cold, "s", "all properties of the reference, cold cache"))
            if jobs == 1:
                warm = seconds_of(*arguments, cache=cache)
                figures.append(Figure("prove, 1 jobs, again", warm, "s", "the same, all results in the cache"))
    return tuple(figures)


def explaining(effort: Effort) -> tuple[Figure, ...]:
    """The wall time of `kvmarm why HCR.TSC`."""
    with tempfile.TemporaryDirectory() as cache:
        times = [seconds_of("why", "HCR.TSC", cache=cache) for _ in range(effort.samples)]
    return (Figure("kvmarm why HCR.TSC", median(times), "s", f"median of {len(times)} runs"),)


def tracing(effort: Effort) -> tuple[Figure, ...]:
    """The median and the longest wall time of `kvmarm trace`, over evenly spaced faults of the catalogue."""
    from properties.faults.catalogue import FAULTS

    wanted = 8 * effort.samples
    chosen = [FAULTS[number * len(FAULTS) // wanted].id for number in range(wanted)]
    with tempfile.TemporaryDirectory() as cache:
        times = [seconds_of("trace", fault, cache=cache) for fault in chosen]
    over = f"{wanted} of {len(FAULTS)} faults, evenly spaced"
    return (
        Figure("kvmarm trace, median", median(times), "s", over),
        Figure("kvmarm trace, longest", max(times), "s", over),
    )


def matrix(effort: Effort) -> tuple[Figure, ...]:
    """The wall time of the whole matrix, nothing known before."""
    if not effort.long:
        return (Figure("kvmarm matrix", None, "s", "left out by --quick"),)
    jobs = str(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as cache:
        seconds = seconds_of("matrix", "--jobs", jobs, cache=cache)
    return (Figure("kvmarm matrix", seconds, "s", f"all faults and removed elements, cold cache, {jobs} jobs"),)
