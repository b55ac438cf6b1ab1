"""The properties of Hyp mode's set-up: vectors, tables and registers of each processor, hotplug and suspend."""

from properties.hyp import setup
from properties.property import Property

PROPERTIES: tuple[Property, ...] = setup.PROPERTIES
"""What a trace can violate; the search for counterexamples asks for these."""
