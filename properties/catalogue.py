"""Every property once."""

from collections.abc import Mapping
from types import MappingProxyType

from properties import (
    classification,
    hyp,
    interrupts,
    memory,
    mmio,
    power,
    specification,
    split_mode,
    table1,
    time,
    trap_completeness,
    world_switch,
)
from properties.property import Property

PROPERTIES: tuple[Property, ...] = (
    *trap_completeness.PROPERTIES,
    *world_switch.PROPERTIES,
    *split_mode.PROPERTIES,
    *memory.ALL,
    *interrupts.ALL,
    *time.ALL,
    *power.PROPERTIES,
    *hyp.PROPERTIES,
    *mmio.PROPERTIES,
    *specification.PROPERTIES,
    *classification.PROPERTIES,
    *table1.PROPERTIES,
)

PROPERTY: Mapping[str, Property] = MappingProxyType({prop.id: prop for prop in PROPERTIES})
