"""The memory system in words: who does what in a step, and what of pages, tables, TLBs and VMIDs it changed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import evolve

from model.design import Design
from model.memory import fault, hardware, system, unmap, vmid
from model.memory.actions import (
    GuestAccesses,
    GuestLeft,
    GuestRemaps,
    HostReclaims,
    HostReplaces,
    InterfaceMapped,
    IpiTaken,
    MemoryAction,
    Stage1Loads,
    StoreDrains,
    ThreadSteps,
    TlbLoads,
    UserCreatesVm,
    UserDeletesSlot,
    UserDestroysVm,
    UserSetsSlot,
    UserTouches,
    VcpuRuns,
)
from model.memory.design import GUEST, IDLE, LONGEST, ROUTINES, step_at
from model.memory.hardware import Access
from model.memory.state import (
    BACKED,
    FREE,
    LEAF,
    NO_ENTRY,
    NO_SLOT,
    PROTECTED,
    Core,
    Entry,
    MemoryState,
    Page,
    Slot,
    Use,
    Vm,
)
from model.memory.tables import access_of, is_valid, target
from properties.memory.invariants.terms import first_gfn
from properties.traces.changes import Change
from spec.citations import Citation
from spec.sparse import sparse

OWNED = (Use.STRUCTURE, Use.TABLE, Use.DETACHED, Use.CACHE, Use.RAM)
LIVES = ("dead", "alive", "ending", "without tables")
PERMITS = ("nothing", "loads", "stores", "loads and stores")
APART = "Agent{}"
"""The name of a lane that is no processor's, with a place for its number."""


def place_name(design: Design, core: Core) -> str:
    """Where a processor stands, in words."""
    if core.at in (IDLE, GUEST):
        return "host" if core.at == IDLE else f"guest of VM{core.vm}, vCPU{core.vcpu}"
    step = step_at(design.memory, core.at)
    return step.name if step is not None else f"end of {ROUTINES[core.at // LONGEST]}"


def told(design: Design, before: MemoryState, action: MemoryAction, after: MemoryState) -> tuple[str, str, Any]:
    """Who acts, what it does in words, and the rules that say so."""
    core = before.cores[action.cpu]
    match action:
        case ThreadSteps():
            return "highvisor", place_name(design, core), None
        case IpiTaken():
            return "host", "takes the interrupt that was sent to it", hardware.takes_ipi
        case StoreDrains(cpu):
            return "hardware", f"CPU{cpu}'s cleared descriptor reaches memory", fault.drain
        case GuestAccesses(_, access):
            return f"vCPU{core.vcpu}", accessed(before, action.cpu, access, after), hardware.guest_accesses
        case GuestRemaps(_, gfn):
            return f"vCPU{core.vcpu}", f"maps its virtual page to gfn {gfn:#x}", hardware.guest_remaps
        case GuestLeft():
            return f"vCPU{core.vcpu}", "is left by a physical interrupt", hardware.guest_leaves
        case TlbLoads(_, gfn, pointer):
            what = "the table of" if pointer else "the translation of"
            return "hardware", f"the TLB loads {what} gfn {gfn:#x}", hardware.tlb_loads
        case Stage1Loads():
            return "hardware", f"the TLB loads the stage 1 translation of vCPU{core.vcpu}", hardware.stage1_loads
    return begun(action)


def begun(action: MemoryAction) -> tuple[str, str, Any]:
    """What host or user space begins, in words."""
    match action:
        case VcpuRuns(_, vcpu):
            return "host", f"runs vCPU{vcpu}", vmid.load_vcpu
        case HostReclaims(_, vm, gfn):
            return "host", f"takes VM{vm}'s page of gfn {gfn:#x} away", unmap.count_up
        case HostReplaces(_, vm, gfn):
            return "host", f"replaces VM{vm}'s page of gfn {gfn:#x} by a read-only one", unmap.replace_page
        case UserTouches(_, vm, gfn, page):
            return "user space", f"touches VM{vm}'s memory of gfn {gfn:#x}: it gets page {page:#x}", fault.pin
        case UserSetsSlot(_, vm, slot, base, pages):
            return "user space", f"sets slot {slot} of VM{vm}: gfn {base:#x}, {pages} pages", system.slot_set
        case UserDeletesSlot(_, vm, slot):
            return "user space", f"deletes slot {slot} of VM{vm}", unmap.mark_invalid
        case UserCreatesVm(_, vm, root, _):
            return "user space", f"creates VM{vm} with first-level tables at page {root:#x}", system.created
        case UserDestroysVm(_, vm):
            return "user space", f"closes the last file descriptor of VM{vm}", unmap.free_structure
        case InterfaceMapped(_, vm):
            return "host", f"maps the virtual CPU interface of VM{vm}", fault.set_interface
    return "", type(action).__name__, None


def accessed(before: MemoryState, cpu: int, access: Access, after: MemoryState) -> str:
    """An access of a guest, and where it comes out."""
    kind = "fetches from" if access.fetch else "stores to" if access.write else "loads from"
    gfn = hardware.translated_gfn(before, cpu, access)
    place = f"its virtual page, gfn {gfn:#x}" if access.virtual else f"gfn {gfn:#x}"
    past = " past the cache" if access.uncached else ""
    walked = "" if access.cached else " by a new table walk"
    answer = hardware.reached(before, cpu, gfn, access)
    if answer.status == 0:
        return f"{kind} {place}{past}{walked}: page {answer.page:#x}, {page_text(before.pages.get(answer.page))}"
    return f"{kind} {place}{past}{walked} -> stage 2 fault, status {answer.status:#04x}"


def sources_of(design: Design, before: MemoryState, action: MemoryAction, rule: Any) -> tuple[Citation, ...]:
    """The sources of an action: those of the design's step, or of the rule."""
    if isinstance(action, ThreadSteps):
        step = step_at(design.memory, before.cores[action.cpu].at)
        return () if step is None else step.sources
    return tuple(getattr(rule, "sources", ()))


def page_text(page: Page) -> str:
    """What a page is, in words."""
    use = Use(page.use).name.lower() if page.use not in (Use.RAM, Use.HYP, Use.GICV) else Use(page.use).name
    if page.use not in OWNED:
        return use
    level = f" of level {page.level}" if page.use in (Use.TABLE, Use.DETACHED) else ""
    gfn = f" at gfn {page.base:#x}" if page.use == Use.RAM else ""
    return f"{use}{level} of VM{page.vm}{gfn}{', stale in main memory' if page.stale else ''}"


def descriptor_text(state: MemoryState, descriptor: int, level: int) -> str:
    """A descriptor in words."""
    if not is_valid(descriptor):
        return "invalid"
    number = target(descriptor)
    what = f"page {number:#x} ({page_text(state.pages.get(number))})"
    return what if level < 3 else f"{what}, permits {PERMITS[access_of(descriptor)]}"


def entry_text(entry: Entry) -> str:
    """A translation in words."""
    if entry.valid == 0:
        return "none"
    return f"page {entry.page:#x} of VM{entry.vm}, {'loads and stores' if entry.write else 'loads'}"


def slot_text(slot: Slot) -> str:
    """A memory slot in words."""
    if slot.state == NO_SLOT:
        return "none"
    return f"gfn {slot.base:#x}, {slot.pages} pages{', invalid' if slot.state == 2 else ''}"


def holder(lock: int) -> str:
    """Who holds a lock."""
    return f"CPU{lock - 1}" if lock else "nobody"


def changes(before: MemoryState, after: MemoryState) -> list[Change]:
    """Everything that a step changed, in words; program counters aside."""
    return [
        *maps_changed(before, after),
        *(change for n, (a, b) in enumerate(zip(before.vms, after.vms, strict=True)) for change in vm_changed(n, a, b)),
        *allocator_changed(before, after),
        *(c for n, (a, b) in enumerate(zip(before.cores, after.cores, strict=True)) for c in core_changed(n, a, b)),
        *(
            Change(f"vcpus[{n}].stage1", f"vCPU{n}'s virtual page", f"gfn {a.stage1:#x}", f"gfn {b.stage1:#x}")
            for n, (a, b) in enumerate(zip(before.vcpus, after.vcpus, strict=True))
            if a.stage1 != b.stage1
        ),
    ]


def maps_changed(before: MemoryState, after: MemoryState) -> Iterator[Change]:
    """The changed keys of every map, in words."""
    for word in differing(before.memory, after.memory):
        table = before.pages.get(word >> 9)
        old, new = before.memory.get(word), after.memory.get(word)
        if table.use in (Use.TABLE, Use.DETACHED):
            label = f"VM{table.vm}'s level {table.level} descriptor of gfn {first_gfn(table, word):#x}"
            texts = descriptor_text(before, old, table.level), descriptor_text(after, new, table.level)
            yield Change(f"memory[{word:#x}]", label, *texts)
        else:
            yield Change(f"memory[{word:#x}]", f"doubleword {word << 3:#x}", f"{old:#x}", f"{new:#x}")
    shown: Sequence[tuple[str, Callable[[Any], str], Callable[[Any], str]]] = (
        ("pages", lambda key: f"page {key:#x}", page_text),
        ("backing", lambda key: f"user space's page of VM{key[0]}'s gfn {key[1]:#x}", backing_text),
        ("tlb", tlb_label, entry_text),
        (
            "stage1_tlb",
            lambda key: f"CPU{key[0]}'s stage 1 translation under VMID {key[1]}",
            lambda entry: f"gfn {entry.gfn:#x} of vCPU{entry.vcpu}" if entry.valid else "none",
        ),
        ("hyp", lambda key: f"Hyp mode's map of page {key:#x}", lambda mapped: "there" if mapped else "none"),
    )
    for name, label_of, text_of in shown:
        old_map, new_map = getattr(before, name), getattr(after, name)
        for key in differing(old_map, new_map):
            yield Change(f"{name}[{key}]", label_of(key), text_of(old_map.get(key)), text_of(new_map.get(key)))


def differing(before: Any, after: Any) -> list[Any]:
    """The keys at which two maps differ, in order."""
    if before is after:
        return []
    keys = {*before.entries, *after.entries}
    return sorted(key for key in keys if before.get(key) != after.get(key))


def tlb_label(key: tuple[int, int, int, int]) -> str:
    """Whose translation a key of the TLBs is."""
    what = "translation" if key[3] == LEAF else "pointer to the table"
    return f"CPU{key[0]}'s {what} of gfn {key[2]:#x} under VMID {key[1]}"


def backing_text(backing: int) -> str:
    """What user space has at a gfn."""
    if backing & BACKED == 0:
        return "none"
    return f"page {backing & (BACKED - 1):#x}{', read-only' if backing & PROTECTED else ''}"


def vm_changed(number: int, before: Vm, after: Vm) -> Iterator[Change]:
    """What changed of a VM."""
    texts: Sequence[tuple[str, str, Callable[[Any], str]]] = (
        ("life", "is", LIVES.__getitem__),
        ("vttbr", "VTTBR", lambda v: f"{v:#018x}"),
        ("generation", "vmid_gen", str),
        ("mmu_lock", "mmu_lock held by", holder),
        ("count", "mmu_notifier_count", str),
        ("seq", "mmu_notifier_seq", str),
        ("ready", "CPU interface", lambda r: "mapped" if r else "not mapped"),
        ("root", "first-level tables", lambda r: f"page {r:#x}"),
    )
    for name, label, text_of in texts:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(f"vms[{number}].{name}", f"VM{number} {label}", text_of(old), text_of(new))
    for slot, (was, now) in enumerate(zip(before.slots, after.slots, strict=True)):
        if was != now:
            yield Change(f"vms[{number}].slots[{slot}]", f"VM{number} slot {slot}", slot_text(was), slot_text(now))


def allocator_changed(before: MemoryState, after: MemoryState) -> Iterator[Change]:
    """What changed of the VMID allocator."""
    for name, label in (("generation", "kvm_vmid_gen"), ("next", "kvm_next_vmid"), ("lock", "kvm_vmid_lock held by")):
        old, new = getattr(before.allocator, name), getattr(after.allocator, name)
        if old != new:
            texts = (holder(old), holder(new)) if name == "lock" else (str(old), str(new))
            yield Change(f"allocator.{name}", label, *texts)


def core_changed(number: int, before: Core, after: Core) -> Iterator[Change]:
    """What changed of a processor."""
    for name, label, digits in (
        ("vttbr", "VTTBR", 16), ("ipi", "interrupt pending", 1), ("hsr", "HSR", 8), ("gfn", "gfn in hand", 0),
        ("page", "page in hand", 0), ("seq", "sequence number read", 1), ("vmid", "VMID taken", 1),
        ("pending", "store waiting", 1),
    ):  # fmt: skip
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            texts = (str(old), str(new)) if digits == 1 else (f"0x{old:0{digits}x}", f"0x{new:0{digits}x}")
            yield Change(f"cores[{number}].{name}", f"CPU{number} {label}", *texts)


def variables(design: Design, memory: MemoryState) -> dict[str, Any]:
    """The memory system's variables; what its maps hold is text, for it has no fixed keys."""
    found: dict[str, Any] = {}
    for number, core in enumerate(memory.cores):
        found[f"cpu{number}_at"] = place_name(design, core)
        found |= {f"cpu{number}_{name}": getattr(core, name) for name in ("vcpu", "vm", "vttbr", "ipi")}
    for number, vm in enumerate(memory.vms):
        names = ("life", "generation", "vttbr", "mmu_lock", "count", "seq")
        found |= {f"vm{number}_{name}": getattr(vm, name) for name in names}
    allocator = memory.allocator
    found |= {f"allocator_{name}": getattr(allocator, name) for name in ("generation", "next", "lock")}
    empty = evolve(memory, memory=sparse(0), backing=sparse(0), tlb=sparse(NO_ENTRY), pages=sparse(FREE))
    there = [change for change in maps_changed(empty, memory)]
    for name in ("memory", "pages", "backing", "tlb"):
        lines = (f"{change.label}: {change.new}" for change in there if change.path.startswith(f"{name}["))
        found[name] = "; ".join(lines)
    return found
