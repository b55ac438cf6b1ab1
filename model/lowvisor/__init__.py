"""The lowvisor: what runs in Hyp mode. It switches worlds, enforces isolation, and decides who handles a trap."""
