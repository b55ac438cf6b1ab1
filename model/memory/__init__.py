"""Memory: who owns which page, stage 2 tables and TLBs, and how the highvisor changes them while guests run."""
