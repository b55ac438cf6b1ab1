"""What the paper claims of KVM/ARM, in our words, and which properties check it."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from attrs import frozen

from properties.catalogue import PROPERTIES


class Pending(Enum):
    """What a claim, or the rest of one, waits for: a part of the system that the model does not have yet."""

    COST = "cost: the cycles that a run takes"


@frozen
class Claim:
    """One claim of the paper: its number, what it says, and the section that makes it."""

    id: str
    text: str
    section: str
    pending: Pending | None = None
    """What the part of it that is not yet checked waits for; None where nothing does."""


def _claims() -> tuple[Claim, ...]:
    return (
        Claim("C1", "Hyp mode runs the lowvisor and nothing else; kernel and highvisor stay in kernel mode.", "3.1"),
        Claim("C2", "The way between highvisor and VM leads through Hyp mode in both directions.", "3.1"),
        Claim("C3", "The lowvisor sets up, switches and sorts traps; whatever emulates is in the highvisor.", "3.1"),
        Claim("C4", "While the host runs, HVC alone enters Hyp mode.", "3.1"),
        Claim("C5", "The host has all of its state back after every stay in a VM.", "3.2"),
        Claim("C6", "A VM has all of its state back after every exit that emulates nothing.", "3.2"),
        Claim("C7", "Hyp mode executes undisturbed by the registers of a VM that it loads.", "3.2"),
        Claim("C8", "The traps for VMs are set exactly while a VM runs.", "3.2"),
        Claim("C9", "Stage 2 translation is on exactly while a VM runs.", "3.3"),
        Claim("C10", "Shadow registers show a VM its own processor's identity, and the host the real one.", "3.2"),
        Claim("C11", "A VM reaches those physical pages that its stage 2 tables map, and no others.", "3.3"),
        Claim("C12", "No VM reaches anything of the host's or of the hypervisor's.", "3.3"),
        Claim("C13", "A fault on a VM's own memory is filled by the host, and the access repeats.", "3.3"),
        Claim("C14", "A fault elsewhere is an access to an emulated device, chosen by its IPA.", "3.4"),
        Claim("C15", "A VM changes its own stage 1 translation without a trap.", "3.2"),
        Claim("C16", "VFP is switched at most once in a stay in a VM, and not at all where it is unused.", "3.2"),
        Claim("C17", "A physical interrupt takes a running VM out, and the host handles it.", "3.5"),
        Claim("C18", "A physical interrupt while the host runs goes straight to the kernel.", "3.5"),
        Claim("C19", "A VM can neither acknowledge nor mask nor delay a physical interrupt.", "3.5"),
        Claim("C20", "A VM acknowledges and completes virtual interrupts without an exit.", "3.5"),
        Claim("C21", "An access to the distributor traps, and its emulation excludes others.", "3.5"),
        Claim("C22", "A virtual interrupt that is raised and enabled arrives, as often as it should.", "3.5"),
        Claim("C23", "What an entry writes to the list registers is read back by the exit.", "3.5"),
        Claim("C24", "An IPI costs its sender one exit, and interrupts a receiver that runs.", "3.5"),
        Claim("C25", "A VM reads the virtual counter and sets the virtual timer without an exit.", "3.6"),
        Claim("C26", "A virtual timer that expires interrupts its vCPU, whether that runs or not.", "3.6"),
        Claim("C27", "No VM can set the physical timer.", "3.6"),
        Claim("C28", "A VM's virtual time depends on no other VM and not on the host.", "3.6"),
        Claim(
            "C29", "Traps are cheap beside world switches, of which the VGIC is more than half.", "5.2", Pending.COST
        ),
        Claim("C30", "A kernel that was not started in Hyp mode works, without KVM.", "4"),
        Claim("C31", "What is sensitive and not switched traps.", "3.2, Table 1"),
    )


CLAIMS: Mapping[str, Claim] = MappingProxyType({claim.id: claim for claim in _claims()})


def checked_by(claim: str) -> tuple[str, ...]:
    """The ids of the properties that check a claim, by its number such as `C5`; raises KeyError for an unknown one."""
    number = CLAIMS[claim].id
    return tuple(prop.id for prop in PROPERTIES if number in prop.claims)
