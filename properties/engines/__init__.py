"""The engines that find out whether a property holds: symbolic execution over z3, proof, random walks, exploration."""
