"""The run loop of a vCPU up to the entry: the VMID allocator with its generations, and the last checks.

The allocator's comparison with the generation is without a lock; what makes that sound is the order in which the
generation and VTTBR are published, and that a new generation forces every processor out of its guest.

Not modelled: 2 ** 64 generations, after which an old VMID would count as new.
"""

from model.memory.design import GUEST, MemoryDesign, place
from model.memory.state import MemoryState, PageNumber
from model.memory.threads import advanced, branched, vm_of, with_core, with_vm
from spec.citations import arm, linux, rule
from spec.words import add, bits, choose, every, put, put_all, replaced

ARM = "arch/arm/kvm/arm.c"


@rule(linux(ARM, "kvm_arch_vcpu_load"))
def load_vcpu(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The vCPU's thread notes that this vCPU is the one that runs on the processor."""
    vm = vm_of(state, cpu)
    ran = replaced(vm.ran_last, cpu, state.cores[cpu].vcpu + 1)
    return advanced(with_vm(state, cpu, put(vm, "ran_last", ran)), cpu)


@rule(linux(ARM, "kvm_arch_vcpu_load"))
def load_vcpu_only(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The same where there is one note for all VMs: who of another VM ran on the processor is forgotten."""
    forgotten = tuple(put(vm, "ran_last", replaced(vm.ran_last, cpu, 0)) for vm in state.vms)
    return load_vcpu(design, put(state, "vms", forgotten), cpu, page)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_load", "4.10"), arm("B3.10.5"))
def flush_sibling(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Where another vCPU of the VM ran here last, this processor drops its translations of the VM."""
    vm = vm_of(state, cpu)
    vmid = bits(vm.vttbr, 55, 48)
    other = vm.ran_last[cpu] != state.cores[cpu].vcpu + 1
    tlb = state.tlb.clear_where(lambda key, _: every(other, key[0] == cpu, key[1] == vmid))
    stage1 = state.stage1_tlb.clear_where(lambda key, _: every(other, key[0] == cpu, key[1] == vmid))
    return advanced(put_all(state, ("tlb", "stage1_tlb"), (tlb, stage1)), cpu)


def is_current(state: MemoryState, cpu: int) -> bool:
    """Whether the VM's VMID is of the current generation."""
    return vm_of(state, cpu).generation == state.allocator.generation


@rule(linux(ARM, "need_new_vmid_gen"))
def check_generation(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A VM with a VMID of the current generation goes on to the entry."""
    return branched(design, state, cpu, is_current(state, cpu))


@rule(linux(ARM, "update_vttbr"))
def lock_vmid(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The thread takes kvm_vmid_lock."""
    return advanced(put(state, "allocator", put(state.allocator, "lock", cpu + 1)), cpu)


@rule(linux(ARM, "update_vttbr"))
def recheck_locked(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A sibling may have got a VMID for the VM while the thread waited for the lock."""
    return branched(design, state, cpu, is_current(state, cpu))


@rule(linux(ARM, "update_vttbr"))
def roll_over(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Where no VMID is left a new generation begins, whose first VMID is 1; else the thread takes the next VMID."""
    allocator = state.allocator
    exhausted = allocator.next == 0
    renewed = put_all(
        allocator, ("generation", "next", "flushing"), (add(allocator.generation, 1, 64), 1, 1)
    )
    state = put(state, "allocator", choose(exhausted, renewed, allocator))
    return branched(design, state, cpu, exhausted ^ True)


@rule(linux(ARM, "force_vm_exit"))
def kick_all(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """Every other processor gets an interrupt, which a guest does not survive."""
    cores = tuple(core if n == cpu else put(core, "ipi", 1) for n, core in enumerate(state.cores))
    return advanced(put(state, "cores", cores), cpu)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_flush_vm_context"), arm("B3.10.5"))
def flush_all(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """TLBIALLNSNHIS: no processor has a translation of any VMID left."""
    tlb = state.tlb.clear_where(lambda key, entry: True)
    stage1 = state.stage1_tlb.clear_where(lambda key, entry: True)
    allocator = put(state.allocator, "flushing", 0)
    return advanced(put_all(state, ("tlb", "stage1_tlb", "allocator"), (tlb, stage1, allocator)), cpu)


@rule(linux(ARM, "update_vttbr"))
def take_vmid(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The thread takes the next VMID; behind the last one comes 0, which stands for the host and is never taken."""
    allocator = state.allocator
    following = choose(allocator.next == allocator.last, 0, add(allocator.next, 1, 8))
    state = with_core(state, cpu, put(state.cores[cpu], "vmid", allocator.next))
    return advanced(put(state, "allocator", put(allocator, "next", following)), cpu)


@rule(linux(ARM, "update_vttbr"))
def set_generation(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The VM's generation becomes the current one: from now on its vCPUs pass the check."""
    vm = put(vm_of(state, cpu), "generation", state.allocator.generation)
    return advanced(with_vm(state, cpu, vm), cpu)


@rule(linux(ARM, "update_vttbr"), arm("B4.1.160"))
def set_vttbr(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The VM's VTTBR gets the VMID and the bits of the first-level table's address that the mask lets through."""
    vm = vm_of(state, cpu)
    vttbr = ((vm.root << 12) & design.base_mask) | (state.cores[cpu].vmid << 48)
    return advanced(with_vm(state, cpu, put(vm, "vttbr", vttbr)), cpu)


@rule(linux(ARM, "update_vttbr"))
def unlock_vmid(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The thread releases kvm_vmid_lock."""
    return advanced(put(state, "allocator", put(state.allocator, "lock", 0)), cpu)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def passed(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """A step whose whole effect is where it stands: interrupts are masked, or a wait is over."""
    return advanced(state, cpu)


@rule(linux(ARM, "kvm_arch_vcpu_ioctl_run"))
def recheck_generation(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """With interrupts masked the generation is compared once more; a vCPU that lost its VMID begins again."""
    core = state.cores[cpu]
    again = place("run")
    return with_core(state, cpu, put(core, "at", choose(is_current(state, cpu), core.at + 1, again)))


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"))
def enter(design: MemoryDesign, state: MemoryState, cpu: int, page: PageNumber) -> MemoryState:
    """The world switch writes VTTBR with the VM's, and the guest runs."""
    vttbr = vm_of(state, cpu).vttbr
    return with_core(state, cpu, put_all(state.cores[cpu], ("at", "vttbr"), (GUEST, vttbr)))
