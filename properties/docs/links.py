"""Links to what the catalogues list: properties, faults and repairs, from any generated page."""

from properties.catalogue import PROPERTY
from properties.docs import markdown as md
from properties.faults.catalogue import FAULT
from properties.faults.fault import Fault


def property_link(identifier: str, up: str = "") -> str:
    """A property's id as a link to its place; `up` leads from the page to the generated pages, such as `../`."""
    name = md.code(identifier)
    return md.link(name, f"{up}properties.md", identifier) if identifier in PROPERTY else name


def fault_link(identifier: str, up: str = "") -> str:
    """A fault's id as a link to its place; the id alone where there is no such fault any more."""
    fault = FAULT.get(identifier)
    name = md.code(identifier)
    return name if fault is None else md.link(name, f"{up}elements/{page_of(fault)}.md", identifier)


def page_of(fault: Fault) -> str:
    """The page of design elements on which a fault stands, without its ending."""
    if fault.family == "register" and not fault.id.startswith("unswitched/"):
        return "registers-in-one-block"
    return PAGES[fault.family]


PAGES = {
    "structure": "structure",
    "trap bit": "trap-bits",
    "register": "registers",
    "step": "steps",
    "order": "order",
    "handler": "handlers",
    "device": "devices",
    "deviation of Linux 3.12": "deviations",
    "history": "history",
}
"""The page of each family of faults."""
