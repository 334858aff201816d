"""The oracle of profiles: docs/semantics.md, Profile, in plain Python, from that page alone.

It takes a user's events as their documents and goes through them one by one in order, keeping the
state; it knows no folds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.oracles.strict_json import micros

Event = dict[str, Any]
Profile = dict[str, Any]

FIELDS = ("language", "subtitles", "maturityRating", "autoplay", "favouriteGenres", "dataSaver")


def profiles_of(arrived: Iterable[Event], as_of: int | None = None) -> dict[str, Profile]:
    """The profiles by user.

    Args:
        arrived: events with an eventId, in order of arrival, repeats included.
        as_of: microseconds since 1970; later events do not count.
    """
    first: dict[tuple[str, str], Event] = {}
    for event in arrived:
        first.setdefault((event["userId"], event["eventId"]), event)
    users: dict[str, list[Event]] = {}
    for event in sorted(first.values(), key=order):
        if as_of is None or micros(event["timestamp"]) <= as_of:
            users.setdefault(event["userId"], []).append(event)
    return {user: _profile(events) for user, events in users.items()}


def order(event: Event) -> tuple[int, str]:
    return micros(event["timestamp"]), event["eventId"]


def _profile(events: list[Event]) -> Profile:
    preferences: dict[str, Any] = dict.fromkeys(FIELDS)
    history: dict[tuple[str, str], Profile] = {}
    ratings: dict[str, Profile] = {}
    for event in events:
        match event["eventType"]:
            case "UserPreferencesUpdated":
                preferences |= event["data"]["preferences"]
            case "ContentViewed":
                _view(history, event)
            case "ContentRated":
                met = _rate(ratings, event, event["contentId"], event["data"]["rating"])
                if event["data"].get("previousRating") != met:
                    ratings[event["contentId"]]["disputed"].append(event["eventId"])
            case "UserRatingSubmitted":
                _rate(ratings, event, event["contentInfo"]["titleId"], event["rating"])
    time, event_id = order(events[-1])
    return {
        "events": len(events),
        "last_event": {
            "event_time": time,
            "event_id": event_id,
            "event_type": events[-1]["eventType"],
        },
        "preferences": preferences,
        "history": [history[key] for key in sorted(history)],
        "ratings": [ratings[title] for title in sorted(ratings)],
    }


def _view(history: dict[tuple[str, str], Profile], event: Event) -> None:
    data, time = event["data"], micros(event["timestamp"])
    session = event.get("sessionId")
    entry = history.setdefault(
        (event["contentId"], session or ""),
        {
            "title_id": event["contentId"],
            "session_id": session,
            "views": 0,
            "watch_s": 0,
            "furthest_position_s": None,
            "completion_percentage": None,
            "first_time": time,
        },
    )
    entry["views"] += 1
    entry["watch_s"] += data["watchDuration"]
    if "completionPercentage" in data:
        share = float(data["completionPercentage"])
        entry["completion_percentage"] = max(entry["completion_percentage"] or 0.0, share)
    entry["last_time"] = time
    jumps = data.get("skipEvents", [])
    for position in [*data.get("pauseEvents", []), *(at for j in jumps for at in j.values())]:
        entry["furthest_position_s"] = max(entry["furthest_position_s"] or 0, position)


def _rate(ratings: dict[str, Profile], event: Event, title: str, stars: float) -> float | None:
    """Rate the title; return the rating that was there, in stars."""
    before = ratings.get(title)
    time, event_id = order(event)
    ratings[title] = {
        "title_id": title,
        "event_time": time,
        "event_id": event_id,
        "half_stars": int(2 * stars),
        "disputed": before["disputed"] if before else [],
    }
    return before["half_stars"] / 2 if before else None
