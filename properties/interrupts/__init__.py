"""The properties of interrupts.

That no guest reaches the hardware of the distributor, of GICC or of GICH is `memory.isolated`; that a physical
interrupt takes a guest out is `trap_completeness.interrupts_reach_host`.
"""

from properties.interrupts import contents, delivery, distributor, loads, stays
from properties.property import Property

PROPERTIES: tuple[Property, ...] = (
    *delivery.PROPERTIES,
    *contents.PROPERTIES,
    *stays.PROPERTIES,
    *distributor.PROPERTIES,
    *loads.PROPERTIES,
)
"""What a trace can violate; the search for counterexamples asks for these."""
