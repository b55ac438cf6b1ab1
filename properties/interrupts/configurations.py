"""The configurations of interrupts that are explored completely: a topology, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from model.vgic.system import GuestExits, GuestPowersOff, GuestWaits
from properties.engines.parts.part import Situation
from properties.interrupts.domain import InterruptDomain, store
from properties.interrupts.scenarios import (
    DISABLE,
    ENABLE,
    FALL,
    LEVEL,
    OFF,
    ON,
    PULSE,
    RISE,
    SCENARIOS,
    TARGET,
    sgi,
)

CONFIGURATIONS: Mapping[str, Situation] = MappingProxyType(
    {
        "three-preempted": Situation(
            "interrupts",
            InterruptDomain(
                "two vCPUs that move between two processors, wait, exit and are preempted, one of which gets an SGI of "
                "the other one, an edge-triggered and a level-sensitive interrupt in two list registers",
                runs=((0, 0), (0, 1), (1, 0), (1, 1)), lines=(*PULSE, RISE, FALL), guests=(GuestExits, GuestWaits),
                accesses=((1, sgi(0b01)),), preempts=(0, 1), coarse=True,
            ),
            named=True,
        ),
        "three-interrupts": Situation(
            "interrupts",
            InterruptDomain(
                "two vCPUs on two processors that wait and exit, one of which gets an SGI of the other one, an "
                "edge-triggered and a level-sensitive interrupt in two list registers",
                runs=((0, 0), (1, 1)), lines=(*PULSE, RISE, FALL), guests=(GuestExits, GuestWaits),
                accesses=((1, sgi(0b01)),), coarse=True,
            ),
            named=True,
        ),
        "preempted": Situation(
            "interrupts",
            InterruptDomain(
                "two vCPUs that move between two processors, wait and are preempted, one of which gets an SGI of the "
                "other one and a level-sensitive interrupt",
                runs=((0, 0), (0, 1), (1, 0), (1, 1)), lines=(RISE, FALL), guests=(GuestExits, GuestWaits),
                accesses=((1, sgi(0b01)),), preempts=(0, 1), coarse=True,
            ),
            named=True,
        ),
        "moving": Situation(
            "interrupts-moving",
            InterruptDomain(
                "two vCPUs that take turns on a processor, and an SPI that moves from one to the other",
                runs=((0, 0), (0, 1)), lines=PULSE[:1], guests=(GuestWaits,),
                accesses=((0, store(TARGET, 0b10, 1)),),
            ),
        ),
        "two-vms": Situation(
            "interrupts-two-vms",
            InterruptDomain(
                "two VMs on one processor, each with a level-sensitive interrupt",
                runs=((0, 0), (0, 1)), lines=(RISE,), guests=(GuestWaits,), vms=(0, 1),
            ),
        ),
        "registers": Situation(
            "interrupts-one",
            InterruptDomain(
                "one vCPU that disables, enables and clears its interrupt, and its distributor",
                runs=((0, 0),), lines=(RISE, FALL), guests=(GuestWaits,),
                accesses=(
                    (0, store(DISABLE, LEVEL)), (0, store(ENABLE, LEVEL)), (0, store(0x284, LEVEL)),
                    (0, OFF), (0, ON),
                ),
            ),
        ),
        "loads": SCENARIOS["loading"],
        "overflow": Situation(
            "interrupts-one-list",
            InterruptDomain(
                "one list register for two interrupts",
                runs=((0, 0),), lines=(PULSE[0], RISE, FALL), guests=(GuestWaits,),
            ),
        ),
        "power": Situation(
            "interrupts-sgi",
            InterruptDomain(
                "two vCPUs on two processors, one of which powers off and is powered on",
                runs=((0, 0), (1, 1)), guests=(GuestPowersOff,), powers=((0, 1),),
            ),
        ),
        "edge": Situation(
            "interrupts-edge",
            InterruptDomain(
                "one vCPU with an edge-triggered interrupt, signals, and physical interrupts",
                runs=((0, 0),), lines=PULSE[:1], guests=(GuestExits, GuestWaits), preempts=(0,), arrivals=(0,),
                signals=(0,),
            ),
        ),
        "level": Situation(
            "interrupts-level",
            InterruptDomain(
                "one vCPU on two processors, with a level-sensitive interrupt",
                runs=((0, 0), (1, 0)), lines=(RISE, FALL), guests=(GuestExits, GuestWaits), preempts=(0, 1),
            ),
        ),
        "sgi": Situation(
            "interrupts-sgi",
            InterruptDomain(
                "two vCPUs on two processors, one of which sends SGIs to the other",
                runs=((0, 0), (1, 1)), accesses=((0, sgi(0b10)),),
            ),
        ),
    }
)  # fmt: skip
"""What is explored, completely; what takes long only where it is asked for by name."""
