"""The properties of time.

That an access of a guest to the physical timer traps, and what becomes of it, is `trap_completeness.confined`.
"""

from properties.property import Property
from properties.time import delivery, host, timers, virtual
from properties.time.inductive import INDUCTIVE

PROPERTIES: tuple[Property, ...] = (
    *virtual.PROPERTIES,
    *timers.PROPERTIES,
    *host.PROPERTIES,
    *delivery.PROPERTIES,
)
"""What a trace can violate; the search for counterexamples asks for these."""
DEPENDS = ("timer",)
"""The parts of a design that time depends on."""
ALL: tuple[Property, ...] = (*PROPERTIES, INDUCTIVE)
"""With the invariants that the proofs rest on."""
