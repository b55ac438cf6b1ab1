"""What is pending for which vCPU: the distributor's state, and the summary of it from which list registers are filled.

pending_percpu and pending_shared, struct vgic_cpu's summary, are kept as what they differ in from what would be
computed now: `VgicState.stale`. So to compute them anew is to forget every difference.
"""

from model.vgic.design import Trait, VgicDesign
from model.vgic.state import PRIVATE, SGIS, VgicState, VirtualIrq, flag
from model.vgic.threads import vm_number, vm_of, with_vm
from spec.citations import gic, linux, rule
from spec.gic.state import U10
from spec.words import U1, U3, U8, choose, either, every, negate, put, put_all

VGIC = "virt/kvm/arm/vgic.c"

Key = tuple[U8, U3, U10]
"""VM, bank and number of an interrupt."""


@rule(linux(VGIC, "vgic_bitmap_get_reg"), gic("2.2.1"))
def key_of(vm: U8, number: U3, irq: U10) -> Key:
    """Where an interrupt is kept that a vCPU of a VM names: SGIs and PPIs are banked."""
    return vm, choose(irq < PRIVATE, number, 0), irq


@rule(linux(VGIC, "vgic_irq_is_edge"))
def is_edge(irq: U10, record: VirtualIrq) -> bool:
    """Whether the interrupt is edge-triggered: every private one is, even the timer's."""
    return either(irq < PRIVATE, record.edge == 1)


@rule(linux(VGIC, "vgic_irq_is_enabled"), linux(VGIC, "kvm_vgic_vcpu_init"))
def is_enabled(irq: U10, record: VirtualIrq) -> bool:
    """Whether the interrupt is enabled: every SGI is, always."""
    return either(irq < SGIS, record.enabled == 1)


@rule(linux(VGIC, "vgic_queue_hwirq"))
def in_flight(irq: U10, record: VirtualIrq) -> bool:
    """Whether a level-sensitive interrupt is in a list register, so that its line is looked at again when it ends."""
    return every(record.active == 1, negate(is_edge(irq, record)))


@rule(linux(VGIC, "compute_pending_for_cpu"))
def computed(design: VgicDesign, enabled: U1, key: Key, record: VirtualIrq) -> U8:
    """The vCPUs for which the interrupt is pending, one bit for each: none or one.

    `enabled` is GICD_CTLR, which Linux 3.12 does not look at here.
    """
    _, bank, irq = key
    forwarded = enabled == 1 if Trait.DISABLED_SILENT in design.traits else True
    live = every(record.pending == 1, is_enabled(irq, record), forwarded)
    return choose(live, flag(choose(irq < PRIVATE, bank, record.target)), 0)


def summary(design: VgicDesign, state: VgicState, key: Key) -> U8:
    """The vCPUs for which the interrupt is pending by the summary."""
    return computed(design, state.vms[key[0]].enabled, key, state.irqs.get(key)) ^ state.stale.get(key)


def with_irq(design: VgicDesign, state: VgicState, key: Key, record: VirtualIrq, wanted: U8) -> VgicState:
    """The state with one interrupt replaced and its summary as wanted, or exact where the design sees to that."""
    irqs = state.irqs.set(key, record)
    if Trait.SUMMARY_EXACT in design.traits:
        return put(state, "irqs", irqs)
    stale = state.stale.set(key, computed(design, state.vms[key[0]].enabled, key, record) ^ wanted)
    return put_all(state, ("irqs", "stale"), (irqs, stale))


@rule(linux(VGIC, "vgic_update_state"))
def recomputed(design: VgicDesign, state: VgicState, cpu: int) -> VgicState:
    """The summary is what is computed now, and vCPUs with something pending are noted as such.

    Linux 3.12 leaves everything as it is while the distributor is disabled, and notes vCPU 0.
    """
    vm, number = vm_of(state, cpu), vm_number(state, cpu)
    if Trait.DISABLED_UPDATED not in design.traits and vm.enabled == 0:
        return with_vm(state, cpu, put(vm, "oracle", vm.oracle | 1))
    state = put(state, "stale", state.stale.clear_where(lambda key, _: key[0] == number))
    oracle = vm.oracle
    for vcpu in state.vcpus:
        bit = flag(vcpu.number)

        def pends(key: Key, record: VirtualIrq, bit: U8 = bit) -> bool:
            """Whether the interrupt is pending for this vCPU."""
            return every(key[0] == number, computed(design, vm.enabled, key, record) & bit > 0)

        spared = either(vcpu.vm != number, state.irqs.none_where(pends))
        oracle = choose(spared, oracle, oracle | bit)
    return with_vm(state, cpu, put(vm, "oracle", oracle))


def noted(state: VgicState, cpu: int, vcpus: U8) -> VgicState:
    """The state in which vCPUs of the thread's VM are noted as having something to flush."""
    vm = vm_of(state, cpu)
    return with_vm(state, cpu, put(vm, "oracle", vm.oracle | vcpus))
