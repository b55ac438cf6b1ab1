"""The properties of Hyp mode's set-up that are proved for single steps, with every word arbitrary.

What makes words symbolic is imported where it is used: whoever lists properties needs no solver.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from model.design import Design
from model.hyp.design import PROGRAMS
from model.hyp.layout import Layout, initial_hyp
from model.hyp.setup import STEPS, moved
from model.hyp.state import HypState
from model.hyp.system import HypSteps
from model.state import State
from properties.engines.parts.part import Case
from properties.hyp.setup import SET


def settings(design: Design) -> Iterator[Case]:
    """The steps that set control registers, each behind those before it, from any state."""
    from properties.engines.inputs import like

    state: HypState = like(initial_hyp(Layout(1, online=(0,)), design.hyp)).symbolic("hyp")
    for at in sorted(PROGRAMS.places(design.hyp, tuple(SET))):
        state = moved(state, 0, at)
        step = PROGRAMS.step_at(design.hyp, at)
        assert step is not None
        yield Case(step.name, State((), (), (), hyp=state), HypSteps(0))
        state = STEPS[step.do](design.hyp, state, 0)


PROOFS: Mapping[str, Callable[[Design], Iterator[Case]]] = MappingProxyType({"hyp.registers": settings})
