"""How a fault of translation is reported: to PL1 in DFSR or IFSR, to Hyp mode in HSR, with the address.

Stage 2 faults go to Hyp mode, with the virtual address in HDFAR or HIFAR and, but for permission and alignment faults
of the access itself, the intermediate physical page in HPFAR. Stage 1 faults stay at PL1.
"""

from attrs import frozen

from spec.citations import arm, rule
from spec.exceptions import AbortKind, take_data_abort, take_prefetch_abort
from spec.processor import Processor
from spec.syndrome import U25, FaultStatus, iss_data_abort, iss_prefetch_abort
from spec.translation.stage1 import Access
from spec.translation.translate import Translation
from spec.words import U1, U2, U4, U32, bits, choose, every


@frozen
class Transfer:
    """The instruction that makes a data access."""

    single: U1
    """1 for a load or store of one core register other than PC, without write-back, exclusiveness or coprocessor."""
    size: U2
    """0 byte, 1 halfword, 2 word."""
    signed: U1
    """1 for a load that extends the sign."""
    rt: U4
    maintenance: U1
    """1 for a cache maintenance or address translation operation, which counts as a write."""
    wide: U1
    """1 for a 32-bit instruction."""


@rule(arm("B1.8.9"), arm("B1.9.8"))
def abort_kind(translation: Translation) -> AbortKind:
    """What the routing of a translation's fault depends on."""
    own = choose(translation.status == FaultStatus.ALIGNMENT, AbortKind.ALIGNMENT, AbortKind.STAGE1)
    return choose(translation.stage == 2, AbortKind.STAGE2, own)


@rule(arm("B3.13.6"), arm("B3.13.7"))
def data_syndrome(translation: Translation, access: Access, transfer: Transfer) -> U25:
    """The syndrome of a data abort; the instruction is described for a stage 2 fault on the access itself.

    WnR is that of the access also where the read of a stage 1 descriptor faults.
    """
    described = every(translation.stage == 2, translation.walk == 0)
    isv = choose(described, transfer.single, 0)
    write = access.write | transfer.maintenance
    walk, status = translation.walk, translation.status
    return iss_data_abort(
        isv, transfer.size, transfer.signed, transfer.rt, 0, transfer.maintenance, walk, write, status
    )


@rule(arm("B1.9.7"), arm("B1.9.8"), arm("B3.13.6"), arm("B3.13.7"))
def report(
    cpu: Processor, va: U32, access: Access, transfer: Transfer, translation: Translation, unknown: U32
) -> Processor:
    """The abort that an access takes whose translation faults; `unknown` is what UNKNOWN registers take."""
    kind, page = abort_kind(translation), bits(translation.ipa, 39, 12)
    if access.fetch == 1:
        iss = iss_prefetch_abort(0, translation.walk, translation.status)
        return take_prefetch_abort(cpu, kind, iss, va, page, unknown)
    iss = data_syndrome(translation, access, transfer)
    return take_data_abort(cpu, kind, iss, va, page, transfer.wide, unknown)
