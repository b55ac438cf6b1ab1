"""What a fault is: a named variation of the reference, and what it touches."""

from collections.abc import Callable

from attrs import field, frozen

from model.design import Design
from spec.citations import Citation


@frozen
class Fault:
    """One wrong design: an id, the design element it takes away or spoils, and how to plant it."""

    id: str
    element: str
    statement: str
    sources: tuple[Citation, ...]
    plant: Callable[[Design], Design]
    touches: frozenset[str] = field(default=frozenset())
    """What tells which operations matter: names of `spec.registers`, and ids of control bits such as `HCR.TWI`."""
    family: str = field(default="element")
    scenarios: tuple[str, ...] = field(default=())
    """For a fault of memory management: the situations in which it is looked for, `properties.engines` has them."""
    depth: int = 5
    """How many chosen actions its shortest counterexample may take."""


@frozen
class Excuse:
    """Why a fault that is neither caught nor proved equivalent may stand."""

    reason: str
    sources: tuple[Citation, ...]
