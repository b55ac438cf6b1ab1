"""What every action of the transition system has in common."""

from attrs import frozen


@frozen
class Action:
    """Something that happens, on one processor."""

    cpu: int
