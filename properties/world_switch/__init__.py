"""The world switch: each world finds again what it left, and neither ever runs with the other's configuration."""

from properties.world_switch.guest import GUEST_PRESERVED, MONITOR_CLEARED, VFP_ISOLATED, VGIC_PRESERVED
from properties.world_switch.host import CONFIGURED, HOST_RESTORED, SHADOW_IDS
from properties.world_switch.hyp import CONTAINED, HOST_SURVIVES, HYP_UNAFFECTED, NO_EXCEPTION

PROPERTIES = (
    HOST_RESTORED,
    CONFIGURED,
    GUEST_PRESERVED,
    VGIC_PRESERVED,
    VFP_ISOLATED,
    MONITOR_CLEARED,
    SHADOW_IDS,
    HYP_UNAFFECTED,
    HOST_SURVIVES,
    NO_EXCEPTION,
    CONTAINED,
)
