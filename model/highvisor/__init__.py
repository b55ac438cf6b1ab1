"""The highvisor: the part of KVM/ARM that runs in the host's kernel and handles what the lowvisor hands it."""
