"""Where rules on symbolic values need an answer: branches, which an exploration decides, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NoReturn


class NotLiftable(Exception):
    """A rule did something that has no meaning on symbolic words: a defect of the rule, never an outcome of it."""


class _Deciders(threading.local):
    def __init__(self) -> None:
        self.stack: list[Callable[[Any], bool]] = []


DECIDERS = _Deciders()
"""The explorations under way on this thread, innermost last; each answers which way a branch goes."""


def decide(term: Any) -> bool:
    """Which way a branch on a formula goes, as the innermost exploration says; without one it is refused."""
    if not DECIDERS.stack:
        raise NotLiftable(
            "a branch on a symbolic value outside an exploration: use explore(...), or every/either/negate/choose"
        )
    return DECIDERS.stack[-1](term)


def refusal(advice: str) -> Callable[..., Any]:
    """An operator that a symbolic value does not have, and what to write instead."""

    def refuse(self: Any, *_: Any) -> NoReturn:
        raise NotLiftable(f"{type(self).__name__}: {advice}")

    return refuse
