"""Interrupts: the virtual distributor, list registers, the run loop and its kicks, as Linux 3.12 has them."""
