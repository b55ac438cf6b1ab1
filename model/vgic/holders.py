"""SPIs with another target now: who has one in a list register, and who has to learn that another vCPU waits for it."""

from model.threads import vcpu_of
from model.vgic.design import Trait, VgicDesign
from model.vgic.pending import Key, computed
from model.vgic.state import PRIVATE, VgicState, VirtualIrq, flag
from model.vgic.threads import vm_of
from spec.citations import linux, rule
from spec.gic import list_registers as lists
from spec.gic.state import U10
from spec.words import U8, U32, bit, choose, either, every, find, negate

VGIC_NEW = "virt/kvm/arm/vgic/vgic.c"


def held_elsewhere(state: VgicState, cpu: int, irq: U10) -> bool:
    """Whether another vCPU of the VM has an SPI in a list register."""
    vcpu = vcpu_of(state, cpu)
    others = (
        every(other.vm == vcpu.vm, negate(other.number == vcpu.number), state.lr_map.get((position, irq)) > 0)
        for position, other in enumerate(state.vcpus)
    )
    return every(irq >= PRIVATE, either(*others))


@rule(linux(VGIC_NEW, "vgic_prune_ap_list", "4.17"))
def holders(design: VgicDesign, state: VgicState, cpu: int) -> U8:
    """The vCPUs that hold what is pending for this one, and have to learn that somebody waits for it.

    Who has learnt it tells this one at the end of the interrupt, and is not told again.
    """
    vcpu, enabled, found = vcpu_of(state, cpu), vm_of(state, cpu).enabled, 0
    if Trait.TARGET_FOLLOWED not in design.traits:
        return found
    for position, other in enumerate(state.vcpus):

        def awaited(key: Key, record: VirtualIrq, position: int = position) -> bool:
            """Whether an SPI of this vCPU is in a list register of the other one, which does not know of it."""
            pends = computed(design, enabled, key, record) & flag(vcpu.number) > 0
            return every(key[0] == vcpu.vm, key[2] >= PRIVATE, pends, is_told(design, state, position, key[2]))

        holds = negate(state.irqs.none_where(awaited))
        sibling = every(other.vm == vcpu.vm, negate(other.number == vcpu.number))
        found = choose(every(sibling, holds), found | flag(other.number), found)
    return found


def is_told(design: VgicDesign, state: VgicState, holder: int, irq: U10) -> bool:
    """Whether a vCPU has an interrupt in a list register, and whoever waits for that one tells it so."""
    place = state.lr_map.get((holder, irq))
    unaware = is_unaware(find(enumerate(state.vcpus[holder].saved.lrs, 1), place, 0))
    return every(place > 0, either(Trait.HOLDERS_TOLD_ONCE not in design.traits, unaware))


def is_unaware(lr: U32) -> bool:
    """Whether a saved list register, of an interrupt that somebody else waits for, was filled before that was known.

    It is pending there, and would be given back, or its end asks for no maintenance interrupt.
    """
    return either(lr & lists.PENDING_BIT > 0, bit(lr, lists.EOI) == 0)
