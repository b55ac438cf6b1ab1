"""The properties of Hyp mode's set-up: whose code takes an HVC, what is mapped, and what a processor has."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from model.action import Action
from model.design import Design
from model.hyp import registers
from model.hyp.design import PROGRAMS, Do, HypDesign
from model.hyp.setup import at_of, boot_tables, is_agent
from model.hyp.state import (
    CONTEXTS,
    GICH,
    STACKS,
    TEXT,
    TRAMPOLINE,
    Core,
    HypState,
    Tables,
    Use,
    Vectors,
)
from model.hyp.system import CpuComesOnline, CpuLosesPower, HostCallsHyp, HypAction, HypSteps, UserCreatesObject
from model.programs import GUEST, OUT
from model.state import State
from properties.property import Kind, Property
from spec.translation.stage2 import covered
from spec.words import bits, either, every, implies, negate

FORTY_BITS = 1 << 40
KEPT, NEVER = registers.EE | registers.FI | registers.I | registers.C, registers.TE | registers.WXN
"""The bits of HSCTLR that are the host's SCTLR's, and those that are 0."""


def hyp_of(state: State) -> HypState:
    """Hyp mode's set-up, in a configuration that is about it."""
    assert state.hyp is not None
    return state.hyp


def does(design: HypDesign, state: HypState, action: Action) -> Do | None:
    """What the step of a set-up does that an action is; None where it is no such step."""
    if not isinstance(action, HypSteps):
        return None
    step = PROGRAMS.step_at(design, at_of(state, action.cpu))
    return None if step is None else step.do


def walked_as_meant(core: Core) -> Any:
    """Whether HTCR is as KVM means it: walks are cacheable as the host's, and addresses have 32 bits."""
    return every(bits(core.htcr, 2, 0) == 0, bits(core.htcr, 13, 8) == bits(core.host.ttbcr, 13, 8))


def attributed(core: Core) -> Any:
    """Whether HMAIR0 and HMAIR1 are the host's attributes."""
    return every(core.hmair0 == core.host.mair0, core.hmair1 == core.host.mair1)


def switched_on(core: Core) -> Any:
    """Whether HSCTLR is as KVM means it, over registers for the MMU that are."""
    kept = core.hsctlr & KEPT == core.host.sctlr & KEPT
    return every(
        bits(core.hsctlr, 1, 0) == 3, kept, core.hsctlr & NEVER == 0, walked_as_meant(core), attributed(core)
    )


def forty_bits(core: Core) -> Any:
    """Whether VTCR is as KVM means it: 40 bits from level 1, walks as those of Hyp mode."""
    return every(
        covered(core.vtcr) == FORTY_BITS,
        bits(core.vtcr, 7, 6) == 1,
        bits(core.vtcr, 13, 8) == bits(core.htcr, 13, 8),
    )


SET: Mapping[Do, Callable[[Core], Any]] = MappingProxyType(
    {
        Do.SET_HTCR: walked_as_meant,
        Do.SET_VTCR: forty_bits,
        Do.SET_HMAIR0: lambda core: core.hmair0 == core.host.mair0,
        Do.SET_HMAIR1: lambda core: core.hmair1 == core.host.mair1,
        Do.SET_HSCTLR: switched_on,
    }
)
"""What the steps leave that set control registers."""


def configured(core: Core) -> Any:
    """Whether Hyp mode's control registers are as KVM means them."""
    return every(*(meant(core) for meant in SET.values()))


def owned(core: Core) -> Any:
    """Whether a processor's Hyp mode is KVM's: vectors, tables, stack, and nothing of the initialisation left."""
    return every(
        core.hvbar == Vectors.RUNTIME, core.httbr == Tables.RUNTIME, core.stack == 1, core.page == 0, core.stale == 0
    )


def unready(state: HypState) -> list[int]:
    """The processors that run a guest without all of KVM's own Hyp mode."""
    return [n for n, core in enumerate(state.cores) if core.at == GUEST and not (owned(core) and configured(core))]


READY_TO_RUN = Property(
    id="hyp.ready_to_run",
    statement="A processor runs a guest only with KVM's own vectors, tables and stack in Hyp mode, with the control "
    "registers that KVM means, and no translation of the boot tables left.",
    claims=("C1", "C9"),
    question="On which processors may a guest run?",
    kind=Kind.STATE,
    about=(HypAction,),
    holds=lambda d, b, a, s: not unready(hyp_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, HostCallsHyp),
    explain=lambda d, b, a, s: ", ".join(f"CPU{n}" for n in unready(hyp_of(s)))
    + " runs a guest, and its Hyp mode is not KVM's",
)

CALLS_ANSWERED = Property(
    id="hyp.calls_answered",
    statement="Each HVC of the host reaches the code that it is for: the stub, the initialisation code or the "
    "lowvisor.",
    claims=("C2", "C4"),
    question="What becomes of a vCPU on a processor that was plugged in, or has slept?",
    kind=Kind.STATE,
    about=(HypAction,),
    holds=lambda d, b, a, s: hyp_of(s).crashed == 0,
    interesting=lambda d, b, a, s: isinstance(a, HostCallsHyp),
    explain=lambda d, b, a, s: f"on CPU{a.cpu} an HVC reaches other code than the one that it was for",
)


def astray(design: HypDesign, state: HypState) -> list[str]:
    """The processors whose initialisation code executes where something else is mapped, or nothing."""
    wrong = []
    for number, core in enumerate(state.cores):
        in_force = {Tables.BOOT: getattr(state, boot_tables(design)), Tables.RUNTIME: state.runtime}
        tables = next((found for kind, found in in_force.items() if kind == core.httbr), None)
        use = Use.NOTHING if tables is None else tables.get(core.page)
        if core.page != 0 and use != Use.INIT_CODE:
            wrong.append(f"CPU{number} executes page {core.page:#x}, where {Use(use).name.lower()} is mapped")
    return wrong


CODE_MAPPED = Property(
    id="hyp.code_mapped",
    statement="Wherever the initialisation code executes with Hyp mode's MMU on, the tables in force map it there.",
    claims=("C1", "C7"),
    question="Why is there an identity map, and why a trampoline?",
    kind=Kind.STATE,
    about=(HypAction,),
    holds=lambda d, b, a, s: not astray(d.hyp, hyp_of(s)),
    interesting=lambda d, b, a, s: does(d.hyp, hyp_of(b), a) is Do.SET_HSCTLR,
    explain=lambda d, b, a, s: "; ".join(astray(d.hyp, hyp_of(s))),
)


def intended(state: HypState) -> dict[int, Use]:
    """What the runtime tables are to map once KVM is ready."""
    processors = range(len(state.cores))
    return {
        TRAMPOLINE: Use.INIT_CODE,
        TEXT: Use.TEXT,
        GICH: Use.DEVICE,
        **{STACKS + number: Use.STACK for number in processors},
        **{CONTEXTS + number: Use.CONTEXT for number in processors},
        **dict.fromkeys(state.objects.entries, Use.OBJECT),
    }


def unintended(state: HypState) -> list[str]:
    """What Hyp mode's tables map otherwise than they should, once KVM is ready."""
    if state.ready == 0:
        return []
    found, wanted = [], intended(state)
    for page in sorted({*wanted, *state.runtime.entries}):
        use, meant = state.runtime.get(page), wanted.get(page, Use.NOTHING)
        if use != meant:
            found.append(f"page {page:#x} is mapped to {Use(use).name.lower()}, not {meant.name.lower()}")
    return found


MAPPINGS_EXACT = Property(
    id="hyp.mappings_exact",
    statement="Once KVM is ready, Hyp mode's runtime tables map the lowvisor's code, each processor's stack and VFP "
    "area, the virtual interface, the trampoline, and each VM and vCPU, and nothing else.",
    claims=("C1", "C12"),
    question="What does Hyp mode see of the kernel?",
    kind=Kind.STATE,
    about=(HypAction,),
    holds=lambda d, b, a, s: not unintended(hyp_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, UserCreatesObject),
    explain=lambda d, b, a, s: "; ".join(unintended(hyp_of(s))),
)


def needless(state: HypState) -> Any:
    """Whether KVM is ready, or a processor's Hyp mode is touched, in a kernel that was not started in Hyp mode."""
    touched = (negate(core.hvbar == Vectors.NONE) for core in state.cores)
    return either(state.ready == 1, state.crashed == 1, negate(state.boot.get(state.init_page) == 0), *touched)


WORKS_WITHOUT = Property(
    id="hyp.works_without",
    statement="In a kernel that was not started in Hyp mode KVM is not ready, maps nothing and makes no HVC; the host "
    "works on.",
    claims=("C30",),
    question="Does the same kernel run on a machine that starts it elsewhere?",
    kind=Kind.STATE,
    about=(HypAction,),
    holds=lambda d, b, a, s: implies(hyp_of(s).hyp == 0, negate(needless(hyp_of(s)))),
    interesting=lambda d, b, a, s: hyp_of(s).hyp == 0 and does(d.hyp, hyp_of(b), a) is Do.CHECK_MODE,
    explain=lambda d, b, a, s: "KVM goes on in a kernel that was not started in Hyp mode",
)


def unstarted(before: HypState, action: Action, after: HypState) -> str:
    """What is wrong where the thread is done that starts KVM, empty where nothing is."""
    if not is_agent(before, action.cpu) or at_of(before, action.cpu) == OUT or at_of(after, action.cpu) != OUT:
        return ""
    if after.hotplug == 1:
        return "processors cannot come any more"
    return "" if after.ready == after.hyp else "KVM is not ready"


STARTS = Property(
    id="hyp.starts",
    statement="KVM starts in a kernel that was started in Hyp mode, and processors can come and go when it has.",
    claims=("C30",),
    question="When is KVM there?",
    kind=Kind.STEP,
    about=(HypSteps,),
    holds=lambda d, b, a, s: not unstarted(hyp_of(b), a, hyp_of(s)),
    interesting=lambda d, b, a, s: does(d.hyp, hyp_of(b), a) is Do.READY,
    explain=lambda d, b, a, s: unstarted(hyp_of(b), a, hyp_of(s)),
)


def left_alone(state: HypState) -> list[int]:
    """The processors that are at work in the host without KVM's Hyp mode, once KVM is ready."""
    if state.ready == 0:
        return []
    return [n for n, core in enumerate(state.cores) if core.online == 1 and core.at == OUT and not owned(core)]


EVERY_PROCESSOR = Property(
    id="hyp.every_processor",
    statement="Once KVM is ready, each processor that is at work has KVM's Hyp mode: those that were online, those "
    "that were plugged in, and those that have resumed.",
    claims=(),
    question="Who sets Hyp mode up on a processor that comes later?",
    kind=Kind.STATE,
    about=(HypAction,),
    holds=lambda d, b, a, s: not left_alone(hyp_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, CpuComesOnline | CpuLosesPower) and hyp_of(b).ready == 1,
    explain=lambda d, b, a, s: ", ".join(f"CPU{n}" for n in left_alone(hyp_of(s))) + " has no Hyp mode of KVM's",
)


def wrongly_set(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of REGISTERS."""
    done = does(design.hyp, hyp_of(before), action)
    meant = None if done is None else SET.get(done)
    return True if meant is None else meant(hyp_of(after).cores[action.cpu])


REGISTERS = Property(
    id="hyp.registers",
    statement="Whatever Hyp mode's control registers and the host's hold, its set-up leaves the MMU and alignment "
    "checks on, caches, endianness and attributes as the host's, walks as cacheable, and 40 bits of stage 2 from "
    "level 1; the MMU is switched on behind the registers by which it translates.",
    claims=("C9", "C11"),
    question="On what of the machine's state at reset does Hyp mode depend?",
    kind=Kind.STEP,
    about=(HypSteps,),
    holds=wrongly_set,
    interesting=lambda d, b, a, s: does(d.hyp, hyp_of(b), a) is Do.SET_VTCR,
    explain=lambda d, b, a, s: f"{does(d.hyp, hyp_of(b), a)} leaves something else",
)

PROPERTIES = (
    READY_TO_RUN, CALLS_ANSWERED, CODE_MAPPED, MAPPINGS_EXACT, WORKS_WITHOUT, STARTS, EVERY_PROCESSOR,
    REGISTERS,
)  # fmt: skip
