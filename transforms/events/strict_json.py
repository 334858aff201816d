"""Strict reading of JSON: a text is exactly one document by RFC 8259, or the rule it breaks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from transforms.contracts.numbers import Written, read_number

BLANKS = " \t\r\n"
MOST_LEVELS = 999
LONGEST_NUMBER = 1_000  # characters
LONGEST_NAME = 50_000
FRAMES = 4 * MOST_LEVELS  # Python's own limit is 1,000, of which its callers have used some


class MalformedJsonError(ValueError):
    """A text is not exactly one JSON document.

    Attributes:
        rule: the rule it breaks: `single_document`, `unique_keys` or `syntax`.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def parse(text: str) -> Any:
    """Parse a text as exactly one JSON document.

    Objects repeat no key; a document is nested at most MOST_LEVELS deep, a number has at most
    LONGEST_NUMBER characters and a key LONGEST_NAME; no half of a surrogate pair is escaped.

    Raises:
        MalformedJsonError: it is none; names the rule.
    """
    is_deep = text.count("[") + text.count("{") > MOST_LEVELS // 2
    with _more_frames() if is_deep else nullcontext():
        try:
            document, end = _read(STRICT, text)
        except (ValueError, RecursionError):
            raise MalformedJsonError(_broken_rule(text)) from None
    if text[end:].strip(BLANKS):
        raise MalformedJsonError("single_document")
    return document


def _read(decoder: json.JSONDecoder, text: str) -> tuple[Any, int]:
    """The first document of a text, and where it ends.

    Raises:
        ValueError: it is no JSON, or beyond the limits.
        RecursionError: it is nested too deep.
    """
    begin = len(text) - len(text.lstrip(BLANKS))
    document, end = decoder.raw_decode(text, begin)
    _check_levels(document)
    if "\\" in text:
        json.dumps(document, ensure_ascii=False, default=str).encode()
    return document, end


def _broken_rule(text: str) -> str:
    """The rule that a text breaks whose first document cannot be read."""
    try:
        _read(LENIENT, text)
    except (ValueError, RecursionError):
        return "syntax"
    return "unique_keys"


def _check_levels(document: Any) -> None:
    """Raise ValueError if a document is nested deeper than MOST_LEVELS."""
    level = [document]
    for _ in range(MOST_LEVELS + 1):
        level = [below for value in level for below in _children(value)]
        if not level:
            return
    raise ValueError("nested too deep")


def _children(value: Any) -> Iterator[Any]:
    """The values directly below a value; itself counts as a level, so an empty one has a child."""
    if isinstance(value, dict):
        yield from value.values() if value else (None,)
    elif isinstance(value, list):
        yield from value or (None,)


@contextmanager
def _more_frames() -> Iterator[None]:
    """Let Python recurse as deep as a document may be nested."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members; ValueError if a key is longer than LONGEST_NAME."""
    if any(len(name) > LONGEST_NAME for name, _ in pairs):
        raise ValueError("a key is too long")
    return dict(pairs)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members; ValueError if a key is repeated or too long."""
    members = _members(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is repeated")
    return members


def _number(token: str) -> int | Written:
    """The value of a number; ValueError if it is too long."""
    if len(token) > LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return read_number(token)


def _refuse_constant(name: str) -> None:
    """Raise ValueError for NaN and the infinities."""
    raise ValueError(name)


STRICT, LENIENT = (
    json.JSONDecoder(
        object_pairs_hook=hook,
        parse_int=_number,
        parse_float=_number,
        parse_constant=_refuse_constant,
    )
    for hook in (_unique_members, _members)
)
