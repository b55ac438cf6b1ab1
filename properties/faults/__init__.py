"""Wrong designs on purpose: every element of the reference removed in turn, and the bugs that KVM/ARM really had."""
