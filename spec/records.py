"""Records that rules build by the hundred thousand."""

from typing import Any, TypeVar

import attrs

C = TypeVar("C", bound=type)


def quick(cls: C) -> C:
    """The frozen record class, slotted and of plain fields, with an `__init__` that takes half the time of attrs' own.

    It stores through the class's slots; attrs goes through `object.__setattr__`, which looks each of them up.
    """
    fields = attrs.fields(cls)
    scope: dict[str, Any] = {f"set_{field.name}": getattr(cls, field.name).__set__ for field in fields}
    scope |= {f"default_{field.alias}": field.default for field in fields}
    needed = [field.alias for field in fields if field.default is attrs.NOTHING]
    optional = [f"{field.alias}=default_{field.alias}" for field in fields if field.alias not in needed]
    stores = (f"  set_{field.name}(self, {field.alias})" for field in fields)
    exec("\n".join((f"def __init__(self, {', '.join(needed + optional)}):", *stores)), scope)
    cls.__init__ = scope["__init__"]  # type: ignore[misc]
    return cls
