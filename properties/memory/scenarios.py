"""The situations in which the memory system is searched: a configuration, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from model.memory.actions import (
    GuestLeft,
    HostReclaims,
    HostReplaces,
    InterfaceMapped,
    Stage1Loads,
    UserCreatesVm,
    UserDeletesSlot,
    UserDestroysVm,
    UserSetsSlot,
    UserTouches,
)
from model.memory.layout import FIRST_GFN, INTERFACE_GFN
from properties.engines.parts.part import Situation
from properties.memory.domain import MemoryDomain, access

GFN, NEXT = FIRST_GFN, FIRST_GFN + 1
BEYOND = 1 << 28
"""The first gfn that no guest can address."""
ELSEWHERE = (1 << 29) + FIRST_GFN
"""A gfn for which the index into the first VM's first-level tables leads to the third one's."""
LOAD, STORE = access(GFN), access(GFN, write=1)
WALKED = access(GFN, cached=0)
UNCACHED = access(GFN, uncached=1)
MISLED = access(GFN, write=1, unknown=INTERFACE_GFN)
"""A store whose permission fault leaves the address of another page in HPFAR."""
VIRTUAL = access(virtual=1)
LEAF, POINTER = (GFN, 0), (GFN, 1)


SCENARIOS: Mapping[str, Situation] = MappingProxyType(
    {
        "one guest": Situation(
            "memory",
            MemoryDomain(
                "one guest: loads, stores, TLB loads; its page is taken or replaced",
                runs=((0, 0),), accesses=(LOAD, STORE), loads=(LEAF, POINTER), host=(HostReclaims, HostReplaces),
                gfns=(GFN,),
            ),
        ),
        "two pages": Situation(
            "memory-two-pages",
            MemoryDomain(
                "one of a guest's two pages is taken", runs=((0, 0),), accesses=(LOAD,), loads=(LEAF,),
                host=(HostReclaims,), gfns=(GFN,),
            ),
        ),
        "two guests": Situation(
            "memory",
            MemoryDomain(
                "two vCPUs: loads, stores, TLB loads; their page is taken or replaced",
                runs=((0, 0), (1, 1)), accesses=(LOAD, STORE), loads=(LEAF,), host=(HostReclaims, HostReplaces),
                gfns=(GFN,),
            ),
        ),
        "read-only": Situation(
            "memory-read-only",
            MemoryDomain(
                "a guest loads from a page that may only be read, and stores to it",
                runs=((0, 0),), accesses=(LOAD, STORE), loads=(LEAF,), hosts=(),
            ),
        ),
        "read-only siblings": Situation(
            "memory-read-only",
            MemoryDomain(
                "two vCPUs load from a page that may only be read, and one stores to it",
                runs=((0, 0), (1, 1)), accesses=(STORE,), loads=(LEAF,), hosts=(),
            ),
        ),
        "deletion": Situation(
            "memory-two-pages",
            MemoryDomain(
                "user space deletes a slot while the host replaces a page of it",
                host=(UserDeletesSlot, HostReplaces), hosts=(0, 1), gfns=(GFN,),
            ),
        ),
        "empty": Situation(
            "memory-empty",
            MemoryDomain(
                "two vCPUs fault on a page that is not there yet, and that is taken again",
                runs=((0, 0), (1, 1)), accesses=(LOAD, STORE, UNCACHED), loads=(LEAF,),
                host=(HostReclaims, UserTouches), gfns=(GFN,),
            ),
        ),
        "outside": Situation(
            "memory",
            MemoryDomain("accesses outside every slot", runs=((0, 0),), accesses=(LOAD, access(GFN + 8)), hosts=()),
        ),
        "address": Situation(
            "memory-read-only",
            MemoryDomain(
                "a store to a read-only page, with another address in HPFAR", runs=((0, 0),), accesses=(MISLED,),
                hosts=(),
            ),
        ),
        "siblings": Situation(
            "memory",
            MemoryDomain(
                "two vCPUs take turns on one processor, each with its own stage 1 tables",
                runs=((0, 0), (0, 1)), guests=(GuestLeft, Stage1Loads), accesses=(VIRTUAL,), remaps=(NEXT,), hosts=(),
            ),
        ),
        "VMIDs": Situation(
            "vmids-three-vms",
            MemoryDomain(
                "three VMs take turns with two VMIDs", runs=((0, 0), (1, 1), (1, 2), (1, 3)), guests=(GuestLeft,),
                hosts=(),
            ),
        ),
        "translations": Situation(
            "vmids",
            MemoryDomain(
                "two VMs take turns with one VMID, and TLBs load their translations",
                runs=((0, 0), (1, 2)), guests=(GuestLeft,), accesses=(LOAD,), loads=(LEAF,), hosts=(),
            ),
        ),
        "slots": Situation(
            "memory-two-pages",
            MemoryDomain(
                "user space deletes and sets slots while a guest uses them",
                runs=((0, 0),), accesses=(LOAD, access(NEXT)), loads=(LEAF,),
                host=(UserDeletesSlot, UserSetsSlot, HostReplaces), gfns=(GFN,),
                slots=((0, GFN, 2), (1, GFN, 1), (1, NEXT, 1)),
            ),
        ),
        "deleted table": Situation(
            "memory-two-pages",
            MemoryDomain(
                "user space deletes a slot while a TLB holds a pointer to its table", runs=((0, 0),),
                accesses=(LOAD,), loads=(POINTER,), host=(UserDeletesSlot,),
            ),
        ),
        "beyond": Situation(
            "memory",
            MemoryDomain(
                "user space sets a slot that no guest can address, and the host takes its page",
                runs=((0, 0),), accesses=(LOAD,), host=(UserSetsSlot, UserTouches, HostReclaims, UserDeletesSlot),
                gfns=(BEYOND,), slots=((1, BEYOND, 1), (1, BEYOND - 1, 2)),
            ),
        ),
        "beyond, among VMs": Situation(
            "vmids-three-vms",
            MemoryDomain(
                "user space sets a slot whose first-level descriptor would be in another VM's table",
                host=(UserSetsSlot, UserTouches, HostReclaims), gfns=(ELSEWHERE,), slots=((1, ELSEWHERE, 1),),
            ),
        ),
        "life": Situation(
            "memory",
            MemoryDomain(
                "a VM ends while the host takes its page, and another one begins",
                runs=((0, 0),), guests=(GuestLeft,), accesses=(LOAD,), loads=(LEAF, POINTER),
                host=(UserDestroysVm, HostReclaims, UserCreatesVm), hosts=(0, 1), gfns=(GFN,),
            ),
        ),
        "new": Situation(
            "memory-new",
            MemoryDomain(
                "a new VM gets its CPU interface, and its first page",
                runs=((0, 0),), guests=(GuestLeft,),
                accesses=(LOAD, access(INTERFACE_GFN), access(INTERFACE_GFN, write=1)),
                host=(InterfaceMapped,), hosts=(0,), gfns=(GFN,),
            ),
        ),
        "shared frame": Situation(
            "memory-shared-frame",
            MemoryDomain(
                "the CPU interface shares its page with another device",
                runs=((0, 0),), accesses=(access(INTERFACE_GFN),), host=(InterfaceMapped,), hosts=(0,),
            ),
        ),
    }
)  # fmt: skip
"""Every situation by its name."""
