"""The decisions of KVM/ARM about memory that are data: the routines of its threads step by step, and its constants."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType

from attrs import frozen

from model.programs import Routines
from spec.citations import Citation
from spec.words import U4, U8, U64


class Do(Enum):
    """What one step of a routine does."""

    LOAD_VCPU = "notes that this vCPU runs here"
    LOAD_VCPU_ONLY = "notes that this vCPU runs here, and forgets who of other VMs did"
    FLUSH_SIBLING = "drops this processor's translations of the VM where another vCPU of it ran here last"
    CHECK_GENERATION = "goes on to the entry where the VM has a VMID of this generation, without a lock"
    LOCK_VMID = "takes kvm_vmid_lock"
    RECHECK_LOCKED = "lets go where a sibling has got a VMID for the VM in the meantime"
    ROLL_OVER = "begins a new generation where all VMIDs are taken"
    KICK_ALL = "sends every other processor an interrupt"
    AWAIT_KICKS = "waits until each has taken it"
    FLUSH_ALL = "flushes the translations of all VMIDs on all processors"
    TAKE_VMID = "takes the next VMID"
    SET_GENERATION = "publishes the VM's generation"
    SET_VTTBR = "publishes the VM's VTTBR"
    UNLOCK_VMID = "releases kvm_vmid_lock"
    MASK_IRQS = "masks interrupts"
    RECHECK_GENERATION = "backs out where the generation has changed"
    ENTER = "enters the guest with the VM's VTTBR"
    DECIDE = "decides what the fault asks for"
    CACHE_SECOND = "gets a zeroed page for a second-level table"
    CACHE_THIRD = "gets a zeroed page for a third-level table"
    READ_SEQ = "reads mmu_notifier_seq"
    PIN = "finds the host page, which the host allocates where there is none"
    CLEAN = "cleans the page to the point of coherency"
    LOCK_MMU = "takes the VM's mmu_lock"
    VALIDATE = "gives up where an invalidation ended since or is under way"
    LINK_SECOND = "links a second-level table where there is none"
    LINK_THIRD = "links a third-level table where there is none"
    COMPARE = "gives up where the descriptor is there already"
    BREAK = "clears the old descriptor, where there is one"
    DRAIN = "waits until other observers see its stores (DSB ISHST)"
    INVALIDATE = "invalidates the VM's translations on all processors (TLBIALLIS, DSB)"
    SET_LEAF = "writes the descriptor of the page"
    SET_LEAF_BLOCK = "writes a block descriptor for all that the second-level entry covers"
    INVALIDATE_REPLACED = "invalidates the VM's translations where the descriptor replaced another"
    UNLOCK_MMU = "releases the VM's mmu_lock"
    KEEP_SPARES = "keeps the pages that were not needed"
    COUNT_UP = "counts an invalidation under way"
    CLEAR_LEAF = "clears the descriptor of the page, where there is one"
    DETACH_THIRD = "unlinks the third-level table where it is empty"
    DETACH_SECOND = "unlinks the second-level table where it is empty"
    FREE_TABLE = "frees the table that was unlinked"
    RELEASE_PAGE = "takes the page away from the VM and frees it"
    REPLACE_PAGE = "gives the VM another page in its place, to be read only"
    SET_REPLACED = "maps the other page, read-only, where there is a table for it"
    SEQ_UP = "counts an invalidation that ended"
    COUNT_DOWN = "counts one invalidation less under way"
    MARK_INVALID = "marks the slot invalid"
    SYNCHRONIZE = "waits until no fault handler uses the old slots"
    GIVE_BACK = "leaves the page to user space's other uses"
    NEXT_PAGE = "goes on with the next page of the slot"
    REMOVE_SLOT = "forgets the slot"
    UNREGISTER = "waits until no MMU notifier of the VM runs"
    CLEAR_ALL = "clears the first-level table"
    FREE_TABLES = "frees every table of the VM"
    FREE_MEMORY = "lets user space's memory go"
    UNMAP_STRUCTURE = "takes the VM's structures out of Hyp mode's tables"
    FREE_STRUCTURE = "frees the VM's structures"
    CHECK_FRAME = "refuses a frame that shares its page with another device"
    SET_INTERFACE = "maps the virtual CPU interface"


class SlotCheck(Enum):
    """What set_memory_region checks of a new slot."""

    OVERLAP = "it overlaps no other slot of the VM"
    IPA_LIMIT = "it ends within the 40 bits of a guest's physical address"


@frozen(cache_hash=True)
class MemoryStep:
    """One step of a routine, with the code that it stands for."""

    name: str
    do: Do
    sources: tuple[Citation, ...]


@frozen(cache_hash=True)
class MemoryDesign(Routines[MemoryStep]):
    """How a design manages memory: its routines, in the order of their steps, and its constants."""

    run: tuple[MemoryStep, ...]
    """The run loop of a vCPU up to the entry."""
    fault: tuple[MemoryStep, ...]
    """What follows a stage 2 fault; then the run loop."""
    reclaim: tuple[MemoryStep, ...]
    """The host takes a page away: MMU notifiers around it."""
    replace: tuple[MemoryStep, ...]
    """The host gives another page for one, read-only: MMU notifiers and change_pte."""
    delete: tuple[MemoryStep, ...]
    """User space deletes a memory slot."""
    destroy: tuple[MemoryStep, ...]
    """The last file descriptor of a VM is closed."""
    interface: tuple[MemoryStep, ...]
    """A VM's virtual CPU interface is mapped."""
    base_mask: U64
    """The bits of a table's address that VTTBR gets."""
    read_only: U4
    """HAP of a page that a guest may read."""
    read_write: U4
    """HAP that is or-ed into a page that a guest may also write, and all that a device's page has."""
    device_attributes: U4
    """MemAttr of the virtual CPU interface."""
    slot_checks: tuple[SlotCheck, ...]
    generation_checked_under_lock: bool
    """Whether the first check of the generation waits for kvm_vmid_lock."""
    stage1_protected: bool
    """Whether guests may not write their own stage 1 tables, so that each change of them is an exit."""


ROUTINES = ("run", "fault", "reclaim", "replace", "delete", "destroy", "interface")
LONGEST = 32
IDLE, GUEST = 0xFE, 0xFF
"""Program counters outside the routines: the host does something else, and a guest runs."""


def place(routine: str, index: int = 0) -> U8:
    """The program counter of a step."""
    return ROUTINES.index(routine) * LONGEST + index


def step_at(design: MemoryDesign, at: U8) -> MemoryStep | None:
    """The step at a concrete program counter; None outside the routines and behind a routine's last step."""
    if at >= len(ROUTINES) * LONGEST:
        return None
    steps = design.steps(ROUTINES[at // LONGEST])
    index = at % LONGEST
    return steps[index] if index < len(steps) else None


class Fact(Enum):
    """What is known of a thread from its program counter alone."""

    APART = "no translation of a sibling is left on its processor"
    LOADED = "its vCPU is noted as the one that ran last on its processor"
    VMID_LOCK = "it holds kvm_vmid_lock"
    OUTDATED = "its VM has no VMID of the current generation"
    ROLLING = "it began a generation whose flush is still to come"
    SENT = "it has sent every other processor an interrupt since"
    KICKED = "every other processor has left its guest since"
    TAKEN = "it took a VMID that no VM has published"
    WRITTEN = "its VM's VTTBR has the VMID that it took"
    MASKED = "interrupts are masked"
    CHECKED = "its VM's generation was the current one when interrupts were masked"
    HANDLING = "it handles a fault, within the SRCU section"
    SECOND = "it keeps a page for a second-level table"
    THIRD = "it keeps a page for a third-level table"
    NUMBERED = "it has read the sequence number"
    PINNED = "it has a page for the fault in hand"
    CLEANED = "the page in hand is clean"
    MMU_LOCK = "it holds its VM's mmu_lock"
    HAS_SECOND = "there is a second-level table for the page in hand"
    HAS_THIRD = "there is a third-level table for the page in hand"
    VALIDATED = "no invalidation was under way or ended since it read the sequence number"
    DIFFERS = "the page in hand does not have the descriptor that it is about to write"
    SETTLED = "the page in hand has the descriptor of the fault, or an invalidation came in between"
    STORING = "a cleared descriptor may wait in its store buffer"
    OPEN = "the page in hand may have translations that its descriptor does not give any more"
    COUNTED = "its invalidation is counted as under way"
    NUMBERED_UP = "whoever read the sequence number before will see that it has changed"
    CLEARED = "the page in hand has no descriptor, at least in its own eyes"
    SEEN = "the cleared descriptor is seen by every processor"
    UNMAPPED = "the page in hand has neither descriptor nor translation"
    DETACHING = "it unlinked a table that is still to be freed"
    DETACHED_SEEN = "that the table is unlinked is seen by every processor"
    DETACHED_FLUSHED = "no processor can walk the table any more"
    SUBSTITUTED = "the page in hand is the one that took another's place"
    MARKED = "the slot is marked as one that is being deleted"
    SYNCHRONIZED = "no handler works on the slot that is being deleted"
    ON_PAGE = "the page in hand is one of the slot that is being deleted"
    GIVEN_BACK = "the page in hand is no memory of the slot any more"
    EMPTIED_SLOT = "no page is left of the slot that is being deleted"
    ALONE = "no other thread works on the VM"
    EMPTIED = "every descriptor of the VM is cleared"
    UNTABLED = "the VM has no table"
    FORGOTTEN = "no processor has a translation of the VM"
    UNPOPULATED = "user space has no memory of the VM"
    FRAMED = "the page of the virtual CPU interface holds no other device"
    PRESENTED = "the VM has its virtual CPU interface"
    UNSHARED = "Hyp mode's tables do not map the VM's structures"


GAINS: Mapping[Do, tuple[Fact, ...]] = MappingProxyType(
    {
        Do.FLUSH_SIBLING: (Fact.APART,),
        Do.LOAD_VCPU: (Fact.LOADED,),
        Do.LOAD_VCPU_ONLY: (Fact.LOADED,),
        Do.LOCK_VMID: (Fact.VMID_LOCK,),
        Do.RECHECK_LOCKED: (Fact.OUTDATED,),
        Do.ROLL_OVER: (Fact.ROLLING,),
        Do.TAKE_VMID: (Fact.TAKEN,),
        Do.MASK_IRQS: (Fact.MASKED,),
        Do.DECIDE: (Fact.HANDLING,),
        Do.CACHE_SECOND: (Fact.SECOND,),
        Do.CACHE_THIRD: (Fact.THIRD,),
        Do.READ_SEQ: (Fact.NUMBERED,),
        Do.LOCK_MMU: (Fact.MMU_LOCK,),
        Do.LINK_SECOND: (Fact.HAS_SECOND,),
        Do.COMPARE: (Fact.DIFFERS,),
        Do.SET_LEAF: (Fact.SETTLED,),
        Do.BREAK: (Fact.CLEARED, Fact.OPEN, Fact.STORING),
        Do.COUNT_UP: (Fact.COUNTED,),
        Do.CLEAR_LEAF: (Fact.CLEARED, Fact.OPEN, Fact.STORING),
        Do.DETACH_THIRD: (Fact.DETACHING, Fact.STORING),
        Do.DETACH_SECOND: (Fact.DETACHING, Fact.STORING),
        Do.MARK_INVALID: (Fact.MARKED,),
        Do.SYNCHRONIZE: (Fact.SYNCHRONIZED, Fact.ON_PAGE),
        Do.GIVE_BACK: (Fact.GIVEN_BACK,),
        Do.NEXT_PAGE: (Fact.EMPTIED_SLOT,),
        Do.REPLACE_PAGE: (Fact.SUBSTITUTED,),
        Do.UNREGISTER: (Fact.ALONE,),
        Do.CLEAR_ALL: (Fact.EMPTIED,),
        Do.FREE_TABLES: (Fact.UNTABLED,),
        Do.FREE_MEMORY: (Fact.UNPOPULATED,),
        Do.UNMAP_STRUCTURE: (Fact.UNSHARED,),
        Do.CHECK_FRAME: (Fact.FRAMED,),
        Do.SET_INTERFACE: (Fact.PRESENTED,),
    }
)
FOLLOWS: Mapping[Do, tuple[tuple[Fact, Fact], ...]] = MappingProxyType(
    {
        Do.KICK_ALL: ((Fact.ROLLING, Fact.SENT),),
        Do.AWAIT_KICKS: ((Fact.SENT, Fact.KICKED),),
        Do.SET_VTTBR: ((Fact.TAKEN, Fact.WRITTEN),),
        Do.RECHECK_GENERATION: ((Fact.MASKED, Fact.CHECKED),),
        Do.PIN: ((Fact.NUMBERED, Fact.PINNED),),
        Do.CLEAN: ((Fact.PINNED, Fact.CLEANED),),
        Do.LINK_THIRD: ((Fact.HAS_SECOND, Fact.HAS_THIRD),),
        Do.SEQ_UP: ((Fact.COUNTED, Fact.NUMBERED_UP),),
        Do.VALIDATE: ((Fact.MMU_LOCK, Fact.VALIDATED),),
        Do.DRAIN: ((Fact.CLEARED, Fact.SEEN), (Fact.DETACHING, Fact.DETACHED_SEEN)),
        Do.UNLOCK_MMU: ((Fact.CLEARED, Fact.SEEN), (Fact.DETACHING, Fact.DETACHED_SEEN)),
        Do.INVALIDATE: (
            (Fact.SEEN, Fact.UNMAPPED),
            (Fact.DETACHED_SEEN, Fact.DETACHED_FLUSHED),
            (Fact.EMPTIED, Fact.FORGOTTEN),
        ),
    }
)
"""Facts that a step gains where another is known."""
NO_LEAF = (Fact.CLEARED, Fact.SEEN, Fact.UNMAPPED)
LOSES: Mapping[Do, tuple[Fact, ...]] = MappingProxyType(
    {
        Do.LOAD_VCPU: (Fact.APART,),
        Do.LOAD_VCPU_ONLY: (Fact.APART,),
        Do.UNLOCK_VMID: (Fact.VMID_LOCK, Fact.OUTDATED),
        Do.FLUSH_ALL: (Fact.ROLLING, Fact.SENT, Fact.KICKED),
        Do.SET_GENERATION: (Fact.OUTDATED, Fact.TAKEN, Fact.WRITTEN),
        Do.LINK_SECOND: (Fact.SECOND,),
        Do.LINK_THIRD: (Fact.THIRD,),
        Do.KEEP_SPARES: (Fact.SECOND, Fact.THIRD),
        Do.DRAIN: (Fact.STORING,),
        Do.UNLOCK_MMU: (Fact.STORING, Fact.MMU_LOCK, Fact.VALIDATED, Fact.HAS_SECOND, Fact.HAS_THIRD, Fact.SETTLED),
        Do.INVALIDATE: (Fact.OPEN,),
        Do.COUNT_DOWN: (Fact.COUNTED, Fact.NUMBERED_UP, Fact.SUBSTITUTED),
        Do.DETACH_THIRD: (Fact.DETACHED_SEEN, Fact.DETACHED_FLUSHED),
        Do.DETACH_SECOND: (Fact.DETACHED_SEEN, Fact.DETACHED_FLUSHED),
        Do.FREE_TABLE: (Fact.DETACHING, Fact.DETACHED_SEEN, Fact.DETACHED_FLUSHED),
        Do.SET_LEAF: (*NO_LEAF, Fact.DIFFERS),
        Do.SET_REPLACED: NO_LEAF,
        Do.RELEASE_PAGE: NO_LEAF,
        Do.GIVE_BACK: NO_LEAF,
        Do.REPLACE_PAGE: NO_LEAF,
        Do.NEXT_PAGE: (*NO_LEAF, Fact.GIVEN_BACK, Fact.ON_PAGE),
    }
)
JUMPS: Mapping[Do, Do] = MappingProxyType(
    {
        Do.CHECK_GENERATION: Do.MASK_IRQS,
        Do.RECHECK_LOCKED: Do.UNLOCK_VMID,
        Do.ROLL_OVER: Do.TAKE_VMID,
        Do.VALIDATE: Do.UNLOCK_MMU,
        Do.COMPARE: Do.UNLOCK_MMU,
        Do.BREAK: Do.SET_LEAF,
        Do.DETACH_THIRD: Do.UNLOCK_MMU,
        Do.DETACH_SECOND: Do.UNLOCK_MMU,
        Do.CLEAR_LEAF: Do.UNLOCK_MMU,
    }
)
"""Where a step may go on instead of the next one: to the first such step behind it, or else to the end."""
BY_JUMP: Mapping[Do, tuple[Fact, ...]] = MappingProxyType(
    {
        Do.VALIDATE: (Fact.SETTLED,),
        Do.COMPARE: (Fact.SETTLED,),
        Do.BREAK: NO_LEAF,
        Do.CLEAR_LEAF: NO_LEAF,
    }
)
"""Facts that a step gains where it jumps: where there is nothing to clear, for one, no translation is there either."""


def jump_target(steps: tuple[MemoryStep, ...], index: int) -> int:
    """The position at which the step at `index` goes on where it does not go on with the next one."""
    wanted = JUMPS.get(steps[index].do)
    behind = range(index + 1, len(steps))
    return next((n for n in behind if steps[n].do is wanted), len(steps))


def loop_start(steps: tuple[MemoryStep, ...]) -> int:
    """The position from which the steps of a slot's deletion repeat for each page."""
    return next((n + 1 for n, step in enumerate(steps) if step.do is Do.SYNCHRONIZE), 0)


def ways_on(steps: tuple[MemoryStep, ...], index: int) -> tuple[tuple[int, bool], ...]:
    """Where the step at `index` may go on, each with whether it is a jump."""
    do = steps[index].do
    if do is Do.NEXT_PAGE:
        return (index + 1, False), (loop_start(steps), True)
    return ((index + 1, False), (jump_target(steps, index), True)) if do in JUMPS else ((index + 1, False),)


def after(step: Do, known: frozenset[Fact], jumped: bool) -> frozenset[Fact]:
    """The facts behind a step, given those before it; a step that jumps did not do what it is there for.

    NEXT_PAGE jumps back where there is a next page.
    """
    if jumped and step is Do.NEXT_PAGE:
        return known - frozenset((*NO_LEAF, Fact.GIVEN_BACK))
    if jumped:
        return known | frozenset(BY_JUMP.get(step, ()))
    gained = set(GAINS.get(step, ()))
    gained |= {new for given, new in FOLLOWS.get(step, ()) if given in known}
    return (known - frozenset(LOSES.get(step, ()))) | gained


@cache
def facts(design: MemoryDesign) -> Mapping[int, frozenset[Fact]]:
    """What is known at each program counter: what holds on every way to it."""
    found: dict[int, frozenset[Fact]] = {IDLE: frozenset(), GUEST: frozenset()}
    for routine in ROUTINES:
        steps = design.steps(routine)
        known: dict[int, frozenset[Fact]] = {0: frozenset()}
        stable = False
        while not stable:
            stable = True
            for index, step in enumerate(steps):
                for target, jumped in ways_on(steps, index) if index in known else ():
                    there = after(step.do, known[index], jumped) & known.get(target, frozenset(Fact))
                    stable = stable and known.get(target) == there
                    known[target] = there
        found |= {place(routine, index): known.get(index, frozenset()) for index in range(len(steps) + 1)}
    return MappingProxyType(found)


@cache
def places(design: MemoryDesign, fact: Fact) -> tuple[int, ...]:
    """The program counters at which a fact is known."""
    return tuple(at for at, known in facts(design).items() if fact in known)
