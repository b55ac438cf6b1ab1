"""Power: PSCI, vCPUs that are started and stopped, what user space does to a vCPU, and the end of a VM."""
