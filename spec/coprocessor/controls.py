"""The bits of Hyp mode's control registers that make single coprocessor registers trap, and where ARM defines them.

HSTR.Tn, HCR.TIDCP and HCPTR.TCP10 apply to whole regions before a register is decoded, so they are no control of a row.
"""

from collections.abc import Mapping
from types import MappingProxyType

from spec.citations import Citation, arm
from spec.coprocessor.row import Trap

TID0 = Trap("HCR", "TID0", 15, writes=False)
TID1 = Trap("HCR", "TID1", 16, writes=False)
TID2 = Trap("HCR", "TID2", 17, writes=False)
TID2_WRITES_TOO = Trap("HCR", "TID2", 17)
TID3 = Trap("HCR", "TID3", 18, writes=False)
TAC = Trap("HCR", "TAC", 21)
TSW = Trap("HCR", "TSW", 22, reads=False)
TPC = Trap("HCR", "TPC", 23, reads=False)
TPU = Trap("HCR", "TPU", 24, reads=False)
TTLB = Trap("HCR", "TTLB", 25, reads=False)
TVM = Trap("HCR", "TVM", 26, reads=False)
TTEE = Trap("HSTR", "TTEE", 16)
TJDBX = Trap("HSTR", "TJDBX", 17)
TTA = Trap("HCPTR", "TTA", 20)
TCPAC = Trap("HCPTR", "TCPAC", 31)
TPMCR = Trap("HDCR", "TPMCR", 5)
TPM = Trap("HDCR", "TPM", 6)
TDA = Trap("HDCR", "TDA", 9)
TDOSA = Trap("HDCR", "TDOSA", 10)
TDRA = Trap("HDCR", "TDRA", 11)
PL1PCTEN = Trap("CNTHCTL", "PL1PCTEN", 0, writes=False, when=0)
PL1PCEN = Trap("CNTHCTL", "PL1PCEN", 1, when=0)

SECTIONS: Mapping[Trap, Citation] = MappingProxyType(
    {
        **dict.fromkeys((TID0, TID1, TID2, TID2_WRITES_TOO, TID3), arm("B1.14.2")),
        **dict.fromkeys((TSW, TPC, TPU), arm("B1.14.4")),
        TTLB: arm("B1.14.5"),
        TAC: arm("B1.14.6"),
        TVM: arm("B1.14.13"),
        TJDBX: arm("B1.14.10"),
        TTEE: arm("B1.14.11"),
        TCPAC: arm("B1.14.12"),
        TTA: arm("B1.14.16"),
        **dict.fromkeys((TPMCR, TPM), arm("C12.8")),
        **dict.fromkeys((TDA, TDOSA, TDRA), arm("B1.14.15")),
        **dict.fromkeys((PL1PCTEN, PL1PCEN), arm("B4.1.22")),
    }
)
"""The section of the manual that defines each control."""
