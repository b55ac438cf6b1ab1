"""Which register a core register number and a mode name, exhaustively."""

import pytest
from processors import processor

from spec.banking import read_core, read_spsr, write_core, write_spsr
from spec.psr import Mode
from spec.registers import REGISTERS

BANKED_MODES = {Mode.SVC: "svc", Mode.ABT: "abt", Mode.UND: "und", Mode.IRQ: "irq", Mode.FIQ: "fiq"}
CORE_NAMES = [
    name
    for name, register in REGISTERS.items()
    if register.component in ("general", "banked", "fiq") or name in ("sp_hyp", "spsr_hyp", "elr_hyp")
]
DISTINCT = {name: 0x100 + position for position, name in enumerate(CORE_NAMES)}


def named(mode: Mode, n: int) -> str:
    """The register that the manual's table of banked registers gives."""
    bank = BANKED_MODES.get(mode, "usr")
    if n < 8:
        return f"r{n}"
    if n < 13:
        return f"r{n}_{'fiq' if bank == 'fiq' else 'usr'}"
    if mode == Mode.HYP:
        return "sp_hyp" if n == 13 else "lr_usr"
    return f"{'sp' if n == 13 else 'lr'}_{bank}"


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("n", range(15))
def test_reading_gives_the_register_of_the_mode(mode: Mode, n: int) -> None:
    assert read_core(processor(**DISTINCT, cpsr=mode), n) == DISTINCT[named(mode, n)]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("n", range(15))
def test_writing_changes_the_register_of_the_mode_and_no_other(mode: Mode, n: int) -> None:
    after = write_core(processor(**DISTINCT, cpsr=mode), n, 7)
    assert after == processor(**(DISTINCT | {named(mode, n): 7}), cpsr=mode)


@pytest.mark.parametrize("mode", [*BANKED_MODES, Mode.HYP])
def test_spsr_of_the_mode_is_read(mode: Mode) -> None:
    name = f"spsr_{BANKED_MODES.get(mode, 'hyp')}"
    assert read_spsr(processor(**DISTINCT, cpsr=mode), 0) == DISTINCT[name]


@pytest.mark.parametrize("mode", [*BANKED_MODES, Mode.HYP])
def test_spsr_of_the_mode_is_written_and_no_other(mode: Mode) -> None:
    name = f"spsr_{BANKED_MODES.get(mode, 'hyp')}"
    after = write_spsr(processor(**DISTINCT, cpsr=mode), 7)
    assert after == processor(**(DISTINCT | {name: 7}), cpsr=mode)


@pytest.mark.parametrize("mode", [Mode.USR, Mode.SYS])
def test_a_mode_without_spsr_reads_unknown(mode: Mode) -> None:
    assert read_spsr(processor(**DISTINCT, cpsr=mode), 0x5A) == 0x5A


@pytest.mark.parametrize("mode", [Mode.USR, Mode.SYS])
def test_a_mode_without_spsr_ignores_a_write(mode: Mode) -> None:
    before = processor(**DISTINCT, cpsr=mode)
    assert write_spsr(before, 7) == before
