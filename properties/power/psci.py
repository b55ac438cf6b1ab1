"""What PSCI promises: vCPUs that are on or off, how they start, and a machine that is off."""

from typing import Any

from model.action import Action
from model.design import Design
from model.power.design import Do, PowerDesign
from model.power.state import (
    CPSR_RESET,
    RESET,
    SCTLR_RESET,
    Answer,
    Call,
    Error,
    Exit,
    Function,
    PowerState,
    Registers,
    Vcpu,
)
from model.power.system import PowerAction, PowerSteps, UserInitsVcpu, VcpuCalls
from model.programs import OUT
from model.state import State
from model.threads import Wait
from properties.power.steps import (
    between,
    does,
    executing,
    inside,
    listed,
    own_step,
    own_thread,
    places_in,
    power_of,
    target_of,
    upto,
)
from properties.property import Kind, Property
from spec.psr import E_BIT, T_BIT
from spec.words import bit, every, implies, same


def back_from_off(design: PowerDesign, state: PowerState) -> list[int]:
    """The vCPUs that execute though nobody has started them since they were off; those of a machine that is off aside.
    """
    return executing(design, state, lambda vcpu: vcpu.off == 1 and vcpu.stopped == 0)


NEVER_RETURNS = Property(
    id="power.off_never_returns",
    statement="A vCPU that is off executes nothing of its guest before it is started, unless its processor is about to "
    "be interrupted: one that has called CPU_OFF, which never returns, one that was initialised to be off, and one "
    "that a SYSTEM_OFF has powered off.",
    claims=(),
    question="Does CPU_OFF ever return?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not back_from_off(d.power, power_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, VcpuCalls) and a.function == Function.CPU_OFF,
    explain=lambda d, b, a, s: listed(back_from_off(d.power, power_of(s)), "executes though nobody has started it"),
)


def machine_on(design: PowerDesign, state: PowerState) -> list[int]:
    """The vCPUs that execute though their machine is off."""
    return executing(design, state, lambda vcpu: vcpu.stopped == 1)


STOPPED_STAYS = Property(
    id="power.stopped_stays",
    statement="Once user space has been told that a machine is off, none of its vCPUs executes anything of the guest "
    "until user space, or a vCPU that user space has started since, starts it, unless its processor is about to be "
    "interrupted.",
    claims=(),
    question="Can user space take a machine apart whose guest has switched it off?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not machine_on(d.power, power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.LEAVE,
    explain=lambda d, b, a, s: listed(machine_on(d.power, power_of(s)), "executes though its machine is off"),
)


def came_back(design: PowerDesign, before: PowerState, action: Action) -> bool:
    """Whether a SYSTEM_OFF comes back to the guest that called it."""
    number = own_step(design, before, action, Do.ENTER)
    if number is None:
        return False
    vcpu = before.vcpus[number]
    return vcpu.call.function == Function.SYSTEM_OFF and vcpu.fresh == 0


def untold(design: PowerDesign, before: PowerState, action: Action, after: PowerState) -> bool:
    """Whether the call ends otherwise than in user space."""
    number = own_thread(before, action)
    if number is None or not inside(design, "stop", before.vcpus[number].at):
        return False
    return not inside(design, "stop", after.vcpus[number].at) and after.vcpus[number].at != OUT


STOP_NEVER_RETURNS = Property(
    id="power.stop_never_returns",
    statement="A guest that has called SYSTEM_OFF does not go on behind its call, and user space is told.",
    claims=(),
    question="Can a guest switch its machine off?",
    kind=Kind.STEP,
    about=(PowerSteps,),
    holds=lambda d, b, a, s: not came_back(d.power, power_of(b), a)
    and not untold(d.power, power_of(b), a, power_of(s)),
    interesting=lambda d, b, a, s: any(v.call.function == Function.SYSTEM_OFF for v in power_of(b).vcpus),
    explain=lambda d, b, a, s: "the guest goes on behind its SYSTEM_OFF"
    if came_back(d.power, power_of(b), a)
    else "user space is not told that the machine is off",
)


def started_twice(design: PowerDesign, before: PowerState, action: Action) -> int | None:
    """The vCPU that a step powers on though it is on."""
    number = own_step(design, before, action, Do.CLEAR_PAUSE)
    if number is None:
        return None
    target = target_of(before, before.vcpus[number])
    return target if target is not None and before.vcpus[target].off == 0 else None


ON_ONCE = Property(
    id="power.on_once",
    statement="CPU_ON starts only a vCPU that is off: one that is on is refused, and of two calls for one vCPU one "
    "succeeds.",
    claims=(),
    question="Can a vCPU be started twice?",
    kind=Kind.STEP,
    about=(PowerSteps,),
    holds=lambda d, b, a, s: started_twice(d.power, power_of(b), a) is None,
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.CLEAR_PAUSE,
    explain=lambda d, b, a, s: f"vCPU{started_twice(d.power, power_of(b), a)} is on, and is started again",
)

CHECKS = (Do.FIND_TARGET, Do.CHECK_ASLEEP, Do.CHECK_OFF)


def settled_off(design: PowerDesign, vcpu: Vcpu) -> bool:
    """Whether a vCPU is off, its own call of CPU_OFF done."""
    calling = vcpu.exit == Exit.CALL or vcpu.at in upto(design, "off", Do.PAUSE_SELF)
    return vcpu.off == 1 and not calling


def misjudged(design: PowerDesign, before: PowerState, action: Action, after: PowerState) -> str:
    """What is wrong with what a CPU_ON is answered, empty where nothing is."""
    number = own_thread(before, action)
    if number is None:
        return ""
    caller, done = before.vcpus[number], does(design, before, action)
    if done in CHECKS:
        target = target_of(before, caller)
        refused = after.vcpus[number].result != Answer.SUCCESS
        if refused and target is not None and settled_off(design, before.vcpus[target]):
            return f"vCPU{target} is off, and its start is refused"
    later = after.vcpus[number]
    if inside(design, "on", caller.at) and not inside(design, "on", later.at) and later.registers.r0 != caller.result:
        return f"r0 is {later.registers.r0:#x}, and the answer {caller.result:#x}"
    if done is Do.RESULT and caller.at in places_in(design, "on", Do.RESULT):
        if caller.result == Answer.SUCCESS and caller.started == 0:
            return f"the answer is success, and vCPU{caller.call.target} was not started"
        if caller.result != Answer.SUCCESS and caller.started == 1:
            return f"the answer is an error, and vCPU{caller.call.target} was started"
    return ""


ON_DECIDED = Property(
    id="power.on_decided",
    statement="CPU_ON of a vCPU that is off succeeds and starts it; every other one fails and starts nothing; the "
    "answer is in r0.",
    claims=(),
    question="By what does CPU_ON tell whether its target is off?",
    kind=Kind.STEP,
    about=(PowerSteps,),
    holds=lambda d, b, a, s: not misjudged(d.power, power_of(b), a, power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) in (Do.CHECK_OFF, Do.CHECK_ASLEEP),
    explain=lambda d, b, a, s: misjudged(d.power, power_of(b), a, power_of(s)),
)


def as_asked(call: Call) -> Registers:
    """The registers with which a vCPU starts that a CPU_ON has started."""
    thumb = bit(call.entry, 0)
    cpsr = CPSR_RESET | thumb << T_BIT | call.big << E_BIT
    return Registers(call.context, call.entry ^ thumb, cpsr, SCTLR_RESET, 0)


def otherwise(design: PowerDesign, before: PowerState, action: Action) -> str:
    """The registers in which a vCPU that was started enters its guest otherwise than asked, empty if there is none."""
    number = own_step(design, before, action, Do.ENTER)
    if number is None or before.vcpus[number].fresh == 0:
        return ""
    found, asked = before.cores[action.cpu].live, as_asked(before.vcpus[number].asked)
    names = ("r0", "pc", "cpsr", "sctlr", "rest")
    return ", ".join(
        f"{name} is {getattr(found, name):#x}, not {getattr(asked, name):#x}"
        for name in names
        if getattr(found, name) != getattr(asked, name)
    )


STARTED_AS_ASKED = Property(
    id="power.started_as_asked",
    statement="A vCPU that CPU_ON has started enters its guest at the entry point that was asked for, in ARM or Thumb "
    "state as its bit 0 says, in the caller's endianness, with the context in r0 and all else as after a reset.",
    claims=(),
    question="With whose registers does a vCPU start?",
    kind=Kind.STEP,
    about=(PowerSteps,),
    holds=lambda d, b, a, s: not otherwise(d.power, power_of(b), a),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.ENTER
    and any(core.busy == 1 and power_of(b).vcpus[core.vcpu].fresh == 1 for core in power_of(b).cores),
    explain=lambda d, b, a, s: otherwise(d.power, power_of(b), a),
)


def overslept(design: PowerDesign, state: PowerState) -> list[int]:
    """The vCPUs that sleep for their power though they are on, and that nobody is about to wake."""
    waking = between(design, "on", Do.CLEAR_PAUSE, Do.WAKE)
    wakers = [target_of(state, vcpu) for vcpu in state.vcpus if vcpu.at in waking]
    asleep = places_in(design, "run", Do.AWAIT_POWER)
    return [
        number
        for number, vcpu in enumerate(state.vcpus)
        if vcpu.at in asleep and vcpu.wait == Wait.ASLEEP and vcpu.off == 0 and number not in wakers
    ]


ON_RUNS = Property(
    id="power.on_runs",
    statement="A vCPU that is on does not sleep until it is powered on, unless somebody is about to wake it.",
    claims=(),
    question="Does a vCPU run that has been started?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not overslept(d.power, power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.WAKE,
    explain=lambda d, b, a, s: listed(overslept(d.power, power_of(s)), "sleeps though it is on"),
)


def meddled(before: PowerState, action: Action, after: PowerState) -> list[int]:
    """The vCPUs whose registers a step changes that is not of their own thread."""
    own = own_thread(before, action)
    pairs = zip(before.vcpus, after.vcpus, strict=True)
    return [number for number, (old, new) in enumerate(pairs) if old.registers != new.registers and number != own]


RESETS_ITSELF = Property(
    id="power.resets_itself",
    statement="The registers of a vCPU are changed by its own thread alone, or by user space while that is not in "
    "KVM_RUN.",
    claims=("C6",),
    question="Why does a vCPU reset itself?",
    kind=Kind.STEP,
    about=(PowerSteps,),
    holds=lambda d, b, a, s: not meddled(power_of(b), a, power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) in (Do.RESET_SELF, Do.RESET_TARGET),
    explain=lambda d, b, a, s: listed(meddled(power_of(b), a, power_of(s)), "is changed by another thread"),
)


def reset_otherwise(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of RESET_AS_ASKED."""
    old, new = power_of(before), power_of(after)
    if isinstance(action, UserInitsVcpu):
        made = new.agents[action.cpu - len(new.cores)].error == Error.OK
        return implies(made, same(new.vcpus[action.vcpu].registers, RESET))
    if does(design.power, old, action) is not Do.RESET_SELF:
        return True
    vcpu = old.vcpus[old.cores[action.cpu].vcpu]
    done = new.vcpus[old.cores[action.cpu].vcpu]
    due = every(vcpu.request == 1, vcpu.pause == 0)
    return implies(due, every(same(done.registers, as_asked(vcpu.start)), done.request == 0))


RESET_AS_ASKED = Property(
    id="power.reset_as_asked",
    statement="Whatever was there before, a KVM_ARM_VCPU_INIT leaves the registers of a reset, and the reset of a vCPU "
    "that was started those that were asked for, whatever the entry point, the context and the endianness are.",
    claims=(),
    question="Which registers does CPU_ON set?",
    kind=Kind.STEP,
    about=(PowerSteps, UserInitsVcpu),
    holds=reset_otherwise,
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.RESET_SELF
    and any(vcpu.request == 1 for vcpu in power_of(b).vcpus),
    explain=lambda d, b, a, s: "the registers after the reset are not those that were asked for",
)

PROPERTIES = (
    NEVER_RETURNS, STOPPED_STAYS, STOP_NEVER_RETURNS, ON_ONCE, ON_DECIDED, STARTED_AS_ASKED, ON_RUNS,
    RESET_AS_ASKED, RESETS_ITSELF,
)  # fmt: skip
