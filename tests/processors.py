"""Processors for the tests: every register zero except those named."""

from functools import cache
from typing import Any

from spec.processor import Processor
from spec.registers import declared, write
from spec.words import Width


@cache
def _zero(cls: type) -> Any:
    return cls(**{name: 0 if isinstance(kind, Width) else _zero(kind) for name, kind in declared(cls).items()})


def processor(**registers: int) -> Processor:
    """A processor in User mode, ARM state, whose registers are zero except for those given by name."""
    cpu = write(_zero(Processor), "cpsr", 0x10)
    for name, value in registers.items():
        cpu = write(cpu, name, value)
    return cpu
