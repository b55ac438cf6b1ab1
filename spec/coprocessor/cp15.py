"""The system control coprocessor, CP15: every register of the Cortex-A15, and every encoding that has none."""

from spec.citations import arm, trm
from spec.coprocessor.controls import (
    PL1PCEN,
    PL1PCTEN,
    TAC,
    TCPAC,
    TID1,
    TID2,
    TID2_WRITES_TOO,
    TID3,
    TPC,
    TPM,
    TPMCR,
    TPU,
    TSW,
    TTLB,
    TVM,
)
from spec.coprocessor.row import Effect, Gate, Row, Trap
from spec.coprocessor.table import EIGHT, SIXTEEN, Encoding, constant, double, memory, register, undefined, word

CACHE = (arm("B4.2.1"),)
TLB = (arm("B4.2.2"),)
ADDRESS = (arm("B3.12"),)
LEGACY = (arm("B4.2"),)
RESERVED_ID = (arm("B7.1"),)
REGION = (arm("B3.17"),)

TIDCP_SPACE = ((9, (0, 1, 2, 5, 6, 7, 8)), (10, (0, 1, 4, 8)), (11, (0, 1, 2, 3, 4, 5, 6, 7, 8, 15)))
"""The cache lockdown, TLB lockdown and TCM regions that HCR.TIDCP traps: CRn and the CRm values (ARM B1.14.3)."""

IDENTIFICATION: tuple[Row, ...] = (
    register("MIDR", word(15, 0, 0, 0, 0), "r", effect=Effect.SHADOW, state="midr"),
    constant("CTR", word(15, 0, 0, 0, 1), TID2),
    constant("TCMTR", word(15, 0, 0, 0, 2), TID1),
    constant("TLBTR", word(15, 0, 0, 0, 3), TID1),
    register("MIDR_ALIAS", word(15, 0, 0, 0, (4, 7)), "r", effect=Effect.SHADOW, state="midr", sources=REGION),
    register("MPIDR", word(15, 0, 0, 0, 5), "r", effect=Effect.SHADOW, state="mpidr"),
    constant("REVIDR", word(15, 0, 0, 0, 6), TID1),
    *(
        constant(name, word(15, 0, 0, 1, opc2), TID3)
        for opc2, name in enumerate(
            ("ID_PFR0", "ID_PFR1", "ID_DFR0", "ID_AFR0", "ID_MMFR0", "ID_MMFR1", "ID_MMFR2", "ID_MMFR3")
        )
    ),
    *(constant(f"ID_ISAR{n}", word(15, 0, 0, 2, n), TID3) for n in range(6)),
    register(
        "ID_C2_RESERVED", word(15, 0, 0, 2, (6, 7)), "r", effect=Effect.ZERO, traps=(TID3,), sources=RESERVED_ID,
        note="whether HCR.TID3 covers these is uncertain; what they read is the same for everyone",
    ),
    register(
        "ID_C3_C7_RESERVED", word(15, 0, 0, (3, 4, 5, 6, 7), EIGHT), "r", effect=Effect.ZERO, traps=(TID3,),
        sources=RESERVED_ID, note="HCR.TID3 covers some; for the others it is IMPLEMENTATION DEFINED",
    ),
    constant("CCSIDR", word(15, 1, 0, 0, 0), TID2),
    constant("CLIDR", word(15, 1, 0, 0, 1), TID2),
    constant("AIDR", word(15, 1, 0, 0, 7), TID1),
    register("CSSELR", word(15, 2, 0, 0, 0), state="csselr", traps=(TID2_WRITES_TOO,)),
)  # fmt: skip

CONTROL: tuple[Row, ...] = (
    register("SCTLR", word(15, 0, 1, 0, 0), state="sctlr", traps=(TVM,)),
    register("ACTLR", word(15, 0, 1, 0, 1), state="actlr", traps=(TAC,)),
    register("CPACR", word(15, 0, 1, 0, 2), state="cpacr", traps=(TCPAC,)),
    constant("NSACR", word(15, 0, 1, 1, 2)),
    register("TTBR0", word(15, 0, 2, 0, 0), state="ttbr0", traps=(TVM,)),
    register("TTBR1", word(15, 0, 2, 0, 1), state="ttbr1", traps=(TVM,)),
    register("TTBCR", word(15, 0, 2, 0, 2), state="ttbcr", traps=(TVM,)),
    register("TTBR0_64", double(15, 0, 2), state="ttbr0", traps=(TVM,)),
    register("TTBR1_64", double(15, 1, 2), state="ttbr1", traps=(TVM,)),
    register("DACR", word(15, 0, 3, 0, 0), state="dacr", traps=(TVM,)),
    register("DFSR", word(15, 0, 5, 0, 0), state="dfsr", traps=(TVM,)),
    register("IFSR", word(15, 0, 5, 0, 1), state="ifsr", traps=(TVM,)),
    register("ADFSR", word(15, 0, 5, 1, 0), state="adfsr", traps=(TVM,)),
    register("AIFSR", word(15, 0, 5, 1, 1), state="aifsr", traps=(TVM,)),
    register("DFAR", word(15, 0, 6, 0, 0), state="dfar", traps=(TVM,)),
    undefined("WFAR", word(15, 0, 6, 0, 1), arm("C11.11 DBGWFAR"), note="ARMv7.1 debug has it in CP14 only"),
    register("IFAR", word(15, 0, 6, 0, 2), state="ifar", traps=(TVM,)),
    register("MAIR0", word(15, 0, 10, 2, 0), state="prrr", traps=(TVM,), note="PRRR where TTBCR.EAE is 0"),
    register("MAIR1", word(15, 0, 10, 2, 1), state="nmrr", traps=(TVM,), note="NMRR where TTBCR.EAE is 0"),
    register("AMAIR0", word(15, 0, 10, 3, 0), state="amair0", traps=(TVM,)),
    register("AMAIR1", word(15, 0, 10, 3, 1), state="amair1", traps=(TVM,)),
    register("VBAR", word(15, 0, 12, 0, 0), state="vbar"),
    register("ISR", word(15, 0, 12, 1, 0), "r", effect=Effect.INTERRUPT_STATUS),
    register("FCSEIDR", word(15, 0, 13, 0, 0), effect=Effect.ZERO),
    register("CONTEXTIDR", word(15, 0, 13, 0, 1), state="contextidr", traps=(TVM,)),
    register("TPIDRURW", word(15, 0, 13, 0, 2), pl0="rw", state="tpidrurw"),
    register("TPIDRURO", word(15, 0, 13, 0, 3), pl0="r", state="tpidruro"),
    register("TPIDRPRW", word(15, 0, 13, 0, 4), state="tpidrprw"),
)


def _by_address(name: str, crm: int, opc2: int, *traps: Trap) -> Row:
    return register(name, word(15, 0, 7, crm, opc2), "w", effect=Effect.MAINTENANCE, traps=traps, sources=CACHE)


def _set_way(name: str, crm: int) -> Row:
    return register(
        name, word(15, 0, 7, crm, 2), "w", effect=Effect.SET_WAY, state="caches", traps=(TSW,), sources=CACHE
    )


def _barrier(name: str, crm: int, opc2: int) -> Row:
    return register(name, word(15, 0, 7, crm, opc2), "w", "w", Effect.BARRIER, gate=Gate.CP15BEN, sources=LEGACY)


def _tlb(name: str, crm: int, opc2: int) -> Row:
    return register(name, word(15, 0, 8, crm, opc2), "w", effect=Effect.TLB, traps=(TTLB,), sources=TLB)


MAINTENANCE: tuple[Row, ...] = (
    register("CP15WFI", word(15, 0, 7, 0, 4), "w", effect=Effect.NOTHING, sources=LEGACY),
    _by_address("ICIALLUIS", 1, 0, TPU),
    _by_address("BPIALLIS", 1, 6),
    register("PAR", word(15, 0, 7, 4, 0), state="par"),
    register("PAR_64", double(15, 0, 7), state="par"),
    _by_address("ICIALLU", 5, 0, TPU),
    _by_address("ICIMVAU", 5, 1, TPU),
    _barrier("CP15ISB", 5, 4),
    _by_address("BPIALL", 5, 6),
    _by_address("BPIMVA", 5, 7),
    _by_address("DCIMVAC", 6, 1, TPC),
    _set_way("DCISW", 6),
    *(
        register(name, word(15, 0, 7, 8, opc2), "w", effect=Effect.TRANSLATE, state="par", sources=ADDRESS)
        for opc2, name in enumerate(("ATS1CPR", "ATS1CPW", "ATS1CUR", "ATS1CUW"))
    ),
    _by_address("DCCMVAC", 10, 1, TPC),
    _set_way("DCCSW", 10),
    _barrier("CP15DSB", 10, 4),
    _barrier("CP15DMB", 10, 5),
    _by_address("DCCMVAU", 11, 1, TPU),
    register("CP15PLI", word(15, 0, 7, 13, 1), "w", effect=Effect.NOTHING, sources=LEGACY),
    _by_address("DCCIMVAC", 14, 1, TPC),
    _set_way("DCCISW", 14),
    *(_tlb(name, 3, opc2) for opc2, name in enumerate(("TLBIALLIS", "TLBIMVAIS", "TLBIASIDIS", "TLBIMVAAIS"))),
    *(_tlb(name, 5, opc2) for opc2, name in enumerate(("ITLBIALL", "ITLBIMVA", "ITLBIASID"))),
    *(_tlb(name, 6, opc2) for opc2, name in enumerate(("DTLBIALL", "DTLBIMVA", "DTLBIASID"))),
    *(_tlb(name, 7, opc2) for opc2, name in enumerate(("TLBIALL", "TLBIMVA", "TLBIASID", "TLBIMVAA"))),
)


def _monitor(
    name: str, crm: int, opc2: int, state: str, access: str = "rw", effect: Effect = Effect.STORAGE, note: str = ""
) -> Row:
    return register(
        name, word(15, 0, 9, crm, opc2), access, access, effect, state, (TPM,), Gate.PMUSERENR_EN, note=note
    )


MONITORS: tuple[Row, ...] = (
    register(
        "PMCR", word(15, 0, 9, 12, 0), pl0="rw", state="pmcr", traps=(TPM, TPMCR), gate=Gate.PMUSERENR_EN,
        note="N reads as HDCR.HPMN; that P and C reset the counters is not modelled",
    ),
    _monitor("PMCNTENSET", 12, 1, "pmcnten", effect=Effect.SET_BITS),
    _monitor("PMCNTENCLR", 12, 2, "pmcnten", effect=Effect.CLEAR_BITS),
    _monitor("PMOVSR", 12, 3, "pmovs", effect=Effect.CLEAR_BITS),
    _monitor("PMSWINC", 12, 4, "pmxevcntr", "w", note="the value written stands for any number of increments"),
    _monitor("PMSELR", 12, 5, "pmselr"),
    _monitor("PMCEID0", 12, 6, "pmceid0", "r", Effect.CONSTANT),
    _monitor("PMCEID1", 12, 7, "pmceid1", "r", Effect.CONSTANT),
    _monitor("PMCCNTR", 13, 0, "pmccntr"),
    _monitor("PMXEVTYPER", 13, 1, "pmxevtyper", note="PMCCFILTR where PMSELR.SEL is 31"),
    _monitor("PMXEVCNTR", 13, 2, "pmxevcntr"),
    register("PMUSERENR", word(15, 0, 9, 14, 0), pl0="r", state="pmuserenr", traps=(TPM,)),
    register("PMINTENSET", word(15, 0, 9, 14, 1), effect=Effect.SET_BITS, state="pminten", traps=(TPM,)),
    register("PMINTENCLR", word(15, 0, 9, 14, 2), effect=Effect.CLEAR_BITS, state="pminten", traps=(TPM,)),
    _monitor("PMOVSSET", 14, 3, "pmovs", effect=Effect.SET_BITS),
)  # fmt: skip


def _timer(name: str, encoding: Encoding, state: str, gate: Gate, *traps: Trap, effect: Effect = Effect.STORAGE) -> Row:
    return register(name, encoding, "rw", "rw", effect, state, traps, gate)


def _count(name: str, opc1: int, effect: Effect, gate: Gate, *traps: Trap) -> Row:
    return register(name, double(15, opc1, 14), "r", "r", effect, "cntpct", traps, gate)


TIMERS: tuple[Row, ...] = (
    constant("CNTFRQ", word(15, 0, 14, 0, 0), pl0="r", gate=Gate.PL0_ANY_COUNT),
    register("CNTKCTL", word(15, 0, 14, 1, 0), state="cntkctl"),
    _timer("CNTP_TVAL", word(15, 0, 14, 2, 0), "cntp_cval", Gate.PL0PTEN, PL1PCEN, effect=Effect.TIMER_VALUE),
    _timer("CNTP_CTL", word(15, 0, 14, 2, 1), "cntp_ctl", Gate.PL0PTEN, PL1PCEN, effect=Effect.TIMER_CONTROL),
    _timer("CNTV_TVAL", word(15, 0, 14, 3, 0), "cntv_cval", Gate.PL0VTEN, effect=Effect.TIMER_VALUE),
    _timer("CNTV_CTL", word(15, 0, 14, 3, 1), "cntv_ctl", Gate.PL0VTEN, effect=Effect.TIMER_CONTROL),
    _count("CNTPCT", 0, Effect.PHYSICAL_COUNT, Gate.PL0PCTEN, PL1PCTEN),
    _count("CNTVCT", 1, Effect.VIRTUAL_COUNT, Gate.PL0VCTEN),
    _timer("CNTP_CVAL", double(15, 2, 14), "cntp_cval", Gate.PL0PTEN, PL1PCEN),
    _timer("CNTV_CVAL", double(15, 3, 14), "cntv_cval", Gate.PL0VTEN),
)

IMPLEMENTATION: tuple[Row, ...] = (
    register("L2CTLR", word(15, 1, 9, 0, 2), state="l2ctlr", sources=(trm("L2CTLR"),)),
    register("L2ECTLR", word(15, 1, 9, 0, 3), state="l2ectlr", sources=(trm("L2ECTLR"),)),
    register("IL1DATA", word(15, 0, 15, 0, (0, 1, 2)), state="il1data", sources=(trm("IL1DATA0-2"),)),
    register("DL1DATA", word(15, 0, 15, 1, (0, 1, 2, 3)), state="dl1data", sources=(trm("DL1DATA0-3"),)),
    register(
        "RAMINDEX", word(15, 0, 15, 4, 0), "w", state="ramindex", sources=(trm("RAMINDEX"),),
        note="what it leaves in IL1DATA and DL1DATA is not modelled",
    ),
    register("L2ACTLR", word(15, 1, 15, 0, 0), state="l2actlr", sources=(trm("L2ACTLR"),)),
    register("L2PFR", word(15, 1, 15, 0, 3), state="l2pfr", sources=(trm("L2PFR"),)),
    constant("CBAR", word(15, 4, 15, 0, 0), sources=(trm("CBAR"),)),
    register("CPUMERRSR", double(15, 0, 15), state="cpumerrsr", sources=(trm("CPUMERRSR"),)),
    register("L2MERRSR", double(15, 1, 15), state="l2merrsr", sources=(trm("L2MERRSR"),)),
)  # fmt: skip

SECURE_ONLY: tuple[Row, ...] = (
    undefined("SCR", word(15, 0, 1, 1, 0)),
    undefined("SDER", word(15, 0, 1, 1, 1)),
    undefined("MVBAR", word(15, 0, 12, 0, 1)),
    *(
        undefined(name, word(15, 0, 7, 8, opc2), *ADDRESS)
        for opc2, name in ((4, "ATS12NSOPR"), (5, "ATS12NSOPW"), (6, "ATS12NSOUR"), (7, "ATS12NSOUW"))
    ),
)

PL2_ONLY: tuple[Row, ...] = (
    *(
        undefined(name, word(15, 4, crn, crm, opc2))
        for name, crn, crm, opc2 in (
            ("VPIDR", 0, 0, 0), ("VMPIDR", 0, 0, 5),
            ("HSCTLR", 1, 0, 0), ("HACTLR", 1, 0, 1),
            ("HCR", 1, 1, 0), ("HDCR", 1, 1, 1), ("HCPTR", 1, 1, 2), ("HSTR", 1, 1, 3), ("HACR", 1, 1, 7),
            ("HTCR", 2, 0, 2), ("VTCR", 2, 1, 2),
            ("HADFSR", 5, 1, 0), ("HAIFSR", 5, 1, 1), ("HSR", 5, 2, 0),
            ("HDFAR", 6, 0, 0), ("HIFAR", 6, 0, 2), ("HPFAR", 6, 0, 4),
            ("HMAIR0", 10, 2, 0), ("HMAIR1", 10, 2, 1), ("HAMAIR0", 10, 3, 0), ("HAMAIR1", 10, 3, 1),
            ("HVBAR", 12, 0, 0), ("HTPIDR", 13, 0, 2),
            ("CNTHCTL", 14, 1, 0), ("CNTHP_TVAL", 14, 2, 0), ("CNTHP_CTL", 14, 2, 1),
        )
    ),
    undefined("ATS1HR", word(15, 4, 7, 8, 0), *ADDRESS),
    undefined("ATS1HW", word(15, 4, 7, 8, 1), *ADDRESS),
    *(
        undefined(name, word(15, 4, 8, crm, opc2), *TLB)
        for name, crm, opc2 in (
            ("TLBIALLHIS", 3, 0), ("TLBIMVAHIS", 3, 1), ("TLBIALLNSNHIS", 3, 4),
            ("TLBIALLH", 7, 0), ("TLBIMVAH", 7, 1), ("TLBIALLNSNH", 7, 4),
        )
    ),
    undefined("HTTBR", double(15, 4, 2)),
    undefined("VTTBR", double(15, 6, 2)),
    undefined("CNTVOFF", double(15, 4, 14)),
    undefined("CNTHP_CVAL", double(15, 6, 14)),
)  # fmt: skip

ALLOCATED: tuple[Row, ...] = (
    *IDENTIFICATION, *CONTROL, *MAINTENANCE, *MONITORS, *TIMERS, *IMPLEMENTATION, *SECURE_ONLY, *PL2_ONLY,
)  # fmt: skip
"""The rows of CP15 that name a register or an operation; no two hold the same encoding."""


def _outside(crn: int) -> tuple[int, ...]:
    inside = dict(TIDCP_SPACE).get(crn, ())
    return tuple(crm for crm in SIXTEEN if crm not in inside)


UNALLOCATED: tuple[Row, ...] = (
    *(
        undefined(
            f"CP15_C{crn}_UNALLOCATED", word(15, EIGHT, crn, _outside(crn), EIGHT), *REGION,
            note="UNPREDICTABLE, and HSTR has no T4" if crn == 4 else "",
        )
        for crn in SIXTEEN
    ),
    *(
        undefined(f"CP15_C{crn}_TIDCP", word(15, EIGHT, crn, crms, EIGHT), arm("B1.14.3"))
        for crn, crms in TIDCP_SPACE
    ),
    *(undefined(f"CP15_DOUBLE_C{crm}_UNALLOCATED", double(15, SIXTEEN, crm), *REGION) for crm in SIXTEEN),
    undefined("CP15_MEMORY", memory(15, SIXTEEN), arm("pseudocode Coproc_Accepted")),
)  # fmt: skip
"""The rows of CP15 for everything else: each holds the encodings of its region that no row of ALLOCATED holds."""
