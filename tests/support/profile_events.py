"""Events of a user's profile, made by hand, and as they are delivered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.oracles.profiles import Event
from tests.oracles.strict_json import EPOCH
from tests.support.strategies import INTERACTIONS, NOON, PROFILES, Delivery


def event(kind: str, event_id: str, user: str, at: int, **members: Any) -> Event:
    """An event `at` microseconds after noon."""
    time = EPOCH + timedelta(microseconds=NOON + at)
    heading = {
        "eventType": kind,
        "version": "1.0",
        "timestamp": time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "eventId": event_id,
        "userId": user,
    }
    return {**heading, **members}


def prefer(event_id: str, at: int, user: str = "ada", **changes: Any) -> Event:
    return event("UserPreferencesUpdated", event_id, user, at, data={"preferences": changes})


def view(
    event_id: str, at: int, title: str = "t", session: str | None = None, **data: Any
) -> Event:
    viewing = {"watchDuration": 60, "completionPercentage": 50, **data}
    heading = {"contentId": title} | ({} if session is None else {"sessionId": session})
    return event("ContentViewed", event_id, "ada", at, **heading, data=viewing)


def rate(event_id: str, at: int, rating: float, **claims: float | None) -> Event:
    return event(
        "ContentRated", event_id, "ada", at, contentId="t", data={"rating": rating, **claims}
    )


def submit(event_id: str, at: int, rating: float) -> Event:
    return event(
        "UserRatingSubmitted",
        event_id,
        "ada",
        at,
        contentInfo={"titleId": "t"},
        rating=rating,
        metadata={},
    )


def delivered(sent: Sequence[Event]) -> list[Delivery]:
    return [
        Delivery(
            INTERACTIONS if e["eventType"] == "UserRatingSubmitted" else PROFILES,
            e["userId"].encode(),
            json.dumps(e).encode(),
        )
        for e in sent
    ]
