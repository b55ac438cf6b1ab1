"""Virtual time: each VM's counter, each vCPU's timer, and the software timer for a vCPU that does not run."""
