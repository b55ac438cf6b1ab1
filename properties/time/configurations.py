"""The configurations of time that are explored completely: a topology, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from properties.engines.parts.part import Situation
from properties.time.domain import TimeDomain

CONFIGURATIONS: Mapping[str, Situation] = MappingProxyType(
    {
        "siblings": Situation(
            "time-siblings",
            TimeDomain("two vCPUs of a VM that take turns on a processor", runs=((0, 0), (0, 1)), ctls=(1,)),
        ),
        "two-vms": Situation(
            "time-two-vms",
            TimeDomain("two VMs that take turns on a processor", runs=((0, 0), (0, 1)), ctls=(1,)),
        ),
        "foreign": Situation(
            "time-foreign",
            TimeDomain(
                "a VM without the in-kernel timer beside one with it",
                runs=((0, 0), (0, 1)), ctls=(1,), tvals=(), exits=(False,), preempts=True, late=True,
            ),
        ),
        "moving": Situation(
            "time-moving",
            TimeDomain(
                "one vCPU that is preempted and moves between two processors",
                runs=((0, 0), (1, 0)), ctls=(1,), preempts=True,
            ),
        ),
        "one": Situation(
            "time-one",
            TimeDomain(
                "one vCPU, its clock stepped, its interrupt disabled and late, signals, every step of the world switch",
                runs=((0, 0),), ctls=(0, 1, 3), exits=(True,), reads=True, enables=(0, 1), preempts=True,
                signals=(0,), steps_clock=True, late=True, merges=False,
            ),
        ),
    }
)  # fmt: skip
"""What is explored, completely, where nobody asks for another configuration."""
