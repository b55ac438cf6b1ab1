"""The grain of explorations and searches of interrupts: which steps belong to the one before them.

What a thread does under the distributor's lock is one step with the taking of the lock, and so is with the
step before what touches nothing that anybody else reads, as `model.vgic.design.inner` says. The host takes a physical
interrupt as soon as it can. Nothing comes in between, so fewer orders are gone through, and none is that others see.
"""

from model.vgic import system as vgic
from model.vgic.design import OUT, VgicDesign
from model.vgic.state import VgicState
from model.vgic.system import VgicAction
from model.vgic.threads import agent_of, is_agent


def forced(design: VgicDesign, state: VgicState) -> VgicAction | None:
    """The step that belongs to the one before it, of the lowest processor or agent that has one."""
    for cpu in range(len(state.cores) + len(state.agents)):
        if is_agent(state, cpu):
            if agent_of(state, cpu).at != OUT and vgic.commutes(design, state, cpu):
                return vgic.VgicSteps(cpu, vgic.next_irq(design, state, cpu))
            continue
        core = state.cores[cpu]
        taken = vgic.HostTakesInterrupts(cpu)
        if (core.irq or core.ipi) and vgic.vgic_guard(design, state, taken):
            return taken
        if core.busy == 1 and vgic.commutes(design, state, cpu):
            return vgic.VgicSteps(cpu, vgic.next_irq(design, state, cpu))
    return None
