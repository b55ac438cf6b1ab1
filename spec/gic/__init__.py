"""The interrupt controller GICv2: distributor, physical CPU interface, virtual interface, virtual CPU interface."""
