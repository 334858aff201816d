"""JSON text read strictly: what parsers let pass in silence is an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def parse_json(text: str, number: Callable[[str], Any] | None = None) -> Any:
    """Parse one JSON document.

    Args:
        text: the document.
        number: function that reads a number as written; Python's own int and float by default.

    Returns:
        The document.

    Raises:
        ValueError: it is no JSON, holds NaN or an infinity, repeats a key, or is nested too deeply.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
            parse_int=number,
            parse_float=number,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object.

    Raises:
        ValueError: two have the same key.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is repeated")
    return members


def _refuse_constant(name: str) -> Any:
    """Refuse NaN and the infinities.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is no JSON number")
