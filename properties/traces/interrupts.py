"""Interrupts in words: who does what in a step, and what of distributors, list registers and threads it changed."""

from collections.abc import Iterator, Sequence
from typing import Any

from model.design import Design
from model.threads import Mode, Wait, at_of, given_up, is_agent, signalled
from model.vgic import guest, injection, run, system
from model.vgic.design import GUEST, LONGEST, OUT, ROUTINES, step_at
from model.vgic.guest import Acknowledges, Completes, Deactivates, GuestUse, Loads, Stores
from model.vgic.state import SGIS, Access, Exit, Vcpu, VgicState, VirtualIrq, Vm
from model.vgic.system import VgicAction, VgicSteps
from properties.interrupts.steps import named
from properties.traces.changes import NUMBER, WORD, YES, Change, Text, differences
from spec.citations import Citation
from spec.gic import list_registers as lists
from spec.gic.virtual_cpu_interface import acknowledge

STATES = ("empty", "pending", "active", "active and pending")
MODES = {Mode.OUTSIDE_GUEST_MODE: "outside", Mode.IN_GUEST_MODE: "in the guest", Mode.EXITING_GUEST_MODE: "exiting"}
WAITS = {Wait.NOT: "is awake", Wait.QUEUED: "is on its wait queue", Wait.ASLEEP: "sleeps"}
APART = "Agent{}"
"""The name of a lane that is no processor's, with a place for its number."""


def place_name(design: Design, at: int) -> str:
    """Where a thread stands, in words."""
    if at in (OUT, GUEST):
        return "guest" if at == GUEST else "outside"
    step = step_at(design.vgic, at)
    return step.name if step is not None else f"end of {ROUTINES[at // LONGEST]}"


def told(design: Design, before: VgicState, action: VgicAction, after: VgicState) -> tuple[str, str, Any]:
    """Who acts, what it does in words, and the rule that says so."""
    cpu = action.cpu
    if isinstance(action, VgicSteps):
        return "highvisor", place_name(design, at_of(before, cpu)), None
    if is_agent(before, cpu):
        return begun(action)
    vcpu = f"vCPU{before.cores[cpu].vcpu}"
    match action:
        case system.HostRuns(_, number):
            return "host", f"runs vCPU{number}", system.host_runs
        case system.HostPreempts():
            return "host", f"takes the processor from {vcpu}", given_up
        case system.InterruptArrives():
            return "device", "a physical interrupt arrives", None
        case system.HostTakesInterrupts():
            return "host", "takes its interrupts", None
        case system.GuestInterrupted():
            return "hardware", f"{vcpu} is left: {cause(before, cpu)}", system.left_guest
        case system.GuestActs() if not system.has_interface(design.vgic):
            return vcpu, "uses a CPU interface that user space emulates", system.left_guest
        case system.GuestActs(_, use):
            return vcpu, used(before, cpu, use), guest.guest_step
        case system.GuestAccessesDistributor(_, access):
            return vcpu, accessed(access), system.left_guest
        case system.GuestPowersOn(_, number):
            return vcpu, f"powers vCPU{number} of its VM on", run.others_called
    return vcpu, EXITS[type(action)], system.left_guest


EXITS: dict[type[VgicAction], str] = {
    system.GuestExits: "traps for something else",
    system.GuestWaits: "waits for an interrupt (WFI)",
    system.GuestPowersOff: "powers itself off",
    system.GuestStops: "stops its machine",
}


def begun(action: VgicAction) -> tuple[str, str, Any]:
    """What an agent begins, in words."""
    match action:
        case system.LineChanges(_, vm, vcpu, irq, level):
            bank = f" of vCPU{vcpu}" if SGIS <= irq < 32 else ""
            what = f"the line of interrupt {irq}{bank} of VM{vm} {'rises' if level else 'falls'}"
            return "device", what, injection.inject
        case system.UserSignals(_, vcpu):
            return "user space", f"sends a signal to the thread of vCPU{vcpu}", signalled
    return "", type(action).__name__, None


def cause(state: VgicState, cpu: int) -> str:
    """What takes a guest out, in words."""
    core = state.cores[cpu]
    if core.ipi == 1:
        return "it was kicked"
    return "a physical interrupt" if core.irq == 1 else "a maintenance interrupt"


def used(state: VgicState, cpu: int, use: GuestUse) -> str:
    """What a guest does with its virtual CPU interface."""
    match use:
        case Acknowledges(choices):
            value = acknowledge(state.cores[cpu].gich, 0, choices)[1]
            return f"acknowledges, and gets {value & 0x3FF}{source(value)}"
        case Completes(value):
            return f"completes {value & 0x3FF}{source(value)}"
        case Deactivates(value):
            return f"deactivates {value & 0x3FF}{source(value)}"
        case Loads(offset, size):
            return f"loads {size} bytes from GICV at {offset:#x}"
        case Stores(offset, size, value):
            return f"stores {value:#x} of {size} bytes to GICV at {offset:#x}"
    return type(use).__name__


def source(value: int) -> str:
    """The sender of an SGI, in words."""
    return f" from vCPU{value >> 10 & 7}" if value & 0x3FF < SGIS else ""


def accessed(access: Access) -> str:
    """An access to the distributor, in words."""
    if access.write:
        return f"stores {access.value:#x} of {access.size} bytes to its distributor at {access.offset:#x}"
    return f"loads {access.size} bytes from its distributor at {access.offset:#x}"


def sources_of(design: Design, before: VgicState, action: VgicAction, rule: Any) -> tuple[Citation, ...]:
    """The sources of an action: those of the design's step, or of the rule."""
    if isinstance(action, VgicSteps):
        step = step_at(design.vgic, at_of(before, action.cpu))
        return () if step is None else step.sources
    return tuple(getattr(rule, "sources", ()))


def list_text(lr: int) -> str:
    """A list register in words."""
    state = lists.state(lr)
    if state == 0:
        return "empty"
    number = lists.virtual_id(lr)
    sender = f" from vCPU{lists.cpu_id(lr)}" if number < SGIS else ""
    return f"{number}{sender}, {STATES[state]}{', end reported' if lists.eoi(lr) else ''}"


def irq_text(record: VirtualIrq) -> str:
    """What a distributor keeps of an interrupt, in words."""
    words = [name for name in ("enabled", "pending", "active", "soft") if getattr(record, name)]
    words += ["line high"] if record.line else []
    words += [f"sources {record.sources:#04x}"] if record.sources else []
    words += [f"target vCPU{record.target}"] if record.target else []
    return ", ".join(words) or "nothing"


OF_VM: Sequence[tuple[str, str, Text]] = (
    ("enabled", "GICD_CTLR", NUMBER),
    ("lock", "lock held by", lambda lock: f"CPU{lock - 1}" if lock else "nobody"),
    ("oracle", "irq_pending_on_cpu", WORD),
)
OF_VCPU: Sequence[tuple[str, str, Text]] = (
    ("mode", "mode", MODES.__getitem__), ("wait", "", WAITS.__getitem__), ("signal", "signal pending", YES),
    ("pause", "powered off", YES), ("requests", "request", YES), ("exit", "exit", lambda exit: Exit(exit).name.lower()),
    ("used", "lr_used", WORD), ("updated", "kicks due", YES), ("pins", "pins", WORD),
)  # fmt: skip
OF_SAVED: Sequence[tuple[str, str, Text]] = tuple(
    (name, f"saved GICH_{name.upper()}", WORD) for name in ("hcr", "vmcr", "misr", "eisr", "elrsr", "apr")
)
OF_CORE: Sequence[tuple[str, str, Text]] = (
    ("masked", "interrupts masked", YES), ("ipi", "kick pending", YES), ("irq", "physical interrupt pending", YES),
    ("pins", "HCR.VI and HCR.VF", WORD),
)  # fmt: skip
OF_GICH: Sequence[tuple[str, str, Text]] = tuple(
    (name, f"GICH_{name.upper()}", WORD) for name in ("hcr", "vmcr", "apr")
)


def list_changes(owner: str, path: str, old: tuple[int, ...], new: tuple[int, ...]) -> Iterator[Change]:
    """The list registers that changed."""
    for number, (was, now) in enumerate(zip(old, new, strict=True)):
        if was != now:
            yield Change(f"{path}[{number}]", f"{owner} list register {number}", list_text(was), list_text(now))


def changes(before: VgicState, after: VgicState) -> list[Change]:
    """Everything that a step changed, in words; program counters and what threads keep for themselves aside."""
    found: list[Change] = []
    old_irqs, new_irqs = before.irqs, after.irqs
    if old_irqs is not new_irqs:
        for key in sorted({*old_irqs.entries, *new_irqs.entries}):
            was, now = old_irqs.get(key), new_irqs.get(key)
            if was != now:
                found.append(Change(f"irqs[{key}]", named(key), irq_text(was), irq_text(now)))
    for number, (core, then) in enumerate(zip(before.cores, after.cores, strict=True)):
        owner, path = f"CPU{number}", f"cores[{number}]"
        found += list_changes(owner, f"{path}.gich.lrs", core.gich.lrs, then.gich.lrs)
        found += differences(owner, path, OF_CORE, core, then)
        found += differences(owner, f"{path}.gich", OF_GICH, core.gich, then.gich)
    for number, (vcpu, later) in enumerate(zip(before.vcpus, after.vcpus, strict=True)):
        found += vcpu_changes(number, vcpu, later)
    for number, (vm, other) in enumerate(zip(before.vms, after.vms, strict=True)):
        found += vm_changes(number, vm, other)
    if before.crashed != after.crashed:
        found.append(Change("crashed", "host", "unharmed", "harmed"))
    return found


def vcpu_changes(number: int, old: Vcpu, new: Vcpu) -> Iterator[Change]:
    """What changed of a vCPU."""
    owner, path = f"vCPU{number}", f"vcpus[{number}]"
    yield from list_changes(f"{owner} saved", f"{path}.saved.lrs", old.saved.lrs, new.saved.lrs)
    yield from differences(owner, path, OF_VCPU, old, new)
    yield from differences(owner, f"{path}.saved", OF_SAVED, old.saved, new.saved)


def vm_changes(number: int, old: Vm, new: Vm) -> Iterator[Change]:
    """What changed of a VM."""
    yield from differences(f"VM{number}", f"vms[{number}]", OF_VM, old, new)


def variables(design: Design, state: VgicState) -> dict[str, Any]:
    """The variables of interrupts; what distributors and list registers hold is text."""
    found: dict[str, Any] = {}
    for number, core in enumerate(state.cores):
        found |= {f"cpu{number}_{name}": getattr(core, name) for name in ("busy", "vcpu", "masked", "ipi")}
        found[f"cpu{number}_lists"] = "; ".join(list_text(lr) for lr in core.gich.lrs)
    for number, vcpu in enumerate(state.vcpus):
        found[f"vcpu{number}_at"] = place_name(design, vcpu.at)
        found |= {f"vcpu{number}_{name}": getattr(vcpu, name) for name in ("mode", "wait", "pause", "used")}
        found[f"vcpu{number}_lists"] = "; ".join(list_text(lr) for lr in vcpu.saved.lrs)
    for number, vm in enumerate(state.vms):
        found |= {f"vm{number}_{name}": getattr(vm, name) for name in ("enabled", "lock", "oracle")}
    items = sorted(state.irqs.entries.items())
    found["irqs"] = "; ".join(f"{named(key)}: {irq_text(record)}" for key, record in items)
    return found
