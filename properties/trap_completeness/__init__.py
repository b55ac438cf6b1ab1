"""Trap completeness: whatever a guest does is its own affair, is virtualised, or is seen by the hypervisor."""

from properties.trap_completeness.confinement import CONFINED, INDEPENDENT
from properties.trap_completeness.handling import CONDITION, HANDLED, PROGRESS, SKIPPED, SYNDROME
from properties.trap_completeness.injection import INJECTED
from properties.trap_completeness.routing import HOST_UNTRAPPED, INTERRUPTS, MAINTENANCE, NEEDLESS, UNFORESEEN, WAITS

PROPERTIES = (
    CONFINED,
    INDEPENDENT,
    WAITS,
    INTERRUPTS,
    MAINTENANCE,
    SYNDROME,
    HANDLED,
    PROGRESS,
    INJECTED,
    SKIPPED,
    CONDITION,
    NEEDLESS,
    HOST_UNTRAPPED,
    UNFORESEEN,
)
