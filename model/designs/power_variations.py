"""The repairs of power that make the reference of Linux 3.12."""

from collections.abc import Callable
from functools import partial

from attrs import evolve

from model.design import Design, Variation
from model.designs.power import ARM, PSCI, step
from model.power.design import Do, PowerDesign, Trait
from model.routines import after_step, before_step, with_step, without
from spec.citations import linux, psci

NEW_ARM = "virt/kvm/arm/arm.c"
GUEST = "arch/arm/kvm/guest.c"


def with_power(change: Callable[[PowerDesign], PowerDesign], design: Design) -> Design:
    """The design with another way to start and stop vCPUs."""
    return evolve(design, power=change(design.power))


def heeding(traits: tuple[Trait, ...], power: PowerDesign) -> PowerDesign:
    """The design that heeds more."""
    return evolve(power, traits=power.traits | frozenset(traits))


def check_power_state(power: PowerDesign) -> PowerDesign:
    """CPU_ON goes by whether its target is off, not by whether a thread sleeps."""
    check = step("on: check that it is off", Do.CHECK_OFF, "kvm_psci_vcpu_on", version="3.14")
    return evolve(power, on=with_step(power.on, "on: check that it sleeps", check))


def serialise(power: PowerDesign) -> PowerDesign:
    """CPU_ON holds the VM's lock."""
    lock = step("on: lock", Do.LOCK, "kvm_psci_0_2_call", version="4.12")
    unlock = step("on: unlock", Do.UNLOCK, "kvm_psci_0_2_call", version="4.12")
    return evolve(power, on=before_step((lock, *power.on), "on: result", unlock))


def reset_own_registers(power: PowerDesign) -> PowerDesign:
    """CPU_ON notes what it asks for, and the target's own thread resets the registers before it enters its guest."""
    record = step("on: note what is asked", Do.RECORD, "kvm_psci_vcpu_on", version="5.0")
    ask = step("on: ask for a reset", Do.REQUEST, "kvm_psci_vcpu_on", version="5.0")
    own = step("run: reset", Do.RESET_SELF, "check_vcpu_requests", NEW_ARM, "5.0")
    steps = with_step(without(power.on, "on: reset the target"), "on: set the entry point", record, ask)
    power = evolve(power, on=steps, run=after_step(power.run, "run: await power", own))
    return heeding((Trait.RESET_BEFORE_ACCESS,), power)


def power_at_init(power: PowerDesign) -> PowerDesign:
    """Each initialisation powers the vCPU on or off, not the first run alone."""
    return heeding((Trait.POWER_AT_INIT,), evolve(power, run=without(power.run, "run: first run")))


def stop_machine(power: PowerDesign) -> PowerDesign:
    """SYSTEM_OFF powers every vCPU of the VM off, and each looks for that once it is in guest mode."""
    event = "kvm_prepare_system_event"
    steps = (
        step("stop: power off", Do.PAUSE_ONE, event, version="3.19"),
        step("stop: kick", Do.KICK_ONE, event, version="3.19"),
        step("stop: leave", Do.LEAVE, event, version="3.16"),
    )
    check = step("run: check power", Do.CHECK_POWER, "kvm_arch_vcpu_ioctl_run", NEW_ARM, "4.4")
    return evolve(power, stop=steps, run=after_step(power.run, "run: in guest mode", check))


def stay_stopped(power: PowerDesign) -> PowerDesign:
    """SYSTEM_OFF holds the VM's lock, and a CPU_ON under way in a vCPU that it has powered off starts nobody."""
    lock = step("stop: lock", Do.LOCK, "kvm_prepare_system_event", version="3.19")
    unlock = step("stop: unlock", Do.UNLOCK, "kvm_prepare_system_event", version="3.19")
    check = step("on: check the caller", Do.CHECK_CALLER, "kvm_psci_vcpu_on", version="3.19")
    stop = before_step((lock, *power.stop), "stop: leave", unlock) if power.stop else ()
    return evolve(power, stop=stop, on=before_step(power.on, "on: find the target", check))


POWER_REPAIRS: tuple[tuple[Variation, str, Callable[[Design], Design]], ...] = tuple(
    (Variation(identifier, statement, sources), deviation, partial(with_power, change))
    for identifier, statement, deviation, sources, change in (
        (
            "cpu-on-by-power-state", "CPU_ON starts a vCPU that is powered off, whether its thread sleeps or not",
            "D7", (linux(PSCI, "kvm_psci_vcpu_on", "3.14"), psci("CPU_ON")), check_power_state,
        ),
        (
            "cpu-on-serialised", "calls of CPU_ON exclude one another in a VM",
            "cpu-on-double-success", (linux(PSCI, "kvm_psci_0_2_call", "4.12"),), serialise,
        ),
        (
            "vcpu-resets-itself", "a vCPU that is started resets its own registers",
            "cpu-on-remote-reset",
            (linux(PSCI, "kvm_psci_vcpu_on", "5.0"), linux("arch/arm64/kvm/arm.c", "kvm_arch_vcpu_ioctl", "5.14")),
            reset_own_registers,
        ),
        (
            "context-passed", "a vCPU starts with the context of its CPU_ON in r0",
            "cpu-on-without-context", (linux(PSCI, "kvm_psci_vcpu_on", "3.16"), psci("CPU_ON")),
            partial(heeding, (Trait.CONTEXT_PASSED,)),
        ),
        (
            "endianness-passed", "a vCPU starts in the endianness of the vCPU that starts it",
            "cpu-on-little-endian", (linux(PSCI, "kvm_psci_vcpu_on", "3.16"), psci("CPU_ON")),
            partial(heeding, (Trait.ENDIANNESS_PASSED,)),
        ),
        (
            "power-at-initialisation", "each KVM_ARM_VCPU_INIT powers the vCPU on or off",
            "power-off-at-first-run-only", (linux(ARM, "kvm_arch_vcpu_ioctl_vcpu_init", "3.19"),), power_at_init,
        ),
        (
            "machine-stopped", "SYSTEM_OFF powers every vCPU of the VM off before user space is told",
            "system-off-unknown", (linux(PSCI, "kvm_prepare_system_event", "3.19"), psci("SYSTEM_OFF")),
            stop_machine,
        ),
        (
            "machine-stays-stopped", "no call of CPU_ON that is under way starts a vCPU behind a SYSTEM_OFF",
            "cpu-on-during-system-off", (psci("SYSTEM_OFF"),), stay_stopped,
        ),
        (
            "system-mode-settable", "user space may set System mode, in which a guest may be",
            "system-mode-refused", (linux("arch/arm64/kvm/guest.c", "set_core_reg", "5.7"),),
            partial(heeding, (Trait.SYSTEM_MODE,)),
        ),
    )
)  # fmt: skip
"""Each repair as its variation, the deviation of Linux 3.12 that it mends, and what it changes."""
