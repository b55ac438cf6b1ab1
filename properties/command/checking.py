"""`kvmarm check` and `kvmarm matrix`: many questions, a table of the answers, and a file of them."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from properties.command.output import check_writable, clear_progress, emit, progress, table, width, write_file
from properties.command.selection import selected
from properties.command.status import BadInput, Status, of_outcome, of_verdicts
from properties.property import Result, Trace, Verdict

BY_DEFAULT = "prove"
"""The engine that is asked for where the user names none."""
LONGEST_TRACE = 100
SHORT = 60
"""The characters of what a verdict covers that are not worth a note."""


def check(
    ids: tuple[str, ...],
    engine: str | None,
    design: str,
    fault: str | None,
    seed: int,
    steps: int | None,
    configuration: str | None,
    budget: float | None,
    jobs: int,
    report: Path | None,
    smt2: Path | None,
) -> Status:
    """Check properties of a design, show what was found out, and write it where that was asked for."""
    from properties.catalogue import PROPERTY
    from properties.designs import resolve

    chosen = selected(ids, PROPERTY, "property", "properties")
    resolve(design, fault)
    if configuration is not None:
        check_explorable(configuration, chosen, engine)
    if report is not None:
        check_writable(report)
    if smt2 is not None and smt2.exists() and not smt2.is_dir():
        raise BadInput(f"{smt2}: Not a directory")
    from properties.check import check as checked
    from properties.command.verdicts import remember

    obligations = None if smt2 is None else str(smt2)
    named = engine or BY_DEFAULT
    results = checked(design, fault, chosen, named, seed, budget, jobs, progress(), obligations, steps, configuration)
    clear_progress()
    remember(results, fault)
    if report is not None:
        write_results(report, design, fault, results)
    emit(verdicts(results, engine == "all"))
    for result in results:
        if result.verdict is Verdict.VIOLATED and result.trace is not None:
            emit(f"\n{shown(result.trace)}")
    emit(f"\n{summary(design, fault, results)}")
    return of_verdicts(result.verdict.value for result in results)


def check_explorable(configuration: str, ids: Sequence[str], engine: str | None) -> None:
    """Refuse a configuration that is not there, that no chosen property is about, or that is not to be explored."""
    from properties.catalogue import PROPERTY
    from properties.designs import unknown
    from properties.parts import PARTS, part_of

    having = {part.name for part in PARTS if configuration in part.configurations}
    if not having:
        raise unknown("configuration", configuration, [name for part in PARTS for name in part.configurations])
    if engine not in (None, "explore"):
        raise BadInput(f"--configuration explores, and --engine {engine} does not")
    parts = [part_of(PROPERTY[name]) for name in ids]
    if parts and not any(part is not None and part.name in having for part in parts):
        raise BadInput(f"no property asked for is about the configuration {configuration} of {', '.join(having)}")


def verdicts(results: Sequence[Result], engines: bool) -> str:
    """The table of a check: property, verdict, what it covers, seconds; with the engine's name where several answer.

    What several verdicts cover alike stands once, in a numbered note below.
    """
    notes = shared(results)
    rows = (
        (
            result.property,
            result.verdict.value,
            ": ".join((*named, *result.deviations, result.covered(lambda text: notes.get(text, text)))),
            f"{result.seconds:.1f}",
        )
        for result in results
        for named in [(result.engine,) if engines else ()]
    )
    said = table(("PROPERTY", "VERDICT", "COVERS", "SECONDS"), rows, wrapped=(2,))
    below = table(("", ""), ((mark, covers) for covers, mark in notes.items())).partition("\n")[2]
    return f"{said}\n{below}" if notes else said


def shared(results: Iterable[Result]) -> dict[str, str]:
    """The long texts that stand more than once, each with the mark that stands for it."""
    texts = (one.covers for result in results for one in (result, result.also) if one is not None)
    counts = Counter(text for text in texts if len(text) > SHORT)
    return {text: f"[{n}]" for n, text in enumerate((text for text, count in counts.items() if count > 1), 1)}


def summary(design: str, fault: str | None, results: tuple[Result, ...]) -> str:
    """How many verdicts of each kind there are, in one line."""
    counts = ((verdict, sum(result.verdict is verdict for result in results)) for verdict in Verdict)
    said = ", ".join(f"{count} {verdict.value}" for verdict, count in counts if count)
    planted = f" with the fault {fault}" if fault else ""
    return f"{design}{planted}: {said or 'nothing decided'}"


def shown(trace: Trace) -> str:
    """A counterexample as text."""
    from properties.designs import setting
    from properties.traces import Stuck, text

    try:
        return text(trace, *setting(trace), width=min(width(), LONGEST_TRACE))
    except Stuck as reason:
        return f"{trace.property}: the run that was found cannot be taken again: {reason}\n"


def write_results(report: Path, design: str, fault: str | None, results: tuple[Result, ...]) -> None:
    """Write the results as JSON, each trace into a file of its own beside it."""
    from properties.traces import dumps

    entries = []
    for number, result in enumerate(results):
        alike = sum(kind_of(other) == kind_of(result) for other in results[:number])
        name = f"{report.stem}.{kind_of(result)}{f'.{alike}' if alike else ''}.trace.json"
        path = None if result.trace is None else report.with_name(re.sub(r"[^A-Za-z0-9_.-]+", "-", name))
        if path is not None and result.trace is not None:
            write_file(path, dumps(result.trace))
        entries.append(
            {
                "property": result.property,
                "engine": result.engine,
                "verdict": result.verdict.value,
                "covers": result.told(),
                "seconds": round(result.seconds, 3),
                "trace": None if path is None else str(path),
                "deviations": list(result.deviations),
            }
        )
    written: dict[str, Any] = {"design": design, "fault": fault, "results": entries}
    write_file(report, f"{json.dumps(written, indent=1)}\n")


def kind_of(result: Result) -> str:
    """What tells a result from others, as part of a file's name."""
    return ".".join((result.property, result.engine, *result.deviations))


def matrix(ids: tuple[str, ...], jobs: int, report: Path | None) -> Status:
    """Settle every fault, show which properties catch it, and write that where it was asked for."""
    from properties.faults.catalogue import FAULT

    chosen = selected(ids, FAULT, "fault", "faults")
    if report is not None:
        check_writable(report)
    from properties.matrix import matrix as settled
    from properties.traces import encode_trace

    order = {identifier: position for position, identifier in enumerate(chosen)}
    found = sorted(settled(chosen, jobs, progress()), key=lambda one: order[one.fault])
    clear_progress()
    if report is not None:
        entries = [
            {
                "fault": one.fault,
                "element": FAULT[one.fault].element,
                "outcome": one.result,
                "properties": list(one.properties),
                "length": None if one.trace is None else one.length,
                "reason": one.reason,
                "trace": None if one.trace is None else encode_trace(one.trace),
            }
            for one in found
        ]
        write_file(report, f"{json.dumps({'faults': entries}, indent=1)}\n")
    rows = ((one.fault, one.result, ", ".join(one.properties) or one.reason) for one in found)
    emit(table(("FAULT", "OUTCOME", "CAUGHT BY, OR WHY NOT"), rows, wrapped=(0, 2)))
    outcomes = [one.result for one in found]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
    emit(f"\n{len(found)} fault{'s' * (len(found) != 1)}: {counts}")
    return Status.UNDECIDED if Status.UNDECIDED in map(of_outcome, outcomes) else Status.HOLDS
