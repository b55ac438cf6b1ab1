"""The state of one Cortex-A15 processor as Non-secure software sees it, in small records of words.

A field's name is ARM's name of the register in lower case; its type is its width. Symbolic states, Hypothesis
strategies, range checks and the documentation's register tables are all derived from these declarations.

Not modelled: Secure and Monitor state (SCR is taken as NS=1, IRQ=FIQ=EA=0, HCE=1, SCD=0, FW=AW=1, and NSACR grants
CP10 and CP11), so nothing here speaks about TrustZone; memory contents and TLBs, so isolation of memory is not yet
stated; the PMU's event counters beyond the selected one, which weakens nothing while PMU accesses trap.
"""

from attrs import frozen

from spec.words import U1, U32, U64


@frozen
class General:
    """The core registers that no PL1 mode banks, and User mode's SP and LR (Hyp mode has no LR of its own)."""

    r0: U32
    r1: U32
    r2: U32
    r3: U32
    r4: U32
    r5: U32
    r6: U32
    r7: U32
    r8_usr: U32
    r9_usr: U32
    r10_usr: U32
    r11_usr: U32
    r12_usr: U32
    sp_usr: U32
    lr_usr: U32


@frozen
class Banked:
    """SP, LR and SPSR of the Supervisor, Abort, Undefined and IRQ modes."""

    sp_svc: U32
    lr_svc: U32
    spsr_svc: U32
    sp_abt: U32
    lr_abt: U32
    spsr_abt: U32
    sp_und: U32
    lr_und: U32
    spsr_und: U32
    sp_irq: U32
    lr_irq: U32
    spsr_irq: U32


@frozen
class FiqBank:
    """The registers that FIQ mode banks."""

    r8_fiq: U32
    r9_fiq: U32
    r10_fiq: U32
    r11_fiq: U32
    r12_fiq: U32
    sp_fiq: U32
    lr_fiq: U32
    spsr_fiq: U32


@frozen
class SystemControl:
    """CP15 and CP14 registers of PL1 software that any PL1 software may own."""

    sctlr: U32
    cpacr: U32
    ttbcr: U32
    dacr: U32
    ttbr0: U64
    ttbr1: U64
    prrr: U32
    nmrr: U32
    csselr: U32
    contextidr: U32
    tpidrurw: U32
    tpidruro: U32
    tpidrprw: U32
    dfsr: U32
    ifsr: U32
    adfsr: U32
    aifsr: U32
    dfar: U32
    ifar: U32
    vbar: U32
    par: U64
    amair0: U32
    amair1: U32
    teecr: U32
    teehbr: U32


@frozen
class ImplementationControl:
    """IMPLEMENTATION DEFINED control registers of the Cortex-A15, which reach the whole processor or cluster."""

    actlr: U32
    l2ctlr: U32
    l2ectlr: U32
    l2actlr: U32
    l2pfr: U32
    il1data: U32
    dl1data: U32
    ramindex: U32
    cpumerrsr: U64
    l2merrsr: U64


@frozen
class Identification:
    """Identification registers: constants of the implementation, equal for all who can read them."""

    midr: U32
    mpidr: U32
    ctr: U32
    tcmtr: U32
    tlbtr: U32
    revidr: U32
    id_pfr0: U32
    id_pfr1: U32
    id_dfr0: U32
    id_afr0: U32
    id_mmfr0: U32
    id_mmfr1: U32
    id_mmfr2: U32
    id_mmfr3: U32
    id_isar0: U32
    id_isar1: U32
    id_isar2: U32
    id_isar3: U32
    id_isar4: U32
    id_isar5: U32
    ccsidr: U32
    clidr: U32
    aidr: U32
    fpsid: U32
    mvfr0: U32
    mvfr1: U32
    cbar: U32
    nsacr: U32
    cntfrq: U32
    pmceid0: U32
    pmceid1: U32
    dbgdidr: U32
    dbgdrar: U64
    dbgdsar: U64
    dbgauthstatus: U32
    dbgdevid: U32
    dbgdevid1: U32
    dbgdevid2: U32


@frozen
class Hyp:
    """The registers of Hyp mode: its own execution context, and the controls of what PL1 and PL0 may do."""

    sp_hyp: U32
    elr_hyp: U32
    spsr_hyp: U32
    hcr: U32
    hstr: U32
    hcptr: U32
    hcptr_in_force: U32
    """HCPTR before writes that no ISB, exception entry or exception return has synchronised yet."""
    hdcr: U32
    hsctlr: U32
    hactlr: U32
    hvbar: U32
    httbr: U64
    htcr: U32
    hmair0: U32
    hmair1: U32
    hamair0: U32
    hamair1: U32
    htpidr: U32
    hacr: U32
    vttbr: U64
    vtcr: U32
    vpidr: U32
    vmpidr: U32
    hsr: U32
    hdfar: U32
    hifar: U32
    hpfar: U32
    hadfsr: U32
    haifsr: U32


@frozen
class Timer:
    """The generic timer's registers; `spec.timer` has what they count and when they fire."""

    cntkctl: U32
    cnthctl: U32
    cntvoff: U64
    cntpct: U64
    """The physical count, the same for every observer at one moment."""
    cntp_ctl: U32
    cntp_cval: U64
    cntv_ctl: U32
    cntv_cval: U64
    cnthp_ctl: U32
    cnthp_cval: U64


@frozen
class VirtualInterface:
    """The GIC's virtual interface control registers (GICH), opaque words, with the Cortex-A15's four list registers."""

    gich_hcr: U32
    gich_vmcr: U32
    gich_misr: U32
    gich_eisr0: U32
    gich_eisr1: U32
    gich_elrsr0: U32
    gich_elrsr1: U32
    gich_apr: U32
    gich_lr0: U32
    gich_lr1: U32
    gich_lr2: U32
    gich_lr3: U32


@frozen
class Vfp:
    """VFPv4 and Advanced SIMD state; the Cortex-A15 implements no FPINST and no FPINST2."""

    fpexc: U32
    fpscr: U32
    d0: U64
    d1: U64
    d2: U64
    d3: U64
    d4: U64
    d5: U64
    d6: U64
    d7: U64
    d8: U64
    d9: U64
    d10: U64
    d11: U64
    d12: U64
    d13: U64
    d14: U64
    d15: U64
    d16: U64
    d17: U64
    d18: U64
    d19: U64
    d20: U64
    d21: U64
    d22: U64
    d23: U64
    d24: U64
    d25: U64
    d26: U64
    d27: U64
    d28: U64
    d29: U64
    d30: U64
    d31: U64


@frozen
class Debug:
    """The CP14 debug registers of the processor: breakpoints, watchpoints, vector catch and the debug channel."""

    dbgdscr: U32
    dbgvcr: U32
    dbgwfar: U32
    dbgdtrrx: U32
    dbgdtrtx: U32
    dbgosdlr: U32
    dbgoslsr: U32
    dbgprcr: U32
    dbgclaim: U32
    trace: U32
    """The trace registers, as one opaque word, where the implementation gives CP14 access to them."""
    dbgbvr0: U32
    dbgbvr1: U32
    dbgbvr2: U32
    dbgbvr3: U32
    dbgbvr4: U32
    dbgbvr5: U32
    dbgbcr0: U32
    dbgbcr1: U32
    dbgbcr2: U32
    dbgbcr3: U32
    dbgbcr4: U32
    dbgbcr5: U32
    dbgbxvr4: U32
    dbgbxvr5: U32
    dbgwvr0: U32
    dbgwvr1: U32
    dbgwvr2: U32
    dbgwvr3: U32
    dbgwcr0: U32
    dbgwcr1: U32
    dbgwcr2: U32
    dbgwcr3: U32


@frozen
class Monitors:
    """The performance monitors; the counter that PMSELR selects stands for the bank."""

    pmcr: U32
    pmcnten: U32
    pmovs: U32
    pmselr: U32
    pmccntr: U32
    pmxevtyper: U32
    pmxevcntr: U32
    pmuserenr: U32
    pminten: U32


@frozen
class Local:
    """State of the processor that is no register: what a context may find changed by the one before it."""

    exclusive: U1
    """The local exclusive monitor: 1 after a load-exclusive, until a store-exclusive or CLREX."""
    event: U1
    """The event register that SEV sets and WFE consumes."""
    caches: U32
    """The contents of this processor's data cache, as one opaque word that set/way operations change."""
    waiting: U1
    """1 while the processor is suspended by WFI or WFE."""


@frozen
class Signals:
    """Interrupt and abort inputs that are asserted now, physical and (from the GIC) virtual."""

    irq: U1
    fiq: U1
    abort: U1
    virtual_irq: U1
    virtual_fiq: U1


@frozen
class Processor:
    """One physical processor: CPSR, PC and every other attribute that an instruction can read or write."""

    cpsr: U32
    pc: U32
    general: General
    banked: Banked
    fiq: FiqBank
    cp15: SystemControl
    implementation: ImplementationControl
    identification: Identification
    hyp: Hyp
    timer: Timer
    gich: VirtualInterface
    vfp: Vfp
    debug: Debug
    monitors: Monitors
    local: Local
    signals: Signals
