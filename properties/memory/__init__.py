"""The properties of the memory system, and the invariants that their proofs rest on."""

from properties.memory import accesses, ownership, tables, translations
from properties.memory.inductive import INDUCTIVE
from properties.property import Property

PROPERTIES: tuple[Property, ...] = (
    *accesses.PROPERTIES,
    *tables.PROPERTIES,
    *translations.PROPERTIES,
    *ownership.PROPERTIES,
    INDUCTIVE,
)
