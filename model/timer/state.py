"""The state of time: the counter, each processor's virtual timer, and what KVM keeps for each vCPU and VM.

What a processor executes in between is the business of the spine (`model.system`). Here a vCPU is a thread of the host
with a program counter in the run loop, and a processor is the thread on it, its virtual timer and what interrupts it.
Fields marked "history" exist in no machine: properties speak with them.

Interrupt 27 has a stand-in for its distributor and its list register: whether the guest enables it, whether it is
pending, and whether a list register has it pending or active.

Not modelled: other interrupts, a list register that is missing, and the distributor's lock, so no property of time sees
an interrupt 27 that gets lost inside the distributor, which `interrupts.delivered` does of any interrupt; the guest's
own mask (CPSR.I), so a guest may acknowledge at any time; the request that a kick leaves, so that in designs whose
software timer injects, a kick between flush and entry is missed, as it is in Linux 3.12 (D2).
"""

from enum import IntEnum

from attrs import frozen

from spec.records import quick
from spec.words import U1, U2, U8, U64


class Exit(IntEnum):
    """Why the guest was left, as far as it concerns time."""

    NONE = 0
    WAIT = 1
    USER = 2


PENDING, ACTIVE = 1, 2
"""The bits of `Vcpu.listed`."""


@quick
@frozen
class Core:
    """One processor."""

    busy: U1
    """1 while a vCPU's thread runs here; else the host does something else."""
    vcpu: U8
    """Which; 0 where none does."""
    masked: U1
    """1 while interrupts are masked for the host."""
    irq: U1
    """1 while a physical interrupt other than the timer's is pending: a kick."""
    late: U1
    """1 where interrupt 27 was signalled and the host has not taken it: it may come still, though its line is low."""
    silenced: U1
    """1 while the physical interrupt 27 is disabled here."""
    active: U1
    """1 while the physical interrupt 27 is active here, so that it is not signalled again."""
    ctl: U2
    """CNTV_CTL."""
    cval: U64
    """CNTV_CVAL."""
    off: U64
    """CNTVOFF."""
    access: U2
    """CNTHCTL.PL1PCTEN and PL1PCEN."""


@quick
@frozen
class Vcpu:
    """What the kernel keeps for one vCPU, and its thread."""

    at: U8
    vm: U8
    wait: U2
    """A `Wait`."""
    exit: U2
    """An `Exit`."""
    signal: U1
    """1 while a signal is pending for the thread."""
    ctl: U2
    """The saved CNTV_CTL."""
    cval: U64
    """The saved CNTV_CVAL."""
    armed: U1
    """1 from when the software timer is armed until its work is done."""
    running: U1
    """1 while the software timer counts."""
    left: U64
    """The ticks until it expires."""
    queued: U1
    """1 while its work is queued."""
    enabled: U1
    """1 where the guest has enabled interrupt 27 in its distributor."""
    line: U1
    """The line of interrupt 27; in designs that know levels."""
    pending: U1
    """1 while an edge of interrupt 27 waits in the distributor."""
    listed: U2
    """The state of interrupt 27 in its list register: 0, or `PENDING` and `ACTIVE`."""
    own_ctl: U2
    """History: CNTV_CTL as the guest last wrote it."""
    own_cval: U64
    """History: CNTV_CVAL as the guest last wrote it."""


@quick
@frozen
class Vm:
    """struct arch_timer_kvm of one VM."""

    timer: U1
    """1 where it has the in-kernel timer."""
    ready: U1
    """1 once a vCPU of it has run."""
    off: U64
    """cntvoff: how far its virtual time trails the physical count."""


@quick
@frozen
class TimeState:
    """Everything about time."""

    now: U64
    """CNTPCT, the same on all processors."""
    cores: tuple[Core, ...]
    vcpus: tuple[Vcpu, ...]
    vms: tuple[Vm, ...]
