"""KVM/ARM as Linux 3.12 has it, step by step: the tables that every other design varies."""

from model.design import Design, DeviceAccess, Emulated, Emulation, Handler, Injection, Placement, Skip, Vector
from model.designs.hyp import HYP_3_12
from model.designs.memory import MEMORY_3_12
from model.designs.power import POWER_3_12
from model.designs.timer import TIMER_3_12
from model.designs.vgic import VGIC_3_12
from model.lowvisor.moves import (
    INTERRUPTS_HEAD,
    Alter,
    Clrex,
    Copy,
    Inspect,
    Install,
    Isb,
    Load,
    LoadVfp,
    Move,
    Pop,
    Push,
    Save,
    SaveAs,
    SaveVfp,
    Step,
    TranslateFaultAddress,
    When,
    Write,
)
from spec.citations import Citation, linux
from spec.coprocessor.decode import ROWS

INTERRUPTS = "arch/arm/kvm/interrupts.S"

# HCR bits
VM, SWIO, PTW, FMO, IMO, AMO, VF, VI, VA, FB = (1 << n for n in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
BSU_INNER, TWI, TWE, TSC, TIDCP, TAC, TSW = (1 << n for n in (10, 13, 14, 19, 20, 21, 22))
HCR_GUEST_MASK = TSC | TSW | TWI | VM | BSU_INNER | FB | TAC | AMO | IMO | FMO | SWIO | TIDCP
HCR_VIRT_EXCP_MASK = VA | VI | VF
HSTR_T15 = 1 << 15
HCPTR_TCP = 0b11 << 10
HCPTR_TTA = 1 << 20
HDCR_TPM, HDCR_TPMCR = 1 << 6, 1 << 5
CNTHCTL_PL1PCTEN, CNTHCTL_PL1PCEN = 1, 2

GROUP_A = ("sctlr", "cpacr", "ttbcr", "dacr", "ttbr0", "ttbr1", "prrr", "nmrr", "csselr")
GROUP_B = (
    "contextidr", "tpidrurw", "tpidruro", "tpidrprw", "dfsr", "ifsr", "adfsr", "aifsr", "dfar", "ifar", "vbar",
)  # fmt: skip
GROUP_C = ("cntkctl", "par")
LIST_REGISTERS = ("gich_lr0", "gich_lr1", "gich_lr2", "gich_lr3")
LOW = ("r0", "r1", "r2")
SCRATCH = ("r2", "r3", "r4")
BLOCK_SCRATCH = tuple(f"r{n}" for n in range(2, 8)) + tuple(f"r{n}_usr" for n in range(8, 13))
HIGH_USER = tuple(f"r{n}_usr" for n in range(8, 13))


def bank(mode: str) -> tuple[str, ...]:
    """SP, LR and SPSR of one mode, in the order the code moves them."""
    return (f"sp_{mode}", f"lr_{mode}", f"spsr_{mode}")


FIQ_BANK = (*(f"r{n}_fiq" for n in range(8, 13)), "sp_fiq", "lr_fiq", "spsr_fiq")
CALLEE_SAVED = ("r4", "r5", "r6", "r7", *HIGH_USER)


def step(
    name: str, move: Move, macro: str, when: When = When.ALWAYS, scratch: tuple[str, ...] = SCRATCH, file: str = ""
) -> Step:
    """A step of the world switch, with the macro or label of the code that it stands for."""
    citation: Citation = linux(file or INTERRUPTS_HEAD, macro)
    return Step(name, move, (citation,), when, scratch)


CALL = (
    step("call: read HSR", Inspect("hsr"), "hyp_hvc", scratch=(), file=INTERRUPTS),
    step("call: read VTTBR", Inspect("vttbr"), "hyp_hvc", scratch=(), file=INTERRUPTS),
    step("call: push LR", Push(("lr_usr",)), "host_switch_to_hyp", scratch=(), file=INTERRUPTS),
    step("call: push SPSR_hyp", Push(("spsr_hyp",)), "host_switch_to_hyp", scratch=("lr_usr",), file=INTERRUPTS),
)

BACK = (
    step("back: pop SPSR_hyp", Pop(("spsr_hyp",)), "host_switch_to_hyp", scratch=("lr_usr",), file=INTERRUPTS),
    step("back: pop LR", Pop(("lr_usr",)), "host_switch_to_hyp", scratch=(), file=INTERRUPTS),
)

ENTRY = (
    step("enter: vCPU pointer", Install("htpidr", "address"), "__kvm_vcpu_run", scratch=(), file=INTERRUPTS),
    step("enter: push host ELR_hyp", Push(("elr_hyp",)), "save_host_regs", scratch=("r2",)),
    step("enter: push host r4-r12", Push(CALLEE_SAVED), "save_host_regs", scratch=()),
    step("enter: push host SP_usr", Push(("sp_usr", "lr_usr")), "save_host_regs", scratch=("r2", "r3")),
    step("enter: push host svc bank", Push(bank("svc")), "push_host_regs_mode"),
    step("enter: push host abt bank", Push(bank("abt")), "push_host_regs_mode"),
    step("enter: push host und bank", Push(bank("und")), "push_host_regs_mode"),
    step("enter: push host irq bank", Push(bank("irq")), "push_host_regs_mode"),
    step("enter: push host fiq bank", Push(FIQ_BANK), "save_host_regs", scratch=BLOCK_SCRATCH),
    step("enter: GICH_HCR", Load(("gich_hcr",)), "restore_vgic_state", When.VGIC),
    step("enter: GICH_VMCR", Load(("gich_vmcr",)), "restore_vgic_state", When.VGIC),
    step("enter: GICH_APR", Load(("gich_apr",)), "restore_vgic_state", When.VGIC),
    *(step(f"enter: {n.upper()}", Load((n,)), "restore_vgic_state", When.VGIC) for n in LIST_REGISTERS),
    step("enter: CNTHCTL", Alter("cnthctl", CNTHCTL_PL1PCEN, CNTHCTL_PL1PCTEN), "restore_timer_state"),
    step("enter: CNTVOFF", Install("cntvoff", "cntvoff", vm=True), "restore_timer_state", When.TIMER),
    step("enter: CNTV_CVAL", Load(("cntv_cval",)), "restore_timer_state", When.TIMER),
    step("enter: ISB before CNTV_CTL", Isb(), "restore_timer_state", When.TIMER),
    step("enter: CNTV_CTL", Install("cntv_ctl", "cntv_ctl", allowed=3), "restore_timer_state", When.TIMER),
    step("enter: push host CP15 group A", Push(GROUP_A), "read_cp15_state", scratch=BLOCK_SCRATCH),
    step("enter: push host CP15 group B", Push(GROUP_B), "read_cp15_state", scratch=BLOCK_SCRATCH),
    step("enter: push host CP15 group C", Push(GROUP_C), "read_cp15_state", scratch=BLOCK_SCRATCH),
    step("enter: load guest CP15 group C", Load(GROUP_C), "write_cp15_state", scratch=BLOCK_SCRATCH),
    step("enter: load guest CP15 group B", Load(GROUP_B), "write_cp15_state", scratch=BLOCK_SCRATCH),
    step("enter: load guest CP15 group A", Load(GROUP_A), "write_cp15_state", scratch=BLOCK_SCRATCH),
    step("enter: push host FPEXC", Push(("fpexc",)), "__kvm_vcpu_run", scratch=("r2",), file=INTERRUPTS),
    step("enter: enable FPEXC", Write("fpexc", 1 << 30), "__kvm_vcpu_run", scratch=("r2",), file=INTERRUPTS),
    step("enter: HCR", Alter("hcr", HCR_VIRT_EXCP_MASK, HCR_GUEST_MASK, or_lines=True), "configure_hyp_role"),
    step("enter: HSTR", Alter("hstr", 0, HSTR_T15), "set_hstr"),
    step("enter: HCPTR", Alter("hcptr", 0, HCPTR_TTA | HCPTR_TCP), "set_hcptr"),
    step("enter: HDCR", Alter("hdcr", 0, HDCR_TPM | HDCR_TPMCR), "set_hdcr"),
    step("enter: VPIDR", Install("vpidr", "midr"), "__kvm_vcpu_run", file=INTERRUPTS),
    step("enter: VMPIDR", Install("vmpidr", "mpidr"), "__kvm_vcpu_run", file=INTERRUPTS),
    step("enter: VTTBR", Install("vttbr", "vttbr", vm=True), "__kvm_vcpu_run", file=INTERRUPTS),
    *(step(f"enter: load guest {m} bank", Load(bank(m)), "restore_guest_regs_mode") for m in ("svc", "abt", "und")),
    step("enter: load guest irq bank", Load(bank("irq")), "restore_guest_regs_mode"),
    step("enter: load guest fiq bank", Load(FIQ_BANK), "restore_guest_regs", scratch=BLOCK_SCRATCH),
    step("enter: load guest PC", Install("elr_hyp", "pc"), "restore_guest_regs"),
    step("enter: load guest CPSR", Install("spsr_hyp", "cpsr"), "restore_guest_regs"),
    step("enter: load guest SP_usr", Load(("sp_usr",)), "restore_guest_regs"),
    step("enter: load guest LR_usr", Load(("lr_usr",)), "restore_guest_regs", scratch=()),
    step("enter: load guest r0-r12", Load((*LOW, "r3", *CALLEE_SAVED)), "restore_guest_regs", scratch=()),
    step("enter: CLREX", Clrex(), "__kvm_vcpu_run", scratch=(), file=INTERRUPTS),
)

TRAP = (
    step("trap: push r0-r2", Push(LOW), "hyp_hvc", scratch=(), file=INTERRUPTS),
    step("trap: read HSR", Inspect("hsr"), "hyp_hvc", scratch=LOW, file=INTERRUPTS),
    step("trap: read VTTBR", Inspect("vttbr"), "hyp_hvc", When.CALL, LOW, INTERRUPTS),
    step("trap: vCPU pointer", Inspect("htpidr"), "guest_trap", scratch=LOW, file=INTERRUPTS),
    step("trap: save HSR", SaveAs("hsr", "hsr", held=True), "guest_trap", scratch=LOW, file=INTERRUPTS),
    step("trap: save HDFAR", SaveAs("hdfar", "hxfar"), "guest_trap", When.DATA_ABORT, LOW, INTERRUPTS),
    step("trap: save HIFAR", SaveAs("hifar", "hxfar"), "guest_trap", When.PREFETCH_ABORT, LOW, INTERRUPTS),
    step("trap: read HSR again", Inspect("hsr"), "guest_trap", When.ABORT, LOW, INTERRUPTS),
    step("trap: save HPFAR", SaveAs("hpfar", "hpfar"), "guest_trap", When.ADDRESS_KNOWN, LOW, INTERRUPTS),
    step("trap: translate", TranslateFaultAddress(), "guest_trap", When.ADDRESS_UNKNOWN, LOW, INTERRUPTS),
    step("trap: vCPU pointer again", Inspect("htpidr"), "guest_trap", When.ABORT, LOW, INTERRUPTS),
)

INTERRUPT = (
    step("interrupt: push r0-r2", Push(LOW), "hyp_irq", scratch=(), file=INTERRUPTS),
    step("interrupt: vCPU pointer", Inspect("htpidr"), "hyp_irq", scratch=LOW, file=INTERRUPTS),
)

EXIT = (
    step("exit: save guest r3-r12", Save(("r3", *CALLEE_SAVED)), "save_guest_regs", scratch=()),
    step("exit: pop guest r0-r2", Pop(LOW), "save_guest_regs", scratch=()),
    step("exit: save guest r0-r2", Save(LOW), "save_guest_regs", scratch=()),
    step("exit: save guest SP_usr", Save(("sp_usr",)), "save_guest_regs", scratch=("r2",)),
    step("exit: save guest LR_usr", Save(("lr_usr",)), "save_guest_regs", scratch=("r2",)),
    step("exit: save guest PC", SaveAs("elr_hyp", "pc"), "save_guest_regs"),
    step("exit: save guest CPSR", SaveAs("spsr_hyp", "cpsr"), "save_guest_regs"),
    *(step(f"exit: save guest {m} bank", Save(bank(m)), "save_guest_regs_mode") for m in ("svc", "abt", "und", "irq")),
    step("exit: VTTBR", Write("vttbr", 0), "__kvm_vcpu_return", file=INTERRUPTS),
    step("exit: HSTR", Alter("hstr", HSTR_T15, 0), "set_hstr"),
    step("exit: HDCR", Alter("hdcr", HDCR_TPM | HDCR_TPMCR, 0), "set_hdcr"),
    step("exit: HCPTR", Alter("hcptr", HCPTR_TTA | HCPTR_TCP, 0), "set_hcptr"),
    step("exit: save guest VFP", SaveVfp(guest=True), "store_vfp_state", When.VFP_USED),
    step("exit: load host VFP", LoadVfp(guest=False), "restore_vfp_state", When.VFP_USED),
    step("exit: pop host FPEXC", Pop(("fpexc",)), "__kvm_vcpu_return", file=INTERRUPTS),
    step("exit: HCR", Alter("hcr", HCR_GUEST_MASK | HCR_VIRT_EXCP_MASK, 0), "configure_hyp_role"),
    step("exit: VPIDR", Copy("vpidr", "midr"), "__kvm_vcpu_return", file=INTERRUPTS),
    step("exit: VMPIDR", Copy("vmpidr", "mpidr"), "__kvm_vcpu_return", file=INTERRUPTS),
    step("exit: save guest CP15 group A", Save(GROUP_A), "read_cp15_state", scratch=BLOCK_SCRATCH),
    step("exit: save guest CP15 group B", Save(GROUP_B), "read_cp15_state", scratch=BLOCK_SCRATCH),
    step("exit: save guest CP15 group C", Save(GROUP_C), "read_cp15_state", scratch=BLOCK_SCRATCH),
    step("exit: pop host CP15 group C", Pop(GROUP_C), "write_cp15_state", scratch=BLOCK_SCRATCH),
    step("exit: pop host CP15 group B", Pop(GROUP_B), "write_cp15_state", scratch=BLOCK_SCRATCH),
    step("exit: pop host CP15 group A", Pop(GROUP_A), "write_cp15_state", scratch=BLOCK_SCRATCH),
    step("exit: save CNTV_CTL", Save(("cntv_ctl",)), "save_timer_state", When.TIMER),
    step("exit: stop CNTV", Install("cntv_ctl", "cntv_ctl", allowed=0xFFFFFFFE), "save_timer_state", When.TIMER),
    step("exit: ISB after CNTV_CTL", Isb(), "save_timer_state", When.TIMER),
    step("exit: save CNTV_CVAL", Save(("cntv_cval",)), "save_timer_state", When.TIMER),
    step("exit: CNTVOFF", Write("cntvoff", 0), "save_timer_state", When.TIMER),
    step("exit: CNTHCTL", Alter("cnthctl", 0, CNTHCTL_PL1PCEN | CNTHCTL_PL1PCTEN), "save_timer_state"),
    *(
        step(f"exit: save {n.upper()}", Save((n,)), "save_vgic_state", When.VGIC)
        for n in (
            "gich_hcr", "gich_vmcr", "gich_misr", "gich_eisr0", "gich_eisr1", "gich_elrsr0", "gich_elrsr1", "gich_apr",
        )
    ),
    step("exit: stop GICH", Write("gich_hcr", 0), "save_vgic_state", When.VGIC),
    *(step(f"exit: save {n.upper()}", Save((n,)), "save_vgic_state", When.VGIC) for n in LIST_REGISTERS),
    step("exit: pop host fiq bank", Pop(FIQ_BANK), "restore_host_regs", scratch=BLOCK_SCRATCH),
    *(step(f"exit: pop host {m} bank", Pop(bank(m)), "pop_host_regs_mode") for m in ("irq", "und", "abt", "svc")),
    step("exit: pop host SP_usr", Pop(("sp_usr", "lr_usr")), "restore_host_regs", scratch=("r2", "r3")),
    step("exit: pop host r4-r12", Pop(CALLEE_SAVED), "restore_host_regs", scratch=()),
    step("exit: pop host ELR_hyp", Pop(("elr_hyp",)), "restore_host_regs", scratch=("r2",)),
    step("exit: CLREX", Clrex(), "__kvm_vcpu_return", scratch=(), file=INTERRUPTS),
)  # fmt: skip

VFP = (
    step("vfp: push r0-r2", Push(LOW), "hyp_hvc", scratch=(), file=INTERRUPTS),
    step("vfp: read HSR", Inspect("hsr"), "hyp_hvc", scratch=LOW, file=INTERRUPTS),
    step("vfp: vCPU pointer", Inspect("htpidr"), "switch_to_guest_vfp", scratch=LOW, file=INTERRUPTS),
    step("vfp: push r3-r7", Push(("r3", "r4", "r5", "r6", "r7")), "switch_to_guest_vfp", scratch=(), file=INTERRUPTS),
    step("vfp: HCPTR", Alter("hcptr", HCPTR_TCP, 0), "set_hcptr", scratch=("r2", "r3")),
    step("vfp: save host VFP", SaveVfp(guest=False), "store_vfp_state", scratch=("r2", "r3", "r4", "r5", "r6", "r7")),
    step("vfp: load guest VFP", LoadVfp(guest=True), "restore_vfp_state", scratch=("r2", "r3", "r4", "r5", "r6", "r7")),
    step("vfp: pop r3-r7", Pop(("r3", "r4", "r5", "r6", "r7")), "switch_to_guest_vfp", scratch=(), file=INTERRUPTS),
    step("vfp: pop r0-r2", Pop(LOW), "switch_to_guest_vfp", scratch=(), file=INTERRUPTS),
    step("vfp: CLREX", Clrex(), "switch_to_guest_vfp", scratch=(), file=INTERRUPTS),
)

VECTORS = (
    (0x00, Vector.SPIN),
    (0x04, Vector.BAD_UNDEFINED),
    (0x08, Vector.BAD_CALL),
    (0x0C, Vector.BAD_PREFETCH),
    (0x10, Vector.BAD_DATA),
    (0x14, Vector.TRAP),
    (0x18, Vector.IRQ),
    (0x1C, Vector.SPIN),
)

HANDLERS = (
    (0x01, Handler.WFX),
    (0x03, Handler.CP15_32),
    (0x04, Handler.CP15_64),
    (0x05, Handler.INJECT_UNDEF),
    (0x06, Handler.INJECT_UNDEF),
    (0x07, Handler.INJECT_UNDEF),
    (0x08, Handler.INJECT_UNDEF),
    (0x0C, Handler.INJECT_UNDEF),
    (0x11, Handler.BUG),
    (0x12, Handler.HVC),
    (0x13, Handler.SMC),
    (0x20, Handler.GUEST_ABORT),
    (0x21, Handler.HYP_ABORT),
    (0x24, Handler.GUEST_ABORT),
    (0x25, Handler.HYP_ABORT),
)

PMU = tuple(
    row.name for row in ROWS if any(t.name == "TPM" for t in row.traps) and row.name not in ("PMSWINC", "PMOVSSET")
)

EMULATED = (
    Emulated("ACTLR", Emulation.STORED, Emulation.IGNORE, "actlr"),
    Emulated("L2CTLR", Emulation.STORED, Emulation.IGNORE, "l2ctlr"),
    Emulated("L2ECTLR", Emulation.ZERO, Emulation.IGNORE),
    Emulated("CBAR", Emulation.ZERO, Emulation.UNDEF),
    Emulated("DCISW", Emulation.UNDEF, Emulation.SET_WAY),
    Emulated("DCCSW", Emulation.UNDEF, Emulation.SET_WAY),
    Emulated("DCCISW", Emulation.UNDEF, Emulation.SET_WAY),
    *(Emulated(name, Emulation.ZERO, Emulation.IGNORE) for name in PMU),
)

LINUX_3_12 = Design(
    name="linux-3.12",
    variations=(),
    call=CALL,
    entry=ENTRY,
    trap=TRAP,
    interrupt=INTERRUPT,
    exit=EXIT,
    back=BACK,
    vfp=VFP,
    vectors=VECTORS,
    handlers=HANDLERS,
    unknown_trap=Handler.BUG,
    emulated=EMULATED,
    injection=Injection(-4, -2, -4, -2, 0, 4, 0, 4),
    skip=Skip(),
    mmio=DeviceAccess(),
    placement=Placement.KERNEL_MODE,
    virtualization_extensions=True,
    memory=MEMORY_3_12,
    vgic=VGIC_3_12,
    timer=TIMER_3_12,
    power=POWER_3_12,
    hyp=HYP_3_12,
)
