"""The properties of interrupts, and the invariants that their proofs rest on.

That no guest reaches the hardware of the distributor, of GICC or of GICH is `memory.isolated`; that a physical
interrupt takes a guest out is `trap_completeness.interrupts_reach_host`.
"""

from properties.interrupts import contents, delivery, distributor, exits, loads, progress, stays, stores
from properties.interrupts.inductive import INDUCTIVE
from properties.property import Property

PROPERTIES: tuple[Property, ...] = (
    *delivery.PROPERTIES,
    progress.UNSTUCK,
    *contents.PROPERTIES,
    *stays.PROPERTIES,
    *exits.PROPERTIES,
    *distributor.PROPERTIES,
    *stores.PROPERTIES,
    *loads.PROPERTIES,
)
"""What a trace can violate; the search for counterexamples asks for these."""
DEPENDS = ("vgic",)
"""The parts of a design that interrupts depend on."""
ALL: tuple[Property, ...] = (*PROPERTIES, progress.PROGRESS, INDUCTIVE)
"""With what is only proved, and the invariants that the proofs rest on."""
