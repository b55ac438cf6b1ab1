"""How fast the specification and its engines are: `python -m benchmarks`; nothing here asserts a threshold."""
