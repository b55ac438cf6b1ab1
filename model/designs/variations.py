"""The repairs that turn the code of Linux 3.12 into a design of which every property holds, each named and sourced.

A repair is a function from designs to designs. The reference applies all of them; the design that lacks one of them
shows the deviation the repair is for.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import evolve, frozen

from model.design import (
    Completion,
    Design,
    Handler,
    Injection,
    Variation,
    Vector,
    vary,
)
from model.designs.hyp_variations import HYP_REPAIRS
from model.designs.linux_3_12 import (
    BLOCK_SCRATCH,
    FIQ_BANK,
    GROUP_C,
    HCR_GUEST_MASK,
    HCR_VIRT_EXCP_MASK,
    HDCR_TPM,
    HDCR_TPMCR,
    TWE,
    step,
)
from model.designs.memory_variations import MEMORY_REPAIRS
from model.designs.power_variations import POWER_REPAIRS
from model.designs.timer_variations import TIMER_REPAIRS, heeding
from model.designs.vgic_variations import VGIC_REPAIRS
from model.lowvisor.moves import Alter, Isb, Load, Move, Pop, Push, Save, Step, When, Write
from model.routines import after_step, position_of, with_step
from model.timer.design import Trait
from spec.citations import arm, linux, paper


@frozen
class Repair:
    """A variation with what it changes and the deviation of Linux 3.12 that it mends."""

    variation: Variation
    deviation: str
    """The identifier of the deviation: a D number of the project's fact list, or a name of its own."""
    change: Callable[[Design], Design]

    def apply(self, design: Design) -> Design:
        """The design with the repair."""
        return vary(self.change(design), self.variation)


def replace_move(steps: tuple[Step, ...], name: str, move: Move) -> tuple[Step, ...]:
    """The routine with another move at the named step."""
    return with_step(steps, name, evolve(steps[position_of(steps, name)], move=move))


def save_fiq_bank(design: Design) -> Design:
    """The exit saves the guest's FIQ bank behind its IRQ bank."""
    saved = step("exit: save guest fiq bank", Save(FIQ_BANK), "save_guest_regs", scratch=BLOCK_SCRATCH)
    return evolve(design, exit=after_step(design.exit, "exit: save guest irq bank", saved))


def architectural_return_addresses(design: Design) -> Design:
    """Injected exceptions leave the LR that the architecture gives."""
    return evolve(design, injection=Injection(4, 2, 0, -2, 4, 4, 8, 8))


HDCR_DEBUG = (1 << 9) | (1 << 10) | (1 << 11)


def trap_debug(design: Design) -> Design:
    """HDCR.TDA, TDOSA and TDRA trap the debug registers while a guest runs."""
    pmu = HDCR_TPM | HDCR_TPMCR
    return evolve(
        design,
        entry=replace_move(design.entry, "enter: HDCR", Alter("hdcr", 0, pmu | HDCR_DEBUG)),
        exit=replace_move(design.exit, "exit: HDCR", Alter("hdcr", pmu | HDCR_DEBUG, 0)),
    )


def leave_on_fiq(design: Design) -> Design:
    """A physical FIQ leaves the guest as an IRQ does."""
    vectors = tuple((offset, Vector.FIQ if offset == 0x1C else vector) for offset, vector in design.vectors)
    return evolve(design, vectors=vectors)


def synchronise_hcptr(design: Design) -> Design:
    """An ISB follows each lifting of the VFP trap, before VFP is used in Hyp mode."""
    sources = (linux("arch/arm/kvm/interrupts_head.S", "set_hcptr", "4.2"),)
    return evolve(
        design,
        exit=after_step(design.exit, "exit: HCPTR", Step("exit: ISB after HCPTR", Isb(), sources)),
        vfp=after_step(design.vfp, "vfp: HCPTR", Step("vfp: ISB after HCPTR", Isb(), sources)),
    )


def always_stop_timer(design: Design) -> Design:
    """The exit stops the virtual timer and clears CNTVOFF whether or not the VM uses the in-kernel timer."""
    steps = design.exit
    for name in ("exit: save CNTV_CTL", "exit: stop CNTV", "exit: ISB after CNTV_CTL", "exit: CNTVOFF"):
        steps = with_step(steps, name, evolve(steps[position_of(steps, name)], when=When.ALWAYS))
    return evolve(design, exit=steps, timer=heeding((Trait.ALWAYS_STOPPED,), design.timer))


def survive_unknown_traps(design: Design) -> Design:
    """A trap that no handler expects is an Undefined Instruction exception in the guest."""
    handlers = tuple((ec, Handler.INJECT_UNDEF if h is Handler.BUG else h) for ec, h in design.handlers)
    return evolve(design, unknown_trap=Handler.INJECT_UNDEF, handlers=handlers)


def trap_wfe(design: Design) -> Design:
    """HCR.TWE traps a WFE that would wait, and the handler yields."""
    return with_hcr(design, HCR_GUEST_MASK | TWE)


def with_hcr(design: Design, guest: int) -> Design:
    """The design with another HCR value for guests, set on entry and cleared on exit."""
    lines = design.entry[position_of(design.entry, "enter: HCR")].move
    assert isinstance(lines, Alter)
    return evolve(
        design,
        entry=replace_move(design.entry, "enter: HCR", evolve(lines, sets=guest)),
        exit=replace_move(design.exit, "exit: HCR", Alter("hcr", guest | HCR_VIRT_EXCP_MASK, 0)),
    )


def switch_registers(design: Design, *names: str) -> Design:
    """The world switch moves more registers, in the last of its CP15 groups."""

    def widened(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        result = []
        for s in steps:
            move = s.move
            if isinstance(move, Push | Pop | Save | Load) and GROUP_C[0] in move.registers:
                s = evolve(s, move=evolve(move, registers=(*move.registers, *names)))
            result.append(s)
        return tuple(result)

    return evolve(design, entry=widened(design.entry), exit=widened(design.exit))


def switch_thumbee(design: Design) -> Design:
    """TEECR and TEEHBR belong to each world."""
    return switch_registers(design, "teecr", "teehbr")


def switch_amair(design: Design) -> Design:
    """AMAIR0 and AMAIR1 belong to each world."""
    return switch_registers(design, "amair0", "amair1")


def close_user_monitors(design: Design) -> Design:
    """PMUSERENR is 0 while a guest runs, as the trapped register reads; the Hyp stack keeps the host's value."""
    sources = (linux("arch/arm64/kvm/hyp/switch.c", "__activate_traps_common", "4.16"),)
    entry = after_step(
        design.entry,
        "enter: enable FPEXC",
        Step("enter: push host PMUSERENR", Push(("pmuserenr",)), sources, scratch=("r2",)),
        Step("enter: PMUSERENR", Write("pmuserenr", 0), sources, scratch=("r2",)),
    )
    back = Step("exit: pop host PMUSERENR", Pop(("pmuserenr",)), sources, scratch=("r2",))
    return evolve(design, entry=entry, exit=after_step(design.exit, "exit: load host VFP", back))


def panic_on_hyp_fault(design: Design) -> Design:
    """Every synchronous exception of Hyp mode's own code panics the host, whatever VMID is loaded."""
    own = (Vector.BAD_UNDEFINED, Vector.BAD_CALL, Vector.BAD_PREFETCH, Vector.BAD_DATA)
    vectors = tuple((offset, Vector.PANIC if vector in own else vector) for offset, vector in design.vectors)
    return evolve(design, vectors=vectors)


def complete_once(design: Design) -> Design:
    """KVM_RUN completes an access that the vCPU remembers as outstanding, whatever the shared exit reason says."""
    mmio = evolve(design.mmio, completion=Completion.OUTSTANDING, reports_in_kernel=False)
    return evolve(design, mmio=mmio)


def keep_width(design: Design) -> Design:
    """Length and direction of an access are the kernel's own when it is completed."""
    return evolve(design, mmio=evolve(design.mmio, trusts_run=False))


HEAD = "arch/arm/kvm/interrupts_head.S"

PART_REPAIRS = (*MEMORY_REPAIRS, *VGIC_REPAIRS, *TIMER_REPAIRS, *POWER_REPAIRS, *HYP_REPAIRS)
"""The repairs of each part of the system."""

REPAIRS: tuple[Repair, ...] = (
    Repair(
        Variation(
            "fiq-bank-saved",
            "the exit saves the guest's FIQ bank",
            (paper("Table 1"), linux("arch/arm/kvm/hyp/switch.c", "__banked_save_state", "4.9")),
        ),
        "D5",
        save_fiq_bank,
    ),
    Repair(
        Variation(
            "architectural-lr-on-injection",
            "an injected exception leaves the return address that hardware would leave",
            (arm("B1.8.3"),),
        ),
        "D6",
        architectural_return_addresses,
    ),
    Repair(
        Variation(
            "debug-registers-trapped",
            "HDCR.TDA, TDOSA and TDRA are set while a guest runs",
            (paper("3.2"), linux(HEAD, "set_hdcr", "4.12")),
        ),
        "D14",
        trap_debug,
    ),
    Repair(
        Variation(
            "fiq-leaves-guest",
            "a physical FIQ takes a guest out instead of hanging the processor in Hyp mode",
            (paper("3.5"), arm("B1.8.4")),
        ),
        "D19",
        leave_on_fiq,
    ),
    Repair(
        Variation(
            "isb-after-hcptr",
            "an ISB stands between lifting the VFP trap and using VFP in Hyp mode",
            (linux(HEAD, "set_hcptr", "4.2"), arm("B3.15.5")),
        ),
        "hcptr-write-unsynchronised",
        synchronise_hcptr,
    ),
    Repair(
        Variation(
            "virtual-timer-always-stopped",
            "the exit stops the virtual timer for every VM",
            (linux(HEAD, "save_timer_state", "4.3"),),
        ),
        "vtimer-left-running-for-non-timer-vm",
        always_stop_timer,
    ),
    Repair(
        Variation(
            "unknown-traps-survived",
            "a trap without a handler becomes an Undefined Instruction exception in the guest",
            (linux("arch/arm/kvm/handle_exit.c", "arm_exit_handlers", "4.12"),),
        ),
        "unknown-trap-kills-host",
        survive_unknown_traps,
    ),
    Repair(
        Variation(
            "wfe-trapped",
            "HCR.TWE is set while a guest runs, and a trapped WFE yields",
            (paper("3.2"), linux("arch/arm/kvm/handle_exit.c", "kvm_handle_wfx", "3.13")),
        ),
        "wfe-not-trapped",
        trap_wfe,
    ),
    Repair(
        Variation(
            "thumbee-switched",
            "TEECR and TEEHBR are context-switched",
            (arm("B1.14.11"), paper("3.2")),
        ),
        "thumbee-registers-not-switched",
        switch_thumbee,
    ),
    Repair(
        Variation(
            "amair-switched",
            "AMAIR0 and AMAIR1 are context-switched",
            (linux(HEAD, "read_cp15_state", "3.15"), arm("B4.1.5")),
        ),
        "amair-not-switched",
        switch_amair,
    ),
    Repair(
        Variation(
            "user-monitors-closed",
            "PMUSERENR is 0 while a guest runs",
            (linux("arch/arm64/kvm/hyp/switch.c", "__activate_traps_common", "4.16"), arm("C12.8")),
        ),
        "pmuserenr-of-host-observable",
        close_user_monitors,
    ),
    Repair(
        Variation(
            "hyp-faults-panic",
            "an exception of Hyp mode's own code panics the host",
            (linux("arch/arm/kvm/hyp/hyp-entry.S", "__kvm_hyp_vector", "4.7"),),
        ),
        "hyp-fault-unbalances-stack",
        panic_on_hyp_fault,
    ),
    Repair(
        Variation(
            "mmio-completed-once",
            "KVM_RUN completes an access to a device where the vCPU has one outstanding, not by the shared exit reason",
            (linux("virt/kvm/arm/mmio.c", "kvm_handle_mmio_return", "5.3"),),
        ),
        "D13",
        complete_once,
    ),
    Repair(
        Variation(
            "mmio-width-kept",
            "length and direction of an access to a device are not read back from memory that user space writes",
            (linux("arch/arm64/kvm/mmio.c", "kvm_handle_mmio_return", "5.9"),),
        ),
        "mmio-width-from-user-space",
        keep_width,
    ),
    *(
        Repair(variation, deviation, change)
        for variation, deviation, change in PART_REPAIRS
    ),
)

REPAIR: Mapping[str, Repair] = MappingProxyType({repair.variation.id: repair for repair in REPAIRS})
