"""Obligations of an induction: one case each, and what comes of it."""

from collections.abc import Callable

from attrs import frozen


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


@frozen
class Obligation:
    """One case before it is settled."""

    name: str
    settle: Callable[[], Settled]
    depends: bool = False
    """Whether it depends on which properties are asked."""
