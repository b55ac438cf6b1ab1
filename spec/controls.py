"""The control bits of Hyp mode by name: the registers in which a hypervisor decides what guests may do."""

from collections.abc import Mapping
from types import MappingProxyType

from spec.citations import Citation, arm

HCR = MappingProxyType(
    {
        "VM": 0, "SWIO": 1, "PTW": 2, "FMO": 3, "IMO": 4, "AMO": 5, "VF": 6, "VI": 7, "VA": 8, "FB": 9, "BSU": 10,
        "DC": 12, "TWI": 13, "TWE": 14, "TID0": 15, "TID1": 16, "TID2": 17, "TID3": 18, "TSC": 19, "TIDCP": 20,
        "TAC": 21, "TSW": 22, "TPC": 23, "TPU": 24, "TTLB": 25, "TVM": 26, "TGE": 27,
    }
)  # fmt: skip
"""HCR; BSU is a field of two bits, of which KVM/ARM sets the lower."""
HSTR = MappingProxyType({**{f"T{n}": n for n in range(16) if n not in (4, 14)}, "TTEE": 16, "TJDBX": 17})
HCPTR = MappingProxyType({**{f"TCP{n}": n for n in range(14)}, "TASE": 15, "TTA": 20, "TCPAC": 31})
HDCR = MappingProxyType({"TPMCR": 5, "TPM": 6, "HPME": 7, "TDE": 8, "TDA": 9, "TDOSA": 10, "TDRA": 11})

CONTROLS: Mapping[str, Mapping[str, int]] = MappingProxyType({"hcr": HCR, "hstr": HSTR, "hcptr": HCPTR, "hdcr": HDCR})
"""The control registers by their names in `spec.registers`, each with its bits."""

SOURCES: Mapping[str, Citation] = MappingProxyType(
    {"hcr": arm("B4.1.65"), "hstr": arm("B4.1.73"), "hcptr": arm("B4.1.64"), "hdcr": arm("B4.1.66")}
)
