"""The grain of explorations and searches of power: which steps belong to the one before them.

A step that touches nothing that anybody else reads or writes is one with the step before it, and so is what only lets
others go on: the release of a lock. The host takes a kick as soon as it can. A test asks of each such step whether it
commutes with whatever others do.
"""

from functools import cache

from model.power import system as power
from model.power.design import Do, PowerDesign
from model.power.state import PowerState
from model.power.system import PowerAction
from properties.power.steps import between, does, places_in

OWN = frozenset(
    {
        Do.CHECK_INITIALISED, Do.DISARM, Do.MASK_IRQS, Do.SWITCH_ON, Do.SWITCH_OFF, Do.UNMASK_IRQS, Do.ARM,
        Do.HANDLE_EXIT, Do.FIND_TARGET, Do.UNLOCK,
    }
)  # fmt: skip
"""Steps that touch only what nobody else does: the processor, and what the thread keeps for itself."""
OF_REGISTERS = frozenset({Do.LOAD, Do.ENTER, Do.SAVE, Do.RESULT, Do.RECORD})
"""The same where nobody else changes the vCPU's registers."""
REMOTE = frozenset({Do.RESET_TARGET, Do.SET_ENTRY})


@cache
def own_steps(design: PowerDesign) -> frozenset[Do]:
    """The steps that commute with whatever others do."""
    kinds = {step.do for step in design.on}
    found = OWN if kinds & REMOTE else OWN | OF_REGISTERS
    locked = places_in(design, "on", Do.CHECK_CALLER) <= between(design, "on", Do.LOCK, Do.UNLOCK)
    stopping = places_in(design, "stop", Do.PAUSE_ONE) <= between(design, "stop", Do.LOCK, Do.UNLOCK)
    return found | {Do.CHECK_CALLER} if locked and stopping else found


def forced_on(
    design: PowerDesign, state: PowerState, cpu: int, unseen: frozenset[Do] = frozenset()
) -> PowerAction | None:
    """The step of a processor that belongs to the one before it, if it has one.

    `unseen` are further steps that nobody can tell apart in a configuration, because nobody does what they are about.
    """
    if cpu >= len(state.cores):
        return None
    core = state.cores[cpu]
    if core.ipi == 1 and core.masked == 0:
        return power.HostTakesKick(cpu)
    action = power.PowerSteps(cpu)
    return action if core.busy == 1 and does(design, state, action) in own_steps(design) | unseen else None


def forced(design: PowerDesign, state: PowerState, unseen: frozenset[Do] = frozenset()) -> PowerAction | None:
    """The step that belongs to the one before it, of the lowest processor that has one."""
    return next(filter(None, (forced_on(design, state, cpu, unseen) for cpu in range(len(state.cores)))), None)
