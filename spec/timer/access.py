"""Who may use the generic timer: CNTKCTL lets PL1 hand it to PL0, CNTHCTL lets Hyp mode keep the physical half of it.

CNTKCTL is asked first: what it denies to PL0 is UNDEFINED there and never reaches Hyp mode.
"""

from collections.abc import Mapping
from types import MappingProxyType

from spec.citations import arm, rule
from spec.coprocessor.row import Gate
from spec.words import U32, bit, bits

CNTKCTL: Mapping[str, int] = MappingProxyType(
    {"PL0PCTEN": 0, "PL0VCTEN": 1, "EVNTEN": 2, "EVNTDIR": 3, "EVNTI": 4, "PL0VTEN": 8, "PL0PTEN": 9}
)
"""The fields of CNTKCTL by their lowest bit; EVNTI has four bits."""
CNTHCTL: Mapping[str, int] = MappingProxyType({"PL1PCTEN": 0, "PL1PCEN": 1, "EVNTEN": 2, "EVNTDIR": 3, "EVNTI": 4})
"""The fields of CNTHCTL by their lowest bit; EVNTI has four bits."""
GATES: Mapping[Gate, int] = MappingProxyType(
    {Gate.PL0PCTEN: 1 << 0, Gate.PL0VCTEN: 1 << 1, Gate.PL0_ANY_COUNT: 0b11, Gate.PL0PTEN: 1 << 9, Gate.PL0VTEN: 1 << 8}
)
"""For each kind of access the bits of CNTKCTL of which one has to be set for PL0."""


@rule(arm("B8.1.3"), arm("B4.1.26"))
def granted(cntkctl: U32, gate: Gate) -> bool:
    """Whether CNTKCTL grants PL0 an access to the generic timer."""
    return cntkctl & GATES[gate] > 0


@rule(arm("B8.1.3"), arm("B4.1.22"))
def count_trapped(cnthctl: U32) -> bool:
    """Whether a Non-secure read of CNTPCT from PL1 or PL0 traps to Hyp mode."""
    return bit(cnthctl, CNTHCTL["PL1PCTEN"]) == 0


@rule(arm("B8.1.3"), arm("B4.1.22"))
def timer_trapped(cnthctl: U32) -> bool:
    """Whether a Non-secure access to CNTP_CTL, CNTP_CVAL or CNTP_TVAL from PL1 or PL0 traps to Hyp mode."""
    return bit(cnthctl, CNTHCTL["PL1PCEN"]) == 0


@rule(arm("B8.1.4"))
def event_bit(control: U32) -> U32:
    """EVNTI: the number of the counter's bit that the event stream follows."""
    return bits(control, 7, 4)
