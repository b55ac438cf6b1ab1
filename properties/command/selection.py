"""The ids that a command is given: whole ones, or the beginnings of several."""

from collections.abc import Iterable, Sequence

from properties.designs import unknown


def selected(given: Sequence[str], known: Iterable[str], kind: str, listed: str) -> tuple[str, ...]:
    """The known ids that are meant, in the known order; all where none is given.

    An id that is not known means all that begin with it. Raises Unknown where there are none.
    """
    ids = tuple(known)
    if not given:
        return ids
    wanted: set[str] = set()
    for name in given:
        found = {name} if name in ids else {candidate for candidate in ids if name and candidate.startswith(name)}
        if not found:
            raise unknown(kind, name, ids, listed)
        wanted |= found
    return tuple(candidate for candidate in ids if candidate in wanted)
