"""The situations in which time is searched: a configuration, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from properties.engines.parts.part import Situation
from properties.time.domain import TimeDomain

ONE = ((0, 0),)
SCENARIOS: Mapping[str, Situation] = MappingProxyType(
    {
        "timer": Situation(
            "time-one",
            TimeDomain("a guest sets its timer and waits, or is left for something else", runs=ONE, exits=(False,)),
        ),
        "timer and user space": Situation(
            "time-one",
            TimeDomain("a guest sets its timer, and its vCPU goes to user space", runs=ONE, exits=(True,)),
        ),
        "timer and signals": Situation(
            "time-one",
            TimeDomain("a guest sets its timer, and signals reach its vCPU", runs=ONE, signals=(0,)),
        ),
        "clock": Situation(
            "time-one",
            TimeDomain("a guest sets its timer and waits, and the host's clock is stepped", runs=ONE, steps_clock=True),
        ),
        "disabling the timer's interrupt": Situation(
            "time-one",
            TimeDomain("a guest disables and enables interrupt 27", runs=ONE, enables=(0, 1), exits=(False,)),
        ),
        "masked timer": Situation(
            "time-one",
            TimeDomain("a guest masks its timer, on or off", runs=ONE, ctls=(0, 1, 2, 3), waits=False, exits=(False,)),
        ),
        "late timer": Situation(
            "time-one",
            TimeDomain("interrupt 27 comes late", runs=ONE, late=True, exits=(False,)),
        ),
        "preempted timer": Situation(
            "time-moving",
            TimeDomain(
                "the host takes the processor from a vCPU with a timer, and runs it on another one",
                runs=((0, 0), (1, 0)), preempts=True, exits=(False,),
            ),
        ),
        "two timers": Situation(
            "time-two-vms",
            TimeDomain(
                "two VMs with timers take turns on a processor", runs=((0, 0), (0, 1)), exits=(False,), preempts=True
            ),
        ),
        "foreign timer": Situation(
            "time-foreign",
            TimeDomain(
                "a VM without the in-kernel timer and one with it take turns on a processor",
                runs=((0, 0), (0, 1)), exits=(False,), late=True, preempts=True, tvals=(),
            ),
        ),
        "counter": Situation(
            "time-one", TimeDomain("a guest reads its counter", runs=ONE, reads=True, waits=False),
        ),
    }
)  # fmt: skip
"""Every situation by its name."""
