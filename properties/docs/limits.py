"""What is not modelled: what the modules leave out, what claims and bugs wait for, and which faults are excused."""

from properties.claims import CLAIMS, Pending
from properties.docs import markdown as md
from properties.docs import source
from properties.docs.elements import excused
from properties.docs.modules import path
from properties.faults.catalogue import DEFERRED


def not_modelled() -> str:
    """What is left out, and what that leaves unchecked."""
    modules = (
        (md.link(md.code(module.__name__), path(module.__name__)), md.cell(words))
        for package in source.PACKAGES
        for module in source.modules(package)
        for words in source.not_modelled(module)
    )
    waiting = (
        (
            md.cell(pending.value),
            ", ".join(md.link(c.id, "claims.md", c.id) for c in CLAIMS.values() if c.pending is pending),
        )
        for pending in Pending
    )
    deferred = ((md.code(name), md.cell(reason)) for name, reason in DEFERRED.items())
    return md.page(
        "# What is not modelled",
        "What this specification leaves out, and what therefore nothing here says.",
        md.heading(2, "What the modules leave out", "modules"),
        md.table(("Module", "Not modelled"), modules),
        md.heading(2, "Claims of the paper that wait", "claims"),
        md.table(("For", "Claims"), waiting),
        md.heading(2, "Bugs of history that wait", "deferred"),
        "Bugs that KVM had in the parts that are modelled, but that need more than these parts to show.",
        md.table(("Bug", "Waits because it"), deferred),
        md.heading(2, "Faults that are excused", "excused"),
        "Nothing catches these, and only because something is left out.",
        md.table(("Fault", "Why it may stand", "Source"), excused()),
    )
