"""The coprocessor space: a total classification of every CP14 and CP15 access, and of the VFP system registers."""
