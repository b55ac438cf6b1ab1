"""Questions with many assumptions, few of which matter: asked with the nearest first, more as a solution breaks them.

A question is a formula that ought to have no solution. Which way of asking is quick cannot be told beforehand, so there
are several, each with a limit; an answer of any of them is one.
"""

from collections.abc import Sequence
from typing import Any

import z3
from attrs import frozen

AT_ONCE = 8
"""How many broken assumptions are added before it is asked again."""


@frozen
class Attempt:
    """One way to ask: with how much work of the solver a check, in its own units, and with which parameters."""

    work: int
    gradually: bool
    """Whether assumptions are added only as a solution breaks them."""
    parameters: dict[str, Any] | None
    """None for functions made words that agree where their arguments do, and words made bits, for a SAT solver."""


QUICK = {"relevancy": 0, "phase_selection": 0}
ATTEMPTS = (
    Attempt(1_000_000, True, QUICK),
    Attempt(6_000_000, False, QUICK),
    Attempt(6_000_000, True, {"relevancy": 1}),
    Attempt(20_000_000, True, QUICK),
    Attempt(30_000_000, False, QUICK),
    Attempt(30_000_000, True, {"random_seed": 7}),
    Attempt(60_000_000, True, {"random_seed": 3, **QUICK}),
    Attempt(400_000_000, False, None),
)
WARM = 3_000_000
"""The work for a question to a solver that has seen the assumptions and other questions before."""
WHOLE = 100_000_000
"""The work for a question about all goals of a case together."""


def of_attempt(attempt: Attempt) -> Any:
    """A solver for an attempt. Work, unlike time, is the same on every machine: so is the answer."""
    if attempt.parameters is None:
        functions = z3.With("ackermannize_bv", div0_ackermann_limit=10_000_000)
        before = ("simplify", "propagate-values", "solve-eqs")
        made = z3.Then(*before, functions, *before, "bit-blast", "simplify", "sat").solver()
        made.set("rlimit", attempt.work)
        return made
    made = z3.SimpleSolver()
    made.set(rlimit=attempt.work, **attempt.parameters)
    return made


def decided(question: Any, given: Sequence[Any], near: Sequence[Any] = ()) -> Any:
    """Whether a question has a solution under assumptions, by the first attempt that says so.

    `near` are those of the assumptions that are likely to be needed.
    """
    for attempt in ATTEMPTS:
        made = of_attempt(attempt)
        made.add(question, *(near if attempt.gradually else given))
        answer = missed(made, given, near) if attempt.gradually else made.check()
        if answer != z3.unknown:
            return answer
    return z3.unknown


def missed(made: Any, given: Sequence[Any], near: Sequence[Any]) -> Any:
    """The answer under as many assumptions as it takes: some that a solution breaks are added each time."""
    known = {term.get_id() for term in near}
    left = [term for term in given if term.get_id() not in known]
    while (answer := made.check()) == z3.sat:
        model = made.model()
        broken: list[Any] = []
        spared: list[Any] = []
        for term in left:
            more = len(broken) < AT_ONCE and not z3.is_true(model.eval(term, model_completion=True))
            (broken if more else spared).append(term)
        if not broken:
            break
        made.add(*broken)
        left = spared
    return answer


def conjuncts(terms: Sequence[Any]) -> list[Any]:
    """The terms with every conjunction taken apart, each once, in their order."""
    found: dict[int, Any] = {}
    pending = list(reversed(terms))
    seen = set[int]()
    while pending:
        term = pending.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        if z3.is_and(term):
            pending += reversed(term.children())
        elif not z3.is_true(term):
            found[term.get_id()] = term
    return list(found.values())


def clauses(goal: Any) -> list[Any]:
    """A goal taken apart: formulas that hold together exactly where it does, each smaller than the goal."""
    found: list[Any] = []
    pending = [goal]
    while pending:
        term = pending.pop()
        if z3.is_and(term):
            pending += reversed(term.children())
        elif z3.is_app_of(term, z3.Z3_OP_ITE):
            condition, one, other = term.children()
            pending += [z3.Or(condition, other), z3.Or(z3.Not(condition), one)]
        elif (split := inner(term)) is not None:
            rest, parts = split
            pending += [z3.Or(*rest, part) for part in reversed(parts)]
        elif not z3.is_true(term):
            found.append(term)
    return found


def inner(term: Any) -> tuple[list[Any], list[Any]] | None:
    """Of a disjunction with one member that can be taken apart: the other members, and that one's parts."""
    members = flat(term)
    apart = [member for member in members if z3.is_and(member) or z3.is_app_of(member, z3.Z3_OP_ITE)]
    if len(members) == 1 or len(apart) != 1:
        return None
    rest = [member for member in members if member is not apart[0]]
    if z3.is_and(apart[0]):
        return rest, apart[0].children()
    condition, one, other = apart[0].children()
    return rest, [z3.Or(condition, other), z3.Or(z3.Not(condition), one)]


def flat(term: Any) -> list[Any]:
    """The members of a disjunction, with those of disjunctions and of negated conjunctions in it."""
    if z3.is_or(term):
        return [member for child in term.children() for member in flat(child)]
    if z3.is_not(term) and z3.is_and(term.arg(0)):
        return [member for child in term.arg(0).children() for member in flat(z3.Not(child))]
    if z3.is_not(term) and z3.is_not(term.arg(0)):
        return flat(term.arg(0).arg(0))
    return [term]


Way = tuple[Sequence[Any], Sequence[Any]]
"""One way that things can go: its conditions, and goals that ought to hold on it."""


def at_once(given: Sequence[Any], ways: Sequence[Way]) -> Any:
    """Whether a goal can be false on any of several ways under common assumptions, asked as one question.

    Most goals hold, and to find that all do takes a solver little more than to find it of one.
    """
    made = z3.SimpleSolver()
    made.set(rlimit=WHOLE, **QUICK)
    made.add(*given, z3.Or(*(z3.And(*conditions, z3.Not(z3.And(*goals))) for conditions, goals in ways)))
    return made.check()


class Asked:
    """Goals under the same assumptions, one after the other."""

    def __init__(self, given: Sequence[Any]) -> None:
        self.given = conjuncts(given)
        self._warm = z3.SimpleSolver()
        self._warm.set(rlimit=WARM, **QUICK)
        self._warm.add(*self.given)

    def learn(self, fact: Any) -> None:
        """From now on a fact is known, which must follow from the assumptions."""
        self.given += conjuncts([fact])
        self._warm.add(fact)

    def answer(self, goal: Any, near: Sequence[Any] = ()) -> Any:
        """Whether a goal can be false: `z3.sat`, `z3.unsat` or `z3.unknown`; asked part by part.

        A part that is an assumption itself need not be asked. `near` are assumptions that are likely to be needed.
        """
        known = {term.get_id() for term in self.given}
        parts = [part for whole in conjuncts([goal]) if whole.get_id() not in known for part in clauses(whole)]
        answers = [self._part(z3.Not(part), near) for part in parts]
        if z3.sat in answers:
            return z3.sat
        return z3.unsat if all(each == z3.unsat for each in answers) else z3.unknown

    def _part(self, question: Any, near: Sequence[Any]) -> Any:
        self._warm.push()
        self._warm.add(question)
        answer = self._warm.check()
        self._warm.pop()
        return answer if answer != z3.unknown else decided(question, self.given, near)
