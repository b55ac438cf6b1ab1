"""Questions with many assumptions, few of which matter: asked with the nearest first, more as a solution breaks them.

A question is a formula that ought to have no solution. Which way of asking is quick cannot be told beforehand, so there
are several, each with a limit; an answer of any of them is one.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import z3
from attrs import evolve, frozen

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


QUICK = {"relevancy": 0}
ATTEMPTS = (
    Attempt(1_000_000, True, QUICK),
    Attempt(6_000_000, False, QUICK),
    Attempt(6_000_000, True, {"relevancy": 1}),
    Attempt(30_000_000, False, {"relevancy": 0, "phase_selection": 0}),
    Attempt(400_000_000, False, None),
)
TOGETHER, PART = 20_000_000, 3_000_000
"""The work for many goals at once, and for a part of one or for few, in a solver that has seen all assumptions."""


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


def decided(
    question: Any, given: Sequence[Any], near: Sequence[Any] = (), attempts: Sequence[Attempt] = ATTEMPTS
) -> Any:
    """Whether a question has a solution under assumptions, by the first attempt that says so.

    `near` are those of the assumptions that are likely to be needed.
    """
    for attempt in attempts:
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


@frozen
class Question:
    """Whether a goal can be false under a condition."""

    about: str
    """What is false if it can."""
    name: str
    condition: tuple[Any, ...]
    goal: Any
    near: tuple[Any, ...] = ()
    """Assumptions that are likely to be needed."""

    @property
    def refuted(self) -> Any:
        """That the condition holds and the goal does not, as a formula."""
        return z3.And(*self.condition, z3.Not(self.goal))


class Asked:
    """Questions under the same assumptions: many at once, and those that are not settled so by halves."""

    def __init__(self, given: Sequence[Any]) -> None:
        self.given = conjuncts(given)
        self._warm = z3.SimpleSolver()
        self._warm.set(**QUICK)
        self._warm.add(*self.given)

    def learn(self, fact: Any) -> None:
        """From now on a fact is known, which must follow from the assumptions."""
        self.given += conjuncts([fact])
        self._warm.add(fact)

    def failing(self, questions: Sequence[Question], together: bool = True) -> Iterator[tuple[Question, Any]]:
        """The questions of which a goal can be false, or that nothing decides, each with `z3.sat` or `z3.unknown`.

        Most goals hold, and to find that all do takes a solver little more than to find it of one: they are asked all
        at once, then all of one condition, and one by one only where that does not settle them, or right away unless
        `together`. Of what is known to be false nothing more is asked.
        """
        left = [question for question in map(self._unknown, questions) if question is not None]
        if together and self._all_hold(left, TOGETHER):
            return
        false = set[str]()
        groups = [list(group) for _, group in groupby(left, lambda question: id(question.condition))]
        for group in groups:
            alike = [question for question in group if question.about not in false]
            for question in () if together and len(groups) > 1 and self._all_hold(alike, TOGETHER) else alike:
                answer = z3.unsat if question.about in false else self.answer(question)
                false |= {question.about} if answer == z3.sat else set()
                if answer != z3.unsat:
                    yield question, answer

    def plainly_hold(self, questions: Sequence[Question]) -> bool:
        """Whether no goal can be false, as far as little work tells."""
        return self._all_hold([question for question in map(self._unknown, questions) if question is not None], PART)

    def _unknown(self, question: Question) -> Question | None:
        """The question without the parts of its goal that are assumptions themselves; None where nothing is left."""
        known = {term.get_id() for term in self.given}
        parts = [part for part in conjuncts([question.goal]) if part.get_id() not in known]
        return evolve(question, goal=z3.And(*parts)) if parts else None

    def _all_hold(self, questions: Sequence[Question], work: int) -> bool:
        refuted = [question.refuted for question in questions]
        return not refuted or bool(self._check(z3.Or(*refuted), work) == z3.unsat)

    def answer(self, question: Question) -> Any:
        """Whether a goal can be false: `z3.sat`, `z3.unsat` or `z3.unknown`; asked part by part."""
        left = self._unknown(question)
        parts = [] if left is None else [part for whole in conjuncts([left.goal]) for part in clauses(whole)]
        answers = [self._part(evolve(question, goal=part)) for part in parts]
        if z3.sat in answers:
            return z3.sat
        return z3.unsat if all(each == z3.unsat for each in answers) else z3.unknown

    def holds(self, goal: Any, near: Sequence[Any] = ()) -> Any:
        """The same of one goal under no other condition than the assumptions."""
        return self.answer(Question("", "", (), goal, tuple(near)))

    def _part(self, question: Question) -> Any:
        answer = self._check(question.refuted, PART)
        if answer != z3.unknown:
            return answer
        near = [*question.condition, *question.near]
        return decided(z3.Not(question.goal), [*question.condition, *self.given], near)

    def _check(self, refuted: Any, work: int) -> Any:
        self._warm.set(rlimit=work)
        self._warm.push()
        self._warm.add(refuted)
        answer = self._warm.check()
        self._warm.pop()
        return answer
