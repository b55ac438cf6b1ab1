"""What is known of a thread from its program counter alone, derived from the order of the design's own steps."""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType

from model.vgic.design import GUEST, JUMPS, OUT, Do, VgicDesign, after, jump_target, place, program, routine_at


class Fact(Enum):
    """What is known of a thread from its program counter alone."""

    LOCKED = "it holds the distributor's lock"
    MASKED = "interrupts are masked on its processor"
    IN_MODE = "its vCPU's mode is not OUTSIDE_GUEST_MODE, so that a kick interrupts the processor"
    ASKING = "it has taken the requests back, and has not entered the guest since"
    CHECKED = "there was no request when kicks interrupted the processor already"
    FLUSHED = "it has filled the list registers, and has not entered the guest since"
    STOPPED = "GICH_HCR of its processor is 0"
    UNPINNED = "HCR.VI and HCR.VF of its processor are 0"
    HCR_LOADED = "GICH_HCR is what is saved"
    VMCR_LOADED = "GICH_VMCR is what is saved"
    APR_LOADED = "GICH_APR is what is saved"
    LRS_LOADED = "the list registers are what is saved"
    STATUS_SAVED = "it has saved GICH_MISR, GICH_EISR and GICH_ELRSR since the guest was left"
    VMCR_SAVED = "it has saved GICH_VMCR since the guest was left"
    APR_SAVED = "it has saved GICH_APR since the guest was left"
    LRS_SAVED = "it has saved the list registers since the guest was left"
    SAMPLED = "it has noted which ended interrupts are pending again"
    QUEUED = "it stands on its wait queue, or somebody has woken it since it did"


GAINS: Mapping[Do, tuple[Fact, ...]] = MappingProxyType(
    {
        Do.LOCK: (Fact.LOCKED,),
        Do.MASK_IRQS: (Fact.MASKED,),
        Do.SET_MODE: (Fact.IN_MODE,),
        Do.CLEAR_REQUESTS: (Fact.ASKING,),
        Do.FLUSH_END: (Fact.FLUSHED,),
        Do.STOP: (Fact.STOPPED,),
        Do.CLEAR_PINS: (Fact.UNPINNED,),
        Do.LOAD_HCR: (Fact.HCR_LOADED,),
        Do.LOAD_VMCR: (Fact.VMCR_LOADED,),
        Do.LOAD_APR: (Fact.APR_LOADED,),
        Do.LOAD_LRS: (Fact.LRS_LOADED,),
        Do.SAVE_VMCR: (Fact.VMCR_SAVED,),
        Do.SAVE_APR: (Fact.APR_SAVED,),
        Do.SAVE_LRS: (Fact.LRS_SAVED,),
        Do.SYNC_SAMPLE: (Fact.SAMPLED,),
        Do.PREPARE_WAIT: (Fact.QUEUED,),
    }
)
FOLLOWS: Mapping[Do, tuple[tuple[Fact, Fact], ...]] = MappingProxyType(
    {Do.CHECK_REQUESTS: ((Fact.IN_MODE, Fact.CHECKED),)}
)
"""Facts that a step gains where another is known."""
LOADED = (Fact.HCR_LOADED, Fact.VMCR_LOADED, Fact.APR_LOADED, Fact.LRS_LOADED)
SAVED = (Fact.STATUS_SAVED, Fact.VMCR_SAVED, Fact.APR_SAVED, Fact.LRS_SAVED)
LOSES: Mapping[Do, tuple[Fact, ...]] = MappingProxyType(
    {
        Do.UNLOCK: (Fact.LOCKED,),
        Do.PRUNE: (Fact.LRS_LOADED,),
        Do.FLUSH_ONE: (Fact.LRS_LOADED,),
        Do.FLUSH_END: (Fact.HCR_LOADED, Fact.LRS_LOADED),
        Do.SYNC_ENDED: (Fact.LRS_LOADED,),
        Do.SYNC_UNDERFLOW: (Fact.HCR_LOADED,),
        Do.UNMASK_IRQS: (Fact.MASKED,),
        Do.CLEAR_MODE: (Fact.IN_MODE, Fact.CHECKED),
        Do.LOAD_HCR: (Fact.STOPPED,),
        Do.STOP: (Fact.HCR_LOADED,),
        Do.LOAD_PINS: (Fact.UNPINNED,),
        Do.ENTER: (*LOADED, *SAVED, Fact.ASKING, Fact.FLUSHED),
        Do.SYNC_PENDING: (Fact.SAMPLED,),
        Do.FINISH_WAIT: (Fact.QUEUED,),
        Do.SLEEP: (Fact.QUEUED,),
    }
)
STATUS = (Do.SAVE_MISR, Do.SAVE_EISR, Do.SAVE_ELRSR)
"""The steps that save the status; it is saved behind the last of them, if GICH was not stopped before."""


def ways_on(design: VgicDesign, at: int) -> Iterator[tuple[int, bool]]:
    """Where a thread may go on from a program counter, each with whether its step backs out or finds nothing to do."""
    if at == GUEST:
        yield after(design, "run", Do.ENTER), False
        return
    if at == OUT:
        yield place("run"), False
        yield place("inject"), False
        return
    step, found = program(design)[at], routine_at(at)
    assert found is not None
    match None if step is None else step.do:
        case None:
            yield (OUT if found[0] == "inject" else place("run")), False
        case Do.ENTER:
            yield GUEST, False
        case Do.SLEEP:
            yield place("block"), False
        case Do.FINISH_WAIT:
            yield place("run"), False
        case Do.HANDLE_EXIT:
            yield from ((target, False) for target in (place("run"), place("block"), place("access"), OUT))
        case do:
            yield at + 1, False
            if do in JUMPS:
                yield jump_target(design, at), True
            if do is Do.DECODE:
                yield from ((place("run"), True), (OUT, True))


def behind(design: VgicDesign, at: int, known: frozenset[Fact], jumped: bool) -> frozenset[Fact]:
    """The facts behind the step at a program counter, given those before it; a step that jumps gains nothing."""
    step = program(design)[at] if at < OUT else None
    if step is None:
        return known
    gained = set[Fact]() if jumped else set(GAINS.get(step.do, ()))
    gained |= {new for given, new in FOLLOWS.get(step.do, ()) if given in known and not jumped}
    if step.do in STATUS and status_saved(design, at):
        gained.add(Fact.STATUS_SAVED)
    return (known - frozenset(LOSES.get(step.do, ()))) | gained


def status_saved(design: VgicDesign, at: int) -> bool:
    """Whether the step at a program counter saves the last of the status, before GICH is stopped."""
    start = after(design, "run", Do.ENTER)
    done = [step.do for step in program(design)[start : at + 1] if step is not None]
    return set(STATUS) <= set(done) and Do.STOP not in done[: done.index(Do.SAVE_MISR)]


@cache
def facts(design: VgicDesign) -> Mapping[int, frozenset[Fact]]:
    """What is known at each program counter that a thread can reach: what holds on every way to it."""
    known = {OUT: frozenset({Fact.STOPPED, Fact.UNPINNED})}
    pending = [OUT]
    while pending:
        at = pending.pop()
        for target, jumped in ways_on(design, at):
            there = behind(design, at, known[at], jumped) & known.get(target, frozenset(Fact))
            if known.get(target) != there:
                known[target] = there
                pending.append(target)
    return MappingProxyType(known)


@cache
def places(design: VgicDesign, fact: Fact) -> tuple[int, ...]:
    """The program counters at which a fact is known."""
    return tuple(at for at, known in facts(design).items() if fact in known)
