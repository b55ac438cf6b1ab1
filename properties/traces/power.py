"""Power in words: who does what in a step, and what of vCPUs, their threads, VMs and processors it changed."""

from collections.abc import Sequence
from typing import Any

from model.design import Design
from model.power import run, system, user
from model.power.design import PROGRAMS
from model.power.state import Answer, Call, Error, Exit, Function, PowerState, Reg
from model.power.system import PowerAction, PowerSteps
from model.programs import GUEST, OUT
from model.threads import Mode, Wait, at_of, given_up, signalled
from properties.traces.changes import WORD, YES, Change, Text, differences
from spec.citations import Citation
from spec.psr import Mode as ProcessorMode

MODES = {Mode.OUTSIDE_GUEST_MODE: "outside", Mode.IN_GUEST_MODE: "in the guest", Mode.EXITING_GUEST_MODE: "exiting"}
WAITS = {Wait.NOT: "is awake", Wait.QUEUED: "is on its wait queue", Wait.ASLEEP: "sleeps"}
APART = "Agent{}"
"""The name of a lane that is no processor's, with a place for its number."""


def place_name(design: Design, at: int) -> str:
    """Where a thread stands, in words."""
    if at in (OUT, GUEST):
        return "guest" if at == GUEST else "outside"
    step, found = PROGRAMS.step_at(design.power, at), PROGRAMS.routine_at(at)
    return step.name if step is not None else f"end of {'' if found is None else found[0]}"


def told(design: Design, before: PowerState, action: PowerAction, after: PowerState) -> tuple[str, str, Any]:
    """Who acts, what it does in words, and the rule that says so."""
    cpu = action.cpu
    match action:
        case PowerSteps():
            return "highvisor", place_name(design, at_of(before, cpu)), None
        case system.HostRunsThread(_, number):
            how = "calls KVM_RUN for" if before.vcpus[number].at == OUT else "runs the thread of"
            return "host", f"{how} vCPU{number}", system.host_runs
        case system.HostSwitchesThread():
            return "host", f"takes the processor from vCPU{before.cores[cpu].vcpu}", given_up
        case system.HostTakesKick():
            return "host", "takes the interrupt of a kick", None
        case system.SoftTimerFires(_, number):
            return "hardware", f"the software timer of vCPU{number} expires", system.fired
        case system.UserInterruptsVcpu(_, number):
            return "user space", f"sends a signal to the thread of vCPU{number}", signalled
        case system.UserEndsVm(_, vm):
            return "user space", f"gives back its last reference to VM{vm}", user.free_vm
    if isinstance(action, system.UserInitsVcpu | system.UserGetsRegister | system.UserSetsRegister):
        return asked(action, after)
    return guest_told(before, action)


def asked(action: PowerAction, after: PowerState) -> tuple[str, str, Any]:
    """An ioctl about a vCPU, in words, with what it returned."""
    agent = after.agents[action.cpu - len(after.cores)]
    error = "" if agent.error == Error.OK else f", and gets {Error(agent.error).name}"
    match action:
        case system.UserInitsVcpu(_, vcpu, off, target):
            named = "" if target == user.CORTEX_A15 else f", target {target}"
            return "user space", f"initialises vCPU{vcpu}, to be {'off' if off else 'on'}{named}{error}", user.init
        case system.UserGetsRegister(_, vcpu, reg):
            value = error or f", and gets {agent.value:#x}"
            return "user space", f"reads {register(reg)} of vCPU{vcpu}{value}", user.get
        case system.UserSetsRegister(_, vcpu, reg, value):
            return "user space", f"sets {register(reg)} of vCPU{vcpu} to {value:#x}{error}", user.set_one
    raise AssertionError(action)


def guest_told(before: PowerState, action: PowerAction) -> tuple[str, str, Any]:
    """What a guest does, in words."""
    vcpu = f"vCPU{before.cores[action.cpu].vcpu}"
    match action:
        case system.VcpuKicked():
            return "hardware", f"{vcpu} is left: it was kicked", system.left
        case system.VcpuWaits(_, timer):
            return vcpu, f"waits (WFI){', with its timer running' if timer else ''}", system.left
        case system.VcpuSetsMode(_, mode):
            return vcpu, f"goes to {ProcessorMode(mode).name} mode", system.mode_set
        case system.VcpuCalls(_, function, target, entry, context, big):
            return vcpu, f"calls {call_text(Call(function, target, entry, context, big))}", run.handle_exit
    return "", type(action).__name__, None


def register(reg: int) -> str:
    """The name of a register that user space names."""
    return Reg(reg).name if reg in tuple(Reg) else f"register {reg}, which there is not,"


def call_text(call: Call) -> str:
    """A call of PSCI, in words."""
    if call.function not in tuple(Function):
        return f"function {call.function} of PSCI"
    name = Function(call.function).name
    if call.function != Function.CPU_ON:
        return name
    big = ", big-endian" if call.big else ""
    return f"{name} of vCPU{call.target}: entry {call.entry:#x}, context {call.context:#x}{big}"


def sources_of(design: Design, before: PowerState, action: PowerAction, rule: Any) -> tuple[Citation, ...]:
    """The sources of an action: those of the design's step, or of the rule."""
    if isinstance(action, PowerSteps):
        step = PROGRAMS.step_at(design.power, at_of(before, action.cpu))
        return () if step is None else step.sources
    return tuple(getattr(rule, "sources", ()))


OF_VCPU: Sequence[tuple[str, str, Text]] = (
    ("mode", "mode", MODES.__getitem__), ("wait", "", WAITS.__getitem__), ("signal", "signal pending", YES),
    ("initialised", "initialised", YES), ("feature", "to be off at its first run", YES), ("pause", "powered off", YES),
    ("request", "to reset itself", YES), ("start", "to start by", call_text),
    ("exit", "exit", lambda code: Exit(code).name.lower()),
    ("result", "answer", lambda value: Answer(value).name if value in tuple(Answer) else hex(value)),
    ("timer", "timer running", YES), ("soft", "software timer armed", YES), ("due", "interrupt waiting", YES),
    ("freed", "freed", YES),
)  # fmt: skip
OF_REGISTERS: Sequence[tuple[str, str, Text]] = (
    ("r0", "r0", WORD), ("pc", "PC", WORD), ("cpsr", "CPSR", WORD), ("sctlr", "SCTLR", WORD),
    ("rest", "other registers", lambda value: hex(value) if value else "as after a reset"),
)  # fmt: skip
OF_CORE: Sequence[tuple[str, str, Text]] = (
    ("masked", "interrupts masked", YES), ("ipi", "kick pending", YES),
    ("holds", "interface, timer and stage 2", lambda number: f"vCPU{number - 1}'s" if number else "nobody's"),
)  # fmt: skip
OF_VM: Sequence[tuple[str, str, Text]] = (
    ("alive", "alive", YES), ("lock", "lock held by", lambda lock: f"vCPU{lock - 1}" if lock else "nobody"),
)  # fmt: skip


def changes(before: PowerState, after: PowerState) -> list[Change]:
    """Everything that a step changed, in words; program counters and what threads keep for themselves aside."""
    found: list[Change] = []
    for number, (core, then) in enumerate(zip(before.cores, after.cores, strict=True)):
        found += differences(f"CPU{number}", f"cores[{number}]", OF_CORE, core, then)
        found += differences(f"CPU{number} guest's", f"cores[{number}].live", OF_REGISTERS, core.live, then.live)
    for number, (vcpu, later) in enumerate(zip(before.vcpus, after.vcpus, strict=True)):
        owner, path = f"vCPU{number}", f"vcpus[{number}]"
        found += differences(owner, path, OF_VCPU, vcpu, later)
        found += differences(owner, f"{path}.registers", OF_REGISTERS, vcpu.registers, later.registers)
    for number, (vm, other) in enumerate(zip(before.vms, after.vms, strict=True)):
        found += differences(f"VM{number}", f"vms[{number}]", OF_VM, vm, other)
    if before.crashed != after.crashed:
        found.append(Change("crashed", "host", "unharmed", "harmed"))
    return found


def variables(design: Design, state: PowerState) -> dict[str, Any]:
    """The variables of power."""
    found: dict[str, Any] = {}
    for number, core in enumerate(state.cores):
        found |= {f"cpu{number}_{name}": getattr(core, name) for name in ("busy", "vcpu", "masked", "ipi")}
    for number, vcpu in enumerate(state.vcpus):
        found[f"vcpu{number}_at"] = place_name(design, vcpu.at)
        names = ("mode", "wait", "signal", "initialised", "pause", "request", "soft")
        found |= {f"vcpu{number}_{name}": getattr(vcpu, name) for name in names}
        found |= {f"vcpu{number}_{name}": getattr(vcpu.registers, name) for name, _, _ in OF_REGISTERS}
    for number, vm in enumerate(state.vms):
        found |= {f"vm{number}_{name}": getattr(vm, name) for name in ("alive", "lock")}
    return found
