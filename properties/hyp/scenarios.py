"""The situations in which Hyp mode's set-up is searched and explored: a configuration, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from model.hyp.state import OBJECTS
from model.hyp.system import CpuComesOnline, CpuGoesOffline, CpuLosesPower
from properties.engines.parts.part import Situation
from properties.hyp.domain import HypDomain

ANY = (CpuComesOnline, CpuGoesOffline, CpuLosesPower)

SCENARIOS: Mapping[str, Situation] = MappingProxyType(
    {
        "starting KVM": Situation("hyp-one", HypDomain("KVM starts on one processor", pages=(OBJECTS,))),
        "starting KVM without Hyp mode": Situation(
            "hyp-none", HypDomain("KVM starts in a kernel that was not started in Hyp mode")
        ),
        "plugging in": Situation(
            "hyp-one-online", HypDomain("a second processor is plugged in", kinds=(CpuComesOnline,))
        ),
        "sleeping": Situation("hyp-one", HypDomain("a processor sleeps without power", kinds=(CpuLosesPower,))),
        "among objects": Situation(
            "hyp-among-objects",
            HypDomain(
                "the initialisation code's physical page is the address of a VM, and a processor is plugged in",
                kinds=(CpuComesOnline,), pages=(OBJECTS,), runs=False,
            ),
        ),
    }
)  # fmt: skip
"""Every situation by its name."""
CONFIGURATIONS: Mapping[str, Situation] = MappingProxyType(
    {
        "two processors": Situation(
            "hyp",
            HypDomain("two processors that are online when KVM starts, come, go and sleep", kinds=ANY, runs=False),
        ),
        "plugging in": Situation(
            "hyp-one-online",
            HypDomain("a second processor is plugged in and runs guests", kinds=ANY[:1], pages=(OBJECTS,)),
        ),
        "sleeping": Situation(
            "hyp-one", HypDomain("a processor sleeps, goes and comes", kinds=ANY, pages=(OBJECTS, OBJECTS + 1))
        ),
        "among objects": SCENARIOS["among objects"],
        "without Hyp mode": SCENARIOS["starting KVM without Hyp mode"],
    }
)
"""What is explored, completely, where nobody asks for another configuration."""
