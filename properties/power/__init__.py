"""The properties of power: PSCI, vCPUs that start and stop, what user space may do to them, and the end of a VM."""

from properties.power import psci, running, user
from properties.property import Property

PROPERTIES: tuple[Property, ...] = (*psci.PROPERTIES, *running.PROPERTIES, *user.PROPERTIES)
"""What a trace can violate; the search for counterexamples asks for these."""
