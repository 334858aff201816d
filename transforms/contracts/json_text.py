"""JSON text read strictly: what parsers let pass in silence is an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any

BLANKS = " \t\r\n"
MOST_LEVELS = 999
LONGEST_NUMBER = 1_000  # characters
LONGEST_NAME = 50_000
FRAMES = 4 * MOST_LEVELS  # Python's own limit is 1,000, of which its callers have used some

Number = Callable[[str], Any]


class MalformedJsonError(ValueError):
    """A text is not exactly one JSON document.

    Args:
        rule: rule that it breaks: `single_document`, `unique_keys` or `syntax`.
        message: description, for people.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def parse_json(text: str, number: Number | None = None) -> Any:
    """Parse a text as exactly one JSON document, as docs/contracts.md defines it.

    Args:
        text: the document.
        number: function that reads a number as written; Python's own int and float by default.

    Returns:
        The document.

    Raises:
        MalformedJsonError: it is no JSON, holds NaN, an infinity or half of a surrogate pair,
            repeats a key, is nested deeper than MOST_LEVELS, has a longer number than
            LONGEST_NUMBER or key than LONGEST_NAME, or more follows the document.
    """
    is_deep = text.count("[") + text.count("{") > MOST_LEVELS // 2
    with _more_frames() if is_deep else nullcontext():
        try:
            document, end = _read(_decoder(number, _unique_members), text)
        except (ValueError, RecursionError) as error:
            message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise MalformedJsonError(_broken_rule(text), message) from None
    if text[end:].strip(BLANKS):
        raise MalformedJsonError("single_document", "more follows behind the document")
    return document


def _read(decoder: json.JSONDecoder, text: str) -> tuple[Any, int]:
    """The first document of a text, and where it ends.

    Raises:
        ValueError: it is no JSON, or beyond the limits.
        RecursionError: it is nested too deeply.
    """
    begin = len(text) - len(text.lstrip(BLANKS))
    document, end = decoder.raw_decode(text, begin)
    _check_levels(document)
    if "\\" in text:
        _check_surrogates(document)
    return document, end


def _broken_rule(text: str) -> str:
    """The rule that a text breaks whose first document cannot be read."""
    try:
        _read(_decoder(None, _members), text)
    except (ValueError, RecursionError):
        return "syntax"
    return "unique_keys"


def _check_surrogates(document: Any) -> None:
    """Raise ValueError if a text in a document holds half of a surrogate pair."""
    try:
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is no text") from None


def _check_levels(document: Any) -> None:
    """Raise ValueError if a document is nested deeper than MOST_LEVELS."""
    level = [document]
    for _ in range(MOST_LEVELS + 1):
        level = [below for value in level for below in _children(value)]
        if not level:
            return
    raise ValueError("nested too deeply")


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


@lru_cache(maxsize=8)
def _decoder(
    number: Number | None, members: Callable[[list[tuple[str, Any]]], dict[str, Any]]
) -> json.JSONDecoder:
    """A decoder that reads numbers by a function, or by Python's own, and objects by another."""
    return json.JSONDecoder(
        object_pairs_hook=members,
        parse_int=_within_length(number or int),
        parse_float=_within_length(number or float),
        parse_constant=_refuse_constant,
    )


def _within_length(number: Number) -> Number:
    """A reader of numbers that raises ValueError for one that is longer than LONGEST_NUMBER."""

    def read(token: str) -> Any:
        """Read a number."""
        if len(token) > LONGEST_NUMBER:
            raise ValueError(f"a number has more than {LONGEST_NUMBER:,} characters")
        return number(token)

    return read


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object; ValueError if a key is longer than LONGEST_NAME."""
    if any(len(name) > LONGEST_NAME for name, _ in pairs):
        raise ValueError(f"a key has more than {LONGEST_NAME:,} characters")
    return dict(pairs)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object; ValueError if a key is repeated or too long."""
    members = _members(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is repeated")
    return members


def _refuse_constant(name: str) -> Any:
    """Raise ValueError for NaN and the infinities."""
    raise ValueError(f"{name} is no JSON number")
