"""Wrong designs of power: bugs that KVM/ARM had with PSCI and user space, other decisions, and steps left out."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from attrs import evolve

from model.design import Design
from model.designs.power import step as power_step
from model.designs.power_variations import POWER_REPAIRS
from model.power.design import ROUTINES, Do, PowerDesign, PowerStep, Trait
from model.routines import before_step, without
from properties.faults.fault import Excuse, Fault
from properties.faults.steps import exchanged, left_out
from spec.citations import Citation, arm, linux, psci

PSCI = "arch/arm/kvm/psci.c"
BY_ROUTINE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run": ("starting", "off and on", "signals", "stopping", "new"),
        "block": ("end", "a sleeper"),
        "off": ("off and on",),
        "on": ("starting", "nobody there", "racing", "off and on"),
        "stop": ("stopping", "stopping and starting"),
        "destroy": ("end",),
    }
)
"""The situations in which a routine's steps matter, the most telling first."""
BY_STEP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run: cancel the timer": ("end",),
        "run: arm the timer": ("end",),
        "run: check power": ("stopping",),
        "run: check initialised": ("new",),
        "on: check the caller": ("stopping and starting",),
        "exit: interface, timer, stage 2": ("end",),
        "on: lock": ("racing",),
        "on: check that it is off": ("off and on",),
    }
)
"""The situations in which one step matters, where they are others."""
BY_DEVIATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu-on-by-power-state": ("starting", "a sleeper"),
        "cpu-on-serialised": ("racing",),
        "vcpu-resets-itself": ("off and on", "restoring"),
        "context-passed": ("starting",),
        "endianness-passed": ("starting as asked",),
        "power-at-initialisation": ("again",),
        "machine-stopped": ("stopping",),
        "machine-stays-stopped": ("stopping and starting",),
        "system-mode-settable": ("values",),
    }
)
"""The situations in which a repair matters."""

assert set(BY_DEVIATION) == {variation.id for variation, _, _ in POWER_REPAIRS}


def changed(change: Callable[[PowerDesign], PowerDesign], design: Design) -> Design:
    """The design with another way to start and stop vCPUs."""
    return evolve(design, power=change(design.power))


def unheeding(trait: Trait, power: PowerDesign) -> PowerDesign:
    """The design that does not heed something."""
    return evolve(power, traits=power.traits - {trait})


def resets_twice(power: PowerDesign) -> PowerDesign:
    """The design in which the caller of CPU_ON resets the target's registers, and the target resets them again."""
    reset = power_step("on: reset the target", Do.RESET_TARGET, "kvm_psci_vcpu_on")
    return evolve(power, on=before_step(power.on, "on: note what is asked", reset))


def siblings_run(power: PowerDesign) -> PowerDesign:
    """The design in which SYSTEM_OFF takes the calling vCPU to user space, and does nothing else."""
    return evolve(power, stop=without(without(power.stop, "stop: power off"), "stop: kick"))


def with_routine(routine: str, steps: tuple[PowerStep, ...]) -> Callable[[Design], Design]:
    """How to give a design another routine."""
    return partial(changed, lambda power: evolve(power, **{routine: steps}))  # type: ignore[arg-type]


def historical() -> Iterator[Fault]:
    """Bugs that KVM/ARM had with PSCI and user space, other than those of Linux 3.12."""
    for identifier, element, statement, source, change, scenarios in (
        (
            "system-off-siblings-run", "the other vCPUs at SYSTEM_OFF",
            "a SYSTEM_OFF takes the calling vCPU to user space, and the others run on",
            linux(PSCI, "kvm_prepare_system_event", "3.18"), siblings_run, ("stopping",),
        ),
        (
            "user-sets-hyp-mode-cpsr", "the mode that user space sets",
            "user space may set a CPSR with any mode",
            linux("arch/arm64/kvm/guest.c", "set_core_reg", "4.18"), partial(unheeding, Trait.MODES_CHECKED),
            ("values",),
        ),
        (
            "ioctl-before-vcpu-init", "the check for initialisation in register ioctls",
            "user space may read and write the registers of a vCPU that has no target yet",
            linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_ioctl", "3.9"), partial(unheeding, Trait.INIT_CHECKED),
            ("new",),
        ),
        (
            "reset-lost-on-save", "the reset before an access of user space",
            "user space reads a vCPU that was started before the reset that it still has to make",
            linux("arch/arm64/kvm/arm.c", "kvm_arch_vcpu_ioctl", "5.13"),
            partial(unheeding, Trait.RESET_BEFORE_ACCESS), ("saving",),
        ),
    ):  # fmt: skip
        yield wrong(identifier, element, statement, source, change, "history", scenarios)


def structural() -> Iterator[Fault]:
    """Decisions about power that are taken otherwise."""
    for identifier, element, statement, source, change, scenarios in (
        (
            "thumb-entry-in-arm-state", "Thumb state at CPU_ON",
            "a vCPU starts in ARM state whatever bit 0 of its entry point says",
            psci("CPU_ON"), partial(unheeding, Trait.THUMB_PASSED), ("starting",),
        ),
        (
            "invariant-register-set", "registers that always have one value",
            "user space may set an identification register",
            linux("arch/arm/kvm/coproc.c", "set_invariant_cp15"), partial(unheeding, Trait.INVARIANTS_CHECKED),
            ("values",),
        ),
        (
            "unknown-target-accepted", "the check of the target at KVM_ARM_VCPU_INIT",
            "user space may initialise a vCPU with a target that there is not",
            linux("arch/arm/kvm/guest.c", "kvm_vcpu_set_target"), partial(unheeding, Trait.TARGET_CHECKED), ("new",),
        ),
        (
            "initialisation-keeps-registers", "the reset at KVM_ARM_VCPU_INIT",
            "an initialisation of a vCPU leaves its registers as they are",
            linux("arch/arm/kvm/guest.c", "kvm_vcpu_set_target"), partial(unheeding, Trait.RESET_AT_INIT), ("again",),
        ),
        (
            "cpu-on-resets-twice", "registers that only their own thread writes",
            "the caller of CPU_ON resets the target's registers, though the target resets them itself",
            linux(PSCI, "kvm_psci_vcpu_on"), resets_twice, ("off and on",),
        ),
    ):  # fmt: skip
        yield wrong(identifier, element, statement, source, change, "structure", scenarios)


def wrong(
    identifier: str, element: str, statement: str, source: Citation, change: Callable[[PowerDesign], PowerDesign],
    family: str, scenarios: tuple[str, ...],
) -> Fault:  # fmt: skip
    """A fault of power."""
    return Fault(identifier, element, statement, (source,), partial(changed, change), frozenset(), family, scenarios)


SWAPS = (
    ("on", "on: lock", ("stopping and starting",)),
    ("on", "on: check that it is off", ("racing",)),
    ("on", "on: ask for a reset", ("starting",)),
    ("run", "run: in guest mode", ("stopping",)),
)
"""The steps whose place before the next one is a decision, with the situations in which it matters."""
WHAT = "how vCPUs start and stop"


def step_faults(design: PowerDesign) -> Iterator[Fault]:
    """Each step of the routines left out, and neighbours exchanged where their order is a decision."""
    for routine in ROUTINES:
        steps = design.steps(routine)
        for step in steps:
            scenarios = BY_STEP.get(step.name, BY_ROUTINE[routine])
            yield left_out("power", WHAT, steps, step, partial(with_routine, routine), scenarios)
    for routine, name, scenarios in SWAPS:
        yield exchanged("power", WHAT, design.steps(routine), name, partial(with_routine, routine), scenarios)


EXCUSES: Mapping[str, Excuse] = MappingProxyType(
    {
        "without/power-block-sleep": Excuse(
            "a WFI may complete at any time: without its sleep the guest waits in a loop, which costs time alone",
            (arm("B1.8.13"),),
        ),
        "without/power-off-result": Excuse(
            "no guest sees the answer to a call that does not return", (psci("CPU_OFF"),)
        ),
    }
)
"""Faults that nothing catches, each with the reason why it may stand."""
