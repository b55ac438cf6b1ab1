"""Tables of routines step by step: those of the reference beside those of Linux 3.12."""

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum
from typing import Any

from properties.docs import markdown as md
from properties.docs.differences import aligned, variations
from properties.docs.modules import cited, path

Steps = tuple[Any, ...]
HEADINGS = ("", "Step", "What it does", "Or goes on with", "Linux 3.12", "Changed by", "Source")


def table(ours: Steps, theirs: Steps, field: str, rules: Mapping[Any, Any], elsewhere: Callable[[int], str]) -> str:
    """A routine's steps, each with its rule and source and where Linux 3.12 differs.

    `field` is the design's, for what changes it; `elsewhere` says where the step at a position may go on instead.
    """
    return md.table(HEADINGS, _rows(ours, theirs, field, rules, elsewhere))


def _rows(
    ours: Steps, theirs: Steps, field: str, rules: Mapping[Any, Any], elsewhere: Callable[[int], str]
) -> Iterator[tuple[str, ...]]:
    position = 0
    for original, repaired in aligned(theirs, ours):
        step = repaired or original
        assert step is not None
        position += repaired is not None
        yield (
            str(position) if repaired else "",
            md.code(step.name),
            _does(step, rules) if repaired else "at another place" if step in ours else "not in the reference",
            elsewhere(position - 1) if repaired else "",
            _compared(repaired, original, theirs),
            variations((field, step.name)),
            md.cell(cited(step.sources)),
        )


def _does(step: Any, rules: Mapping[Any, Any]) -> str:
    """What a step does, as a link to its rule."""
    rule = rules[step.do]
    return md.link(md.cell(step.do.value), path(rule.__module__), rule.__name__)


def _compared(repaired: Any, original: Any, theirs: Steps) -> str:
    if original is None:
        return "at another place" if repaired in theirs else "absent"
    return "same" if repaired is not None and repaired.do is original.do else md.cell(original.do.value)


def known(steps: Steps, facts: type[Enum], before: Callable[[int], Collection[Any]]) -> str:
    """What is known before each step of a routine, by its position."""
    return md.table(
        ("Step", "Known before it"),
        (
            (md.code(step.name), md.codes(fact.name for fact in facts if fact in before(number)) or "nothing")
            for number, step in enumerate(steps)
        ),
    )


def meanings(members: type[Enum]) -> str:
    """The members of an enumeration with what they mean."""
    return md.table(("Fact", "Meaning"), ((md.code(member.name), md.cell(member.value)) for member in members))
