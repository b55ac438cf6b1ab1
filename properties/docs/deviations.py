"""What the proofs found in Linux 3.12: each deviation that the reference repairs, with the run that shows it."""

import re

from model.designs.variations import REPAIRS, Repair
from properties.docs import markdown as md
from properties.docs.elements import outcome, run
from properties.docs.links import fault_link
from properties.docs.measured import Measured
from properties.docs.modules import cited

LISTED = re.compile(r"D\d+")
KNOWN_BUGS = (
    "hcptr-write-unsynchronised",
    "vtimer-left-running-for-non-timer-vm",
    "unknown-trap-kills-host",
    "wfe-not-trapped",
)
"""Deviations that are bugs of KVM's history, known before anything was proved."""
FOUND_HERE = (
    "thumbee-registers-not-switched",
    "amair-not-switched",
    "pmuserenr-of-host-observable",
    "hyp-fault-unbalances-stack",
    "mmio-width-from-user-space",
)
"""Deviations that were on no list when a proof of this specification failed because of them."""


def page(measured: Measured) -> str:
    """Every deviation of Linux 3.12: how it was known, what it does, and how the reference repairs it."""
    rows = (
        (
            md.link(md.code(repair.deviation), "", f"deviation-{repair.deviation}"),
            md.cell(repair.variation.statement),
            known(repair.deviation),
        )
        for repair in REPAIRS
    )
    return md.page(
        "# What the proofs found in Linux 3.12",
        f"The code of Linux 3.12 does not have every property: these {len(REPAIRS)} deviations were found in it. "
        "The reference design is Linux 3.12 with one repair for each, the smallest that the proofs need. Some had been "
        "found by reading the code beside the paper (D numbers), some are bugs of KVM's history that Linux mended "
        f"later, and {len(FOUND_HERE)} stood on neither list when a proof of this project failed because of them.",
        md.table(("Deviation", "Repair: what the reference does and Linux 3.12 does not", "Known"), rows),
        *(_deviation(repair, measured) for repair in REPAIRS),
    )


def known(deviation: str) -> str:
    """How a deviation was known."""
    if LISTED.fullmatch(deviation):
        return "from reading the code beside the paper"
    return "**found by the proofs of this project**" if deviation in FOUND_HERE else "as a bug that Linux had"


def _deviation(repair: Repair, measured: Measured) -> str:
    fate = measured.fate(repair.deviation)
    effect = "" if fate is None or fate.trace is None else str(fate.trace.get("explanation", ""))
    return md.page(
        md.heading(2, md.code(repair.deviation), f"deviation-{repair.deviation}"),
        md.table(
            ("", ""),
            (
                ("Repair", f"{md.link(md.code(repair.variation.id), 'designs.md', repair.variation.id)}: "
                           f"{md.cell(repair.variation.statement)}"),
                ("Known", known(repair.deviation)),
                ("Without it", md.cell(outcome(fate, ""))),
                ("In the run", md.cell(effect) or "not shown here"),
                ("Sources", md.cell(cited(repair.variation.sources))),
                ("As a fault", fault_link(repair.deviation)),
            ),
        ),
        run(fate),
    )  # fmt: skip
