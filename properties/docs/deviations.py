"""What was found in Linux 3.12: each deviation that the reference repairs, with the run that shows it."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

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
    "vmid-gen-published-early",
    "tlb-shared-by-sibling-vcpus",
    "s2-no-break-before-make",
    "memslot-delete-keeps-mapping",
    "memslot-beyond-ipa-limit",
    "uncached-guest-reads-stale-dram",
    "gicv-page-neighbour-exposed",
    "icpendr-kills-level-line",
    "gicd-reserved-offset-exits",
    "cpu-on-double-success",
    "cpu-on-remote-reset",
    "hotplug-callback-registered-late",
    "resumed-cpu-not-hyp-ready",
    "cpu-on-little-endian",
    "power-off-at-first-run-only",
    "timer-line-not-lowered",
    "soft-timer-injects-off-thread",
    "soft-timer-early-expiry",
)
"""Deviations that are bugs of KVM's history, known before anything was proved."""
FOUND_HERE: Mapping[str, str] = MappingProxyType(
    {
        "thumbee-registers-not-switched": "What one VM leaves in TEECR and TEEHBR, the next one finds there: no trap "
        "is set for them, and the world switch does not move them.",
        "amair-not-switched": "What one world leaves in AMAIR0 and AMAIR1, the other one finds there.",
        "pmuserenr-of-host-observable": "The host's PMUSERENR.EN decides whether a guest's access to the counters from "
        "PL0 is UNDEFINED or traps, so a guest can tell what the host's bit is.",
        "hyp-fault-unbalances-stack": "An exception of Hyp mode's own code does not panic where a guest's VMID is "
        "loaded, but goes on as an exit would, with a Hyp stack that does not fit.",
        "mmio-width-from-user-space": "When an access to a device is completed, its length and direction are read back "
        "from memory that user space can write: a load gets other bytes, or a sign from another place, than its "
        "instruction asks for.",
        "change-pte-maps-deleted-slot": "The host replaces a page, as KSM does, of a slot that user space is deleting. "
        "kvm_arch_flush_shadow_memslot has unmapped the slot, but the notifier change_pte still finds the invalid slot "
        "and maps the new page. The slot goes, its mapping stays. It shows where the deletion unmaps the slot at all, "
        "which Linux 3.12 does not: repairing that uncovers this.",
        "level-lowered-still-delivered": "A line falls before its interrupt is in a list register. What is pending "
        "for the vCPU is only computed anew when a line rises, so the guest gets an interrupt that nobody asserts.",
        "spi-in-two-vcpus": "A guest makes another vCPU the target of an SPI that is active in a list register, and "
        "the SPI is pended again: the new target gets it at once, so that two vCPUs handle one interrupt.",
        "underflow-of-one-list-register": "A processor with a single list register, which GICv2 permits, has one "
        "interrupt more for its guest than fits. The flush asks for a maintenance interrupt with an underflow, which "
        "is there already, as one list register at most is valid: the guest is taken out before it executes an "
        "instruction, again and again. The Cortex-A15 has four list registers: no machine is known that shows it.",
        "sgi-pending-registers-missing": "GICD_CPENDSGIR and GICD_SPENDSGIR are not emulated: a guest's access to them "
        "leaves for user space, which does not know the distributor.",
        "cpu-on-without-context": "A vCPU starts with 0 in r0, whatever context its CPU_ON has passed: PSCI 0.1, which "
        "Linux 3.12 has, knows no context, PSCI 0.2 does.",
        "system-off-unknown": "A guest that calls SYSTEM_OFF goes on behind its call: PSCI 0.1, which Linux 3.12 has, "
        "does not know it, PSCI 0.2 does.",
        "cpu-on-during-system-off": "A vCPU that is amid a CPU_ON, or calls it just before it is interrupted, starts a "
        "third one behind the SYSTEM_OFF of another: nothing orders the two calls, and nobody asks whether the caller "
        "itself is still on. Linux 3.12 has no SYSTEM_OFF; giving it the later one uncovers this.",
        "system-mode-refused": "A guest in System mode can be saved, but KVM_SET_ONE_REG refuses the CPSR that "
        "KVM_GET_ONE_REG has read: its list of modes lacks this one.",
    }
)
"""Deviations that were on no list when this specification found them: what goes wrong."""


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
        "# What was found in Linux 3.12",
        f"The code of Linux 3.12 does not have every property: these {len(REPAIRS)} deviations were found in it. "
        "The reference design is Linux 3.12 with one repair for each, the smallest that its properties need. Some "
        "had been found by reading the code beside the paper (D numbers), some are bugs of KVM's history that Linux "
        f"mended later, and {len(FOUND_HERE)} stood on neither list when a proof or a search "
        "of this project failed because of them.",
        md.table(("Deviation", "Repair: what the reference does and Linux 3.12 does not", "Known"), rows),
        *(_deviation(repair, measured) for repair in REPAIRS),
    )


def known(deviation: str) -> str:
    """How a deviation was known."""
    if LISTED.fullmatch(deviation):
        return "from reading the code beside the paper"
    return "**found by this project**" if deviation in FOUND_HERE else "as a bug that Linux had"


def _not_known(deviation: str) -> Iterator[tuple[str, str]]:
    """What goes wrong, where no list says so."""
    if deviation in FOUND_HERE:
        yield "What goes wrong", md.cell(FOUND_HERE[deviation])


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
                *_not_known(repair.deviation),
                ("Without it", md.cell(outcome(fate, ""))),
                ("In the run", md.cell(effect) or "not shown here"),
                ("Sources", md.cell(cited(repair.variation.sources))),
                ("As a fault", fault_link(repair.deviation)),
            ),
        ),
        run(fate),
    )  # fmt: skip
