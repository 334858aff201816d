"""The oracle of features as of an instant: docs/semantics.md in plain Python, from that page alone.

Every row of a spine looks at every event of its user anew; it knows no sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Event = dict[str, Any]
MICROS_A_DAY = 24 * 3600 * 1_000_000
MICROS_AN_HOUR = 3600 * 1_000_000

STARTED, COMPLETED = "VideoPlaybackStarted", "VideoPlaybackCompleted"
RATED = ("UserRatingSubmitted", "ContentRated")


def features_of(
    user: str,
    at: int,
    events: Iterable[Event],
    changes: Iterable[Event],
    days: Sequence[int],
    known: bool,
) -> dict[str, Any]:
    """The features of a user at an instant, in microseconds since 1970.

    Args:
        user: whose.
        at: when.
        events: copies of events, with `event_time`, `arrival` and `place`; in any order.
        changes: of the catalogue, likewise.
        days: lengths of windows.
        known: only what had arrived.
    """
    own = _once(e for e in events if e["user_id"] == user)
    seen = [e for e in own if e["event_time"] < at and (not known or e["arrival"] < at)]
    row: dict[str, Any] = {}
    for d in days:
        inside = [e for e in seen if e["event_time"] >= at - d * MICROS_A_DAY]
        plays = sum(e["event_type"] == STARTED for e in inside)
        completed = [e for e in inside if e["event_type"] == COMPLETED]
        row[f"plays_{d}d"] = plays
        row[f"completions_{d}d"] = len(completed)
        row[f"watch_s_{d}d"] = sum(e["watch_s"] for e in completed)
        row[f"ratings_{d}d"] = sum(e["event_type"] in RATED for e in inside)
        row[f"completion_rate_{d}d"] = len(completed) / plays if plays else None
    play = _last(e for e in seen if e["event_type"] == STARTED)
    row["last_play_time"] = play.get("event_time")
    for name in ("title_id", "device_type", "content_type"):
        row[f"last_play_{name}"] = play.get(name)
    row["last_play_hour"] = play["event_time"] // MICROS_AN_HOUR % 24 if play else None
    row["last_play_genre"] = _genre(play, at, changes, known) if play else None
    rating = _last(e for e in seen if e["event_type"] in RATED)
    row["last_rating_time"] = rating.get("event_time")
    for name in ("title_id", "half_stars"):
        row[f"last_rating_{name}"] = rating.get(name)
    return row


def _genre(play: Event, at: int, changes: Iterable[Event], known: bool) -> str | None:
    told = [
        c
        for c in _once(changes)
        if c["title_id"] == play["title_id"]
        and c["event_time"] <= play["event_time"]
        and (not known or c["arrival"] < at)
    ]
    change = _last(told)
    return change["genres"][0] if change.get("genres") else None


def _once(copies: Iterable[Event]) -> list[Event]:
    """The first copy of each event by arrival order."""
    first: dict[str, Event] = {}
    for event in sorted(copies, key=lambda e: (e["arrival"], e["place"])):
        first.setdefault(event["event_id"], event)
    return list(first.values())


def _last(events: Iterable[Event]) -> Event:
    """The last by order; empty without one."""
    return max(events, key=lambda e: (e["event_time"], e["event_id"]), default={})
