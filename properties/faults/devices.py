"""Faults of the emulation of devices: each decision about an access spoilt, and one that completes twice."""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import evolve

from model.design import Completion, Design, Skipping
from properties.faults.fault import Fault
from spec.citations import Citation, arm, linux

MMIO = "arch/arm/kvm/mmio.c"


def spoilt(**changes: Any) -> Callable[[Design], Design]:
    """The planting of a change to how accesses to devices are carried out."""
    return lambda design: evolve(design, mmio=evolve(design.mmio, **changes))


def device_faults() -> Iterator[Fault]:
    """Every fault of the emulation of devices."""
    yield Fault(
        "mmio-completed-twice", "completion of device accesses",
        "an access is completed, and its instruction stepped over, whenever the shared exit reason says MMIO, which a "
        "KVM_RUN that returns at once leaves there",
        (linux("virt/kvm/arm/mmio.c", "kvm_handle_mmio_return", "5.3"),),
        spoilt(
            completion=Completion.EXIT_REASON, signal_clears_reason=False, skips=Skipping.AT_COMPLETION,
            trusts_run=True,
        ),
        frozenset({"MMIO.LOAD", "MMIO.SIGNAL"}), "history",
    )  # fmt: skip
    for identifier, element, statement, source, plant, touches in ELEMENTS:
        yield Fault(identifier, element, statement, (source,), plant, frozenset(touches), "device")


ELEMENTS: tuple[tuple[str, str, str, Citation, Callable[[Design], Design], tuple[str, ...]], ...] = (
    (
        "mmio-not-skipped", "stepping over device accesses", "an access to a device leaves the PC at its instruction",
        linux(MMIO, "decode_hsr"), spoilt(skips=Skipping.NEVER), ("MMIO.LOAD",),
    ),
    (
        "mmio-not-sign-extended", "sign of loads from devices", "a load from a device never extends the sign",
        linux(MMIO, "kvm_handle_mmio_return"), spoilt(extends_sign=False), ("MMIO.LOAD",),
    ),
    (
        "mmio-wrong-width", "width of device accesses", "every access to a device is one of a whole word",
        linux(MMIO, "decode_hsr"), spoilt(lengths=(4, 4, 4)), ("MMIO.LOAD",),
    ),
    (
        "mmio-not-delivered", "result of loads from devices", "what a device answers does not reach the register",
        linux(MMIO, "kvm_handle_mmio_return"), spoilt(delivers=False), ("MMIO.LOAD",),
    ),
    (
        "mmio-unbanked-store", "register of stores to devices", "a store to a device takes the User mode's register",
        arm("B1.3.2"), spoilt(banked=False), ("MMIO.STORE",),
    ),
    (
        "mmio-page-only", "address of device accesses", "a device is told the page of an access, not the place in it",
        linux("arch/arm/kvm/mmu.c", "kvm_handle_guest_abort"), spoilt(adds_offset=False), ("MMIO.LOAD",),
    ),
    (
        "mmio-not-awaited", "waiting for devices", "a vCPU runs on before its device has answered",
        linux(MMIO, "io_mem_abort"), spoilt(awaits=False), ("MMIO.LOAD",),
    ),
)  # fmt: skip
"""Id, element, statement, source, planting and what is touched, of each decision about an access."""
