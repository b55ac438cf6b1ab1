"""The configurations of power that are explored completely: a topology, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from model.power.state import Reg
from properties.engines.parts.part import Situation
from properties.power.domain import PowerDomain
from properties.power.scenarios import HYP_CPSR, OFF, OTHER_ENTRY, SCENARIOS, STOP, SYSTEM_CPSR, TWO, on

CONFIGURATIONS: Mapping[str, Situation] = MappingProxyType(
    {
        "racing": SCENARIOS["racing"],
        "stopping and starting": SCENARIOS["stopping and starting"],
        "on and off": Situation(
            "power",
            PowerDomain(
                "two vCPUs on two processors, one of which goes off, waits and is started, with signals", runs=TWO,
                calls=((0, on(1, big=1)), (0, on(9)), (1, OFF)), waits=((1, 1),), signals=(1,),
            ),
        ),
        "stopping": Situation(
            "power-on",
            PowerDomain(
                "two vCPUs on two processors, one of which switches the machine off, which user space starts again",
                runs=TWO, calls=((0, STOP), (1, OFF)), inits=((0, 0, 0), (1, 1, 0)), switches=(1,),
            ),
        ),
        "restoring": SCENARIOS["restoring"],
        "new": SCENARIOS["new"],
        "life": Situation(
            "power-one",
            PowerDomain(
                "one vCPU that user space saves, restores, initialises again and ends", runs=((0, 0),), signals=(0,),
                calls=((0, OFF),), waits=((0, 1),), inits=((0, 0, 0), (0, 1, 0)),
                gets=tuple((0, reg) for reg in Reg),
                sets=((0, Reg.CPSR, HYP_CPSR), (0, Reg.CPSR, SYSTEM_CPSR), (0, Reg.PC, OTHER_ENTRY)),
                ends=(0,),
            ),
        ),
    }
)  # fmt: skip
"""What is explored, completely, where nobody asks for another configuration."""
