"""The properties of the memory system, and the invariants that their proofs rest on."""

from properties.memory import accesses, ownership, tables, translations
from properties.memory.inductive import INDUCTIVE
from properties.property import Property

PROPERTIES: tuple[Property, ...] = (
    *accesses.PROPERTIES,
    *tables.PROPERTIES,
    *translations.PROPERTIES,
    *ownership.PROPERTIES,
)
"""What a trace can violate; the search for counterexamples asks for these."""
DEPENDS = ("memory", "trap")
"""The parts of a design that the memory system depends on."""
ALL: tuple[Property, ...] = (*PROPERTIES, INDUCTIVE)
"""With the invariants that the proofs rest on, which say more than any of these and nothing to a reader of a trace."""
