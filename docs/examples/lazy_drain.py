"""A fault path without the DSB between clearing a descriptor and invalidating translations."""

from attrs import evolve

from model.design import Variation, vary
from model.designs.catalogue import reference
from model.routines import without
from spec.citations import arm

LAZY_DRAIN = Variation("lazy-drain", "a fault does not wait until the cleared descriptor is seen", (arm("A3.8.3"),))

memory = reference().memory
DESIGN = vary(
    reference(),
    LAZY_DRAIN,
    memory=evolve(memory, fault=without(memory.fault, "fault: drain")),
)
