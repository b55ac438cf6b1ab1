"""Where a stay in Hyp mode ends, and which registers count as whose."""


from model.action import Action
from model.design import Design
from model.state import State, Where
from properties.policy import OWNED, Owner

SWITCHED_HOST = tuple(n for n in OWNED[Owner.WORLD] if n not in ("r0", "r1", "r2", "r3", "exclusive", "waiting"))
"""What the host must find again: r0 to r3 are arguments and results of the call."""


CONFIGURATION = ("hcr", "hstr", "hcptr", "hdcr", "vttbr", "vpidr", "vmpidr", "cnthctl", "cntvoff")


def _to(before: State, action: Action, after: State, where: Where) -> bool:
    """Whether this step of the lowvisor returned to a place."""
    return (
        before.processors[action.cpu].thread.where is Where.LOWVISOR
        and after.processors[action.cpu].thread.where is where
    )


def returns_to_host(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether the step ends a stay in Hyp mode in the host."""
    return _to(before, action, after, Where.HIGHVISOR)


def enters_guest(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether the step ends a stay in Hyp mode in a guest."""
    return _to(before, action, after, Where.GUEST)


def either_world(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether the step ends a stay in Hyp mode."""
    return enters_guest(design, before, action, after) or returns_to_host(design, before, action, after)
