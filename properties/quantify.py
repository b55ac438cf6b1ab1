"""What holds of every key of a sparse map, concrete or symbolic, without the solver."""

from collections.abc import Callable, Iterable
from typing import Any

from spec.sparse import Sparse
from spec.words import either, every


def each(mapping: Any) -> Iterable[tuple[Any, Any]]:
    """The keys of a map that have another value than the default, with their values.

    Of a symbolic map with arbitrary contents: the watched keys.
    """
    if isinstance(mapping, Sparse):
        return mapping.entries.items()
    return [(key, mapping.get(key)) for key in mapping.watched]


def everywhere(mapping: Any, condition: Callable[[Any, Any], Any]) -> Any:
    """Whether a condition holds of every key and value of a map, as one formula; it must hold of the default.

    Of a symbolic map with arbitrary contents: of every watched key.
    """
    return every(*(condition(key, value) for key, value in each(mapping)))


def somewhere(mapping: Any, condition: Callable[[Any, Any], Any]) -> Any:
    """Whether a condition holds of some key that has another value than the default, and its value, as one formula.

    Of a symbolic map with arbitrary contents: of some key that was read, so that where it holds there is such a key.
    """
    entries = each(mapping) if isinstance(mapping, Sparse) else [(key, mapping.get(key)) for key in mapping.read]
    return either(*(condition(key, value) for key, value in entries))
