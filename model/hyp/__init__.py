"""Hyp mode: how it is set up on each processor, what its tables map, CPU hotplug and suspend."""
