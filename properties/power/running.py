"""How a vCPU's thread runs: it gets on, holds nothing that it should not, and its guest has what belongs to it."""

from model.action import Action
from model.power.design import Do, PowerDesign
from model.power.state import Exit, PowerState
from model.power.system import PowerAction, PowerSteps, VcpuWaits, again, may_step, power_step
from model.programs import GUEST, OUT
from model.threads import Wait
from properties.power.steps import does, listed, own_step, places_in, power_of
from properties.property import Kind, Property

FUEL = 60
"""More steps than any way through the run loop has."""


def stuck(design: PowerDesign, state: PowerState) -> list[int]:
    """The vCPUs whose thread, from the start of the run loop and undisturbed, goes round and round."""
    found = []
    for cpu, core in enumerate(state.cores):
        if core.busy == 1 and state.vcpus[core.vcpu].at == again(design):
            whole = PowerState(state.cores, state.agents, state.vcpus, state.vms, state.crashed)
            found += [] if settles(design, whole, cpu) else [core.vcpu]
    return found


def settles(design: PowerDesign, state: PowerState, cpu: int) -> bool:
    """Whether a thread that alone makes steps gets to its guest, gives its processor away, or waits for a lock."""
    for _ in range(FUEL):
        core = state.cores[cpu]
        if core.busy == 0 or state.vcpus[core.vcpu].at in (GUEST, OUT) or not may_step(design, state, cpu):
            return True
        state = power_step(design, state, PowerSteps(cpu))
    return False


GOES_ON = Property(
    id="power.goes_on",
    statement="From the start of the run loop a thread that nobody disturbs gets to its guest, goes to sleep or goes "
    "to user space.",
    claims=(),
    question="Can a thread go round and round in the run loop?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not stuck(d.power, power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.AWAIT_POWER,
    explain=lambda d, b, a, s: listed(stuck(d.power, power_of(s)), "goes round in the run loop"),
)


def kept(state: PowerState) -> list[str]:
    """What threads hold that are in their guest, asleep or in user space; and processors that have no thread."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        at_rest = vcpu.at in (GUEST, OUT) or vcpu.wait == Wait.ASLEEP
        if at_rest and state.vms[vcpu.vm].lock == number + 1:
            found.append(f"vCPU{number} holds its VM's lock")
    masked = (cpu for cpu, core in enumerate(state.cores) if core.busy == 0 and core.masked == 1)
    return found + [f"interrupts are masked on CPU{cpu}, which no thread has" for cpu in masked]


GIVES_BACK = Property(
    id="power.gives_back",
    statement="A thread that is in its guest, sleeps or is in user space holds no lock, and a processor that it has "
    "left has interrupts unmasked.",
    claims=("C18",),
    question="Can a guest block the others of its VM, or the host?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not kept(power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) in (Do.UNLOCK, Do.UNMASK_IRQS),
    explain=lambda d, b, a, s: "; ".join(kept(power_of(s))),
)


def foreign(design: PowerDesign, state: PowerState) -> list[str]:
    """The processors whose virtual hardware is not that of the guest that runs there."""
    inside = places_in(design, "run", Do.ENTER) | places_in(design, "run", Do.SWITCH_OFF) | {GUEST}
    found = []
    for cpu, core in enumerate(state.cores):
        at = state.vcpus[core.vcpu].at if core.busy == 1 else OUT
        if at == GUEST and core.holds != core.vcpu + 1:
            found.append(f"vCPU{core.vcpu} runs on CPU{cpu} without its interface, timer and stage 2")
        if at not in inside and core.holds != 0:
            found.append(f"CPU{cpu} has the interface, timer and stage 2 of vCPU{core.holds - 1}, whose guest is left")
    return found


OWN_HARDWARE = Property(
    id="power.own_hardware",
    statement="A guest runs with its own virtual interface, virtual timer and stage 2, and a processor has those of a "
    "vCPU only while that runs there.",
    claims=("C8", "C9"),
    question="What does a processor keep of a guest that it has left?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not foreign(d.power, power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.SWITCH_OFF,
    explain=lambda d, b, a, s: "; ".join(foreign(d.power, power_of(s))),
)


def unsaved(design: PowerDesign, before: PowerState, action: Action) -> int | None:
    """The vCPU whose world switch ends though its registers are not what its guest has left."""
    number = own_step(design, before, action, Do.CLEAR_MODE)
    if number is None:
        return None
    vcpu, left = before.vcpus[number], (Exit.CALL, Exit.WAIT)
    return number if vcpu.exit in left and vcpu.registers != before.cores[action.cpu].live else None


REGISTERS_SAVED = Property(
    id="power.registers_saved",
    statement="What a guest has left in its registers is saved with the world switch out.",
    claims=("C6",),
    question="Which registers does the handler of an exit see?",
    kind=Kind.STEP,
    about=(PowerSteps,),
    holds=lambda d, b, a, s: unsaved(d.power, power_of(b), a) is None,
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.CLEAR_MODE,
    explain=lambda d, b, a, s: f"the registers of vCPU{unsaved(d.power, power_of(b), a)} are not what its guest left",
)


def untimed(design: PowerDesign, state: PowerState) -> list[str]:
    """The vCPUs that sleep without a timer to wake them, or run with one too many."""
    waiting, found = places_in(design, "block", Do.FINISH_WAIT), []
    for number, vcpu in enumerate(state.vcpus):
        if vcpu.at in waiting and vcpu.wait == Wait.ASLEEP and vcpu.timer == 1 and vcpu.soft == 0:
            found.append(f"vCPU{number} sleeps, and nothing stands in for its timer")
        if vcpu.at == GUEST and vcpu.soft == 1:
            found.append(f"vCPU{number} runs, and its software timer is armed")
    return found


TIMER_STANDS_IN = Property(
    id="power.timer_stands_in",
    statement="A vCPU that sleeps with its timer running has the software timer armed, and one that runs has not.",
    claims=("C26",),
    question="Does a vCPU wake up that waits for its timer?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not untimed(d.power, power_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, VcpuWaits) and a.timer == 1,
    explain=lambda d, b, a, s: "; ".join(untimed(d.power, power_of(s))),
)

PROPERTIES = (GOES_ON, GIVES_BACK, OWN_HARDWARE, REGISTERS_SAVED, TIMER_STANDS_IN)
