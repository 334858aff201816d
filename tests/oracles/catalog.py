"""The oracle of the catalogue: docs/semantics.md, Catalogue, in plain Python, from that page alone.

It takes the catalogue's events as their documents and looks, for an instant, at the last change
before it; it knows no intervals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.oracles.strict_json import micros

Event = dict[str, Any]
Entry = dict[str, Any]


def entry_at(arrived: Iterable[Event], title: str, time: int) -> Entry | None:
    """What the catalogue says of a title at an instant, in microseconds since 1970.

    Args:
        arrived: events with an eventId, in order of arrival, repeats included.
        title: the title's id.
        time: the instant.
    """
    first: dict[str, Event] = {}
    for event in arrived:
        first.setdefault(event["eventId"], event)
    until = [e for e in first.values() if e["titleId"] == title and micros(e["timestamp"]) <= time]
    last = max(until, key=lambda e: (micros(e["timestamp"]), e["eventId"]), default=None)
    if last is None or last["eventType"] == "ContentMetadataRemoved":
        return None
    return {
        "name": last["name"],
        "content_type": last.get("contentType"),
        "genres": last.get("genres"),
    }
