"""What holds of every key of a sparse map, concrete or symbolic, without the solver."""

from collections.abc import Callable
from typing import Any

from spec.sparse import Sparse
from spec.words import every


def everywhere(mapping: Any, condition: Callable[[Any, Any], Any]) -> Any:
    """Whether a condition holds of every key and value of a map, as one formula; it must hold of the default.

    Of a symbolic map with arbitrary contents: of every watched key.
    """
    if isinstance(mapping, Sparse):
        return every(*(condition(key, value) for key, value in mapping.entries.items()))
    return every(*(condition(key, mapping.get(key)) for key in mapping.watched))
