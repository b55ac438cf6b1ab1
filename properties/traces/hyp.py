"""Hyp mode's set-up in words: who does what in a step, and what of processors and tables it changed."""

from collections.abc import Sequence
from typing import Any

from model.design import Design
from model.hyp import setup, system
from model.hyp.design import PROGRAMS
from model.hyp.setup import at_of
from model.hyp.state import HypState, Tables, Use, Vectors
from model.hyp.system import HypAction, HypSteps
from model.programs import GUEST, OUT
from properties.traces.changes import YES, Change, Text, differences
from spec.citations import Citation

VECTORS = {
    Vectors.NONE: "nobody's", Vectors.STUB: "the stub's", Vectors.INIT: "the initialisation code's",
    Vectors.RUNTIME: "KVM's own",
}  # fmt: skip
TABLES = {Tables.NONE: "none", Tables.BOOT: "the boot tables", Tables.RUNTIME: "the runtime tables"}
APART = "Agent{}"
"""The name of a lane that is no processor's, with a place for its number."""


def place_name(design: Design, at: int) -> str:
    """Where a processor or thread stands, in words."""
    if at in (OUT, GUEST):
        return "guest" if at == GUEST else "outside"
    step = PROGRAMS.step_at(design.hyp, at)
    return step.name if step is not None else "the end"


def told(design: Design, before: HypState, action: HypAction, after: HypState) -> tuple[str, str, Any]:
    """Who acts, what it does in words, and the rule that says so."""
    match action:
        case HypSteps():
            return "KVM", place_name(design, at_of(before, action.cpu)), None
        case system.KvmStarts():
            return "host", "starts KVM", setup.check_mode
        case system.CallTaken():
            return "host", "takes the call to set Hyp mode up", setup.call_all
        case system.CpuComesOnline():
            return "host", "the processor is plugged in, and the kernel starts on it", system.come_online
        case system.CpuGoesOffline():
            return "host", "the processor is unplugged", None
        case system.CpuLosesPower():
            return "host", "the processor sleeps without power, and resumes", system.resumed
        case system.HostCallsHyp():
            return "host", "runs a vCPU: HVC", system.called
        case system.GuestReturns():
            return "hardware", "the guest is left", None
        case system.UserCreatesObject(_, page):
            return "user space", f"makes a VM or a vCPU, in page {page:#x}", system.created
    return "", type(action).__name__, None


def sources_of(design: Design, before: HypState, action: HypAction, rule: Any) -> tuple[Citation, ...]:
    """The sources of an action: those of the design's step, or of the rule."""
    if isinstance(action, HypSteps):
        step = PROGRAMS.step_at(design.hyp, at_of(before, action.cpu))
        return () if step is None else step.sources
    return tuple(getattr(rule, "sources", ()))


REGISTER: Text = "{:#010x}".format
OF_CORE: Sequence[tuple[str, str, Text]] = (
    ("online", "online", YES), ("called", "called", YES), ("hvbar", "HVBAR", VECTORS.__getitem__),
    ("httbr", "HTTBR", TABLES.__getitem__), ("htcr", "HTCR", REGISTER), ("vtcr", "VTCR", REGISTER),
    ("hmair0", "HMAIR0", REGISTER),
    ("hmair1", "HMAIR1", REGISTER), ("hsctlr", "HSCTLR", REGISTER), ("stack", "Hyp stack", YES),
    ("page", "initialisation code at", lambda page: f"page {page:#x}" if page else "rest"),
    ("stale", "translations of the boot tables", YES),
)  # fmt: skip
OF_STATE: Sequence[tuple[str, str, Text]] = (
    ("hotplug", "hotplug locked", YES), ("notifier", "set-up on hotplug", YES), ("resumer", "set-up on resume", YES),
    ("ready", "ready", YES),
)  # fmt: skip


def map_text(state: HypState, tables: str) -> str:
    """What tables map, in words."""
    entries = sorted(getattr(state, tables).entries.items())
    return "; ".join(f"page {page:#x}: {used(use)}" for page, use in entries)


def used(use: int) -> str:
    """What a page is mapped to, in words."""
    return Use(use).name.lower().replace("_", " ")


def changes(before: HypState, after: HypState) -> list[Change]:
    """Everything that a step changed, in words; program counters aside."""
    found = list(differences("KVM", "", OF_STATE, before, after))
    for number, (core, then) in enumerate(zip(before.cores, after.cores, strict=True)):
        found += differences(f"CPU{number}", f"cores[{number}]", OF_CORE, core, then)
    for tables in ("boot", "runtime"):
        old, new = getattr(before, tables), getattr(after, tables)
        for page in sorted({*old.entries, *new.entries}):
            if old.get(page) != new.get(page):
                label = f"{tables} tables, page {page:#x}"
                found.append(Change(f"{tables}[{page}]", label, used(old.get(page)), used(new.get(page))))
    if before.crashed != after.crashed:
        found.append(Change("crashed", "HVC", "as meant", "goes astray"))
    return found


def variables(design: Design, state: HypState) -> dict[str, Any]:
    """The variables of Hyp mode's set-up; what its tables map is text."""
    found: dict[str, Any] = {}
    for number, core in enumerate(state.cores):
        found[f"cpu{number}_at"] = place_name(design, core.at)
        names = ("online", "called", "hvbar", "httbr", "htcr", "vtcr", "hsctlr", "stack", "page", "stale")
        found |= {f"cpu{number}_{name}": getattr(core, name) for name in names}
    found |= {name: getattr(state, name) for name in ("hotplug", "notifier", "resumer", "ready")}
    return found | {tables: map_text(state, tables) for tables in ("boot", "runtime")}
