"""The properties of time.

That an access of a guest to the physical timer traps, and what becomes of it, is `trap_completeness.confined`.
"""

from properties.property import Property
from properties.time import delivery, host, timers, virtual

PROPERTIES: tuple[Property, ...] = (
    *virtual.PROPERTIES,
    *timers.PROPERTIES,
    *host.PROPERTIES,
    *delivery.PROPERTIES,
)
"""What a trace can violate; the search for counterexamples asks for these."""
