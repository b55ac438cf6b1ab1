"""The register maps of the interrupt controller as data, and which accesses their registers take.

An access is an offset and a size in bytes. The registers are words, and some take single bytes too. Any other aligned
access is the implementation's: `Choices.lanes` is 0 where it reads as zero and writes nothing, 1 where it reaches these
bytes of the register, with what else a read or a write of it does. An access that is not aligned reaches nothing, as
does one outside the map: to Device memory it does not get as far as the interrupt controller.

Not modelled: an external abort on an access that reaches nothing, so no property sees one.
"""

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from spec.citations import Citation, gic, rule, trm
from spec.gic.state import Choices
from spec.words import U3, U16, U32, bits, choose, clear, either, every, find, select


@frozen
class Register:
    """One register, or a run of equal ones, of a map."""

    name: str
    """ARM's name, with n for a run."""
    offset: int
    """Of the first, in bytes."""
    access: str
    """`r`, `w` or `rw`."""
    words: int
    """How many there are."""
    bytewise: bool
    """Whether it takes single bytes too."""
    source: Citation


def _register(name: str, offset: int, access: str, section: str, words: int = 1, bytewise: bool = False) -> Register:
    return Register(name, offset, access, words, bytewise, gic(section))


GICD = (
    _register("GICD_CTLR", 0x000, "rw", "4.3.1"),
    _register("GICD_TYPER", 0x004, "r", "4.3.2"),
    _register("GICD_IIDR", 0x008, "r", "4.3.3"),
    _register("GICD_IGROUPRn", 0x080, "rw", "4.3.4", 32),
    _register("GICD_ISENABLERn", 0x100, "rw", "4.3.5", 32),
    _register("GICD_ICENABLERn", 0x180, "rw", "4.3.6", 32),
    _register("GICD_ISPENDRn", 0x200, "rw", "4.3.7", 32),
    _register("GICD_ICPENDRn", 0x280, "rw", "4.3.8", 32),
    _register("GICD_ISACTIVERn", 0x300, "rw", "4.3.9", 32),
    _register("GICD_ICACTIVERn", 0x380, "rw", "4.3.10", 32),
    _register("GICD_IPRIORITYRn", 0x400, "rw", "4.3.11", 255, True),
    _register("GICD_ITARGETSRn", 0x800, "rw", "4.3.12", 255, True),
    _register("GICD_ICFGRn", 0xC00, "rw", "4.3.13", 64),
    _register("GICD_SGIR", 0xF00, "w", "4.3.15"),
    _register("GICD_CPENDSGIRn", 0xF10, "rw", "4.3.16", 4, True),
    _register("GICD_SPENDSGIRn", 0xF20, "rw", "4.3.17", 4, True),
    _register("GICD identification", 0xFD0, "r", "4.3.18", 12),
)
"""The distributor."""
GICC = (
    _register("GICC_CTLR", 0x00, "rw", "4.4.1"),
    _register("GICC_PMR", 0x04, "rw", "4.4.2"),
    _register("GICC_BPR", 0x08, "rw", "4.4.3"),
    _register("GICC_IAR", 0x0C, "r", "4.4.4"),
    _register("GICC_EOIR", 0x10, "w", "4.4.5"),
    _register("GICC_RPR", 0x14, "r", "4.4.6"),
    _register("GICC_HPPIR", 0x18, "r", "4.4.7"),
    _register("GICC_ABPR", 0x1C, "rw", "4.4.8"),
    _register("GICC_AIAR", 0x20, "r", "4.4.9"),
    _register("GICC_AEOIR", 0x24, "w", "4.4.10"),
    _register("GICC_AHPPIR", 0x28, "r", "4.4.11"),
    _register("GICC_APR0", 0xD0, "rw", "4.4.12"),
    _register("GICC_NSAPR0", 0xE0, "rw", "4.4.13"),
    _register("GICC_IIDR", 0xFC, "r", "4.4.14"),
    _register("GICC_DIR", 0x1000, "w", "4.4.15"),
)
"""The physical CPU interface."""
GICV = (
    _register("GICV_CTLR", 0x00, "rw", "5.5.1"),
    _register("GICV_PMR", 0x04, "rw", "5.5.2"),
    _register("GICV_BPR", 0x08, "rw", "5.5.3"),
    _register("GICV_IAR", 0x0C, "r", "5.5.4"),
    _register("GICV_EOIR", 0x10, "w", "5.5.5"),
    _register("GICV_RPR", 0x14, "r", "5.5.6"),
    _register("GICV_HPPIR", 0x18, "r", "5.5.7"),
    _register("GICV_ABPR", 0x1C, "rw", "5.5.8"),
    _register("GICV_AIAR", 0x20, "r", "5.5.9"),
    _register("GICV_AEOIR", 0x24, "w", "5.5.10"),
    _register("GICV_AHPPIR", 0x28, "r", "5.5.11"),
    _register("GICV_APR0", 0xD0, "rw", "5.5.12"),
    _register("GICV_IIDR", 0xFC, "r", "5.5.13"),
    _register("GICV_DIR", 0x1000, "w", "5.5.14"),
)
"""The virtual CPU interface, which a guest finds where it looks for GICC."""
GICH = (
    _register("GICH_HCR", 0x00, "rw", "5.3.1"),
    _register("GICH_VTR", 0x04, "r", "5.3.2"),
    _register("GICH_VMCR", 0x08, "rw", "5.3.3"),
    _register("GICH_MISR", 0x10, "r", "5.3.4"),
    _register("GICH_EISRn", 0x20, "r", "5.3.5", 2),
    _register("GICH_ELRSRn", 0x30, "r", "5.3.6", 2),
    _register("GICH_APR", 0xF0, "rw", "5.3.7"),
    _register("GICH_LRn", 0x100, "rw", "5.3.8", 64),
)
"""The virtual interface control; of the list registers there are as many as GICH_VTR says."""

AT: Mapping[str, int] = MappingProxyType({register.name: register.offset for register in (*GICD, *GICC, *GICH, *GICV)})
"""The offset of each register in its map, of a run the first one's, by name."""

GICD_IIDR, GICC_IIDR = 0x0000043B, 0x0002043B
"""Of the Cortex-A15; GICV_IIDR is GICC_IIDR."""
IDENTIFICATION = (0x04, 0x00, 0x00, 0x00, 0x90, 0xB4, 0x2B, 0x00, 0x0D, 0xF0, 0x05, 0xB1)
"""The words from 0xFD0: ICPIDR4-7, ICPIDR0-3 and ICCIDR0-3."""


@rule(gic("4.1.4"), gic("4.4"), gic("5.3"), gic("5.5"))
def reaches(offset: U16, size: U3, bytewise: bool, choices: Choices) -> bool:
    """Whether an access reaches a register: aligned, and of a size that it takes."""
    aligned = find(((1, True), (2, offset & 1 == 0), (4, offset & 3 == 0)), size, False)
    return every(aligned, either(size == 4, every(size == 1, bytewise), choices.lanes == 1))


@rule(gic("4.1.4"))
def lanes(offset: U16, size: U3) -> U32:
    """The bits of a word that an access to some of its bytes reaches."""
    one, two = (
        select((0xFF, 0xFF00, 0xFF0000, 0xFF000000), bits(offset, 1, 0)),
        choose(offset & 2 == 2, 0xFFFF0000, 0xFFFF),
    )
    return find(((1, one), (2, two)), size, 0xFFFFFFFF)


@rule(gic("4.1.4"))
def read_lanes(word: U32, offset: U16, size: U3) -> U32:
    """What an access reads of a word: the bytes it reaches, moved to the lowest place."""
    found = word & lanes(offset, size)
    return select((found, found >> 8, found >> 16, found >> 24), bits(offset, 1, 0))


@rule(gic("4.1.4"))
def written_lanes(value: U32, offset: U16, size: U3) -> U32:
    """What an access writes, in the place of the bytes it reaches; zero elsewhere."""
    moved = select((value, value << 8, value << 16, value << 24), bits(offset, 1, 0))
    return moved & lanes(offset, size)


@rule(gic("4.1.4"))
def stored(old: U32, new: U32, reached: U32, writable: U32) -> U32:
    """A register behind a write: the bits that the access reaches and that can be written are new."""
    changing = reached & writable
    return clear(old, changing) | (new & changing)


@rule(gic("4.4.3"), trm("8.3.2"))
def at_least(point: U3, least: U3) -> U3:
    """A binary point as it is stored: no lower than the lowest that the implementation has."""
    return choose(point < least, least, point)
