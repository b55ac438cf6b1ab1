"""What a guest's accesses reach: its own memory and its CPU interface, as far as it may, and nothing else."""

from typing import Any

from model.action import Action
from model.design import Design
from model.memory.actions import GuestAccesses, GuestRemaps
from model.memory.design import GUEST
from model.memory.state import Use
from model.memory.tables import protected
from model.state import State
from properties.memory.steps import comes_out, memory_of
from properties.property import Kind, Property
from spec.words import choose, either, every, implies, same


def isolated(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ISOLATED."""
    assert isinstance(action, GuestAccesses)
    state = memory_of(before)
    gfn, answer = comes_out(state, action)
    page = state.pages.get(answer.page)
    own = every(page.use == Use.RAM, page.vm == state.cores[action.cpu].vm, page.base == gfn)
    return implies(answer.status == 0, either(own, page.use == Use.GICV))


def completes(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether the access of a guest completes."""
    return isinstance(action, GuestAccesses) and comes_out(memory_of(before), action)[1].status == 0


def reached_text(design: Design, before: State, action: Action, after: State) -> str:
    """Where the access comes out, in words."""
    assert isinstance(action, GuestAccesses)
    state = memory_of(before)
    gfn, answer = comes_out(state, action)
    page, core = state.pages.get(answer.page), state.cores[action.cpu]
    owner = f" of VM{page.vm}" if page.use in (Use.STRUCTURE, Use.TABLE, Use.DETACHED, Use.CACHE, Use.RAM) else ""
    place = f", its gfn {page.base:#x}" if page.use == Use.RAM else ""
    return f"VM{core.vm}'s access to gfn {gfn:#x} reaches page {answer.page:#x}: {Use(page.use).name}{owner}{place}"


ISOLATED = Property(
    id="memory.isolated",
    statement="Every access of a VM that completes reaches its own memory at that address, or its CPU interface.",
    claims=("C11", "C12"),
    question="Can a guest reach memory of the host, of Hyp mode, or of another VM?",
    kind=Kind.STEP,
    about=(GuestAccesses,),
    holds=isolated,
    interesting=completes,
    explain=reached_text,
)


def permitted(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of PERMISSIONS."""
    assert isinstance(action, GuestAccesses)
    state = memory_of(before)
    gfn, answer = comes_out(state, action)
    core = state.cores[action.cpu]
    ram = state.pages.get(answer.page).use == Use.RAM
    stores = every(answer.status == 0, action.access.write == 1, action.access.fetch == 0, ram)
    return implies(stores, protected(state.backing.get((core.vm, gfn))) ^ True)


PERMISSIONS = Property(
    id="memory.permissions",
    statement="A guest's store reaches no page that the host lets only be read.",
    claims=("C12",),
    question="Can a guest write into a page that the host shares or is about to copy?",
    kind=Kind.STEP,
    about=(GuestAccesses,),
    holds=permitted,
    interesting=lambda d, b, a, s: (
        completes(d, b, a, s) and a.access.write == 1 and a.access.fetch == 0  # type: ignore[attr-defined]
    ),
    explain=lambda d, b, a, s: f"{reached_text(d, b, a, s)}, which the host has protected from writing",
)


def fresh(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of NO_STALE_DATA."""
    assert isinstance(action, GuestAccesses)
    state = memory_of(before)
    _, answer = comes_out(state, action)
    page = state.pages.get(answer.page)
    reads = every(answer.status == 0, action.access.uncached == 1, action.access.write == 0, page.use == Use.RAM)
    return implies(reads, page.stale == 0)


NO_STALE_DATA = Property(
    id="memory.no_stale_data",
    statement="A guest that reads past the data cache never reads what a page held before the host cleared it.",
    claims=("C12",),
    question="What does a guest see whose caches are off?",
    kind=Kind.STEP,
    about=(GuestAccesses,),
    holds=fresh,
    interesting=lambda d, b, a, s: completes(d, b, a, s) and a.access.uncached == 1,  # type: ignore[attr-defined]
    explain=lambda d, b, a, s: f"{reached_text(d, b, a, s)}, whose main memory holds the previous owner's data",
)


def apart(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of SIBLINGS_APART."""
    assert isinstance(action, GuestAccesses)
    state = memory_of(before)
    core = state.cores[action.cpu]
    entry = state.stage1_tlb.get((action.cpu, core.vttbr >> 48 & 0xFF))
    uses = every(action.access.virtual == 1, action.access.cached == 1, entry.valid == 1)
    return implies(uses, entry.vcpu == core.vcpu)


def virtual(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether an access uses a translation of stage 1 that the TLB holds."""
    if not isinstance(action, GuestAccesses) or action.access.virtual == 0 or action.access.cached == 0:
        return False
    state = memory_of(before)
    return state.stage1_tlb.get((action.cpu, state.cores[action.cpu].vttbr >> 48 & 0xFF)).valid == 1


def siblings_text(design: Design, before: State, action: Action, after: State) -> str:
    """Whose translation the access uses, in words."""
    state = memory_of(before)
    core = state.cores[action.cpu]
    entry = state.stage1_tlb.get((action.cpu, core.vttbr >> 48 & 0xFF))
    return f"vCPU{core.vcpu} uses a stage 1 translation of vCPU{entry.vcpu}, to gfn {entry.gfn:#x}"


SIBLINGS_APART = Property(
    id="memory.siblings_apart",
    statement="A vCPU uses only stage 1 translations of its own tables, whichever vCPU ran on the processor before.",
    claims=("C15",),
    question="Do two vCPUs of a VM on one processor see each other's translations?",
    kind=Kind.STEP,
    about=(GuestAccesses,),
    holds=apart,
    interesting=virtual,
    explain=siblings_text,
)


def unexited(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of STAGE1_FREE."""
    here = memory_of(after).cores[action.cpu].at == GUEST
    if isinstance(action, GuestRemaps):
        return every(here, same(memory_of(before).vms, memory_of(after).vms))
    assert isinstance(action, GuestAccesses)
    _, answer = comes_out(memory_of(before), action)
    return choose(answer.status == 0, here, here ^ True)


STAGE1_FREE = Property(
    id="memory.stage1_free",
    statement="A guest changes its own translations, and accesses what stage 2 permits, without an exit.",
    claims=("C15",),
    question="What does a guest's own memory management cost?",
    kind=Kind.STEP,
    about=(GuestAccesses, GuestRemaps),
    holds=unexited,
    interesting=lambda d, b, a, s: isinstance(a, GuestRemaps),
    explain=lambda d, b, a, s: "the guest was left though stage 2 permits what it does, or was not though it does not",
)

PROPERTIES = (ISOLATED, PERMISSIONS, NO_STALE_DATA, SIBLINGS_APART, STAGE1_FREE)
