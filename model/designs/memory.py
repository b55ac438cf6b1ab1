"""Memory as Linux 3.12 manages it: the routines step by step, and the constants."""

from model.memory.design import Do, MemoryDesign, MemoryStep, SlotCheck
from spec.citations import linux

ARM = "arch/arm/kvm/arm.c"
MMU = "arch/arm/kvm/mmu.c"
MAIN = "virt/kvm/kvm_main.c"
INTERRUPTS = "arch/arm/kvm/interrupts.S"
VGIC = "virt/kvm/arm/vgic.c"


def step(name: str, do: Do, function: str, file: str = MMU, version: str = "3.12") -> MemoryStep:
    """A step with the function of the code that it stands for."""
    return MemoryStep(name, do, (linux(file, function, version),))


RUN = (
    step("run: vcpu_load", Do.LOAD_VCPU, "kvm_arch_vcpu_load", ARM),
    step("run: check generation", Do.CHECK_GENERATION, "need_new_vmid_gen", ARM),
    step("run: lock VMIDs", Do.LOCK_VMID, "update_vttbr", ARM),
    step("run: check generation under the lock", Do.RECHECK_LOCKED, "update_vttbr", ARM),
    step("run: new generation", Do.ROLL_OVER, "update_vttbr", ARM),
    step("run: kick all processors", Do.KICK_ALL, "force_vm_exit", ARM),
    step("run: await kicks", Do.AWAIT_KICKS, "force_vm_exit", ARM),
    step("run: flush all VMIDs", Do.FLUSH_ALL, "__kvm_flush_vm_context", INTERRUPTS),
    step("run: take VMID", Do.TAKE_VMID, "update_vttbr", ARM),
    step("run: publish generation", Do.SET_GENERATION, "update_vttbr", ARM),
    step("run: publish VTTBR", Do.SET_VTTBR, "update_vttbr", ARM),
    step("run: unlock VMIDs", Do.UNLOCK_VMID, "update_vttbr", ARM),
    step("run: mask interrupts", Do.MASK_IRQS, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: check generation at last", Do.RECHECK_GENERATION, "kvm_arch_vcpu_ioctl_run", ARM),
    step("run: enter", Do.ENTER, "__kvm_vcpu_run", INTERRUPTS),
)

FAULT = (
    step("fault: decide", Do.DECIDE, "kvm_handle_guest_abort"),
    step("fault: page for a second-level table", Do.CACHE_SECOND, "mmu_topup_memory_cache"),
    step("fault: page for a third-level table", Do.CACHE_THIRD, "mmu_topup_memory_cache"),
    step("fault: read mmu_notifier_seq", Do.READ_SEQ, "user_mem_abort"),
    step("fault: pin the page", Do.PIN, "user_mem_abort"),
    step("fault: lock", Do.LOCK_MMU, "user_mem_abort"),
    step("fault: retry after an invalidation", Do.VALIDATE, "user_mem_abort"),
    step("fault: link second level", Do.LINK_SECOND, "stage2_set_pte"),
    step("fault: link third level", Do.LINK_THIRD, "stage2_set_pte"),
    step("fault: write the descriptor", Do.SET_LEAF, "stage2_set_pte"),
    step("fault: drain", Do.DRAIN, "__kvm_tlb_flush_vmid_ipa", INTERRUPTS),
    step("fault: flush", Do.INVALIDATE_REPLACED, "stage2_set_pte"),
    step("fault: unlock", Do.UNLOCK_MMU, "user_mem_abort"),
    step("fault: done", Do.KEEP_SPARES, "kvm_handle_guest_abort"),
)

UNMAP_ONE = (
    ("clear the descriptor", Do.CLEAR_LEAF, "clear_pte_entry"),
    ("drain", Do.DRAIN, "kvm_tlb_flush_vmid_ipa"),
    ("flush", Do.INVALIDATE, "kvm_tlb_flush_vmid_ipa"),
    ("unlink third level", Do.DETACH_THIRD, "clear_pmd_entry"),
    ("drain the third level", Do.DRAIN, "kvm_tlb_flush_vmid_ipa"),
    ("flush the third level", Do.INVALIDATE, "kvm_tlb_flush_vmid_ipa"),
    ("free third level", Do.FREE_TABLE, "clear_pmd_entry"),
    ("unlink second level", Do.DETACH_SECOND, "clear_pud_entry"),
    ("drain the second level", Do.DRAIN, "kvm_tlb_flush_vmid_ipa"),
    ("flush the second level", Do.INVALIDATE, "kvm_tlb_flush_vmid_ipa"),
    ("free second level", Do.FREE_TABLE, "clear_pud_entry"),
)
"""How one page goes out of the tables, emptied tables with it."""


def unmap_one(routine: str) -> tuple[MemoryStep, ...]:
    """The steps by which one page goes out of the tables, as part of a routine."""
    return tuple(step(f"{routine}: {name}", do, function) for name, do, function in UNMAP_ONE)


def notified(routine: str, *between: MemoryStep) -> tuple[MemoryStep, ...]:
    """The MMU notifiers around what the host does to a page."""
    return (
        step(f"{routine}: lock", Do.LOCK_MMU, "kvm_mmu_notifier_invalidate_range_start", MAIN),
        step(f"{routine}: count up", Do.COUNT_UP, "kvm_mmu_notifier_invalidate_range_start", MAIN),
        *unmap_one(routine),
        step(f"{routine}: unlock", Do.UNLOCK_MMU, "kvm_mmu_notifier_invalidate_range_start", MAIN),
        *between,
        step(f"{routine}: lock at the end", Do.LOCK_MMU, "kvm_mmu_notifier_invalidate_range_end", MAIN),
        step(f"{routine}: sequence number", Do.SEQ_UP, "kvm_mmu_notifier_invalidate_range_end", MAIN),
        step(f"{routine}: count down", Do.COUNT_DOWN, "kvm_mmu_notifier_invalidate_range_end", MAIN),
        step(f"{routine}: unlock at the end", Do.UNLOCK_MMU, "kvm_mmu_notifier_invalidate_range_end", MAIN),
    )


RECLAIM = notified("reclaim", step("reclaim: free the page", Do.RELEASE_PAGE, "try_to_unmap", "mm/rmap.c"))
REPLACE = notified(
    "replace",
    step("replace: exchange the page", Do.REPLACE_PAGE, "replace_page", "mm/ksm.c"),
    step("replace: lock for change_pte", Do.LOCK_MMU, "kvm_mmu_notifier_change_pte", MAIN),
    step("replace: change_pte", Do.SEQ_UP, "kvm_mmu_notifier_change_pte", MAIN),
    step("replace: map read-only", Do.SET_REPLACED, "kvm_set_spte_handler"),
    step("replace: drain the mapping", Do.DRAIN, "kvm_tlb_flush_vmid_ipa"),
    step("replace: flush the mapping", Do.INVALIDATE_REPLACED, "stage2_set_pte"),
    step("replace: unlock after change_pte", Do.UNLOCK_MMU, "kvm_mmu_notifier_change_pte", MAIN),
)
DELETE = (
    step("delete: mark the slot", Do.MARK_INVALID, "__kvm_set_memory_region", MAIN),
    step("delete: synchronize", Do.SYNCHRONIZE, "install_new_memslots", MAIN),
    step("delete: give the page back", Do.GIVE_BACK, "__kvm_set_memory_region", MAIN),
    step("delete: next page", Do.NEXT_PAGE, "__kvm_set_memory_region", MAIN),
    step("delete: remove the slot", Do.REMOVE_SLOT, "install_new_memslots", MAIN),
)
DESTROY = (
    step("destroy: unregister the notifier", Do.UNREGISTER, "kvm_destroy_vm", MAIN),
    step("destroy: clear the tables", Do.CLEAR_ALL, "kvm_free_stage2_pgd"),
    step("destroy: drain", Do.DRAIN, "kvm_tlb_flush_vmid_ipa"),
    step("destroy: flush", Do.INVALIDATE, "kvm_tlb_flush_vmid_ipa"),
    step("destroy: free the tables", Do.FREE_TABLES, "kvm_free_stage2_pgd"),
    step("destroy: free the memory", Do.FREE_MEMORY, "exit_mmap", "mm/mmap.c"),
    step("destroy: free the structures", Do.FREE_STRUCTURE, "kvm_destroy_vm", MAIN),
)
INTERFACE = (
    step("interface: page for a second-level table", Do.CACHE_SECOND, "mmu_topup_memory_cache"),
    step("interface: page for a third-level table", Do.CACHE_THIRD, "mmu_topup_memory_cache"),
    step("interface: lock", Do.LOCK_MMU, "kvm_phys_addr_ioremap"),
    step("interface: link second level", Do.LINK_SECOND, "stage2_set_pte"),
    step("interface: link third level", Do.LINK_THIRD, "stage2_set_pte"),
    step("interface: map GICV", Do.SET_INTERFACE, "kvm_phys_addr_ioremap"),
    step("interface: unlock", Do.UNLOCK_MMU, "kvm_phys_addr_ioremap"),
    step("interface: done", Do.KEEP_SPARES, "kvm_phys_addr_ioremap"),
)

MEMORY_3_12 = MemoryDesign(
    run=RUN,
    fault=FAULT,
    reclaim=RECLAIM,
    replace=REPLACE,
    delete=DELETE,
    destroy=DESTROY,
    interface=INTERFACE,
    base_mask=0x7FFFFFF000,
    read_only=1,
    read_write=3,
    device_attributes=0b0100,
    slot_checks=(SlotCheck.OVERLAP,),
    generation_checked_under_lock=False,
    stage1_protected=False,
)
