"""Stated domains of Hyp mode's set-up for the engines of concrete steps: which actions, and on which processors."""

from attrs import frozen

from model.design import Design
from model.hyp import system as hyp
from model.hyp.setup import is_agent
from model.hyp.state import HypState
from model.hyp.system import HypAction

Kinds = tuple[type[HypAction], ...]


@frozen
class HypDomain:
    """What may happen in a search over Hyp mode's set-up; empty tuples leave kinds of action out."""

    name: str
    kinds: Kinds = ()
    """What happens to processors: `CpuComesOnline`, `CpuGoesOffline`, `CpuLosesPower`."""
    runs: bool = True
    """Whether the host runs guests."""
    pages: tuple[int, ...] = ()
    """The pages of VMs and vCPUs that user space makes."""

    def of_processor(self, design: Design, state: HypState, cpu: int) -> list[HypAction]:
        """What may happen on one processor or agent now, in a fixed order."""
        found: list[HypAction] = [hyp.HypSteps(cpu)]
        if is_agent(state, cpu):
            found += [hyp.KvmStarts(cpu), *(hyp.UserCreatesObject(cpu, page) for page in self.pages)]
        else:
            found += [hyp.CallTaken(cpu), *(kind(cpu) for kind in self.kinds)]
            found += [hyp.HostCallsHyp(cpu), hyp.GuestReturns(cpu)] if self.runs else []
        return [action for action in found if hyp.hyp_guard(design.hyp, state, action)]

    def follows(self, design: Design, state: HypState, cpu: int) -> None:
        """No step belongs to another one: the smallest grain is explored."""
