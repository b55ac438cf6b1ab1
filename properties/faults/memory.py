"""Wrong designs of memory management: bugs that KVM/ARM had, each step left out, and neighbours exchanged."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from attrs import evolve

from model.design import Design
from model.designs.memory_variations import MEMORY_REPAIRS
from model.memory.design import ROUTINES, Do, MemoryDesign, MemoryStep
from model.routines import swapped, without
from properties.faults.fault import Excuse, Fault
from properties.faults.generated import slug
from spec.citations import Citation, arm, linux, paper

MMU = "arch/arm/kvm/mmu.c"
Steps = tuple[MemoryStep, ...]
BY_ROUTINE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run": ("VMIDs", "translations", "siblings"),
        "fault": ("empty", "read-only", "read-only siblings", "one guest"),
        "reclaim": ("one guest", "two guests", "empty", "life"),
        "replace": ("one guest", "two guests", "slots"),
        "delete": ("slots",),
        "destroy": ("life",),
        "interface": ("new", "shared frame"),
    }
)
"""The situations in which a routine's steps matter, the most telling first."""
BY_STEP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run: flush a sibling's translations": ("siblings",),
        "run: flush all VMIDs": ("translations",),
        "fault: decide": ("outside",),
        "fault: break": ("read-only",),
        "fault: drain": ("read-only", "read-only siblings"),
        "fault: flush": ("read-only",),
        "reclaim: flush": ("two pages",),
        "replace: flush": ("slots",),
        "delete: flush the third level": ("deleted table",),
    }
)
"""The situations in which one step matters, where they are others."""
BY_DEVIATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "vttbr-published-first": ("VMIDs",),
        "siblings-flushed": ("siblings",),
        "break-before-make": ("read-only",),
        "slots-unmapped": ("slots",),
        "ipa-limit-checked": ("beyond",),
        "pages-cleaned": ("empty",),
        "frame-checked": ("shared frame",),
        "whole-base-in-vttbr": ("translations",),
        "structures-unmapped": ("life",),
        "change-pte-dropped": ("deletion",),
        "device-attributes": ("new",),
    }
)
"""The situations in which a repair matters."""
BY_LOWVISOR: Mapping[str, tuple[str, ...]] = MappingProxyType({"without/trap-translate": ("address",)})
"""The situations in which a fault of the lowvisor is one of memory management."""
HOSTS_OWN = (Do.RELEASE_PAGE, Do.GIVE_BACK, Do.REPLACE_PAGE, Do.FREE_MEMORY)
"""What the host's own memory management does, which is no decision of KVM/ARM."""
TWO_IN_ONE = (Do.SYNCHRONIZE,)
"""Steps that do more than they are named for: the wait also takes the first page in hand. It is exchanged instead."""

assert set(BY_DEVIATION) == {variation.id for variation, _, _ in MEMORY_REPAIRS}


def changed(design: Design, change: Callable[[MemoryDesign], MemoryDesign]) -> Design:
    """The design with its memory management changed."""
    return evolve(design, memory=change(design.memory))


def with_routine(routine: str, change: Callable[[Steps], Steps], design: Design) -> Design:
    """The design with one routine of its memory management changed."""
    steps = change(design.memory.steps(routine))
    return evolve(design, memory=evolve(design.memory, **{routine: steps}))  # type: ignore[arg-type]


def without_drains(design: Design) -> Design:
    """The design whose stores to tables are not waited for before translations are invalidated."""
    kept = {name: tuple(s for s in design.memory.steps(name) if s.do is not Do.DRAIN) for name in ROUTINES}
    return evolve(design, memory=evolve(design.memory, **kept))  # type: ignore[arg-type]


def rechecked_unlocked(design: Design) -> Design:
    """The design that takes kvm_vmid_lock for the first check, but not for the last one."""
    run = swapped(design.memory.run, "run: publish VTTBR")
    return evolve(design, memory=evolve(design.memory, run=run, generation_checked_under_lock=True))


def blocks_anywhere(steps: Steps) -> Steps:
    """The fault path that maps whole blocks."""
    kept = without(steps, "fault: link third level")
    return tuple(evolve(s, do=Do.SET_LEAF_BLOCK) if s.do is Do.SET_LEAF else s for s in kept)


def write_only(design: Design) -> Design:
    """The design whose permission to read and write only permits writes."""
    return evolve(design, memory=evolve(design.memory, read_write=0b10))


def all_writable(design: Design) -> Design:
    """The design whose permission to read only also permits writes."""
    return evolve(design, memory=evolve(design.memory, read_only=0b11))


def last_vcpu_of_any(steps: Steps) -> Steps:
    """The run loop that keeps for each processor one vCPU that ran last, not one of each VM."""
    return tuple(evolve(s, do=Do.LOAD_VCPU_ONLY) if s.do is Do.LOAD_VCPU else s for s in steps)


def stage1_protected(design: Design) -> Design:
    """The design that protects the guests' own tables from them, as one with shadow page tables does."""
    return evolve(design, memory=evolve(design.memory, stage1_protected=True))


def historical() -> Iterator[Fault]:
    """Bugs that KVM/ARM had in its memory management, other than those of Linux 3.12."""
    for identifier, element, statement, source, plant, scenarios in (
        (
            "vmid-gen-recheck-unlocked", "the last check of the generation",
            "the generation is published before VTTBR, and the last check of it takes no lock",
            linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_ioctl_run", "4.17"), rechecked_unlocked, ("VMIDs",),
        ),
        (
            "s2-tlbi-without-prior-dsb", "DSB before TLBI",
            "translations are invalidated before the cleared descriptor is seen by every table walk",
            linux("arch/arm/kvm/interrupts.S", "__kvm_tlb_flush_vmid_ipa", "3.11"), without_drains, ("one guest",),
        ),
        (
            "s2-writable-not-readable", "HAP of a device", "the permission to read and write only permits writes",
            linux("arch/arm/include/asm/pgtable-3level.h", "L_PTE_S2_RDWR", "3.10"), write_only, ("new",),
        ),
        (
            "s2-same-block-refault-livelock", "an equal descriptor stays",
            "a descriptor that a sibling has just written is cleared and written again",
            linux("virt/kvm/arm/mmu.c", "stage2_set_pte", "4.19"),
            partial(with_routine, "fault", partial(without, name="fault: leave an equal descriptor")), ("empty",),
        ),
        (
            "s2-block-over-misaligned-slot", "blocks within slots", "a block is mapped whatever the slot covers of it",
            linux("virt/kvm/arm/mmu.c", "user_mem_abort", "5.1"), partial(with_routine, "fault", blocks_anywhere),
            ("empty",),
        ),
        (
            "s2-pgd-free-unlocked", "the end of a VM waits for MMU notifiers",
            "a VM's tables are freed while an MMU notifier walks them",
            linux(MMU, "kvm_free_stage2_pgd", "4.12"),
            partial(with_routine, "destroy", partial(without, name="destroy: unregister the notifier")), ("life",),
        ),
    ):  # fmt: skip
        yield Fault(identifier, element, statement, (source,), plant, frozenset(), "history", scenarios)


def structural() -> Iterator[Fault]:
    """What if stage 2 let everything be written, VMs shared what they keep apart, or guests' tables were protected?"""
    yield Fault(
        "s2-read-only-writable", "HAP of a read-only page", "a page that the host protects is mapped for writes, too",
        (arm("B3.6.2"), linux("arch/arm/kvm/mmu.c", "user_mem_abort")), all_writable, frozenset(), "structure",
        ("read-only",),
    )  # fmt: skip
    yield Fault(
        "one-last-vcpu", "last_vcpu_ran of each VM", "a vCPU that runs makes the processor forget who of other VMs did",
        (linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_load", "4.10"),),
        partial(with_routine, "run", last_vcpu_of_any), frozenset(), "structure", ("VMIDs",),
    )  # fmt: skip
    yield Fault(
        "stage1-tables-protected", "stage 1 is the guest's own",
        "guests may not write their own page tables, and leave for each change of them",
        (paper("3.3"),), stage1_protected, frozenset(), "structure", ("siblings",),
    )  # fmt: skip


def step_faults(design: MemoryDesign) -> Iterator[Fault]:
    """Each step of KVM's routines left out, and neighbours exchanged where their order is a decision."""
    for routine in ROUTINES:
        for step in design.steps(routine):
            if step.do not in (*HOSTS_OWN, *TWO_IN_ONE):
                yield Fault(
                    f"without/{slug(step.name)}", f"'{step.name}'", f"'{step.name}' is left out", step.sources,
                    partial(with_routine, routine, partial(without, name=step.name)), frozenset(), "step",
                    BY_STEP.get(step.name, BY_ROUTINE[routine]),
                )  # fmt: skip
    for routine, name, sources in SWAPS:
        steps = design.steps(routine)
        at = next(n for n, step in enumerate(steps) if step.name == name)
        other = steps[at + 1].name
        yield Fault(
            f"swap/{slug(name)}/{slug(other)}", f"'{name}' before '{other}'", f"'{other}' comes before '{name}'",
            (*steps[at].sources, *sources), partial(with_routine, routine, partial(swapped, name=name)), frozenset(),
            "order", BY_STEP.get(name, BY_ROUTINE[routine]),
        )  # fmt: skip


SWAPS: tuple[tuple[str, str, tuple[Citation, ...]], ...] = (
    ("run", "run: flush a sibling's translations", ()),
    ("run", "run: lock VMIDs", ()),
    ("run", "run: kick all processors", ()),
    ("run", "run: await kicks", ()),
    ("run", "run: publish VTTBR", (arm("B4.1.160"),)),
    ("run", "run: publish generation", ()),
    ("run", "run: mask interrupts", ()),
    ("run", "run: check generation at last", ()),
    ("fault", "fault: read mmu_notifier_seq", (linux("include/linux/kvm_host.h", "mmu_notifier_retry"),)),
    ("fault", "fault: pin the page", ()),
    ("fault", "fault: lock", ()),
    ("fault", "fault: link second level", ()),
    ("fault", "fault: leave an equal descriptor", ()),
    ("fault", "fault: break", ()),
    ("fault", "fault: drain", (arm("A3.8.3"),)),
    ("fault", "fault: flush", (arm("B3.10.1"),)),
    ("fault", "fault: write the descriptor", ()),
    ("reclaim", "reclaim: lock", ()),
    ("reclaim", "reclaim: clear the descriptor", (arm("B3.10.1"),)),
    ("reclaim", "reclaim: drain", (arm("A3.8.3"),)),
    ("reclaim", "reclaim: flush", ()),
    ("reclaim", "reclaim: unlink third level", ()),
    ("reclaim", "reclaim: drain the third level", (arm("A3.8.3"),)),
    ("reclaim", "reclaim: flush the third level", ()),
    ("reclaim", "reclaim: sequence number", (linux("virt/kvm/kvm_main.c", "kvm_mmu_notifier_invalidate_range_end"),)),
    ("reclaim", "reclaim: count down", ()),
    ("delete", "delete: mark the slot", ()),
    ("destroy", "destroy: unregister the notifier", ()),
    ("destroy", "destroy: flush", ()),
    ("destroy", "destroy: unmap from Hyp mode", ()),
    ("interface", "interface: map GICV", ()),
)
"""Neighbours whose order the code or the architecture asks for: the first one's routine and name."""

SAVES_A_LOCK = Excuse(
    "the check before the lock saves taking the lock; the check under it decides",
    (linux("arch/arm/kvm/arm.c", "update_vttbr"),),
)
FLUSHES_MORE = Excuse(
    "where nothing says which vCPU ran last, every entry flushes: slower, and as safe",
    (linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_load", "4.10"),),
)
RETRIES_MORE = Excuse(
    "with an old number the fault path retries too often, never too seldom: that it does so for ever is a matter of "
    "whole runs, which properties of steps do not see",
    (linux("include/linux/kvm_host.h", "mmu_notifier_retry"),),
)
NO_UPPER_POINTERS = Excuse(
    "TLBs of the model remember last-level tables, not second-level ones: that a walk is under way in a second-level "
    "table is not modelled",
    (arm("B3.10.1"),),
)
NOBODY_WALKS = Excuse(
    "behind the last guest of a VM nobody walks its tables, and whoever gets their pages for tables clears them first",
    (linux(MMU, "kvm_free_stage2_pgd"),),
)
BOTH_NEEDED = Excuse(
    "the interface of a new VM, which no guest has used, needs both pages: none is left over",
    (linux(MMU, "kvm_phys_addr_ioremap"),),
)
UNDER_THE_LOCK = Excuse(
    "both are changed, and read by the fault path, while mmu_lock is held",
    (linux("include/linux/kvm_host.h", "mmu_notifier_retry"),),
)
EXCUSES: Mapping[str, Excuse] = MappingProxyType(
    {
        "without/run-vcpu_load": FLUSHES_MORE,
        "without/run-check-generation": SAVES_A_LOCK,
        "without/fault-read-mmu_notifier_seq": RETRIES_MORE,
        "without/reclaim-flush-the-second-level": NO_UPPER_POINTERS,
        "without/replace-flush-the-second-level": NO_UPPER_POINTERS,
        "without/delete-flush-the-second-level": NO_UPPER_POINTERS,
        "without/destroy-clear-the-tables": NOBODY_WALKS,
        "without/destroy-drain": NOBODY_WALKS,
        "without/interface-done": BOTH_NEEDED,
        "swap/reclaim-sequence-number/reclaim-count-down": UNDER_THE_LOCK,
    }
)
"""Faults that nothing catches, each with the reason why it may stand."""
