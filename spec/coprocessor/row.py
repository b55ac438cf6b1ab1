"""What one row of the coprocessor catalogue says: which encodings, who may access, what traps, what it reaches."""

from enum import Enum, IntEnum

from attrs import field, frozen

from spec.citations import Citation


class Form(IntEnum):
    """The shape of the accessing instruction."""

    WORD = 0
    """MCR and MRC: one core register."""
    DOUBLE = 1
    """MCRR and MRRC: two core registers; CRn and opc2 do not exist, CRm selects."""
    MEMORY = 2
    """LDC and STC: a word of memory; CRd stands in the field crn."""


class Effect(Enum):
    """What a permitted access that does not trap does."""

    STORAGE = "reads and writes the register named by the row"
    CONSTANT = "reads an identification register"
    SHADOW = "reads the value that Hyp mode supplies in VPIDR or VMPIDR"
    ZERO = "reads as zero, writes are ignored"
    NOTHING = "has no effect"
    BARRIER = "is a barrier, without effect on the state"
    MAINTENANCE = "maintains caches or branch predictors by address or entirely, to a point of coherency or unification"
    SET_WAY = "maintains this processor's caches by set and way"
    TLB = "invalidates entries of the current VMID"
    TRANSLATE = "translates an address and leaves the result in PAR"
    INTERRUPT_STATUS = "reads pending interrupts: the virtual ones where Hyp mode takes the physical"
    PHYSICAL_COUNT = "reads the physical counter"
    VIRTUAL_COUNT = "reads the physical counter less CNTVOFF"
    TIMER_VALUE = "reads and writes the timer's compare value as a 32-bit distance from the counter"
    TIMER_CONTROL = "reads and writes the timer's enable and mask; reads whether it has fired"
    SET_BITS = "reads the register; a write sets the bits that are one"
    CLEAR_BITS = "reads the register; a write clears the bits that are one"
    CHANNEL = "reads the register, DBGDTRRX; a write goes to DBGDTRTX"
    OS_LOCK = "a write of the key 0xC5ACCE55 sets DBGOSLSR.OSLK, any other write clears it"
    UNDEFINED = "is UNDEFINED at PL1 and PL0"


class Gate(Enum):
    """What PL0 software additionally needs, or the access is UNDEFINED at PL1 before any Hyp trap."""

    NONE = "nothing"
    CP15BEN = "SCTLR.CP15BEN = 1 (PL1 software too)"
    PMUSERENR_EN = "PMUSERENR.EN = 1"
    UDCCDIS = "DBGDSCR.UDCCdis = 0"
    TEECR_XED = "TEECR.XED = 0"
    PL0PCTEN = "CNTKCTL.PL0PCTEN = 1"
    PL0VCTEN = "CNTKCTL.PL0VCTEN = 1"
    PL0_ANY_COUNT = "CNTKCTL.PL0PCTEN = 1 or CNTKCTL.PL0VCTEN = 1"
    PL0PTEN = "CNTKCTL.PL0PTEN = 1"
    PL0VTEN = "CNTKCTL.PL0VTEN = 1"
    FPEXC_EN = "FPEXC.EN = 1 (PL1 software too)"


@frozen
class Trap:
    """A control bit of Hyp mode that makes an access trap: register, bit, and the directions it traps."""

    register: str
    """HCR, HSTR, HCPTR, HDCR or CNTHCTL."""
    name: str
    bit: int
    reads: bool = True
    writes: bool = True
    when: int = 1
    """The value of the bit that traps: CNTHCTL traps when its bit is 0."""

    @property
    def id(self) -> str:
        """The control as the manual writes it, such as `HCR.TWI`."""
        return f"{self.register}.{self.name}"


@frozen
class Row:
    """One row of the catalogue: a set of encodings that software cannot tell apart, and everything known of them.

    The traps listed are those specific to the row; HSTR.Tn and HCR.TIDCP apply to CP15 encodings by their CRn and CRm
    before the row's register is decoded, and HCPTR.TCP10 to all of CP10.
    """

    name: str
    form: Form
    coprocessor: int
    opc1: tuple[int, ...]
    crn: tuple[int, ...]
    crm: tuple[int, ...]
    opc2: tuple[int, ...]
    pl1: str
    """What PL1 may do: `rw`, `r`, `w` or `-`; anything else is UNDEFINED."""
    pl0: str
    """What PL0 may do, in the same letters."""
    effect: Effect
    state: str | None
    """The register of the processor state that the access reaches, by its name in `spec.registers`."""
    traps: tuple[Trap, ...]
    gate: Gate
    sources: tuple[Citation, ...]
    note: str = field(default="")

    def covers(self, opc1: int, crn: int, crm: int, opc2: int) -> bool:
        """Whether the row holds this encoding of its coprocessor and form."""
        return opc1 in self.opc1 and crn in self.crn and crm in self.crm and opc2 in self.opc2
