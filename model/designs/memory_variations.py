"""The repairs of memory management that make the reference of Linux 3.12."""

from collections.abc import Callable
from functools import partial

from attrs import evolve

from model.design import Design, Variation
from model.designs.memory import ARM, INTERRUPTS, MAIN, MMU, VGIC, step, unmap_one
from model.memory.design import Do, MemoryDesign, SlotCheck
from model.routines import before_step, swapped, without
from spec.citations import arm, linux


def with_memory(change: Callable[[MemoryDesign], MemoryDesign], design: Design) -> Design:
    """The design with another memory management."""
    return evolve(design, memory=change(design.memory))


def publish_vttbr_first(memory: MemoryDesign) -> MemoryDesign:
    """VTTBR is published before the generation that vouches for it."""
    return evolve(memory, run=swapped(memory.run, "run: publish generation"))


def flush_siblings(memory: MemoryDesign) -> MemoryDesign:
    """A vCPU that runs where a sibling ran last drops the translations of both there."""
    flush = step("run: flush a sibling's translations", Do.FLUSH_SIBLING, "kvm_arch_vcpu_load", ARM, "4.10")
    return evolve(memory, run=before_step(memory.run, "run: vcpu_load", flush))


def break_before_make(memory: MemoryDesign) -> MemoryDesign:
    """A descriptor that is not there already takes the place of an invalid one only."""
    steps = without(without(memory.fault, "fault: drain"), "fault: flush")
    added = (
        step("fault: leave an equal descriptor", Do.COMPARE, "stage2_set_pte", version="4.19"),
        step("fault: break", Do.BREAK, "stage2_set_pte", version="4.7"),
        step("fault: drain", Do.DRAIN, "__kvm_tlb_flush_vmid_ipa", INTERRUPTS),
        step("fault: flush", Do.INVALIDATE, "__kvm_tlb_flush_vmid_ipa", INTERRUPTS),
    )
    return evolve(memory, fault=before_step(steps, "fault: write the descriptor", *added))


def unmap_deleted_slots(memory: MemoryDesign) -> MemoryDesign:
    """Each page of a slot goes out of the tables before the slot goes."""
    function = "kvm_arch_flush_shadow_memslot"
    added = (
        step("delete: lock", Do.LOCK_MMU, function, version="3.18"),
        *unmap_one("delete"),
        step("delete: unlock", Do.UNLOCK_MMU, function, version="3.18"),
    )
    return evolve(memory, delete=before_step(memory.delete, "delete: give the page back", *added))


def check_ipa_limit(memory: MemoryDesign) -> MemoryDesign:
    """A slot that ends beyond the guest's physical address is refused."""
    return evolve(memory, slot_checks=(*memory.slot_checks, SlotCheck.IPA_LIMIT))


def clean_pages(memory: MemoryDesign) -> MemoryDesign:
    """Each page is cleaned to the point of coherency before it is mapped."""
    clean = step("fault: clean the page", Do.CLEAN, "coherent_cache_guest_page", version="3.15")
    return evolve(memory, fault=before_step(memory.fault, "fault: lock", clean))


def check_frame(memory: MemoryDesign) -> MemoryDesign:
    """The virtual CPU interface is mapped only if its pages hold nothing else."""
    check = step("interface: check the frame", Do.CHECK_FRAME, "kvm_vgic_hyp_init", VGIC, "3.17")
    return evolve(memory, interface=before_step(memory.interface, "interface: page for a second-level table", check))


def whole_base(memory: MemoryDesign) -> MemoryDesign:
    """VTTBR gets bits [39:13] of the first-level tables' address."""
    return evolve(memory, base_mask=0xFFFFFFE000)


def unmap_structures(memory: MemoryDesign) -> MemoryDesign:
    """A destroyed VM's structures go out of Hyp mode's tables before they are freed."""
    unmap = step("destroy: unmap from Hyp mode", Do.UNMAP_STRUCTURE, "kvm_arch_destroy_vm", ARM, "5.12")
    return evolve(memory, destroy=before_step(memory.destroy, "destroy: free the structures", unmap))


def drop_change_pte(memory: MemoryDesign) -> MemoryDesign:
    """change_pte maps nothing: the notifiers around it have unmapped the page, and the next fault maps the new one."""
    steps = memory.replace
    for name in ("lock for change_pte", "change_pte", "map read-only", "drain the mapping", "flush the mapping"):
        steps = without(steps, f"replace: {name}")
    return evolve(memory, replace=without(steps, "replace: unlock after change_pte"))


def device_interface(memory: MemoryDesign) -> MemoryDesign:
    """The virtual CPU interface is mapped as Device memory."""
    return evolve(memory, device_attributes=0b0001)


MEMORY_REPAIRS: tuple[tuple[Variation, str, Callable[[Design], Design]], ...] = tuple(
    (Variation(identifier, statement, sources), deviation, partial(with_memory, change))
    for identifier, statement, deviation, sources, change in (
        (
            "vttbr-published-first", "VTTBR is published before the generation that vouches for it",
            "vmid-gen-published-early", (linux("virt/kvm/arm/arm.c", "update_vttbr", "5.0"),), publish_vttbr_first,
        ),
        (
            "siblings-flushed", "a vCPU that runs where a sibling ran last flushes the VM's translations there",
            "tlb-shared-by-sibling-vcpus", (linux(ARM, "kvm_arch_vcpu_load", "4.10"),), flush_siblings,
        ),
        (
            "break-before-make", "a valid descriptor is cleared and flushed before another one takes its place",
            "s2-no-break-before-make", (linux(MMU, "stage2_set_pte", "4.7"), arm("B3.10.1")), break_before_make,
        ),
        (
            "slots-unmapped", "the deletion of a memory slot takes its pages out of the tables",
            "memslot-delete-keeps-mapping", (linux(MMU, "kvm_arch_flush_shadow_memslot", "3.18"),),
            unmap_deleted_slots,
        ),
        (
            "ipa-limit-checked", "a memory slot ends within the guest's physical address",
            "memslot-beyond-ipa-limit", (linux(MMU, "kvm_arch_prepare_memory_region", "3.18"),), check_ipa_limit,
        ),
        (
            "pages-cleaned", "a page is cleaned to the point of coherency before a guest gets it",
            "uncached-guest-reads-stale-dram", (linux(MMU, "coherent_cache_guest_page", "3.15"), arm("B2.2.7")),
            clean_pages,
        ),
        (
            "frame-checked", "the virtual CPU interface is mapped only where its pages hold nothing else",
            "gicv-page-neighbour-exposed", (linux(VGIC, "kvm_vgic_hyp_init", "3.17"),), check_frame,
        ),
        (
            "whole-base-in-vttbr", "VTTBR gets bits [39:13] of the first-level tables' address",
            "D16", (arm("B4.1.160"), arm("B3.6.6")), whole_base,
        ),
        (
            "structures-unmapped", "a destroyed VM's structures go out of Hyp mode's tables",
            "D17", (linux("arch/arm64/kvm/arm.c", "kvm_arch_destroy_vm", "5.12"),), unmap_structures,
        ),
        (
            "change-pte-dropped", "change_pte maps nothing, so that no page of a slot under deletion comes back",
            "change-pte-maps-deleted-slot", (linux(MAIN, "kvm_mmu_notifier_change_pte", "6.10"),), drop_change_pte,
        ),
        (
            "device-attributes", "the virtual CPU interface is mapped as Device memory",
            "D21", (linux("arch/arm/include/asm/pgtable.h", "PAGE_S2_DEVICE", "3.14"), arm("B3.6.2")),
            device_interface,
        ),
    )
)  # fmt: skip
"""Each repair as its variation, the deviation of Linux 3.12 that it mends, and what it changes."""
