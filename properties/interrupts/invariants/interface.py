"""What holds of each processor's GICH and its saved copy: which of them counts, and what either is set to."""

from typing import Any

from model.vgic.design import Do, VgicDesign
from model.vgic.facts import Fact
from model.vgic.lists import asks_at_end
from model.vgic.state import VgicState
from properties.interrupts.invariants.terms import asks, hcr_of, knows, span
from properties.interrupts.steps import listed, runs_on
from spec.gic import list_registers as lists
from spec.gic import virtual_interface
from spec.gic.virtual_interface import EN, UIE
from spec.words import bits, either, every, implies, member, put, same

FACTS = {
    "hcr": (Fact.HCR_LOADED, Do.SAVE_HCR), "vmcr": (Fact.VMCR_LOADED, Do.SAVE_VMCR),
    "apr": (Fact.APR_LOADED, Do.SAVE_APR), "lrs": (Fact.LRS_LOADED, Do.SAVE_LRS),
}  # fmt: skip
"""Of each register that is moved: what is known once it is loaded, and the step that saves it."""


def interface_off(design: VgicDesign, state: VgicState) -> Any:
    """A processor's virtual interface is on only from its load to its stop, around a guest; pins are clear, the vCPUs'
    too."""
    found = []
    for core in state.cores:
        off = (every(runs_on(core, n), knows(design, v.at, Fact.STOPPED)) for n, v in enumerate(state.vcpus))
        found.append(implies(either(core.busy == 0, *off), core.gich.hcr == 0))
        found.append(core.pins == 0)
    return every(*found, *(vcpu.pins == 0 for vcpu in state.vcpus))


def interface_moved(design: VgicDesign, state: VgicState) -> Any:
    """A register that was loaded is what is saved until the guest runs, and one that was saved since then as well."""
    found = []
    for core in state.cores:
        for number, vcpu in enumerate(state.vcpus):
            here = runs_on(core, number)
            if here is False:
                continue
            for name, (loaded, save) in FACTS.items():
                last = Do.STOP if name == "hcr" else Do.CLEAR_MODE
                behind = tuple(at for at in span(design, save, last) if at in span(design, Do.ENTER, last))
                moved = either(knows(design, vcpu.at, loaded), member(vcpu.at, not_after_back_out(design, behind)))
                live, kept = getattr(core.gich, name), getattr(vcpu.saved, name)
                found.append(implies(every(here, moved), same(live, kept)))
    return every(*found)


def not_after_back_out(design: VgicDesign, behind: tuple[int, ...]) -> tuple[int, ...]:
    """Of program counters behind a save, those that a thread reaches only from its guest."""
    return tuple(at for at in behind if at in span(design, Do.ENTER, Do.SAVE_LRS))


def lists_worn(design: VgicDesign, state: VgicState) -> Any:
    """A guest does not change whether a list register asks for a maintenance interrupt, and makes nothing pending in
    one: so much is still true of the saved copy."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        for saved, lr in zip(vcpu.saved.lrs, listed(design, state, number), strict=True):
            found.append(asks(saved) == asks(lr))
            found.append(implies(lr & lists.PENDING_BIT > 0, saved & lists.PENDING_BIT > 0))
    return every(*found)


def status_saved(design: VgicDesign, state: VgicState) -> Any:
    """The saved status is that of the list registers, until these are saved too."""
    found = []
    for core in state.cores:
        for number, vcpu in enumerate(state.vcpus):
            gich = put(core.gich, "hcr", vcpu.saved.hcr)
            for name, save in (("misr", Do.SAVE_MISR), ("eisr", Do.SAVE_EISR), ("elrsr", Do.SAVE_ELRSR)):
                here = every(runs_on(core, number), member(vcpu.at, span(design, save, Do.SAVE_LRS)))
                if here is not False:
                    found.append(implies(here, getattr(vcpu.saved, name) == getattr(virtual_interface, name)(gich)))
    return every(*found)


def interface_enabled(design: VgicDesign, state: VgicState) -> Any:
    """A vCPU's virtual interface is enabled, and of the maintenance interrupts but that for an underflow none is; nor
    is that, where a single list register asks at its interrupt's end."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        hcr, lowest = hcr_of(design, state, number), UIE if asks_at_end(design, vcpu) else UIE + 1
        found.append(every(bits(hcr, EN, EN) == 1, bits(hcr, 7, lowest) == 0))
    return every(*found)
