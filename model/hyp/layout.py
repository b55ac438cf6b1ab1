"""The stated configurations of Hyp mode: processors, which of them are online, and where the initialisation code is."""

from attrs import frozen

from model.hyp.design import HypDesign
from model.hyp.registers import hsctlr_of_stub
from model.hyp.state import INIT_PAGE, Agent, Core, Host, HypState, Tables, Vectors
from model.programs import OUT
from spec.sparse import sparse

HOST = Host(0x30C73C7D, 0xB5023500, 0xEEAA4400, 0xFF000004)
"""The host's SCTLR, TTBCR, MAIR0 and MAIR1, as a run of Linux 3.12.9 had them."""
UNKNOWN = 0xA5A5A5A5
"""What registers hold that nobody has set."""


@frozen
class Layout:
    """A configuration of Hyp mode."""

    processors: int
    online: tuple[int, ...] = (0, 1)
    init_page: int = INIT_PAGE
    hyp: bool = True
    vms: tuple[int, ...] = ()
    """No VM: what is made of them is about memory."""


def initial_hyp(layout: Layout, design: HypDesign) -> HypState:
    """The state in which the kernel has been started, and KVM has not."""
    cores = tuple(started(number in layout.online, layout.hyp) for number in range(layout.processors))
    return HypState(
        cores=cores,
        agents=(Agent(OUT),),
        boot=sparse(0),
        runtime=sparse(0),
        objects=sparse(0),
        init_page=layout.init_page,
        hyp=int(layout.hyp),
        hotplug=0,
        notifier=0,
        resumer=0,
        ready=0,
        crashed=0,
    )


def started(online: bool, hyp: bool) -> Core:
    """A processor on which the kernel has been started, with the stub where it was in Hyp mode, or one that is off."""
    there = online and hyp
    return Core(
        online=int(online),
        at=OUT,
        called=0,
        host=HOST,
        hvbar=Vectors.STUB if there else Vectors.NONE,
        httbr=Tables.NONE,
        htcr=UNKNOWN,
        vtcr=UNKNOWN,
        hmair0=UNKNOWN,
        hmair1=UNKNOWN,
        hsctlr=hsctlr_of_stub() if there else UNKNOWN,
        stack=0,
        page=0,
        stale=0,
    )
