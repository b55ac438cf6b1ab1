"""One page for each module of the machine and of the hypervisor: its records, enumerations, rules and their sources."""

from collections.abc import Callable, Iterator
from enum import Enum
from types import ModuleType
from typing import Any

from properties.docs import markdown as md
from properties.docs import source
from spec.citations import Citation


def path(module: str) -> str:
    """The page of a module below the generated documentation, by the module's name."""
    return f"{module.partition('.')[0]}/{module}.md"


def cited(sources: tuple[Citation, ...]) -> str:
    """Citations on one line."""
    return "; ".join(md.text(str(citation)) for citation in sources)


def module_page(module: ModuleType) -> str:
    """Everything public that a module defines."""
    functions = source.functions(module)
    rules = [function for function in functions if source.is_rule(function)]
    others = [function for function in functions if not source.is_rule(function)]
    return md.page(
        f"# {module.__name__}",
        md.text(source.doc(module)),
        *_section("Rules", (rule_section(rule) for rule in rules)),
        *_section("Records", (record_section(cls) for cls in source.records(module))),
        *_section("Enumerations", (enumeration_section(cls) for cls in source.enumerations(module))),
        *_section("Functions", (rule_section(function) for function in others)),
        *_section("Tables", iter((_tables(module),))),
    )


def _section(title: str, parts: Iterator[str]) -> Iterator[str]:
    written = [part for part in parts if part]
    if written:
        yield md.heading(2, title, f"section-{title}")
        yield from written


def rule_section(function: Callable[..., Any]) -> str:
    """One rule: signature, meaning, citations, and its text folded away."""
    citations = source.sources(function)
    return md.page(
        md.heading(3, md.code(function.__name__), function.__name__),
        md.block(source.signature(function)),
        md.text(source.doc(function)),
        f"Source: {cited(citations)}" if citations else "",
        md.folded("The rule" if citations else "The code", md.block(source.code(function))),
    )


def record_section(cls: type) -> str:
    """One record: its meaning and its fields."""
    rows = (
        (md.code(member.name), md.code(member.type), md.code(member.value), md.cell(member.doc))
        for member in source.members(cls)
        if member.type
    )
    return md.page(
        md.heading(3, md.code(cls.__name__), cls.__name__),
        md.text(source.doc(cls)),
        md.table(("Field", "Type", "Default", "Meaning"), rows),
    )


def enumeration_section(cls: type[Enum]) -> str:
    """One enumeration: its meaning and its members, values as the code writes them."""
    rows = (
        (md.code(member.name), md.code(member.value), md.cell(member.doc))
        for member in source.members(cls)
        if not member.type
    )
    return md.page(
        md.heading(3, md.code(cls.__name__), cls.__name__),
        md.text(source.doc(cls)),
        md.table(("Member", "Value", "Meaning"), rows),
    )


def _tables(module: ModuleType) -> str:
    rows = ((md.code(member.name), md.cell(member.doc)) for member in source.tables(module))
    return md.table(("Name", "Meaning"), rows)


def overview(title: str, package: str) -> str:
    """The table of a package's modules, with what each is for and how many rules it has."""
    rows = []
    for module in documented(package):
        count = sum(source.is_rule(function) for function in source.functions(module))
        name = module.__name__
        rows.append(
            (md.link(md.code(name), f"{name}.md"), str(count), md.cell(source.first_sentence(source.doc(module))))
        )
    return md.page(f"# {title}", md.table(("Module", "Rules", "What it says"), rows))


def documented(package: str) -> tuple[ModuleType, ...]:
    """The modules of a package that say anything."""
    return tuple(module for module in source.modules(package) if source.doc(module))


def every_module() -> str:
    """The tables of all source files of the three packages, with what each is for."""
    return md.page(
        *(
            md.table(
                (f"`{package}`", "What it says"),
                ((md.code(file), md.cell(source.first_sentence(words))) for file, words in source.files(package)),
            )
            for package in ("spec", "model", "properties")
        )
    )
