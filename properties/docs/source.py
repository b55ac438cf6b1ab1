"""What the modules say of themselves: rules, records, enumerations and tables, from the code and its docstrings."""

import ast
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
from attrs import frozen

from spec.citations import Citation

PACKAGES = ("spec", "model")
NOT_MODELLED = "Not modelled:"


@frozen
class Member:
    """A field of a record, a member of an enumeration or a table of a module."""

    name: str
    type: str
    value: str
    doc: str


def modules(package: str) -> tuple[ModuleType, ...]:
    """The package and every module below it, by name."""
    root = import_module(package)
    found = (import_module(info.name) for info in pkgutil.walk_packages(root.__path__, f"{package}."))
    return (root, *sorted(found, key=lambda module: module.__name__))


def files(package: str) -> Iterator[tuple[str, str]]:
    """Every source file of a package that says what it is for, with its docstring."""
    for folder in import_module(package).__path__:
        for file in sorted(Path(folder).rglob("*.py")):
            words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
            if words:
                yield file.relative_to(Path(folder).parent).as_posix(), words


def doc(thing: Any) -> str:
    """The docstring with its indentation removed; empty where there is none of its own."""
    own: str | None = vars(thing).get("__doc__") if isinstance(thing, type) else getattr(thing, "__doc__", None)
    return inspect.cleandoc(own or "")


def first_sentence(words: str) -> str:
    """The first sentence of a docstring, on one line."""
    line = " ".join(words.partition("\n\n")[0].split())
    return line.partition(". ")[0].rstrip(".") + "." if line else ""


def not_modelled(module: ModuleType) -> Iterator[str]:
    """What the module says that it leaves out: the paragraphs of its docstring that begin so."""
    for paragraph in doc(module).split("\n\n"):
        if paragraph.startswith(NOT_MODELLED):
            yield " ".join(paragraph.removeprefix(NOT_MODELLED).split())


def _own(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__:
            yield name, value


def functions(module: ModuleType) -> tuple[Callable[..., Any], ...]:
    """The public functions that the module defines, in its order."""
    return tuple(
        value for _, value in _own(module) if inspect.isfunction(inspect.unwrap(value)) and value.__name__ != "<lambda>"
    )


def sources(function: Callable[..., Any]) -> tuple[Citation, ...]:
    """The citations of a rule; empty where the function is no rule."""
    found: tuple[Citation, ...] = getattr(function, "sources", ())
    return found


def is_rule(function: Callable[..., Any]) -> bool:
    """Whether the function carries the mark of a rule."""
    return hasattr(function, "sources")


def records(module: ModuleType) -> tuple[type, ...]:
    """The record classes that the module defines, in its order."""
    return tuple(value for _, value in _own(module) if isinstance(value, type) and attrs.has(value))


def enumerations(module: ModuleType) -> tuple[type[Enum], ...]:
    """The enumerations that the module defines, in its order."""
    return tuple(value for _, value in _own(module) if isinstance(value, type) and issubclass(value, Enum))


def signature(function: Callable[..., Any]) -> str:
    """The function's name, parameters and result, with the types as the code writes them."""
    definition = ast.parse(code(function)).body[0]
    assert isinstance(definition, ast.FunctionDef)
    result = f" -> {ast.unparse(definition.returns)}" if definition.returns else ""
    return f"{definition.name}({ast.unparse(definition.args)}){result}"


def code(thing: Any) -> str:
    """The source of a function or class."""
    if isinstance(thing, partial):
        thing = next((part for part in thing.args if inspect.isfunction(part)), thing.func)
    return inspect.getsource(inspect.unwrap(thing) if callable(thing) else thing)


def members(cls: type) -> tuple[Member, ...]:
    """The fields of a record or the members of an enumeration, each with the string that follows it as its meaning."""
    text = code(cls)
    definition = ast.parse(text).body[0]
    assert isinstance(definition, ast.ClassDef)
    return tuple(_members(text, definition.body))


def tables(module: ModuleType) -> tuple[Member, ...]:
    """The module's public constants that say what they mean."""
    text = inspect.getsource(module)
    return tuple(member for member in _members(text, ast.parse(text).body) if member.doc and member.name[0] != "_")


def _members(text: str, body: list[ast.stmt]) -> Iterator[Member]:
    for statement, after in zip(body, [*body[1:], None], strict=True):
        value = getattr(statement, "value", None)
        written = (ast.get_source_segment(text, value) or "") if isinstance(value, ast.expr) else ""
        if isinstance(statement, ast.AnnAssign):
            yield Member(ast.unparse(statement.target), ast.unparse(statement.annotation), written, _string(after))
        elif isinstance(statement, ast.Assign):
            yield Member(ast.unparse(statement.targets[0]), "", written, _string(after))


def _string(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        value = statement.value.value
        return inspect.cleandoc(value) if isinstance(value, str) else ""
    return ""
