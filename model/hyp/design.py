"""The decisions of KVM/ARM about Hyp mode's set-up that are data: what is done, in which order, and in which tables."""

from enum import Enum

from attrs import frozen

from model.programs import Programs, Routines
from spec.citations import Citation


class Do(Enum):
    """What one step of a routine does."""

    CHECK_MODE = "gives up where the kernel was not started in Hyp mode"
    LOCK_HOTPLUG = "keeps processors from coming and going"
    MAP_IDENTITY = "maps the page of the initialisation code at its physical address, in the boot tables"
    MAP_BOOT_TRAMPOLINE = "maps the same page at the trampoline's address, in the boot tables"
    MAP_TRAMPOLINE = "maps the same page at the trampoline's address, in the runtime tables"
    MAP_TEXT = "maps the lowvisor's code"
    MAP_STACKS = "maps the Hyp stack of each processor"
    MAP_CONTEXTS = "maps the host's VFP area of each processor"
    REGISTER_HOTPLUG = "registers what is done when a processor comes online"
    REGISTER_RESUME = "registers what is done when a processor resumes"
    CALL_ALL = "has every processor that is online set its Hyp mode up"
    AWAIT_ALL = "waits until they have"
    MAP_GICH = "maps the virtual interface's registers"
    FREE_BOOT = "frees the boot tables"
    UNLOCK_HOTPLUG = "lets processors come and go again"
    READY = "lets user space make VMs"
    CHECK_VECTORS = "leaves a processor alone whose vectors are not the stub's"
    SET_INIT_VECTORS = "has the stub set HVBAR to the initialisation vectors"
    SET_BOOT_TABLES = "sets HTTBR to the boot tables"
    SET_HTCR = "sets HTCR by the host's TTBCR"
    SET_VTCR = "sets VTCR: 40 bits, from level 1"
    SET_HMAIR0 = "sets HMAIR0 to the host's attributes"
    SET_HMAIR1 = "sets HMAIR1 to the host's attributes"
    SET_HSCTLR = "sets HSCTLR by the host's SCTLR, which switches the MMU on"
    SET_STACK = "sets the Hyp stack pointer"
    SET_VECTORS = "sets HVBAR to KVM's own vectors"
    TO_TRAMPOLINE = "goes on at the trampoline's address"
    SET_TABLES = "sets HTTBR to the runtime tables"
    FLUSH = "invalidates Hyp mode's translations"
    RETURN = "returns to the host"


class Trait(Enum):
    """Something that the highvisor's code heeds or not."""

    FIELDS_CLEARED = "what control registers held before is cleared where it is set"
    TWO_TABLES = "the identity map of the initialisation code has tables of its own"


@frozen(cache_hash=True)
class HypStep:
    """One step of a routine, with the code that it stands for."""

    name: str
    do: Do
    sources: tuple[Citation, ...]


@frozen(cache_hash=True)
class HypDesign(Routines[HypStep]):
    """How a design sets Hyp mode up: its routines, and what its code heeds."""

    init: tuple[HypStep, ...]
    """KVM starts, once."""
    cpu: tuple[HypStep, ...]
    """Each processor: when KVM starts, when it comes online, when it resumes."""
    traits: frozenset[Trait]


ROUTINES = ("init", "cpu")
PROGRAMS = Programs(ROUTINES, 60)
