"""Engines of concrete steps for a part of the system that has a state, actions and configurations of its own."""
