"""Records: an event as a JSON-like body, and where and how it travels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from transforms.instants import rfc3339

Body = dict[str, Any]

_COMPACT = json.JSONEncoder(separators=(",", ":"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Record(NamedTuple):
    """What is sent to Kafka."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Route:
    """How events of one type travel: their topic, the field that is the key, their family."""

    topic: str
    key: str
    family: str


_PLAYBACK = Route("user-interactions", "userId", "playback")
_CATALOG = Route("content-metadata-updates", "titleId", "catalog")

# what the contracts say in x-topics, x-key and x-family; the tests compare the two
ROUTES = {
    "VideoPlaybackStarted": _PLAYBACK,
    "VideoPlaybackPaused": _PLAYBACK,
    "VideoPlaybackSeeked": _PLAYBACK,
    "VideoPlaybackCompleted": _PLAYBACK,
    "UserRatingSubmitted": Route("user-interactions", "userId", "ratings"),
    "UserEngagement": Route("user-interactions", "userId", "engagement"),
    "ContentViewed": Route("user-profile-events", "userId", "profiles"),
    "ContentRated": Route("user-profile-events", "userId", "ratings"),
    "UserPreferencesUpdated": Route("user-profile-events", "userId", "profiles"),
    "ContentMetadataUpdated": _CATALOG,
    "ContentMetadataRemoved": _CATALOG,
    "RecommendationModelPublished": Route("recommendation-model-updates", "modelName", "models"),
    "ExperimentAssignment": Route("experiment-events", "userId", "experiments"),
    "ExperimentResultPublished": Route("experiment-events", "experimentId", "experiments"),
    "ServiceHealthReported": Route("system-health", "service", "health"),
}


def instant(micros: int) -> str:
    """RFC 3339 in UTC, to the millisecond, of microseconds since 1970."""
    return rfc3339(EPOCH + timedelta(microseconds=micros), "milliseconds")


def micros_of(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (at - EPOCH) // timedelta(microseconds=1)


def micros_of_instant(text: str) -> int:
    """Microseconds since 1970 of what `instant` wrote."""
    return micros_of(datetime.fromisoformat(text))


def to_json(value: Any) -> str:
    """The value as JSON: compact, ASCII, members in their order."""
    return _COMPACT.encode(value)


def encode(body: Body) -> bytes:
    """The body as the bytes of a record's value."""
    return to_json(body).encode()


def record_of(body: Body) -> Record:
    """The record of a sound event, by the route of its type."""
    route = ROUTES[body["eventType"]]
    return Record(route.topic, body[route.key].encode(), encode(body))
