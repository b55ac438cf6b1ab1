"""The configurations of the memory system that are explored completely: a topology, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from model.memory.actions import (
    GuestLeft,
    HostReclaims,
    InterfaceMapped,
    Stage1Loads,
    UserDeletesSlot,
    UserDestroysVm,
)
from properties.engines.parts.part import Situation
from properties.memory.domain import MemoryDomain
from properties.memory.scenarios import GFN, LEAF, LOAD, POINTER, STORE, UNCACHED, VIRTUAL

CONFIGURATIONS: Mapping[str, Situation] = MappingProxyType(
    {
        "vmids": Situation(
            "vmids",
            MemoryDomain(
                "two VMs of two vCPUs, each of which runs on both processors, with one VMID",
                runs=tuple((cpu, vcpu) for cpu in (0, 1) for vcpu in range(4)), guests=(GuestLeft,), hosts=(),
            ),
        ),
        "vmids-translations": Situation(
            "vmids",
            MemoryDomain(
                "two VMs of two vCPUs, one of each on each processor, with one VMID: accesses and TLB loads",
                runs=((0, 0), (0, 2), (1, 1), (1, 3)), guests=(GuestLeft,), accesses=(LOAD,), loads=(LEAF,), hosts=(),
            ),
        ),
        "fault-and-notifier": Situation(
            "memory",
            MemoryDomain(
                "two vCPUs on two processors fault on a page that the host takes away",
                runs=((0, 0), (1, 1)), accesses=(LOAD,), host=(HostReclaims,), gfns=(GFN,),
            ),
        ),
        "translations-and-notifier": Situation(
            "memory",
            MemoryDomain(
                "one vCPU loads, stores and has translations loaded, while the host takes its page away",
                runs=((0, 0),), accesses=(LOAD, STORE), loads=(LEAF, POINTER), host=(HostReclaims,), gfns=(GFN,),
            ),
        ),
        "slot-deletion": Situation(
            "memory-two-pages",
            MemoryDomain(
                "one vCPU uses a slot that user space deletes",
                runs=((0, 0),), guests=(GuestLeft,), accesses=(LOAD,), loads=(LEAF,), host=(UserDeletesSlot,),
            ),
        ),
        "vm-end": Situation(
            "memory",
            MemoryDomain(
                "a VM ends while the host takes its page", runs=((0, 0),), guests=(GuestLeft,), accesses=(LOAD,),
                loads=(LEAF,), host=(UserDestroysVm, HostReclaims), hosts=(0, 1), gfns=(GFN,),
            ),
        ),
        "new-vm": Situation(
            "memory-new",
            MemoryDomain(
                "a new VM gets its CPU interface and its first page, and ends",
                runs=((0, 0),), guests=(GuestLeft,), accesses=(UNCACHED, STORE, VIRTUAL), remaps=(GFN,),
                host=(InterfaceMapped, UserDestroysVm), hosts=(0,),
            ),
        ),
        "read-only": Situation(
            "memory-read-only",
            MemoryDomain(
                "two vCPUs take turns, and store to a page that may only be read",
                runs=((0, 0), (0, 1)), guests=(GuestLeft, Stage1Loads), accesses=(STORE, VIRTUAL), hosts=(),
            ),
        ),
    }
)  # fmt: skip
"""What is explored, completely, where nobody asks for another configuration."""
