"""Every fault once: those generated from the reference, the deviations of Linux 3.12, and the bugs of history."""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from types import MappingProxyType

from attrs import evolve

from model.design import ROUTINES, Design, Handler, Placement, Vector
from model.designs.catalogue import (
    MONITOR_NOT_CLEARED,
    PAR_NOT_SWITCHED,
    reference,
    reference_without,
    without_clrex,
    without_registers,
)
from model.designs.variations import REPAIRS
from model.lowvisor.moves import Alter, Inspect
from properties.faults import hyp, interrupts, memory, power, time
from properties.faults.devices import device_faults
from properties.faults.fault import Excuse, Fault
from properties.faults.generated import generated, slug, with_entry_move, without_step
from spec.citations import arm, linux, paper


def _replaced(design: Design, lacking: str) -> Design:
    if evolve(design, name="reference") != reference():
        raise LookupError(f"{lacking} can be taken away from the reference alone")
    return evolve(reference_without(lacking), name=design.name)


def deviations() -> Iterator[Fault]:
    """The reference without each of its repairs: what Linux 3.12 really had."""
    for repair in REPAIRS:
        identifier = repair.variation.id
        yield Fault(
            repair.deviation, identifier, f"Linux 3.12 lacks this: {repair.variation.statement}",
            repair.variation.sources, lambda design, lacking=identifier: _replaced(design, lacking),  # type: ignore[misc]
            DEVIATION_TOUCHES.get(identifier, frozenset()), "deviation of Linux 3.12",
            tuple(name for part in PARTS for name in part.get(identifier, ())),
            DEVIATION_DEPTH.get(identifier, 5),
        )  # fmt: skip


PARTS = (
    memory.BY_DEVIATION, interrupts.BY_DEVIATION, time.BY_DEVIATION, power.BY_DEVIATION, hyp.BY_DEVIATION
)  # fmt: skip
"""For each part of the system the situations in which a repair matters."""

DEVIATION_TOUCHES = {
    "fiq-bank-saved": frozenset({"r8_fiq"}),
    "architectural-lr-on-injection": frozenset({"HCR.TSC"}),
    "debug-registers-trapped": frozenset({"HDCR.TDA"}),
    "fiq-leaves-guest": frozenset({"HCR.FMO"}),
    "isb-after-hcptr": frozenset({"d0"}),
    "virtual-timer-always-stopped": frozenset({"cntv_ctl"}),
    "unknown-traps-survived": frozenset({"EC.RESERVED"}),
    "wfe-trapped": frozenset({"HCR.TWE"}),
    "thumbee-switched": frozenset({"teecr"}),
    "amair-switched": frozenset({"amair0"}),
    "user-monitors-closed": frozenset({"pmuserenr"}),
    "hyp-faults-panic": frozenset({"CONTAINED"}),
    "mmio-completed-once": frozenset({"MMIO.LOAD", "MMIO.UNDESCRIBED"}),
    "mmio-width-kept": frozenset({"MMIO.LOAD", "MMIO.HOSTILE"}),
}
DEVIATION_DEPTH = {"mmio-completed-once": 7}


def smc_handled(handler: Handler, design: Design) -> Design:
    """The design with another handler for SMC."""
    return evolve(design, handlers=tuple((ec, handler if ec == 0x13 else h) for ec, h in design.handlers))


def unsynchronised_injection(design: Design) -> Design:
    """The design that leaves the old CPSR in the processor's own SPSR."""
    return evolve(design, injection=evolve(design.injection, to_live_register=True))


def unconditional(design: Design) -> Design:
    """The design that emulates a trapped instruction whose condition fails."""
    return evolve(design, skip=evolve(design.skip, checks_condition=False))


def it_not_advanced(design: Design) -> Design:
    """The design that leaves the IT state alone when it steps over an instruction."""
    return evolve(design, skip=evolve(design.skip, advances_it=False))


def historical() -> Iterator[Fault]:
    """Bugs that KVM/ARM had in its world switch, traps and emulation."""
    yield Fault(
        "par-not-switched", "PAR in the world switch", PAR_NOT_SWITCHED.statement,
        (linux("arch/arm/kvm/interrupts_head.S", "read_cp15_state", "3.11"),),
        lambda design: without_registers(design, "par"), frozenset({"par"}), "history",
    )  # fmt: skip
    yield Fault(
        "exclusive-monitor-survives-switch", "CLREX on returns", MONITOR_NOT_CLEARED.statement,
        (linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run", "3.11"),), without_clrex, frozenset({"exclusive"}),
        "history",
    )  # fmt: skip
    yield Fault(
        "inject-into-live-spsr", "injection into the image",
        "an injected exception writes the processor's SPSR, which the next entry overwrites from memory",
        (linux("arch/arm64/kvm/inject_fault.c", "enter_exception64", "5.17"),), unsynchronised_injection,
        frozenset({"HCR.TSC"}), "history",
    )  # fmt: skip
    yield Fault(
        "cntvoff-leaks-to-host", "CNTVOFF cleared on exit", "the exit leaves the guest's counter offset in force",
        (linux("arch/arm/kvm/interrupts_head.S", "save_timer_state", "3.10"),),
        partial(without_step, "exit", "exit: CNTVOFF"), frozenset({"cntvoff"}), "history",
    )  # fmt: skip
    yield Fault(
        "smc-not-skipped-livelock", "stepping over SMC", "an emulated SMC leaves the PC at the SMC",
        (linux("arch/arm64/kvm/handle_exit.c", "handle_smc", "4.16"),),
        partial(smc_handled, Handler.SMC_CALL_UNSKIPPED), frozenset({"HCR.TSC"}), "history",
    )  # fmt: skip
    yield Fault(
        "condition-not-checked", "condition check", "a trapped instruction is emulated although its condition fails",
        (linux("arch/arm/kvm/emulate.c", "kvm_condition_valid"),), unconditional, frozenset({"CONDITION"}), "history",
    )  # fmt: skip
    yield Fault(
        "it-state-not-advanced", "IT state on skipping", "stepping over an instruction leaves the IT state as it was",
        (linux("arch/arm/kvm/emulate.c", "kvm_adjust_itstate"),), it_not_advanced, frozenset({"IT"}), "history",
    )  # fmt: skip


def structural() -> Iterator[Fault]:
    """The slides' questions: what if the whole kernel ran in Hyp mode, or nothing of it?"""
    yield Fault(
        "kernel-in-hyp-mode", "split mode", "the whole host kernel runs in Hyp mode", (paper("3.1"),),
        lambda design: evolve(design, placement=Placement.HYP_MODE), frozenset({"SPLIT"}), "structure",
    )  # fmt: skip
    yield Fault(
        "no-lowvisor", "lowvisor", "the highvisor enters guests from kernel mode, without code in Hyp mode",
        (paper("3.1"),), lambda design: evolve(design, placement=Placement.NO_LOWVISOR), frozenset({"SPLIT"}),
        "structure",
    )  # fmt: skip
    yield Fault(
        "hsctlr-loaded", "Hyp mode's own registers", "the entry loads the guest's SCTLR over Hyp mode's own HSCTLR",
        (paper("3.2"), arm("B4.1.71")),
        lambda design: with_entry_move("enter: HSTR", Alter("hsctlr", 0, 1 << 25), design), frozenset({"hsctlr"}),
        "structure",
    )  # fmt: skip
    yield Fault(
        "host-traps-left-on", "no traps in the host", "the exit leaves HCR.IMO set: the host's IRQs go to Hyp mode",
        (paper("3.5"),), host_imo, frozenset({"HOST.IRQ"}), "structure",
    )  # fmt: skip


    yield Fault(
        "no-virtualization-extensions", "Virtualization Extensions",
        "the processor has no Hyp mode and guest kernels run at PL0", (paper("2"),),
        lambda design: evolve(design, virtualization_extensions=False), frozenset({"FINITE"}), "structure",
    )  # fmt: skip
    yield Fault(
        "handlers-in-hyp-mode", "double trap", "traps of guests are handled in Hyp mode, without a switch to the host",
        (paper("3.1"),), handlers_in_hyp, frozenset({"HCR.TSC"}), "structure",
    )  # fmt: skip
    yield Fault(
        "cp14-trap-stops-host", "handler CP14_32", "a trapped CP14 access counts as a bug of the host",
        (linux("arch/arm/kvm/handle_exit.c", "arm_exit_handlers"),), bug_on_cp14, frozenset({"HDCR.TDA"}), "structure",
    )  # fmt: skip


def handlers_in_hyp(design: Design) -> Design:
    """The design whose Hyp vector runs the highvisor's handlers."""
    vectors = tuple((o, Vector.HIGHVISOR if v is Vector.TRAP else v) for o, v in design.vectors)
    return evolve(design, vectors=vectors)


def bug_on_cp14(design: Design) -> Design:
    """The design in which a CP14 trap is a bug."""
    handlers = tuple((ec, Handler.BUG if ec == 0x05 else h) for ec, h in design.handlers)
    return evolve(design, handlers=handlers)


def host_imo(design: Design) -> Design:
    """The design whose exit keeps physical IRQs routed to Hyp mode."""
    move = next(step.move for step in design.exit if step.name == "exit: HCR")
    assert isinstance(move, Alter)
    from model.designs.variations import replace_move

    return evolve(design, exit=replace_move(design.exit, "exit: HCR", evolve(move, clears=move.clears & ~0x10)))


@cache
def _faults() -> tuple[Fault, ...]:
    design = reference()
    remembered = (*memory.historical(), *memory.structural(), *memory.step_faults(design.memory))
    of_vgic = (*interrupts.historical(), *interrupts.structural(), *interrupts.step_faults(design.vgic))
    of_time = (*time.historical(), *time.structural(), *time.step_faults(design.timer))
    of_power = (*power.historical(), *power.structural(), *power.step_faults(design.power))
    of_hyp = (*hyp.historical(), *hyp.structural(), *hyp.step_faults(design.hyp))
    found = (
        evolve(fault, scenarios=memory.BY_LOWVISOR.get(fault.id, fault.scenarios)) for fault in generated(design)
    )
    of_parts = (*remembered, *of_vgic, *of_time, *of_power, *of_hyp)
    return (*deviations(), *historical(), *device_faults(), *structural(), *found, *of_parts)


FAULTS: tuple[Fault, ...] = _faults()
FAULT: Mapping[str, Fault] = MappingProxyType({fault.id: fault for fault in FAULTS})

IN_PARTS: Mapping[str, str] = MappingProxyType({"vtimer-left-running-for-non-timer-vm": "foreign-timer-runs-on"})
"""The deviations of the lowvisor that a part of the system has too, each as the fault that it is there."""


def reads_only() -> Iterator[tuple[str, Excuse]]:
    """The faults about steps that only read a value to decide a path, a decision that the model takes by itself."""
    design = reference()
    steps = {slug(step.name): step for name in ROUTINES for step in design.routine(name)}
    reading = {name for name, step in steps.items() if isinstance(step.move, Inspect)}
    for fault in FAULTS:
        kind, _, rest = fault.id.partition("/")
        names = rest.split("/")
        if kind in ("without", "swap") and reading & set(names):
            yield fault.id, Excuse(READS_ONLY, steps[next(n for n in names if n in reading)].sources)


READS_ONLY = "the step only reads what decides the path; the model takes that decision from the state itself"

EXCUSES: Mapping[str, Excuse] = MappingProxyType(
    {
        **dict(reads_only()),
        **memory.EXCUSES,
        **interrupts.EXCUSES,
        **time.EXCUSES,
        **power.EXCUSES,
        **hyp.EXCUSES,
        **{
            identifier: Excuse(
                "the ISB orders the counter offset and compare value before the control write; how late a system "
                "register write takes effect is modelled for HCPTR alone",
                (arm("B3.15.5"),),
            )
            for identifier in (
                "without/enter-isb-before-cntv_ctl",
                "without/exit-isb-after-cntv_ctl",
            )
        },
    }
)
"""Faults that are equivalent only because something is not modelled."""

DEFERRED: Mapping[str, str] = MappingProxyType(
    {
        "vabort-rewinds-smc-pc": "needs asynchronous aborts that are pending while another exit is handled",
        "icache-shared-by-sibling-vcpus": "needs the contents of the instruction cache",
        "s1walk-write-seen-as-read": "needs table walks that write tables, for the access flag",
        "setway-emulated-locally": "needs the contents of each processor's data cache",
        **interrupts.DEFERRED,
    }
)
"""Bugs of the lowvisor, of trap handling, of memory and of interrupts whose features the model does not have yet."""
