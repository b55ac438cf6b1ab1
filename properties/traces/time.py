"""Time in words: who does what in a step, and what of counters, timers and interrupt 27 it changed."""

from collections.abc import Sequence
from typing import Any

from model.design import Design
from model.threads import Wait, given_up, vcpu_of
from model.timer import run, soft, system, threads
from model.timer.design import GUEST, LONGEST, OUT, THREADS, TimerStep, step_at
from model.timer.state import Exit, TimeState
from model.timer.system import TimeAction, TimerSteps
from properties.traces.changes import WORD, YES, Change, Text, differences
from spec.citations import Citation
from spec.timer import timers

LISTED = ("empty", "pending", "active", "active and pending")
WAITS = {Wait.NOT: "is awake", Wait.QUEUED: "is on its wait queue", Wait.ASLEEP: "sleeps"}
APART = "Time"
"""The name of a lane that is no processor's, with a place for its number."""


def place_name(design: Design, at: int) -> str:
    """Where a thread stands, in words."""
    if at in (OUT, GUEST):
        return "guest" if at == GUEST else "outside"
    step = step_at(design.timer, at)
    return step.name if step is not None else f"end of {THREADS[at // LONGEST]}"


def told(design: Design, before: TimeState, action: TimeAction, after: TimeState) -> tuple[str, str, Any]:
    """Who acts, what it does in words, and the rule that says so."""
    cpu = action.cpu
    if cpu >= len(before.cores):
        return apart(design, before, action)
    number = before.cores[cpu].vcpu
    match action:
        case TimerSteps():
            return "highvisor", place_name(design, vcpu_of(before, cpu).at), None
        case system.HostResumes(_, vcpu):
            return "host", f"runs vCPU{vcpu}", system.host_runs
        case system.HostSuspends():
            return "host", f"takes the processor from vCPU{number}", given_up
        case system.HostTakesKick():
            return "host", "takes the kick", threads.kicked
        case system.TimerInterruptTaken():
            return "host", "takes interrupt 27", run.signals
        case system.GuestTakenOut():
            why = "it was kicked" if before.cores[cpu].irq else "its timer fires"
            return "hardware", f"vCPU{number} is left: {why}", system.left_guest
    what, rule = used(action)
    return f"vCPU{number}", what, rule


def used(action: TimeAction) -> tuple[str, Any]:
    """What a guest does, in words, and the rule that says so."""
    match action:
        case system.GuestWritesCtl(_, value):
            return f"writes {value} to CNTV_CTL", timers.with_ctl
        case system.GuestWritesCval(_, value):
            return f"writes {value:#x} to CNTV_CVAL", timers.condition_met
        case system.GuestWritesTval(_, value):
            return f"writes {value:#x} to CNTV_TVAL", timers.ahead
        case system.GuestEnables(_, value):
            return f"{'enables' if value else 'disables'} interrupt 27 in its distributor", system.left_guest
        case system.GuestTraps(_, to_user):
            return f"traps for something else{', to user space' if to_user else ''}", system.left_guest
    return USES[type(action)], system.guest_acts


USES: dict[type[TimeAction], str] = {
    system.GuestTakes: "acknowledges interrupt 27",
    system.GuestCompletes: "ends interrupt 27",
    system.GuestIdles: "waits for an interrupt (WFI)",
    system.GuestReadsCount: "reads its counter",
}


def apart(design: Design, before: TimeState, action: TimeAction) -> tuple[str, str, Any]:
    """What happens on no processor, in words."""
    match action:
        case system.TimePasses(_, ticks):
            return "time", f"{ticks:#x} ticks pass", system.counted
        case system.ClockStepped(_, ticks):
            return "host", f"its clock is stepped {ticks:#x} ticks forward", system.counted
        case system.SoftTimerExpires(_, vcpu):
            return "host", f"the software timer of vCPU{vcpu} expires: {named(design.timer.expire)}", soft.queue_work
        case system.WorkRuns(_, vcpu):
            return "host", f"the work for vCPU{vcpu} runs: {named(design.timer.work)}", soft.disarm
        case system.ThreadSignalled(_, vcpu):
            return "user space", f"sends a signal to the thread of vCPU{vcpu}", threads.signalled
    return "", type(action).__name__, None


def named(steps: tuple[TimerStep, ...]) -> str:
    """The steps of a routine that is one action."""
    return ", ".join(step.name.partition(": ")[2] for step in steps) or "nothing"


def sources_of(design: Design, before: TimeState, action: TimeAction, rule: Any) -> tuple[Citation, ...]:
    """The sources of an action: those of the design's steps, or of the rule."""
    match action:
        case TimerSteps(cpu):
            step = step_at(design.timer, vcpu_of(before, cpu).at)
            return () if step is None else step.sources
        case system.WorkRuns():
            return tuple(dict.fromkeys(source for step in design.timer.work for source in step.sources))
        case system.SoftTimerExpires():
            return tuple(dict.fromkeys(source for step in design.timer.expire for source in step.sources))
    return tuple(getattr(rule, "sources", ()))


CTL: Text = ("off", "on", "off, masked", "on, masked").__getitem__
OF_CORE: Sequence[tuple[str, str, Text]] = (
    ("masked", "interrupts masked", YES), ("irq", "kick pending", YES), ("late", "interrupt 27 may come late", YES),
    ("silenced", "interrupt 27 disabled", YES), ("active", "interrupt 27 active", YES), ("ctl", "CNTV_CTL", CTL),
    ("cval", "CNTV_CVAL", WORD), ("off", "CNTVOFF", WORD), ("access", "CNTHCTL", WORD),
)  # fmt: skip
OF_VCPU: Sequence[tuple[str, str, Text]] = (
    ("wait", "", WAITS.__getitem__), ("exit", "exit", lambda exit: Exit(exit).name.lower()),
    ("signal", "signal pending", YES), ("ctl", "saved CNTV_CTL", CTL), ("cval", "saved CNTV_CVAL", WORD),
    ("armed", "software timer armed", YES), ("running", "software timer counts", YES),
    ("left", "software timer's ticks to go", WORD), ("queued", "work queued", YES),
    ("enabled", "interrupt 27 enabled", YES), ("line", "line of interrupt 27", ("low", "high").__getitem__),
    ("pending", "interrupt 27 pending", YES), ("listed", "list register of interrupt 27", LISTED.__getitem__),
)  # fmt: skip
OF_VM: Sequence[tuple[str, str, Text]] = (("ready", "has run", YES), ("off", "offset", WORD))


def changes(before: TimeState, after: TimeState) -> list[Change]:
    """Everything that a step changed, in words; program counters and history aside."""
    found: list[Change] = []
    if before.now != after.now:
        found.append(Change("now", "CNTPCT", f"{before.now:#x}", f"{after.now:#x}"))
    for number, (core, then) in enumerate(zip(before.cores, after.cores, strict=True)):
        found += differences(f"CPU{number}", f"cores[{number}]", OF_CORE, core, then)
    for number, (vcpu, later) in enumerate(zip(before.vcpus, after.vcpus, strict=True)):
        found += differences(f"vCPU{number}", f"vcpus[{number}]", OF_VCPU, vcpu, later)
    for number, (vm, other) in enumerate(zip(before.vms, after.vms, strict=True)):
        found += differences(f"VM{number}", f"vms[{number}]", OF_VM, vm, other)
    return found


def variables(design: Design, state: TimeState) -> dict[str, Any]:
    """The variables of time."""
    found: dict[str, Any] = {"now": state.now}
    of_records: tuple[tuple[str, Sequence[Any], Sequence[tuple[str, str, Text]]], ...] = (
        ("cpu", state.cores, OF_CORE), ("vcpu", state.vcpus, OF_VCPU), ("vm", state.vms, OF_VM),
    )  # fmt: skip
    for kind, records, texts in of_records:
        for number, record in enumerate(records):
            found |= {f"{kind}{number}_{name}": getattr(record, name) for name, _, _ in texts}
    return found | {f"vcpu{number}_at": place_name(design, vcpu.at) for number, vcpu in enumerate(state.vcpus)}
