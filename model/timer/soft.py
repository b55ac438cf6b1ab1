"""The software timer, a high-resolution timer of the host that stands in for a guest's timer while its vCPU waits.

It counts the host's own clock, which may be stepped forward beneath it, and then it comes early.

Not modelled: the conversion of ticks to nanoseconds and back; a clock that is stepped back, which makes it late, which
weakens `time.covered`; that the interrupt of the software timer and its work take time themselves.
"""

from model.threads import with_number
from model.timer.design import TimerDesign
from model.timer.state import TimeState, Vcpu
from model.timer.timer import TIMER, fires_saved, told, virtual_now
from spec.citations import linux, paper, rule
from spec.timer.timers import condition_met
from spec.words import U64, bits, choose, every, negate, put, put_all, sub

NEW = "virt/kvm/arm/arch_timer.c"


@rule(linux(TIMER, "kvm_timer_sync_hwstate"))
def distance(state: TimeState, number: int) -> U64:
    """How many ticks a vCPU's timer is away; 0 where its compare value is reached."""
    vcpu, now = state.vcpus[number], virtual_now(state, number)
    return choose(condition_met(now, vcpu.cval), 0, sub(vcpu.cval, now, 64))


@rule(linux(TIMER, "timer_arm"), paper("3.6"))
def armed_for(state: TimeState, number: int) -> Vcpu:
    """The vCPU with a software timer, where its own is enabled and not masked and the distributor does not know yet."""
    vcpu = state.vcpus[number]
    waits = every(state.vms[vcpu.vm].timer == 1, bits(vcpu.ctl, 1, 0) == 1, vcpu.line == 0)
    values = (1, 1, distance(state, number))
    return choose(waits, put_all(vcpu, ("armed", "running", "left"), values), vcpu)


@rule(linux(NEW, "kvm_timer_expire", "4.6"))
def rearm_early(design: TimerDesign, state: TimeState, number: int) -> TimeState:
    """A software timer that came early counts what is left of the guest's own time."""
    vcpu, left = state.vcpus[number], distance(state, number)
    again = put_all(vcpu, ("running", "left"), (1, left))
    return with_number(state, number, choose(left > 0, again, vcpu))


@rule(linux(TIMER, "kvm_timer_expire"))
def queue_work(design: TimerDesign, state: TimeState, number: int) -> TimeState:
    """The rest is done by a thread of the host: the distributor's lock cannot be taken in an interrupt."""
    vcpu = state.vcpus[number]
    return with_number(state, number, put(vcpu, "queued", choose(vcpu.running == 0, 1, vcpu.queued)))


@rule(linux(TIMER, "kvm_timer_inject_irq_work"))
def disarm(design: TimerDesign, state: TimeState, number: int) -> TimeState:
    """The software timer is armed no longer, unless it counts again."""
    vcpu = state.vcpus[number]
    return with_number(state, number, put(vcpu, "armed", vcpu.running))


@rule(linux(TIMER, "kvm_timer_inject_irq"))
def inject(design: TimerDesign, state: TimeState, number: int) -> TimeState:
    """The distributor is told that the timer fires, unless the software timer counts again."""
    vcpu = state.vcpus[number]
    return with_number(state, number, choose(vcpu.running == 1, vcpu, told(design, vcpu, 1)))


@rule(paper("5.2"), linux("arch/arm/kvm/arm.c", "kvm_vm_ioctl_irq_line"))
def of_device(design: TimerDesign, state: TimeState, number: int) -> TimeState:
    """User space has set the timer that it emulates for a vCPU: it sets the line, and a timer of its own."""
    state = with_number(state, number, put_all(state.vcpus[number], ("armed", "running"), (0, 0)))
    fires = fires_saved(state, number)
    state = with_number(state, number, told(design, state.vcpus[number], choose(fires, 1, 0)))
    return with_number(state, number, choose(negate(fires), armed_for(state, number), state.vcpus[number]))
