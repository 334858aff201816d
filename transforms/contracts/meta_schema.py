"""A contract as a document: whether it is JSON Schema 2020-12, before anything is read of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

META_SCHEMA = Draft202012Validator(
    Draft202012Validator.META_SCHEMA, format_checker=FormatChecker(("regex",))
)
LONGEST_MESSAGE = 200
STEPS = {"items": "[*]", "additionalProperties": ".*"}


def schema_fault(document: Any) -> str | None:
    """Find what keeps a document from being JSON Schema 2020-12.

    Args:
        document: the document as parsed JSON.

    Returns:
        JSONPath of the place in an event, keyword and reason, such as
        `$.size minLength: 'x' is not of type 'integer'`; None for a valid schema.
    """
    if not isinstance(document, Mapping):
        return f"$ type: a contract is a JSON object, not {type(document).__name__}"
    endless = next(_endless((), document), None)
    if endless is not None:
        return f"{_place(endless[:-1])} {endless[-1]}: a number that is out of range"
    error = best_match(META_SCHEMA.iter_errors(document))
    if error is None:
        return None
    path = [*error.absolute_path]
    last = max((at for at, step in enumerate(path) if isinstance(step, str)), default=None)
    if last is None or not _is_keyword(path, last):
        return f"{_place(path)}: {error.message[:LONGEST_MESSAGE]}"
    message = f"{error.instance!r} is no type" if path[last] == "type" else error.message
    return f"{_place(path[:last])} {path[last]}: {message[:LONGEST_MESSAGE]}"


def _is_keyword(path: Sequence[str | int], at: int) -> bool:
    """Whether a step of a path names a keyword, not a property, a definition or an index."""
    named = at > 0 and path[at - 1] in {"properties", "$defs"} and _is_keyword(path, at - 1)
    return isinstance(path[at], str) and not named


def _place(path: Sequence[str | int]) -> str:
    """Path of a place in a schema, as the path in an event; of a definition, by its name."""
    said, steps = "$", iter(path)
    for step in steps:
        if step == "properties":
            said += f".{next(steps, '')}"
        elif step == "$defs":
            said = f"#/$defs/{next(steps, '')}"
        else:
            said += STEPS.get(str(step), f".{step}")
    return said


def _endless(path: tuple[str | int, ...], value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each number that a double cannot hold."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _endless((*path, name), below)
    elif isinstance(value, list):
        for at, below in enumerate(value):
            yield from _endless((*path, at), below)
    elif isinstance(value, int | float) and not -sys.float_info.max <= value <= sys.float_info.max:
        yield path
