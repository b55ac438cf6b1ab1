"""CP14: debug, trace, ThumbEE and Jazelle registers, and every encoding that has none.

Accesses that depend on the OS lock, the OS double lock or power-down are taken as permitted: whoever may make them can
make more accesses here than on the hardware, never fewer.
"""

from spec.citations import Citation, arm
from spec.coprocessor.controls import TDA, TDOSA, TDRA, TID0, TJDBX, TTA, TTEE
from spec.coprocessor.row import Effect, Gate, Row, Trap
from spec.coprocessor.table import EIGHT, SIXTEEN, Encoding, constant, double, memory, register, undefined, word

REGION = (arm("pseudocode Coproc_Accepted"),)


def _described(name: str) -> tuple[Citation, ...]:
    return (arm(f"C11.11 {name.removesuffix('_64')}"),)


def _debug(
    name: str, crn: int, crm: int, opc2: int, state: str = "", pl1: str = "rw", pl0: str = "-", trap: Trap = TDA,
    effect: Effect = Effect.STORAGE, note: str = "",
) -> Row:  # fmt: skip
    return register(
        name, word(14, 0, crn, crm, opc2), pl1, pl0, effect, state or name.lower(), (trap,),
        Gate.NONE if pl0 == "-" else Gate.UDCCDIS, _described(name), note,
    )  # fmt: skip


def _identity(name: str, crm: int, opc2: int) -> Row:
    return constant(name, word(14, 0, 7, crm, opc2), TDA, sources=_described(name))


def _address(name: str, encoding: Encoding) -> Row:
    return constant(name, encoding, TDRA, pl0="r", gate=Gate.UDCCDIS, sources=_described(name))


DEBUG: tuple[Row, ...] = (
    _debug("DBGDIDR", 0, 0, 0, pl1="r", pl0="r", effect=Effect.CONSTANT),
    _debug("DBGDSCRint", 0, 1, 0, "dbgdscr", "r", "r"),
    _debug("DBGDTRint", 0, 5, 0, "dbgdtrrx", pl0="rw", effect=Effect.CHANNEL),
    _debug("DBGWFAR", 0, 6, 0),
    _debug("DBGVCR", 0, 7, 0),
    _debug("DBGDTRRXext", 0, 0, 2, "dbgdtrrx"),
    _debug("DBGDSCRext", 0, 2, 2, "dbgdscr"),
    _debug("DBGDTRTXext", 0, 3, 2, "dbgdtrtx"),
    *(_debug(f"DBGBVR{n}", 0, n, 4) for n in range(6)),
    *(_debug(f"DBGBCR{n}", 0, n, 5) for n in range(6)),
    *(_debug(f"DBGWVR{n}", 0, n, 6) for n in range(4)),
    *(_debug(f"DBGWCR{n}", 0, n, 7) for n in range(4)),
    *(_debug(f"DBGBXVR{n}", 1, n, 1) for n in (4, 5)),
    _address("DBGDRAR", word(14, 0, 1, 0, 0)),
    _address("DBGDRAR_64", double(14, 0, 1)),
    _debug("DBGOSLAR", 1, 0, 4, "dbgoslsr", "w", trap=TDOSA, effect=Effect.OS_LOCK),
    _debug("DBGOSLSR", 1, 1, 4, pl1="r", trap=TDOSA),
    _debug("DBGOSDLR", 1, 3, 4, trap=TDOSA),
    _debug("DBGPRCR", 1, 4, 4, trap=TDOSA),
    _address("DBGDSAR", word(14, 0, 2, 0, 0)),
    _address("DBGDSAR_64", double(14, 0, 2)),
    _debug(
        "DBGCLAIMSET", 7, 8, 6, "dbgclaim", effect=Effect.SET_BITS,
        note="reads as ones on the hardware; here it reads the tags, which DBGCLAIMCLR reads too",
    ),
    _debug("DBGCLAIMCLR", 7, 9, 6, "dbgclaim", effect=Effect.CLEAR_BITS),
    _identity("DBGAUTHSTATUS", 14, 6),
    _identity("DBGDEVID2", 0, 7),
    _identity("DBGDEVID1", 1, 7),
    _identity("DBGDEVID", 2, 7),
    register(
        "DBGDTR_MEMORY", memory(14, 5), pl0="rw", effect=Effect.CHANNEL, state="dbgdtrrx", traps=(TDA,),
        gate=Gate.UDCCDIS, sources=_described("DBGDTRRX"), note="LDC writes DBGDTRTX, STC reads DBGDTRRX",
    ),
)  # fmt: skip

TRACE: tuple[Row, ...] = (
    register(
        "TRACE", word(14, 1, SIXTEEN, SIXTEEN, EIGHT), pl0="rw", state="trace", traps=(TTA,),
        sources=(arm("B1.14.16"),), note="UNDEFINED where the implementation gives CP14 no access to trace registers",
    ),
)  # fmt: skip

THUMBEE: tuple[Row, ...] = (
    register("TEECR", word(14, 6, 0, 0, 0), pl0="r", state="teecr", traps=(TTEE,)),
    register("TEEHBR", word(14, 6, 1, 0, 0), pl0="rw", state="teehbr", traps=(TTEE,), gate=Gate.TEECR_XED),
)

JAZELLE: tuple[Row, ...] = (
    register("JIDR", word(14, 7, 0, 0, 0), "r", "r", Effect.ZERO, traps=(TID0,)),
    register("JOSCR", word(14, 7, 1, 0, 0), effect=Effect.ZERO, traps=(TJDBX,)),
    register("JMCR", word(14, 7, 2, 0, 0), pl0="rw", effect=Effect.ZERO, traps=(TJDBX,)),
)

ALLOCATED: tuple[Row, ...] = (*DEBUG, *TRACE, *THUMBEE, *JAZELLE)
"""The rows of CP14 that name a register; no two hold the same encoding."""

UNALLOCATED: tuple[Row, ...] = (
    undefined("CP14_DEBUG_UNALLOCATED", word(14, 0, SIXTEEN, SIXTEEN, EIGHT), *REGION),
    undefined("CP14_THUMBEE_UNALLOCATED", word(14, 6, SIXTEEN, SIXTEEN, EIGHT), *REGION),
    undefined("CP14_JAZELLE_UNALLOCATED", word(14, 7, SIXTEEN, SIXTEEN, EIGHT), *REGION),
    undefined("CP14_OTHER_UNALLOCATED", word(14, (2, 3, 4, 5), SIXTEEN, SIXTEEN, EIGHT), *REGION),
    undefined("CP14_DOUBLE_DEBUG_UNALLOCATED", double(14, 0, SIXTEEN), *REGION),
    undefined("CP14_DOUBLE_THUMBEE_UNALLOCATED", double(14, 6, SIXTEEN), *REGION),
    undefined("CP14_DOUBLE_JAZELLE_UNALLOCATED", double(14, 7, SIXTEEN), *REGION),
    undefined(
        "CP14_DOUBLE_OTHER_UNALLOCATED",
        double(14, tuple(opc1 for opc1 in SIXTEEN if opc1 not in (0, 6, 7)), SIXTEEN),
        *REGION,
        note="opc1 = 1 too: no trace register of ARMv7 is accessed with MRRC or MCRR",
    ),
    undefined("CP14_MEMORY_UNALLOCATED", memory(14, SIXTEEN), *REGION),
)
"""The rows of CP14 for everything else: each holds the encodings of its region that no row of ALLOCATED holds."""
