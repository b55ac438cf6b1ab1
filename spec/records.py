"""Records that rules build by the hundred thousand."""

from typing import Any, TypeVar

import attrs

C = TypeVar("C", bound=type)


def quick(cls: C) -> C:
    """The frozen record class, slotted and of plain fields, made in less than half the time that attrs takes.

    A draft, whose fields may be set, becomes the record once they are; attrs goes through `object.__setattr__`, which
    looks each of them up.
    """
    fields = attrs.fields(cls)
    plain = {name: getattr(object, name) for name in ("__new__", "__init__", "__setattr__", "__delattr__")}
    scope: dict[str, Any] = {"draft": type(f"{cls.__name__}Draft", (cls,), {"__slots__": (), **plain})}
    scope |= {f"default_{field.alias}": field.default for field in fields}
    needed = [field.alias for field in fields if field.default is attrs.NOTHING]
    optional = [f"{field.alias}=default_{field.alias}" for field in fields if field.alias not in needed]
    lines = (
        f"def __new__(cls, {', '.join(needed + optional)}):",
        "  record = draft()",
        *(f"  record.{field.name} = {field.alias}" for field in fields),
        "  record.__class__ = cls",
        "  return record",
    )
    exec("\n".join(lines), scope)
    cls.__new__ = scope["__new__"]  # type: ignore[method-assign]
    cls.__reduce__ = lambda record: (cls, tuple(getattr(record, field.name) for field in fields))  # type: ignore
    delattr(cls, "__init__")
    return cls
