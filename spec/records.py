"""Records that rules build by the hundred thousand."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import attrs

C = TypeVar("C", bound=type)
P = ParamSpec("P")
R = TypeVar("R")


def quick(cls: C) -> C:
    """The frozen record class, slotted and of plain fields, made in less than half the time that attrs takes."""
    names = tuple(field.name for field in attrs.fields(cls))
    cls.__new__ = _made(cls, "cls")  # type: ignore[method-assign]
    cls.__reduce__ = lambda record: (cls, tuple(getattr(record, name) for name in names))  # type: ignore
    delattr(cls, "__init__")
    return cls


def maker(cls: Callable[P, R]) -> Callable[P, R]:
    """A function that makes records of a quick class, in half the time that a call of the class takes."""
    return _made(cls)


def _made(cls: Any, *first: str) -> Callable[..., Any]:
    """What makes records of a class by its fields, after parameters that come first.

    A draft, whose fields may be set, becomes the record once they are; attrs goes through `object.__setattr__`, which
    looks each of them up.
    """
    fields = attrs.fields(cls)
    plain = {name: getattr(object, name) for name in ("__new__", "__init__", "__setattr__", "__delattr__")}
    scope: dict[str, Any] = {"cls": cls, "draft": type(f"{cls.__name__}Draft", (cls,), {"__slots__": (), **plain})}
    scope |= {f"default_{field.alias}": field.default for field in fields}
    needed = [field.alias for field in fields if field.default is attrs.NOTHING]
    optional = [f"{field.alias}=default_{field.alias}" for field in fields if field.alias not in needed]
    lines = (
        f"def make({', '.join((*first, *needed, *optional))}):",
        "  record = draft()",
        *(f"  record.{field.name} = {field.alias}" for field in fields),
        "  record.__class__ = cls",
        "  return record",
    )
    exec("\n".join(lines), scope)
    return scope["make"]  # type: ignore[no-any-return]
