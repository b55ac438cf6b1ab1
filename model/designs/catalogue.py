"""The named designs: the reference, Linux as it was, and the ones that answer why the paper's design is as it is."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import evolve

from model.design import Design, Placement, Variation, renamed, vary
from model.designs.linux_3_12 import LINUX_3_12
from model.designs.timer import WITHOUT_VTIMER
from model.designs.variations import REPAIR, REPAIRS
from model.designs.vgic import WITHOUT_VGIC
from model.lowvisor.moves import Clrex, Load, Pop, Push, Save, Step
from spec.citations import linux, paper


def reference() -> Design:
    """What the paper claims: Linux 3.12 with the smallest repairs that the proofs need."""
    design = LINUX_3_12
    for repair in REPAIRS:
        design = repair.apply(design)
    return renamed(design, "reference")


def reference_without(variation: str) -> Design:
    """The reference lacking one repair; raises KeyError where there is no such repair."""
    left_out = REPAIR[variation]
    design = LINUX_3_12
    for repair in REPAIRS:
        if repair is not left_out:
            design = repair.apply(design)
    return renamed(design, f"reference without {variation}")


def without_registers(design: Design, *names: str) -> Design:
    """The design whose world switch moves fewer registers; raises LookupError for one that it does not move."""
    for name in names:
        if not any(name in getattr(s.move, "registers", ()) for s in (*design.entry, *design.exit)):
            raise LookupError(f"no block of the world switch moves the register {name}")

    def narrowed(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        result = []
        for s in steps:
            move = s.move
            if isinstance(move, Push | Pop | Save | Load):
                kept = tuple(r for r in move.registers if r not in names)
                s = evolve(s, move=evolve(move, registers=kept))
            result.append(s)
        return tuple(result)

    return evolve(design, entry=narrowed(design.entry), exit=narrowed(design.exit))


def without_clrex(design: Design) -> Design:
    """The design that leaves the exclusive monitor alone."""
    changes = {
        name: tuple(s for s in design.routine(name) if not isinstance(s.move, Clrex))
        for name in ("entry", "exit", "vfp")
    }
    return evolve(design, **changes)  # type: ignore[arg-type]


PAR_NOT_SWITCHED = Variation(
    "par-not-switched",
    "PAR is not part of the world switch",
    (linux("arch/arm/kvm/interrupts_head.S", "read_cp15_state", "3.10"),),
)
MONITOR_NOT_CLEARED = Variation(
    "exclusive-monitor-survives-switch",
    "exception returns from Hyp mode do not clear the exclusive monitor",
    (linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run", "3.10"),),
)
KERNEL_IN_HYP = Variation("kernel-in-hyp-mode", "the whole host kernel runs in Hyp mode", (paper("3.1"),))
NO_LOWVISOR = Variation("no-lowvisor", "the highvisor has no code in Hyp mode", (paper("3.1"),))
NO_VGIC = Variation(
    "interrupts-in-user-space", "user space emulates the interrupt controller", (paper("5.2"), paper("3.5"))
)
NO_VTIMER = Variation("timer-in-user-space", "user space emulates counter and timer", (paper("5.2"), paper("3.6")))
NO_EXTENSIONS = Variation(
    "no-virtualization-extensions", "the processor has no Hyp mode and guests run at PL0", (paper("2"),)
)


def linux_3_10() -> Design:
    """Linux 3.10, on which the paper measured: PAR and the exclusive monitor were fixed in 3.11."""
    design = vary(without_registers(LINUX_3_12, "par"), PAR_NOT_SWITCHED)
    return renamed(vary(without_clrex(design), MONITOR_NOT_CLEARED), "linux-3.10")


def kernel_in_hyp_mode() -> Design:
    """The slides' question: why not run all of the host kernel in Hyp mode?"""
    design = evolve(reference(), placement=Placement.HYP_MODE)
    return renamed(vary(design, KERNEL_IN_HYP), "kernel-in-hyp-mode")


def no_lowvisor() -> Design:
    """The slides' other question: why does the highvisor need a part in Hyp mode at all?"""
    return renamed(vary(evolve(reference(), placement=Placement.NO_LOWVISOR), NO_LOWVISOR), "no-lowvisor")


def no_extensions() -> Design:
    """ARMv7 before the Virtualization Extensions, where trap and emulate does not work."""
    return renamed(vary(evolve(reference(), virtualization_extensions=False), NO_EXTENSIONS), "no-extensions")


def without_vgic() -> Design:
    """The paper's other measurement: user space emulates the interrupt controller, and counter and timer."""
    design = vary(evolve(reference(), vgic=WITHOUT_VGIC), NO_VGIC)
    return renamed(vary(evolve(design, timer=WITHOUT_VTIMER), NO_VTIMER), "without-vgic")


DESIGNS: Mapping[str, Callable[[], Design]] = MappingProxyType(
    {
        "reference": reference,
        "linux-3.12": lambda: LINUX_3_12,
        "linux-3.10": linux_3_10,
        "kernel-in-hyp-mode": kernel_in_hyp_mode,
        "no-lowvisor": no_lowvisor,
        "no-extensions": no_extensions,
        "without-vgic": without_vgic,
    }
)
"""Every named design, by the name that the command takes."""
