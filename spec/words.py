"""The word language: the few operations in which every rule of the specification is written.

A word is a natural number. A rule applies `& | ^ << >> +`, comparisons, `if` and the functions below, so the same text
runs on Python integers, on symbolic words (which overload the same operators) and reads as documentation.
There is no wrap-around: modular arithmetic is written `add`, `sub`, `inv`, each with its width.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Annotated, Any, TypeVar

import attrs
from attrs import frozen

T = TypeVar("T")


@frozen
class Width:
    """The declared size of a word: it is below `2 ** bits`, and below `limit` where one is given."""

    bits: int
    limit: int | None = None


U1 = Annotated[int, Width(1)]
U2 = Annotated[int, Width(2)]
U3 = Annotated[int, Width(3)]
U4 = Annotated[int, Width(4)]
U5 = Annotated[int, Width(5)]
U6 = Annotated[int, Width(6)]
U8 = Annotated[int, Width(8)]
U12 = Annotated[int, Width(12)]
U16 = Annotated[int, Width(16)]
U24 = Annotated[int, Width(24)]
U32 = Annotated[int, Width(32)]
U40 = Annotated[int, Width(40)]
U64 = Annotated[int, Width(64)]


def mask(width: int) -> int:
    """The word whose low `width` bits are one."""
    return (1 << width) - 1


def bits(x: int, hi: int, lo: int) -> int:
    """The field x[hi:lo], as a number of hi-lo+1 bits."""
    return (x >> lo) & ((1 << (hi - lo + 1)) - 1)


def bit(x: int, n: int) -> int:
    """The bit x[n], 0 or 1."""
    return (x >> n) & 1


def fields(*names: str) -> Callable[[int], tuple[int, ...]]:
    """A function that takes a word apart, into fields named as in the manual's figures.

    `"16"` is a bit, `"8:5"` a field, and `"15,11:10"` what is joined of several, the highest first.
    """
    return eval(f"lambda x: ({''.join(f'{_joined(name)}, ' for name in names)})")  # type: ignore[no-any-return]


def _joined(name: str) -> str:
    at, terms = 0, []
    for part in reversed(name.split(",")):
        hi, lo = (int(end) for end in (part.split(":") * 2)[:2])
        ones = mask(hi - lo + 1)
        terms.append(f"x >> {lo - at} & {ones << at}" if lo >= at else f"(x & {ones << lo}) << {at - lo}")
        at += hi - lo + 1
    return " | ".join(terms)


def insert(x: int, hi: int, lo: int, value: int) -> int:
    """`x` with its field [hi:lo] replaced by `value`, which must fit it."""
    return clear(x, ((1 << (hi - lo + 1)) - 1) << lo) | (value << lo)


def clear(x: int, pattern: int) -> int:
    """`x` with every bit of `pattern` zero."""
    return x ^ (x & pattern)


def add(a: int, b: int, width: int) -> int:
    """The sum modulo 2 ** width."""
    return (a + b) & ((1 << width) - 1)


def sub(a: int, b: int, width: int) -> int:
    """The difference modulo 2 ** width; `b` must fit `width`."""
    return (a + (b ^ ((1 << width) - 1)) + 1) & ((1 << width) - 1)


def inv(a: int, width: int) -> int:
    """Every bit of the `width`-bit word inverted; `a` must fit `width`."""
    return a ^ ((1 << width) - 1)


def every(*conditions: Any) -> bool:
    """Whether all conditions hold, as one formula (no branch is taken on them)."""
    result: Any = True
    for condition in conditions:
        if condition is False:
            return False
        if condition is not True:
            result = result & condition
    return result  # type: ignore[no-any-return]


def either(*conditions: Any) -> bool:
    """Whether one condition holds, as one formula (no branch is taken on them)."""
    result: Any = False
    for condition in conditions:
        if condition is True:
            return True
        if condition is not False:
            result = result | condition
    return result  # type: ignore[no-any-return]


def negate(condition: Any) -> bool:
    """Whether the condition does not hold, as one formula."""
    return condition ^ True  # type: ignore[no-any-return]


def implies(premise: Any, conclusion: Any) -> bool:
    """Whether the conclusion holds wherever the premise does, as one formula."""
    return either(negate(premise), conclusion)


def choose(condition: Any, a: T, b: T) -> T:
    """`a` where the condition holds, else `b`, merged into one value; both are words or records of one class."""
    if condition is True:
        return a
    if condition is False:
        return b
    merge = getattr(condition, "choose", None)
    if merge is not None:
        return merge(a, b)  # type: ignore[no-any-return]
    return a if condition else b


def select(table: tuple[T, ...], index: int) -> T:
    """`table[index]`, merged into one value; an index beyond the table gives its last element."""
    if isinstance(index, int):
        return table[index] if index < len(table) else table[-1]
    result = table[-1]
    for position in range(len(table) - 2, -1, -1):
        result = choose(index == position, table[position], result)
    return result


def find(table: Iterable[tuple[int, T]], key: int, default: T) -> T:
    """The value beside the first pair whose key equals `key`, merged into one value; `default` where there is none."""
    alternatives: list[tuple[Any, T]] = []
    for candidate, value in table:
        found: Any = key == candidate
        if found is True:
            default = value
            break
        if found is not False:
            alternatives.append((found, value))
    result = default
    for found, value in reversed(alternatives):
        result = choose(found, value, result)
    return result


def member(x: int, values: Iterable[int]) -> bool:
    """Whether `x` equals one of the values, as one formula."""
    result: Any = False
    for value in values:
        found: Any = x == value
        if found is True:
            return True
        if found is not False:
            result = result | found
    return result  # type: ignore[no-any-return]


def same(a: Any, b: Any) -> bool:
    """Whether two words, tuples or records are equal, as one formula."""
    if a is b:
        return True
    if isinstance(a, tuple):
        if len(a) != len(b):
            return False
        return every(*[same(x, y) for x, y in zip(a, b, strict=True)])
    if type(a) is int or not attrs.has(type(a)):
        return a == b  # type: ignore[no-any-return]
    if type(a) is not type(b):
        return False
    cls: Any = type(a)
    return every(*[same(getattr(a, name), getattr(b, name)) for name in field_names(cls)])


def replaced(items: tuple[T, ...], position: int, item: T) -> tuple[T, ...]:
    """The tuple with one item replaced."""
    if items[position] is item:
        return items
    return (*items[:position], item, *items[position + 1 :])


@cache
def field_names(cls: type) -> tuple[str, ...]:
    """The names of the fields of a record class, in order of declaration."""
    return tuple(field.name for field in attrs.fields(cls))


@cache
def _replacer(cls: type, names: tuple[str, ...]) -> Callable[..., Any]:
    # The setters of the class's slots take half the time of a frozen class's own __init__.
    fields = field_names(cls)
    if unknown := set(names) - set(fields):
        raise AttributeError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
    parameters = [f"value{names.index(field)}" if field in names else f"record.{field}" for field in fields]
    arguments = ", ".join(f"value{position}" for position in range(len(names)))
    unchanged = " and ".join(f"value{position} is record.{name}" for position, name in enumerate(names))
    lines = (
        f"def replace(record, {arguments}):",
        f"  if {unchanged or True}: return record",
        "  result = new(cls)",
        *(f"  set_{field}(result, {parameter})" for field, parameter in zip(fields, parameters, strict=True)),
        "  return result",
    )
    scope: dict[str, Any] = {f"set_{field}": getattr(cls, field).__set__ for field in fields}
    scope |= {"cls": cls, "new": object.__new__}
    exec("\n".join(lines), scope)
    replace: Callable[..., Any] = scope["replace"]
    return replace


@cache
def _single_replacer(cls: type, name: str) -> Callable[..., Any]:
    return _replacer(cls, (name,))


def put_all(record: T, names: tuple[str, ...], values: Sequence[Any]) -> T:
    """The record with several fields replaced, by name in the order of the values; compiled once for each set."""
    cls: Any = type(record)
    return _replacer(cls, names)(record, *values)  # type: ignore[no-any-return]


def put(record: T, name: str, value: Any) -> T:
    """The record with one field replaced: `attrs.evolve` for one field, compiled once for each class and field."""
    cls: Any = type(record)
    return _single_replacer(cls, name)(record, value)  # type: ignore[no-any-return]
