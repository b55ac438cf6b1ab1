"""What user space may do to a vCPU that is not in KVM_RUN: initialise it, save and restore it, and end its VM."""

from typing import Any

from model.action import Action
from model.design import Design
from model.power.design import Do, PowerDesign
from model.power.registers import read, was_reset
from model.power.state import MIDR, Error, PowerState, Reg, Registers, Vcpu
from model.power.system import PowerAction, PowerSteps, UserGetsRegister, UserInitsVcpu, UserSetsRegister
from model.power.user import CORTEX_A15, get, set_one
from model.programs import GUEST, OUT
from model.state import State
from properties.power.psci import as_asked
from properties.power.steps import does, listed, power_of
from properties.property import Kind, Property
from spec.psr import GUEST_MODES, mode
from spec.words import choose, either, every, implies, member, negate, put_all, same

IOCTLS = (UserInitsVcpu, UserGetsRegister, UserSetsRegister)


def error_of(after: PowerState, action: Action) -> Any:
    """What an ioctl has returned."""
    return after.agents[action.cpu - len(after.cores)].error


def value_of(after: PowerState, action: Action) -> Any:
    """What an ioctl has read."""
    return after.agents[action.cpu - len(after.cores)].value


def early(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of INITIALISED."""
    old, new = power_of(before), power_of(after)
    assert isinstance(action, UserGetsRegister | UserSetsRegister)
    refused = every(negate(error_of(new, action) == Error.OK), same(new.vcpus, old.vcpus), new.crashed == old.crashed)
    return implies(old.vcpus[action.vcpu].initialised == 0, refused)


INITIALISED = Property(
    id="power.initialised",
    statement="Before its initialisation the registers of a vCPU can be neither read nor written: user space gets an "
    "error and changes nothing.",
    claims=(),
    question="What may user space do with a vCPU that it has not initialised?",
    kind=Kind.STEP,
    about=(UserGetsRegister, UserSetsRegister),
    holds=early,
    interesting=lambda d, b, a, s: power_of(b).vcpus[a.vcpu].initialised == 0,  # type: ignore[attr-defined]
    explain=lambda d, b, a, s: "a vCPU is used that has not been initialised",
)


def impossible(action: Action) -> Any:
    """Whether user space asks for what cannot be."""
    match action:
        case UserInitsVcpu(_, _, _, target):
            return negate(target == CORTEX_A15)
        case UserSetsRegister(_, _, reg, value):
            modes = every(reg == Reg.CPSR, negate(member(mode(value), GUEST_MODES)))
            fixed = every(reg == Reg.MIDR, negate(value == MIDR))
            return either(modes, fixed, negate(member(reg, tuple(Reg))))
        case UserGetsRegister(_, _, reg):
            return negate(member(reg, tuple(Reg)))
    return False


def checked(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of VALUES_CHECKED."""
    old, new = power_of(before), power_of(after)
    pairs = zip(new.vcpus, old.vcpus, strict=True)
    unchanged = every(*(either(same(now, was), same(now, was_reset(design.power, was))) for now, was in pairs))
    return implies(impossible(action), every(negate(error_of(new, action) == Error.OK), unchanged))


VALUES_CHECKED = Property(
    id="power.values_checked",
    statement="User space that sets an impossible value gets an error and changes nothing: a mode that no guest may be "
    "in, another value of a register that always has one, a register or a target that there is not. (A reset that is "
    "due may come before.)",
    claims=("C12",),
    question="Can user space have a guest enter Hyp mode?",
    kind=Kind.STEP,
    about=IOCTLS,
    holds=checked,
    interesting=lambda d, b, a, s: isinstance(a, UserSetsRegister) and bool(impossible(a)),
    explain=lambda d, b, a, s: "user space sets what cannot be, and gets no error",
)


def unfit(state: PowerState) -> list[int]:
    """The vCPUs that execute without an initialisation, or in a mode that no guest may be in."""
    modes = tuple(GUEST_MODES)
    inside = [core for core in state.cores if core.busy == 1 and state.vcpus[core.vcpu].at == GUEST]
    return [
        core.vcpu for core in inside if state.vcpus[core.vcpu].initialised == 0 or mode(core.live.cpsr) not in modes
    ]


GUEST_MODE = Property(
    id="power.guest_mode",
    statement="A vCPU runs only once it is initialised, and enters its guest in a mode of PL0 or PL1.",
    claims=("C1", "C12"),
    question="Where does an exception return from Hyp mode end?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not unfit(power_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, UserSetsRegister) and a.reg == Reg.CPSR,
    explain=lambda d, b, a, s: listed(
        unfit(power_of(s)), "executes without an initialisation, or in a mode that is not for guests"
    ),
)


def put_back(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether user space reads what the vCPU would run with, and to write that back changes nothing and succeeds."""
    old, new = power_of(before), power_of(after)
    assert isinstance(action, UserGetsRegister)
    value, vcpu = value_of(new, action), new.vcpus[action.vcpu]
    back = set_one(design.power, new, action.cpu, action.vcpu, action.reg, value)
    unchanged = every(error_of(back, action) == Error.OK, same(back.vcpus[action.vcpu].registers, vcpu.registers))
    current = value == read(runs_with(old.vcpus[action.vcpu]), action.reg)
    possible = every(error_of(new, action) == Error.OK, legal(vcpu.registers))
    return implies(possible, every(unchanged, current))


def runs_with(vcpu: Vcpu) -> Registers:
    """The registers with which a vCPU runs when it does: after the reset that it is asked for."""
    due = every(vcpu.request == 1, vcpu.pause == 0)
    asked = as_asked(vcpu.start)
    names = ("r0", "pc", "cpsr", "sctlr", "rest")
    return put_all(asked, names, tuple(choose(due, getattr(asked, n), getattr(vcpu.registers, n)) for n in names))


def legal(found: Registers) -> Any:
    """Whether a guest can have these registers."""
    return member(mode(found.cpsr), GUEST_MODES)


def read_back(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether user space reads of a register what it has just written into it."""
    new = power_of(after)
    assert isinstance(action, UserSetsRegister)
    again = get(design.power, new, action.cpu, action.vcpu, action.reg)
    read = every(error_of(again, action) == Error.OK, value_of(again, action) == action.value)
    return implies(error_of(new, action) == Error.OK, read)


def restored(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of SAVED_AND_RESTORED."""
    return (put_back if isinstance(action, UserGetsRegister) else read_back)(design, before, action, after)


SAVED_AND_RESTORED = Property(
    id="power.saved_and_restored",
    statement="To save and then to restore a vCPU that is not in KVM_RUN is the identity: each register that can be "
    "read is the one with which it would run, and can be written back, which changes nothing, and what "
    "is written is read again.",
    claims=("C6",),
    question="Can a VM be moved to another machine in whatever state it is?",
    kind=Kind.STEP,
    about=(UserGetsRegister, UserSetsRegister),
    holds=restored,
    interesting=lambda d, b, a, s: isinstance(a, UserGetsRegister) and error_of(power_of(s), a) == Error.OK,
    explain=lambda d, b, a, s: "what user space has read it cannot write back",
)


def left_behind(design: PowerDesign, state: PowerState) -> list[str]:
    """What is left of VMs that are freed."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        if vcpu.freed == 1:
            if vcpu.soft == 1:
                found.append(f"the software timer of vCPU{number}")
            if any(core.holds == number + 1 for core in state.cores):
                found.append(f"the interface, timer and stage 2 of vCPU{number}")
    ended = any(vcpu.freed == 1 for vcpu in state.vcpus)
    return found + (["the host has used what was freed"] if state.crashed == 1 and ended else [])


NOTHING_LEFT = Property(
    id="power.nothing_left",
    statement="A VM that is freed leaves nothing behind: no software timer of its vCPUs is armed, and no processor has "
    "its virtual interface, virtual timer or stage 2. (`memory.hyp_exact` says so of Hyp mode's tables.)",
    claims=(),
    question="What must be undone when a VM ends?",
    kind=Kind.STATE,
    about=(PowerAction,),
    holds=lambda d, b, a, s: not left_behind(d.power, power_of(s)),
    interesting=lambda d, b, a, s: any(vm.alive == 0 for vm in power_of(s).vms),
    explain=lambda d, b, a, s: "left behind: " + ", ".join(left_behind(d.power, power_of(s))),
)


def unfreed(design: PowerDesign, before: PowerState, action: Action, after: PowerState) -> list[str]:
    """What is not given back when user space is done with a VM."""
    if action.cpu < len(before.cores):
        return []
    old, new = before.agents[action.cpu - len(before.cores)], after.agents[action.cpu - len(before.cores)]
    if old.at == OUT or new.at != OUT:
        return []
    found = [f"vCPU{n}" for n, vcpu in enumerate(after.vcpus) if vcpu.vm == old.vm and vcpu.freed == 0]
    return found + ([f"VM{old.vm}"] if after.vms[old.vm].alive == 1 else [])


FREED = Property(
    id="power.freed",
    statement="When a VM ends, each of its vCPUs and itself are freed.",
    claims=(),
    question="What is freed with a VM?",
    kind=Kind.STEP,
    about=(PowerSteps,),
    holds=lambda d, b, a, s: not unfreed(d.power, power_of(b), a, power_of(s)),
    interesting=lambda d, b, a, s: does(d.power, power_of(b), a) is Do.FREE_VM,
    explain=lambda d, b, a, s: "not freed: " + ", ".join(unfreed(d.power, power_of(b), a, power_of(s))),
)

PROPERTIES = (INITIALISED, VALUES_CHECKED, GUEST_MODE, SAVED_AND_RESTORED, NOTHING_LEFT, FREED)
