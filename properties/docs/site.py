"""All generated pages, and where they go."""

from collections.abc import Mapping
from pathlib import Path

from properties.catalogue import PROPERTIES
from properties.docs import (
    claims,
    derived,
    deviations,
    elements,
    findings,
    hyp,
    hypervisor,
    interrupts,
    limits,
    machine,
    memory,
    modules,
    power,
    source,
    time,
)
from properties.docs import markdown as md
from properties.docs.bibliography import bibliography
from properties.docs.measured import Measured
from properties.faults.catalogue import FAULTS
from spec import traps

SAMPLE = traps.smc_traps
"""The rule that the page on reading rules shows."""


def pages(measured: Measured) -> Mapping[str, str]:
    """The text of every generated page by its path below the output directory."""
    made = {
        "registers.md": machine.registers(),
        "coprocessor.md": machine.coprocessor(),
        "interrupt-controller.md": machine.interrupt_controller(),
        "world-switch.md": hypervisor.world_switch(),
        "highvisor.md": hypervisor.highvisor(),
        "memory.md": memory.page(),
        "interrupts.md": interrupts.page(),
        "power.md": power.page(),
        "hyp-mode.md": hyp.page(),
        "time.md": time.page(),
        "designs.md": hypervisor.designs(),
        "properties.md": findings.properties_page(PROPERTIES, measured),
        "claims.md": claims.page(measured),
        "found-in-linux.md": deviations.page(measured),
        "table-1.md": derived.table_1(),
        "classification.md": derived.registers(),
        "silent-operations.md": derived.silent_operations(),
        **elements.pages(FAULTS, measured),
        "not-modelled.md": limits.not_modelled(),
        "bibliography.md": bibliography(),
        "spec/index.md": modules.overview("The machine", "spec"),
        "model/index.md": modules.overview("The hypervisor", "model"),
        "fragments/rule.md": fragment(),
        "fragments/modules.md": modules.every_module(),
    }
    for package in ("spec", "model"):
        for module in modules.documented(package):
            made[modules.path(module.__name__)] = modules.module_page(module)
    return {name: made[name] for name in sorted(made)}


def fragment() -> str:
    """The text of the sample rule, for a hand-written page to include."""
    return md.block(source.code(SAMPLE))


def write(output: Path, measured: Measured) -> int:
    """Write every page below a directory, which is created; gives their number."""
    made = pages(measured)
    for name, text in made.items():
        target = output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return len(made)
