"""What a guest does with its virtual CPU interface, GICV, without any exit."""

from attrs import field, frozen

from spec.citations import gic, paper, rule
from spec.gic import virtual_cpu_interface as gicv
from spec.gic.state import Choices, VirtualInterface
from spec.gic.virtual_registers import gicv_read, gicv_write
from spec.words import U3, U16, U32


@frozen
class GuestUse:
    """One use of the virtual CPU interface."""


@frozen
class Acknowledges(GuestUse):
    """A load from GICV_IAR."""

    choices: Choices = field(factory=Choices)


@frozen
class Completes(GuestUse):
    """A store to GICV_EOIR, of what GICV_IAR gave or of anything else."""

    value: U32
    choices: Choices = field(factory=Choices)


@frozen
class Deactivates(GuestUse):
    """A store to GICV_DIR."""

    value: U32
    choices: Choices = field(factory=Choices)


@frozen
class Loads(GuestUse):
    """Any load from GICV."""

    offset: U16
    size: U3
    choices: Choices = field(factory=Choices)


@frozen
class Stores(GuestUse):
    """Any store to GICV."""

    offset: U16
    size: U3
    value: U32
    choices: Choices = field(factory=Choices)


@rule(gic("5.5"), paper("3.5"))
def guest_step(interface: VirtualInterface, use: GuestUse) -> VirtualInterface:
    """The virtual interface after the guest has used it.

    Where a list register is linked to a physical interrupt, which Linux 3.12 never does, nothing happens to that one.
    """
    match use:
        case Acknowledges(choices):
            return gicv.acknowledge(interface, 0, choices)[0]
        case Completes(value, choices):
            return gicv.end_of_interrupt(interface, value, 0, choices)[0]
        case Deactivates(value, choices):
            return gicv.deactivation(interface, value, choices)[0]
        case Loads(offset, size, choices):
            return gicv_read(interface, offset, size, choices)[0]
        case Stores(offset, size, value, choices):
            return gicv_write(interface, offset, size, value, choices)[0]
    raise AssertionError(use)
