"""Symbolic values under an assignment: their variables, their concrete values, and the same values renamed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from functools import cache
from typing import Any

import attrs
import z3

from properties.engines.formulas import of_term, truth, variable
from properties.engines.inputs import field_hints
from properties.engines.maps import Symbolic, words_of
from properties.engines.symbolic import Truth, Word, is_record, rebuilt, record_fields, term_at


def _transform(value: Any, word: Callable[[Word], Any], proposition: Callable[[Truth], Any]) -> Any:
    """The same structure with each symbolic word and truth value replaced; what is concrete stays as it is."""
    if isinstance(value, Word):
        return word(value)
    if isinstance(value, Truth):
        return proposition(value)
    if isinstance(value, Symbolic):
        return value.transformed(lambda inner: _transform(inner, word, proposition))
    if isinstance(value, tuple):
        items = [_transform(item, word, proposition) for item in value]
        return value if all(map(operator.is_, items, value)) else rebuilt(value, items)
    if is_record(value):
        names = record_fields(value.__class__)
        old = [getattr(value, name) for name, _ in names]
        new = [_transform(item, word, proposition) for item in old]
        if all(map(operator.is_, old, new)):
            return value
        return type(value)(**{alias: item for (_, alias), item in zip(names, new, strict=True)})
    return value


def _map_terms(word: Word, replace: Callable[[Any, str], Any]) -> Any:
    """The word with each solver term replaced by the word or number that `replace(term, name)` gives for it.

    `name` is the variable's name, or empty where the term is no variable.
    """
    result: Any = word.const
    for at, size, atom, low, inverse in word.parts:
        piece = (replace(atom.term, atom.name) >> low) & ((1 << size) - 1)
        result = result | ((piece ^ ((1 << size) - 1) if inverse else piece) << at)
    return result


def _terms(value: Any) -> Iterator[Any]:
    """Every solver term that occurs in a symbolic structure."""
    if isinstance(value, Word):
        for part in value.parts:
            yield part[2].term
    elif isinstance(value, Truth):
        yield value.term
    elif isinstance(value, z3.ExprRef):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _terms(item)
    elif isinstance(value, Symbolic):
        for update in value.updates:
            yield from _terms((update.key, update.value))
    elif is_record(value):
        for name, _ in record_fields(value.__class__):
            yield from _terms(getattr(value, name))


_KEPT: dict[int, tuple[Any, Mapping[str, Any]]] = {}
_MOST_KEPT = 1 << 14


def variables(value: Any) -> dict[str, Any]:
    """The free variables of any structure of words, truth values and z3 terms: z3 constants by name."""
    found: dict[str, Any] = {}
    for term in _terms(value):
        found.update(_variables_of(term))
    return found


def _variables_of(term: Any) -> Mapping[str, Any]:
    kept = _KEPT.get(term.get_id())
    if kept is not None and kept[0].eq(term):
        return kept[1]
    found: dict[str, Any] = {}
    seen, pending = {term.get_id()}, [term]
    while pending:
        node = pending.pop()
        children = node.children()
        if not children and node.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found[node.decl().name()] = node
        for child in children:
            if child.get_id() not in seen:
                seen.add(child.get_id())
                pending.append(child)
    if len(_KEPT) >= _MOST_KEPT:
        _KEPT.clear()
    _KEPT[term.get_id()] = (term, found)
    return found


class Assignment:
    """Values of variables by name; a variable without one is 0 or false."""

    def __init__(self, values: Mapping[str, int | bool]) -> None:
        self.values = values
        self._model = z3.Model()
        self._given: set[str] = set()

    def value(self, term: Any, name: str = "") -> Any:
        """The number or truth value of a z3 term."""
        if name:
            return self.values.get(name, 0)
        for given_name, constant in _variables_of(term).items():
            if given_name not in self._given:
                self._given.add(given_name)
                given = self.values.get(given_name, 0)
                is_truth = z3.is_bool(constant)
                self._model.update_value(
                    constant, z3.BoolVal(bool(given)) if is_truth else z3.BitVecVal(int(given), constant.size())
                )
        return _value(self._model, term)


def _value(model: Any, term: Any) -> Any:
    found = model.eval(term, model_completion=True)
    if z3.is_bool(found):
        return z3.is_true(found)
    return found.as_long()


def evaluate(value: Any, assignment: Any) -> Any:
    """The concrete value of a symbolic structure under a z3 model, an `Assignment` or a mapping from names to values.

    Variables without a value are 0 or false; a field declared as an enumeration becomes its member.
    """
    if isinstance(assignment, Mapping):
        assignment = Assignment(assignment)
    if isinstance(assignment, Assignment):
        look = assignment.value
    else:
        model = assignment

        def look(term: Any, name: str = "") -> Any:
            return _value(model, term)

    if isinstance(value, z3.ExprRef):
        return look(value)
    result = _transform(value, lambda word: _map_terms(word, look), lambda condition: look(condition.term))
    return result if result is value else _with_members(result)


def _with_members(value: Any) -> Any:
    """The structure with numbers in fields declared as enumerations made members."""
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_with_members(item) for item in value)
    if not is_record(value) or not _may_hold_members(value.__class__):
        return value
    changes: dict[str, Any] = {}
    for (name, alias), hint in zip(record_fields(value.__class__), field_hints(value.__class__).values(), strict=True):
        old = getattr(value, name)
        if isinstance(hint, type) and issubclass(hint, IntEnum):
            new = hint(old) if old in list(hint) else old
        else:
            new = _with_members(old)
        if new is not old:
            changes[alias] = new
    return attrs.evolve(value, **changes) if changes else value


@cache
def _may_hold_members(cls: type) -> bool:
    """Whether a record class declares anything but words and records of words."""
    for hint in field_hints(cls).values():
        if isinstance(hint, type) and attrs.has(hint) and not hint.__subclasses__():
            if _may_hold_members(hint):
                return True
        elif isinstance(hint, type) or not hasattr(hint, "__metadata__"):
            return True
    return False


def rename(value: Any, mapping: Mapping[str, Any]) -> Any:
    """The same value with variables replaced: each name by a new name, a word, a number or a truth value.

    A replacement must fit the variable's width; ValueError otherwise.
    """

    def replaced(term: Any) -> Any:
        pairs = [
            (constant, _replacement(mapping[name], constant))
            for name, constant in _variables_of(term).items()
            if name in mapping
        ]
        if not pairs:
            return term
        new = z3.substitute(term, *pairs)
        return z3.simplify(new) if any(isinstance(mapping.get(old.decl().name()), int) for old, _ in pairs) else new

    def word(term: Any, name: str) -> Any:
        new = mapping.get(name)
        if isinstance(new, (int, Word)) and not isinstance(new, bool):
            return new
        return variable(new, term.size()) if isinstance(new, str) else of_term(replaced(term))

    if isinstance(value, z3.ExprRef):
        return replaced(value)
    return _transform(value, lambda old: _map_terms(old, word), lambda old: truth(replaced(old.term)))


def _replacement(new: Any, constant: Any) -> Any:
    if isinstance(new, str):
        return z3.Const(new, constant.sort())
    if isinstance(new, Truth):
        return new.term
    if isinstance(new, bool):
        return z3.BoolVal(new)
    width = constant.size()
    if (new if isinstance(new, int) else new.bound) >= 1 << width:
        raise ValueError(f"{constant} has {width} bits, which its replacement does not fit")
    return term_at(new, width)


def bindings(value: Any, concrete: Any) -> dict[str, int | bool]:
    """The values that the variables of a fresh symbolic value take in a concrete value of the same frame."""
    found: dict[str, int | bool] = {}
    for pair in _pairs(value, concrete):
        fresh, actual = pair
        if isinstance(fresh, Word):
            found[fresh.parts[0][2].name] = actual
        else:
            found[fresh.term.decl().name()] = actual
    return found


def _pairs(value: Any, concrete: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, (Word, Truth)):
        yield value, concrete
    elif isinstance(value, (tuple, list)):
        for item, other in zip(value, concrete, strict=True):
            yield from _pairs(item, other)
    elif isinstance(value, Symbolic):
        held = list(concrete.entries.items()) or [((0,) * len(words_of(value.updates[0].key)), value.default)]
        for number, update in enumerate(value.updates):
            key, item = held[min(number, len(held) - 1)]
            yield from _pairs((words_of(update.key), update.value), (words_of(key), item))
    elif is_record(value) and value is not concrete:
        for name, _ in record_fields(value.__class__):
            yield from _pairs(getattr(value, name), getattr(concrete, name))
