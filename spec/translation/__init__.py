"""Address translation: two stages for PL1 and PL0, one for Hyp mode, their faults, and what TLBs may hold."""
