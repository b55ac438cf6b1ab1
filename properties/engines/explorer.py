"""Path exploration: every way a rule can go on symbolic words, as pairs of a path condition and an outcome.

A rule is run again for each path, answering its first branches as before (replay) and the next one the other way.
Branches that only one side of is feasible do not fork. Nothing is forgotten in silence: a branch that the solver cannot
decide is followed and noted, contradictory assumptions make the exploration vacuous, a loop that uses up its fuel is an
outcome with its source line, and so is an exception.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

import z3
from attrs import field, frozen

from properties.engines.branches import DECIDERS, NotLiftable
from properties.engines.formulas import formula, truth
from spec.words import choose

Decision = tuple[Any, bool]
"""A branch condition as a z3 formula, and the way the path takes."""


class NonDeterministic(Exception):
    """A rule asked different questions when its path was replayed: it depends on something besides its arguments."""


@frozen
class Raised:
    """The outcome of a path on which the rule raised: the exception and the source line that raised it."""

    exception: Exception
    where: str


@frozen
class OutOfFuel:
    """The outcome of a path that branched more often than its fuel allows, with the source line of its last branch."""

    where: str


@frozen(slots=False)
class Path:
    """One way through a rule: the decisions taken at branches that could go both ways, and what came of it."""

    decisions: tuple[Decision, ...]
    outcome: Any

    @cached_property
    def condition(self) -> tuple[Any, ...]:
        """The path condition, as z3 formulas that all hold, in the order in which the branches were met."""
        return tuple(term if taken else z3.Not(term) for term, taken in self.decisions)


@frozen
class Exploration:
    """All paths of a rule under assumptions: their conditions exclude one another and cover the assumptions."""

    paths: tuple[Path, ...]
    assumptions: tuple[Any, ...]
    undecided: bool
    """Whether some branch was followed that the solver could not decide, so that a path may be infeasible."""
    vacuous: bool
    """Whether the assumptions contradict one another, so that nothing was explored: never a success."""
    checks: int = field(default=0, eq=False)
    """How many questions the solver was asked."""

    @property
    def failures(self) -> tuple[Path, ...]:
        """The paths that have no result: they raised, or ran out of fuel."""
        return tuple(path for path in self.paths if isinstance(path.outcome, (Raised, OutOfFuel)))


class _Exhausted(BaseException):
    def __init__(self, where: str) -> None:
        self.where = where


class _Infeasible(BaseException):
    """The path so far has no solution, which became known only after an undecided branch."""


@frozen
class _Answer:
    term: Any
    taken: bool
    forced: bool


@frozen
class _Pending:
    """A path still to be explored: its answers so far, and a model of their conditions where one is known."""

    answers: tuple[_Answer, ...]
    model: Any


def new_solver(timeout_ms: int = 20_000) -> Any:
    """The incremental solver for path conditions and obligations over words; `timeout_ms` a question, then unknown."""
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", timeout_ms)
    return solver


class _Explorer:
    def __init__(self, assumptions: Sequence[Any], fuel: int, most_paths: int, solver: Any) -> None:
        self.assumptions = tuple(formula(condition) for condition in assumptions)
        self.fuel, self.most_paths, self.solver = fuel, most_paths, solver
        self.checks = 0
        self.undecided = False
        self.pending: list[_Pending] = []
        self.asserted: list[_Answer] = []
        self.answers: list[_Answer] = []
        self.replayed = 0
        self.asked = 0
        self.known: dict[int, bool] = {}
        self.model: Any = None

    def run(self, thunk: Callable[[], Any]) -> Exploration:
        """Explore every path of the thunk, depth first, the true side of each branch before the false side."""
        for condition in self.assumptions:
            self.solver.add(condition)
        status, model = self.check()
        if status != z3.unsat:
            self.pending.append(_Pending((), model))
        paths: list[Path] = []
        while self.pending:
            path = self.follow(self.pending.pop(), thunk, len(paths) < self.most_paths)
            if path is not None:
                paths.append(path)
        return Exploration(tuple(paths), self.assumptions, self.undecided, not paths, self.checks)

    def follow(self, start: _Pending, thunk: Callable[[], Any], has_room: bool) -> Path | None:
        """Run one path from its pending start; None where it proves infeasible."""
        self.answers, self.model = list(start.answers), start.model
        self.replayed, self.asked, self.known = 0, 0, {}
        self.synchronise()
        outcome: Any
        if not has_room:
            return Path(self.decisions(), OutOfFuel(f"more than {self.most_paths} paths"))
        DECIDERS.stack.append(self.decide)
        try:
            outcome = thunk()
        except (NotLiftable, NonDeterministic):
            raise
        except _Infeasible:
            return None
        except _Exhausted as exhausted:
            outcome = OutOfFuel(exhausted.where)
        except Exception as exception:
            outcome = Raised(exception, _raising_line(exception))
        finally:
            DECIDERS.stack.pop()
        if self.replayed < len(start.answers):
            raise NonDeterministic(f"a replay met {self.replayed} branches, not {len(start.answers)} as before")
        return Path(self.decisions(), outcome)

    def synchronise(self) -> None:
        """Bring the solver's assertions to the pending path's decisions: they share all but the last."""
        wanted = [answer for answer in self.answers if not answer.forced]
        shared = 0
        while shared < len(self.asserted) and shared < len(wanted) and self.asserted[shared] is wanted[shared]:
            shared += 1
        if shared < len(self.asserted):
            self.solver.pop(len(self.asserted) - shared)
            del self.asserted[shared:]
        for answer in wanted[shared:]:
            self.assume(answer)

    def assume(self, answer: _Answer) -> None:
        self.solver.push()
        self.solver.add(answer.term if answer.taken else z3.Not(answer.term))
        self.asserted.append(answer)

    def decisions(self) -> tuple[Decision, ...]:
        return tuple((answer.term, answer.taken) for answer in self.answers if not answer.forced)

    def check(self, *conditions: Any) -> tuple[Any, Any]:
        """The solver's answer under the path's conditions and these, and a model where there is one."""
        self.checks += 1
        status = self.solver.check(*conditions)
        if status == z3.unknown:
            self.undecided = True
        return status, self.solver.model() if status == z3.sat else None

    def decide(self, term: Any) -> bool:
        """Which way the path goes at a branch on this condition."""
        self.asked += 1
        if self.asked > self.fuel:
            raise _Exhausted(_asking_line())
        inverse = False
        while z3.is_not(term):
            term, inverse = term.arg(0), not inverse
        known = self.known.get(term.get_id())
        if known is None:
            known = self.known[term.get_id()] = self.answer(term)
        return known ^ inverse

    def answer(self, term: Any) -> bool:
        if self.replayed < len(self.answers):
            earlier = self.answers[self.replayed]
            if not earlier.term.eq(term):
                raise NonDeterministic(f"{_asking_line()}: a replay asks {term}, not {earlier.term} as before")
            self.replayed += 1
            return earlier.taken
        answer = self.branch(term)
        self.answers.append(answer)
        self.replayed += 1
        return answer.taken

    def branch(self, term: Any) -> _Answer:
        simple = z3.simplify(term)
        if z3.is_true(simple) or z3.is_false(simple):
            return _Answer(term, z3.is_true(simple), True)
        side = None if self.model is None else z3.is_true(self.model.eval(term, model_completion=True))
        holds = (z3.sat, self.model) if side is True else self.check(term)
        fails = (z3.sat, self.model) if side is False else self.check(z3.Not(term))
        if holds[0] == z3.unsat and fails[0] == z3.unsat:
            raise _Infeasible
        if holds[0] == z3.unsat or fails[0] == z3.unsat:
            taken = fails[0] == z3.unsat
            self.model = holds[1] if taken else fails[1]
            return _Answer(term, taken, True)
        self.pending.append(_Pending((*self.answers, _Answer(term, False, False)), fails[1]))
        self.model = holds[1]
        answer = _Answer(term, True, False)
        self.assume(answer)
        return answer


def explore(
    thunk: Callable[[], Any],
    assumptions: Iterable[Any] = (),
    fuel: int = 2_000,
    most_paths: int = 20_000,
    solver: Callable[[], Any] = new_solver,
) -> Exploration:
    """Every path of `thunk` that the assumptions allow, with its condition and outcome.

    `fuel` bounds the branches of one path and `most_paths` the paths; both show as `OutOfFuel` outcomes. Explorations
    nest, and an inner one knows nothing of the outer's conditions. Raises NotLiftable where the thunk leaves the word
    language, and NonDeterministic where it depends on more than its arguments.
    """
    return _Explorer(tuple(assumptions), fuel, most_paths, solver()).run(thunk)


class Unmergeable(Exception):
    """An exploration has no merged value: it is vacuous, or some path raised or ran out of fuel."""


def merge(exploration: Exploration) -> Any:
    """The outcomes of all paths as one value, right wherever the exploration's assumptions hold.

    Raises Unmergeable where a path has no result and NotLiftable where results differ in shape.
    """
    if exploration.vacuous:
        raise Unmergeable("the assumptions contradict one another: there is no path to merge")
    for path in exploration.failures:
        raise Unmergeable(f"a path has no result: {path.outcome}")
    return _merged(exploration.paths, 0)


def _merged(paths: tuple[Path, ...], depth: int) -> Any:
    """The paths agree on their first `depth` decisions and, being depth first, split once at the next."""
    first = paths[0]
    if len(paths) == 1:
        return first.outcome
    term, side = first.decisions[depth]
    split = next((n for n, path in enumerate(paths) if path.decisions[depth][1] != side), len(paths))
    here = _merged(paths[:split], depth + 1)
    if split == len(paths):
        return here
    there = _merged(paths[split:], depth + 1)
    return choose(truth(term), here, there) if side else choose(truth(term), there, here)


def summarise(function: Callable[..., Any], *arguments: Any, assumptions: Iterable[Any] = ()) -> Any:
    """The function's value at symbolic arguments as one merged formula, explored once and branching nowhere."""
    return merge(explore(lambda: function(*arguments), assumptions))


_LANGUAGE = (
    *(f"engines/{name}.py" for name in ("branches", "symbolic", "pieces", "terms", "explorer")),
    "spec/words.py",
)


def _asking_line() -> str:
    """The innermost source line that asks for the branch, outside the word language itself."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.replace("\\", "/").endswith(_LANGUAGE):
        frame = frame.f_back
    return _line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _raising_line(exception: Exception) -> str:
    trace = exception.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    code = trace.tb_frame.f_code
    where = _line(code.co_filename, trace.tb_lineno, code.co_name)
    exception.__traceback__ = None
    return where


def _line(file: str, line: int, function: str) -> str:
    path = FilePath(file)
    return f"{path.parent.name}/{path.name}:{line} {function}"
