"""Records that are made quickly are the records that attrs would make."""

import pickle

import pytest
from attrs import evolve, frozen
from attrs.exceptions import FrozenInstanceError

from spec.records import maker, quick


@quick
@frozen
class Quick:
    left: int
    right: int = 2


new_quick = maker(Quick)


@pytest.mark.parametrize("make", [Quick, new_quick])
def test_a_quick_record_has_the_given_fields_and_the_defaults_of_others(make):
    found = [(made.left, made.right) for made in (make(1), make(1, 3), make(right=3, left=1))]
    assert found == [(1, 2), (1, 3), (1, 3)]


def test_a_function_makes_records_of_the_class():
    made = new_quick(1, 3)
    assert type(made) is Quick and made == Quick(1, 3) and hash(made) == hash(Quick(1, 3))
    assert evolve(made, left=2) == Quick(2, 3) == pickle.loads(pickle.dumps(new_quick(2, 3)))


@pytest.mark.parametrize("make", [Quick, new_quick])
def test_a_quick_record_is_frozen(make):
    with pytest.raises(FrozenInstanceError):
        make(1).left = 2
