"""The run loop of a vCPU around the guest, as far as it concerns time: flush, world switch, sync.

Interrupts are masked for the host from before the entry until behind the exit.

Not modelled: the ISBs around CNTV_CTL, so that a register write takes effect at once; the order of these steps and
those of the distributor's own, which the lock keeps apart. That the world switch moves the same registers in the same
order as the spine's is a test.
"""

from model.threads import vcpu_of, with_core, with_number, with_vcpu
from model.timer.design import GUEST, TimerDesign, Trait
from model.timer.soft import armed_for
from model.timer.state import TimeState
from model.timer.threads import advanced, thread_put
from model.timer.timer import TIMER, fires_saved, interrupts, listed, told
from spec.citations import linux, paper, rule
from spec.timer.timers import ENABLE
from spec.words import U1, bit, choose, either, every, negate, put, put_all, replaced

HEAD = "arch/arm/kvm/interrupts_head.S"
NEW = "virt/kvm/arm/arch_timer.c"


@rule(linux(TIMER, "kvm_timer_init"))
def first_run(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The first vCPU of a VM that runs makes its virtual time start at zero."""
    number = vcpu_of(state, cpu).vm
    vm = state.vms[number]
    chooses = every(vm.timer == 1, either(vm.ready == 0, Trait.OFFSET_ONCE not in design.traits))
    begun = put_all(vm, ("ready", "off"), (1, choose(chooses, state.now, vm.off)))
    return advanced(put(state, "vms", replaced(state.vms, number, begun)), cpu)


@rule(linux(TIMER, "kvm_timer_flush_hwstate"))
def cancel(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The software timer and its work are cancelled: the guest's own timer is about to take over."""
    return thread_put(state, cpu, ("armed", "running", "queued"), (0, 0, 0))


@rule(linux(TIMER, "kvm_timer_sync_hwstate"), linux(NEW, "kvm_timer_update_state", "4.4"))
def sample(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The distributor is told whether the timer fires now."""
    number = state.cores[cpu].vcpu
    level: U1 = choose(fires_saved(state, number), 1, 0)
    return advanced(with_number(state, number, told(design, state.vcpus[number], level)), cpu)


@rule(linux("virt/kvm/arm/vgic.c", "__kvm_vgic_flush_hwstate"))
def flush(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The list register of interrupt 27 is brought up to date."""
    return advanced(with_vcpu(state, cpu, listed(design, vcpu_of(state, cpu))), cpu)


@rule(linux("include/linux/irqflags.h", "local_irq_disable"))
def mask_irqs(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The host masks interrupts on this processor; the interrupt controller has noticed by now which lines are low."""
    return advanced(with_core(state, cpu, put_all(state.cores[cpu], ("masked", "late"), (1, 0))), cpu)


@rule(linux("include/linux/irqflags.h", "local_irq_enable"))
def unmask_irqs(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The host unmasks interrupts, and so takes what forced the guest out."""
    return advanced(with_core(state, cpu, put(state.cores[cpu], "masked", 0)), cpu)


@rule(linux(NEW, "kvm_timer_flush_hwstate", "4.3"))
def mark_active(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The physical interrupt is active while the virtual one is up, so that the guest can run, and not active else."""
    vcpu = vcpu_of(state, cpu)
    up = either(vcpu.listed > 0, every(Trait.BY_LEVEL in design.traits, vcpu.line == 1))
    return advanced(with_core(state, cpu, put(state.cores[cpu], "active", choose(up, 1, 0))), cpu)


def in_kernel(state: TimeState, cpu: int) -> bool:
    """Whether the VM has the in-kernel timer."""
    return state.vms[vcpu_of(state, cpu).vm].timer == 1


def loads(state: TimeState, cpu: int, name: str, value: int, condition: bool) -> TimeState:
    """The state with one register of the processor's virtual timer written, where the condition holds."""
    core = state.cores[cpu]
    return advanced(with_core(state, cpu, put(core, name, choose(condition, value, getattr(core, name)))), cpu)


@rule(linux(HEAD, "restore_timer_state"), paper("3.6"))
def load_cnthctl(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """PL1 may read the physical counter and may not use the physical timer, of any VM."""
    return loads(state, cpu, "access", 1, True)


@rule(linux(HEAD, "restore_timer_state"))
def load_cntvoff(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """CNTVOFF is the VM's."""
    return loads(state, cpu, "off", state.vms[vcpu_of(state, cpu).vm].off, in_kernel(state, cpu))


@rule(linux(HEAD, "restore_timer_state"))
def load_cval(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """CNTV_CVAL is the vCPU's."""
    return loads(state, cpu, "cval", vcpu_of(state, cpu).cval, in_kernel(state, cpu))


@rule(linux(HEAD, "restore_timer_state"))
def load_ctl(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """CNTV_CTL is the vCPU's, ENABLE and IMASK."""
    return loads(state, cpu, "ctl", vcpu_of(state, cpu).ctl, in_kernel(state, cpu))


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"))
def enter(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The guest runs."""
    return with_vcpu(state, cpu, put(vcpu_of(state, cpu), "at", GUEST))


def saves(state: TimeState, cpu: int, name: str, value: int) -> TimeState:
    """The state with one register of the processor's virtual timer saved for the vCPU, if its VM has the timer."""
    old = getattr(vcpu_of(state, cpu), name)
    return thread_put(state, cpu, (name,), (choose(in_kernel(state, cpu), value, old),))


@rule(linux(HEAD, "save_timer_state"))
def save_ctl(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """CNTV_CTL is saved, ENABLE and IMASK."""
    ctl = state.cores[cpu].ctl
    whole = either(Trait.KEPT_OFF in design.traits, bit(ctl, ENABLE) == 1)
    return saves(state, cpu, "ctl", choose(whole, ctl, 0))


@rule(linux(HEAD, "save_timer_state"))
def save_cval(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """CNTV_CVAL is saved."""
    return saves(state, cpu, "cval", state.cores[cpu].cval)


def stops(design: TimerDesign, state: TimeState, cpu: int) -> bool:
    """Whether the exit stops the virtual timer, of this VM."""
    return either(Trait.ALWAYS_STOPPED in design.traits, in_kernel(state, cpu))


@rule(linux(HEAD, "save_timer_state"))
def stop(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The virtual timer is off while the host runs, so that its line falls before the host unmasks interrupts."""
    return loads(state, cpu, "ctl", state.cores[cpu].ctl & 2, stops(design, state, cpu))


@rule(linux(HEAD, "save_timer_state", "3.10"))
def clear_cntvoff(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The host's virtual counter shows the physical count."""
    return loads(state, cpu, "off", 0, stops(design, state, cpu))


@rule(linux(HEAD, "save_timer_state"))
def restore_cnthctl(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """PL1, now the host, has the physical timer again."""
    return loads(state, cpu, "access", 3, True)


@rule(linux(TIMER, "kvm_timer_sync_hwstate"), paper("3.6"))
def arm(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """A software timer stands in for a guest's timer that is on its way, from now until the vCPU runs again.

    One that fires by now, where the step before found that it did not yet, expires at once.
    """
    number = state.cores[cpu].vcpu
    return advanced(with_number(state, number, armed_for(state, number)), cpu)


@rule(linux(TIMER, "kvm_arch_timer_handler"))
def warn(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The host expects no interrupt of the virtual timer: the exit has stopped it."""
    return state


@rule(linux(NEW, "kvm_arch_timer_handler", "4.14"))
def copy_ctl(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The handler takes CNTV_CTL for the guest's own, whoever's it is."""
    core = state.cores[cpu]
    if core.busy == 0:
        return state
    return with_vcpu(state, cpu, put(vcpu_of(state, cpu), "ctl", core.ctl))


@rule(linux(NEW, "kvm_timer_update_mapping_active", "4.15"), linux(NEW, "kvm_arch_timer_handler", "4.15"))
def silence(design: TimerDesign, state: TimeState, cpu: int) -> TimeState:
    """The interrupt of a VM whose interrupt controller is in user space is kept from coming again on this processor."""
    core = state.cores[cpu]
    ours = every(core.busy == 1, negate(in_kernel(state, cpu)))
    return with_core(state, cpu, put(core, "silenced", choose(ours, 1, core.silenced)))


@rule(linux(TIMER, "kvm_arch_timer_handler"))
def signals(state: TimeState, cpu: int) -> bool:
    """Whether the timer's interrupt comes to the processor now, or may come late."""
    core = state.cores[cpu]
    return either(interrupts(state, core), every(core.late == 1, core.silenced == 0))
