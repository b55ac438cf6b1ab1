"""What the virtual timer of a processor and the saved one of a vCPU say: KVM's own reading of the hardware's rules.

In Linux 3.12 interrupt 27 is edge-triggered: each expiry is one edge, and IMASK keeps the timer from causing another.
"""

from model.timer.design import TimerDesign, Trait
from model.timer.state import PENDING, Core, TimeState, Vcpu
from spec.citations import arm, linux, rule
from spec.timer.counters import count_behind
from spec.timer.timers import fires
from spec.words import U1, U64, choose, every, negate, put, put_all

TIMER = "arch/arm/kvm/arch_timer.c"
VGIC = "virt/kvm/arm/vgic.c"


def virtual_now(state: TimeState, number: int) -> U64:
    """The virtual time of a vCPU's VM."""
    return count_behind(state.now, state.vms[state.vcpus[number].vm].off)


@rule(linux(TIMER, "kvm_timer_sync_hwstate"))
def fires_saved(state: TimeState, number: int) -> bool:
    """Whether the saved timer of a vCPU fires."""
    vcpu = state.vcpus[number]
    timer = state.vms[vcpu.vm].timer == 1
    return every(timer, fires(vcpu.ctl, vcpu.cval, virtual_now(state, number)))


@rule(arm("B8.1.5"))
def fires_loaded(state: TimeState, core: Core) -> bool:
    """Whether the virtual timer of a processor fires."""
    return fires(core.ctl, core.cval, count_behind(state.now, core.off))


@rule(arm("B8.1.5"))
def interrupts(state: TimeState, core: Core) -> bool:
    """Whether the virtual timer interrupts its processor: the interrupt is neither active nor disabled there."""
    return every(fires_loaded(state, core), core.active == 0, core.silenced == 0)


@rule(linux(TIMER, "kvm_timer_inject_irq"), linux(VGIC, "vgic_update_irq_pending"))
def told(design: TimerDesign, vcpu: Vcpu, level: U1) -> Vcpu:
    """The distributor is told whether the timer fires: as a level, or an edge where it does; that may set IMASK."""
    if Trait.LEVEL in design.traits:
        vcpu = put(vcpu, "line", level)
    else:
        vcpu = put(vcpu, "pending", choose(level == 1, 1, vcpu.pending))
    if Trait.MASKS in design.traits:
        vcpu = put(vcpu, "ctl", choose(level == 1, vcpu.ctl | 2, vcpu.ctl))
    return vcpu


@rule(linux(VGIC, "__kvm_vgic_flush_hwstate"))
def listed(design: TimerDesign, vcpu: Vcpu) -> Vcpu:
    """Interrupt 27 in its list register, as the flush leaves it.

    An edge goes there at once; a level only where the guest is not at it already, and goes away where the line falls.
    """
    if Trait.LEVEL in design.traits:
        up = every(vcpu.enabled == 1, vcpu.line == 1)
        state = choose(every(up, vcpu.listed == 0), PENDING, vcpu.listed)
        return put(vcpu, "listed", choose(every(negate(up), state == PENDING), 0, state))
    up = every(vcpu.enabled == 1, vcpu.pending == 1)
    values = (choose(up, vcpu.listed | PENDING, vcpu.listed), choose(up, 0, vcpu.pending))
    return put_all(vcpu, ("listed", "pending"), values)
