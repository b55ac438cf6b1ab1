"""For each part of the system what its traces say: one module that tells its actions, its changes and its variables."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from model.design import Design
from properties.traces import hyp, interrupts, memory, power, time
from properties.traces.changes import Change
from spec.citations import Citation


class Teller(Protocol):
    """What a trace says of a part."""

    APART: str
    """The name of a lane that is no processor's, with a place for its number."""

    def told(self, design: Design, before: Any, action: Any, after: Any) -> tuple[str, str, Any]:
        """Who acts, what it does in words, and the rule that says so."""

    def sources_of(self, design: Design, before: Any, action: Any, rule: Any) -> tuple[Citation, ...]:
        """The sources of an action."""

    def changes(self, before: Any, after: Any) -> list[Change]:
        """Everything that a step changed, in words."""

    def variables(self, design: Design, state: Any) -> dict[str, Any]:
        """The variables of a state for other tools: numbers and texts by name."""


TELLERS: Mapping[str, Teller] = MappingProxyType(
    {"memory": memory, "interrupts": interrupts, "time": time, "power": power, "hyp": hyp}
)
"""By the part's name."""
