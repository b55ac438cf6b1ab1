"""Interrupt controllers for tests: concrete ones with everything enabled, and arbitrary ones for proofs."""

from typing import Any, get_args

import z3

from properties.engines.formulas import formula
from properties.engines.inputs import symbolic
from properties.engines.maps import Arbitrary, Symbolic
from spec.gic.list_registers import ListState, hardware, software
from spec.gic.state import UNUSED, Choices, CpuInterface, Distributor, Interrupts, Irq, VirtualInterface
from spec.sparse import sparse
from spec.words import U32

VMCR = 0xF84C0002
"""Group 1 enabled, no priority masked, the smallest binary points."""
ACK_CTL, FIQ_EN, CBPR, VEM = 1 << 2, 1 << 3, 1 << 4, 1 << 9
PLAIN = Choices()


def pending(number: int, priority: int = 20, source: int = 0, eoi: int = 0, group: int = 1) -> int:
    """A list register with a pending interrupt."""
    return software(number, source, eoi, priority, ListState.PENDING, group)


def linked(number: int, physical: int, priority: int = 20) -> int:
    """A list register with a pending interrupt linked to a physical one."""
    return hardware(number, physical, priority, ListState.PENDING, 1)


def virtual(*lrs: int, hcr: int = 1, vmcr: int = VMCR | ACK_CTL, apr: int = 0) -> VirtualInterface:
    """A virtual interface with these list registers."""
    return VirtualInterface(hcr, vmcr, apr, lrs)


def distributor(*irqs: tuple[tuple[int, int], Irq], typer: int = 0x22) -> Distributor:
    """A distributor without Security Extensions for two processors and 96 interrupts, with some of them in use."""
    return Distributor(3, typer, sparse(UNUSED, irqs))


def physical(**fields: int) -> CpuInterface:
    """A physical CPU interface that enables both groups, masks nothing and takes all with GICC_IAR."""
    given = {"ctlr": 7, "pmr": 0xF8, "bpr": 2, "abpr": 3, "apr": 0, "nsapr": 0}
    return CpuInterface(**(given | fields))


ANY = VirtualInterface(*(symbolic(U32, name) for name in ("hcr", "vmcr", "apr")), tuple(
    symbolic(U32, f"lr{place}") for place in range(4)
))  # fmt: skip
"""Any virtual interface of four list registers."""
ANY_CHOICES: Choices = symbolic(Choices, "choices")


def any_distributor() -> Distributor:
    """A distributor with any contents, of any number of interrupts."""
    irqs: Any = Symbolic(Arbitrary("irqs", get_args(Interrupts)[1]))
    return Distributor(symbolic(U32, "ctlr"), symbolic(U32, "typer"), irqs)


def proved(condition: Any, *assumptions: Any) -> bool:
    """Whether a condition holds wherever the assumptions do, which must hold somewhere."""
    question = z3.SolverFor("QF_UFBV")
    question.add(*(formula(assumption) for assumption in assumptions))
    assert question.check() == z3.sat
    question.add(z3.Not(formula(condition)))
    found = question.check()
    assert found != z3.unknown
    return bool(found == z3.unsat)
