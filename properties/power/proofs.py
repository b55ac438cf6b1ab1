"""The properties of power that are proved for single steps: all that they speak about, with every word arbitrary.

What makes words symbolic is imported where it is used: whoever lists properties needs no solver.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from attrs import evolve

from model.action import Action
from model.design import Design
from model.power.design import PROGRAMS, Do
from model.power.layout import Layout, initial_power
from model.power.state import PowerState
from model.power.system import PowerSteps, UserGetsRegister, UserInitsVcpu, UserSetsRegister
from model.state import State
from properties.engines.parts.part import Case
from spec.words import replaced

AGENT = 1
"""User space, behind the only processor."""


def any_state(design: Design) -> PowerState:
    """Any state of a machine with one processor, one VM and one vCPU, whose thread has the processor or has not."""
    from properties.engines.inputs import like

    start = initial_power(Layout(1, (1,)), design.power)
    free: PowerState = like(start).symbolic("power")
    core = evolve(free.cores[0], vcpu=0)
    vcpu = evolve(free.vcpus[0], vm=0, number=0)
    return evolve(free, cores=(core,), vcpus=(vcpu,))


def ioctls(*kinds: type[Action]) -> Callable[[Design], Iterator[Case]]:
    """Ioctls with arbitrary operands, from any state."""

    def cases(design: Design) -> Iterator[Case]:
        from properties.engines.formulas import variable

        widths = {"off": 1, "target": 8, "reg": 8, "value": 32}
        words = {name: variable(name, width) for name, width in widths.items()}
        for kind in kinds:
            operands: dict[str, Any] = {n: words[n] for n in kind.__annotations__ if n in words}
            state = State((), (), (), power=any_state(design))
            yield Case(kind.__name__, state, kind(AGENT, vcpu=0, **operands))  # type: ignore[call-arg]

    return cases


def resets(design: Design) -> Iterator[Case]:
    """The initialisation of a vCPU, and the step in which it resets itself, from any state."""
    yield from ioctls(UserInitsVcpu)(design)
    for at in sorted(PROGRAMS.places(design.power, (Do.RESET_SELF,))):
        found = any_state(design)
        placed = evolve(found, vcpus=replaced(found.vcpus, 0, evolve(found.vcpus[0], at=at)))
        yield Case("reset", State((), (), (), power=placed), PowerSteps(0))


PROOFS: Mapping[str, Callable[[Design], Iterator[Case]]] = MappingProxyType(
    {
        "power.initialised": ioctls(UserGetsRegister, UserSetsRegister),
        "power.values_checked": ioctls(UserInitsVcpu, UserGetsRegister, UserSetsRegister),
        "power.saved_and_restored": ioctls(UserGetsRegister, UserSetsRegister),
        "power.reset_as_asked": resets,
    }
)
