"""What a store of versioned values holds, in plain Python: of all writes, the greatest by order.

Order is (event time, event_id), event_id byte by byte in UTF-8 (docs/semantics.md, Words).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Held(NamedTuple):
    """What a key and kind hold: the document (None: deleted), its place, and when it expires."""

    document: str | None
    event_time: int
    event_id: str
    expires_at: int | None
    is_expired: bool


def holdings(writes: Iterable[Any], now: float) -> dict[tuple[str, str], Held]:
    """What each (key, kind) holds at an instant, in seconds since the epoch."""
    greatest: dict[tuple[str, str], Any] = {}
    for write in writes:
        place = (write.key, write.kind)
        held = greatest.get(place)
        if held is None or _order(held) < _order(write):
            greatest[place] = write
    return {place: _held(write, now) for place, write in greatest.items()}


def _order(write: Any) -> tuple[int, bytes]:
    return write.event_time, write.event_id.encode("utf-8")


def _held(write: Any, now: float) -> Held:
    expires = None if write.ttl_s is None else write.event_time + write.ttl_s * 1_000_000
    expired = expires is not None and expires <= now * 1_000_000
    return Held(write.document, write.event_time, write.event_id, expires, expired)
