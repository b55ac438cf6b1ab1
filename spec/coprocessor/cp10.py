"""CP10: the floating-point system registers that VMRS and VMSR transfer, by register number in the field CRn."""

from spec.citations import arm
from spec.coprocessor.controls import TID0, TID3
from spec.coprocessor.row import Effect, Gate, Row
from spec.coprocessor.table import SIXTEEN, Encoding, constant, register, undefined, word

VMRS = (arm("B9.3 VMRS"), arm("B9.3 VMSR"))


def _system(*numbers: int) -> Encoding:
    return word(10, 7, numbers, 0, 0)


ALLOCATED: tuple[Row, ...] = (
    register("FPSID", _system(0), "rw", "-", Effect.CONSTANT, "fpsid", (TID0,), note="PL1 writes are ignored"),
    register("FPSCR", _system(1), "rw", "rw", state="fpscr", gate=Gate.FPEXC_EN),
    constant("MVFR1", _system(6), TID3),
    constant("MVFR0", _system(7), TID3),
    register("FPEXC", _system(8), state="fpexc"),
    undefined("FPINST", _system(9), note="VFPv4 of the Cortex-A15 has no subarchitecture"),
    undefined("FPINST2", _system(10), note="VFPv4 of the Cortex-A15 has no subarchitecture"),
)
"""The system registers of CP10 that ARMv7 allocates."""

UNALLOCATED: tuple[Row, ...] = (undefined("CP10_UNALLOCATED", _system(*SIXTEEN), *VMRS),)
"""The row of every other register number."""
