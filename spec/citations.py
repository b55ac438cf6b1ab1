"""Where a rule comes from: citations as data, attached to the functions and tables they justify."""

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import frozen

F = TypeVar("F", bound=Callable[..., Any])


@frozen
class Citation:
    """One place in one document: a manual's section, a source file's function and version, a paper's section."""

    document: str
    section: str

    def __str__(self) -> str:
        return f"{self.document} {self.section}"


def arm(section: str) -> Citation:
    """ARM Architecture Reference Manual, ARMv7-A and ARMv7-R edition (DDI 0406C), by section."""
    return Citation("ARM DDI 0406C", section)


def gic(section: str) -> Citation:
    """ARM Generic Interrupt Controller architecture version 2.0 (IHI 0048B), by section."""
    return Citation("ARM IHI 0048B", section)


def trm(section: str) -> Citation:
    """Cortex-A15 Technical Reference Manual (DDI 0438), by section or register."""
    return Citation("Cortex-A15 TRM", section)


def psci(function: str) -> Citation:
    """ARM Power State Coordination Interface (DEN 0022), the section of a function."""
    return Citation("ARM DEN 0022", function)


def paper(section: str) -> Citation:
    """Dall and Nieh, KVM/ARM: The Design and Implementation of the Linux ARM Hypervisor, ASPLOS 2014, by section."""
    return Citation("ASPLOS 2014", section)


def linux(file: str, function: str, version: str = "3.12") -> Citation:
    """A function or macro of the Linux kernel, by file and version."""
    return Citation(f"Linux {version}", f"{file} {function}")


def rule(*sources: Citation) -> Callable[[F], F]:
    """Mark a function as a rule of the specification or a step of the model, with the places that justify it.

    The function itself is left as it is; the lifting test, the documentation and `kvmarm explain` find it by its mark.
    """

    def mark(function: F) -> F:
        function.sources = sources  # type: ignore[attr-defined]
        return function

    return mark
