"""Which register of the distributor a guest means by an offset: the architecture's map, not the design's."""

from collections.abc import Iterator

from model.vgic.design import Range, Register
from model.vgic.distributor import FIELD, found_in
from model.vgic.state import IMPLEMENTED
from spec.gic.registers import GICD
from spec.words import U32


def _architected() -> Iterator[Range]:
    for line in GICD:
        for register in Register:
            if register.value == line.name.removesuffix("n"):
                implemented = IMPLEMENTED * FIELD.get(register, 1) >> 3
                yield Range(register, line.offset, min(4 * line.words, implemented))


ARCHITECTED = tuple(_architected())
"""The registers that a design can have, where the architecture has them, as far as there are interrupts for them."""


def meant_at(offset: U32) -> tuple[Register, U32] | None:
    """The register that a guest means by an offset, and the offset in it; None where it means none of these."""
    return found_in(ARCHITECTED, offset)
