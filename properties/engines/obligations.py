"""Obligations of an induction: one case each, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from attrs import frozen

from model.design import Design
from model.state import State
from model.topology import TOPOLOGIES, initial
from properties.property import Kind, Property


@frozen
class Finding:
    """What is wrong in one case: the property, and the invariant or the exception, decided or not."""

    prop: str
    case: str
    label: str
    decided: bool


@frozen
class Settled:
    """What came of one case: its paths, how often each property was asked, what failed, and whether it is empty."""

    paths: int
    asked: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]
    vacuous: bool


def together(one: Settled, other: Settled) -> Settled:
    """What came of two cases that are one question; where one of them is empty, nothing was found out."""
    counts = dict(other.asked)
    asked = tuple((name, count + counts.get(name, 0)) for name, count in one.asked)
    paths, findings = one.paths + other.paths, one.findings + other.findings
    return Settled(paths, asked, findings, one.vacuous or other.vacuous)


@frozen
class Obligation:
    """One case before it is settled."""

    name: str
    settle: Callable[[], Settled]
    depends: bool = False
    """Whether it depends on which properties are asked."""


class Case(Protocol):
    """One action from any state."""

    @property
    def name(self) -> str:
        """What it is told by."""

    @property
    def action(self) -> Any:
        """The action, or None."""


def of_cases(
    part: str,
    design: Design,
    cases: Sequence[Case],
    properties: Sequence[Property],
    kept: Callable[[Design, Any], Settled],
    meets: Callable[[Design, tuple[Property, ...], Any], Settled],
    follows: Callable[[Design, Property], Settled],
) -> list[Obligation]:
    """What an induction asks behind its beginning: whether each case keeps the invariants, and meets the properties of
    steps, and whether the properties of states follow."""
    found = [Obligation(f"{part}: {case.name}", partial(kept, design, case)) for case in cases]
    for case in cases:
        asked = tuple(p for p in properties if p.kind is not Kind.STATE and isinstance(case.action, p.about))
        if asked:
            found.append(Obligation(f"{part}: steps at {case.name}", partial(meets, design, asked, case), depends=True))
    for prop in properties:
        if prop.kind is Kind.STATE:
            found.append(Obligation(f"{part}: {prop.id} in any state", partial(follows, design, prop)))
    return found


def at_start(part: str, design: Design, of: Any, told: tuple[str, ...], invariants: Mapping[str, Any]) -> Settled:
    """Whether the invariants hold of a part in each stated configuration at its start; `of` is the part's design, and
    `told` are the properties that what fails is told of."""
    starts = {name: getattr(initial(topology, design), part) for name, topology in TOPOLOGIES.items()}
    there = {name: state for name, state in starts.items() if state is not None}
    wrong = tuple(
        Finding(prop, "at the start", f"{name} in {where}", True)
        for where, state in there.items()
        for name, invariant in invariants.items()
        if not invariant(of, state)
        for prop in told
    )
    count = len(there) * len(invariants)
    return Settled(1, tuple((prop, count) for prop in told), wrong, count == 0)


def holds(part: str, design: Design, prop: Property, action: Any, before: Any, after: Any) -> Any:
    """Whether a property holds of a step of states of which one part is all there is."""
    return prop.holds(design, within(part, before), action, within(part, after))


def within(part: str, state: Any) -> State:
    """A state of which one part is all there is."""
    return State((), (), (), **{part: state})
