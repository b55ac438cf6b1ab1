"""The policy: what a guest can observe is an equivalence of processors, and every register has an owner."""

from typing import Any

import z3

from properties.engines.explorer import new_solver
from properties.engines.formulas import formula
from properties.engines.inputs import symbolic
from properties.policy import Owner, equivalent_for_guest, owner
from spec.processor import Processor
from spec.registers import REGISTERS

A, B, C = (symbolic(Processor, name) for name in "abc")


def follows(conclusion: Any, *premises: Any) -> bool:
    solver = new_solver()
    solver.add(*map(formula, premises), z3.Not(formula(conclusion)))
    return bool(solver.check() == z3.unsat)


def test_a_guest_cannot_tell_a_processor_from_itself() -> None:
    assert follows(equivalent_for_guest(A, A))


def test_telling_apart_does_not_depend_on_the_order() -> None:
    assert follows(equivalent_for_guest(B, A), equivalent_for_guest(A, B))


def test_what_cannot_be_told_apart_from_the_same_cannot_be_told_apart() -> None:
    assert follows(equivalent_for_guest(A, C), equivalent_for_guest(A, B), equivalent_for_guest(B, C))


def test_some_processors_can_be_told_apart() -> None:
    assert not follows(equivalent_for_guest(A, B))


def test_every_register_has_an_owner() -> None:
    assert all(isinstance(owner(name), Owner) for name in REGISTERS)
