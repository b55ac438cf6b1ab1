"""Our path exploration beside CrossHair, on the same three statements about single rules, warm, imports excluded."""

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.figure import Effort, Figure
from benchmarks.rules import STATEMENTS, Statement, inserted_is_read_back, only_it_advances, opposite_conditions

WARMING = 1.0
"""The seconds that CrossHair gets to warm up, before the run that is timed."""


def check_inserted_is_read_back(x: int, value: int) -> None:
    """The statement in the form that CrossHair reads: assumptions first, then what is to hold."""
    assert 0 <= x < 2**32 and 0 <= value < 2**8
    assert inserted_is_read_back(x, value)


def check_only_it_advances(cpsr: int) -> None:
    """The statement in the form that CrossHair reads."""
    assert 0 <= cpsr < 2**32
    assert only_it_advances(cpsr)


def check_opposite_conditions(condition: int, cpsr: int) -> None:
    """The statement in the form that CrossHair reads."""
    assert 0 <= condition < 2**4 and 0 <= cpsr < 2**32
    assert opposite_conditions(condition, cpsr)


CONTRACTS = (check_inserted_is_read_back, check_only_it_advances, check_opposite_conditions)


def ours(statement: Statement) -> str:
    """The verdict of our exploration: `proved`, or what came instead."""
    import z3

    from properties.engines.explorer import explore, new_solver
    from properties.engines.formulas import formula, variable

    words = [variable(f"word{number}", width) for number, width in enumerate(statement.widths)]
    exploration = explore(lambda: formula(statement.holds(*words)))
    for path in exploration.paths:
        solver = new_solver()
        solver.add(*path.condition)
        if solver.check(z3.Not(path.outcome)) != z3.unsat:
            return "refuted or unknown"
    return "proved" if exploration.paths and not exploration.undecided else "unknown"


def crosshairs(contract: Any, patience: float) -> str:
    """CrossHair's verdict in its own words within so many seconds: `confirmed` where it has seen every path."""
    from crosshair.core_and_libs import analyze_function, run_checkables
    from crosshair.options import AnalysisKind, AnalysisOptionSet

    options = AnalysisOptionSet(
        analysis_kind=[AnalysisKind.asserts],
        per_condition_timeout=patience,
        per_path_timeout=patience,
        report_all=True,
        max_uninteresting_iterations=1_000_000,
    )
    messages = run_checkables(analyze_function(contract, options))
    return ", ".join(sorted({message.state.value for message in messages})) or "no verdict"


def single_rules(effort: Effort) -> tuple[Figure, ...]:
    """Seconds to a verdict for each statement by each engine, and how many times as long CrossHair takes."""
    figures: list[Figure] = []
    for statement, contract in zip(STATEMENTS, CONTRACTS, strict=True):
        ours(statement)
        runs = [timed(partial(ours, statement)) for _ in range(effort.samples)]
        our_time, verdict = median(seconds for seconds, _ in runs), runs[-1][1]
        figures.append(Figure(f"{statement.name}: ours", our_time, "s", f"{verdict}; words of {statement.widths} bits"))
        try:
            crosshairs(contract, WARMING)
        except ImportError as error:
            figures.append(Figure(f"{statement.name}: CrossHair", None, "s", f"not available: {error}"))
            continue
        their_time, answer = timed(partial(crosshairs, contract, effort.patience))
        figures.append(
            Figure(f"{statement.name}: CrossHair", their_time, "s", f"{answer}; given {effort.patience:.0f} s")
        )
        bound = "CrossHair's time by ours" + ("" if answer == "confirmed" else ", at least: it gave up")
        figures.append(Figure(f"{statement.name}: ratio", their_time / our_time, "x", bound))
    return tuple(figures)


def timed(engine: Callable[[], str]) -> tuple[float, str]:
    """The wall time of one run, and its verdict."""
    begun = perf_counter()
    verdict = engine()
    return perf_counter() - begun, verdict
