"""Records: an event as a JSON object, and its topic, key and value in Kafka."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from transforms.instants import instant_of, micros_of, rfc3339

Body = dict[str, Any]

_COMPACT = json.JSONEncoder(separators=(",", ":"))


class Record(NamedTuple):
    """A record to be sent to Kafka.

    Attributes:
        topic: name of the topic.
        key: bytes of the key.
        value: bytes of the value.
    """

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Route:
    """The route of an event type.

    Attributes:
        topic: name of the topic.
        key: name of the event's member that is the key.
        family: name of the silver table, without its schema.
    """

    topic: str
    key: str
    family: str


_PLAYBACK = Route("user-interactions", "userId", "playback")
_CATALOG = Route("content-metadata-updates", "titleId", "catalog")

# as the contracts declare in x-topics, x-key and x-family; the tests compare the two
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
    """Microseconds since 1970 as RFC 3339 in UTC, to the millisecond."""
    return rfc3339(instant_of(micros), "milliseconds")


def micros_of_instant(text: str) -> int:
    """RFC 3339 text, as `instant` writes it, as microseconds since 1970."""
    return micros_of(datetime.fromisoformat(text))


def to_json(value: Any) -> str:
    """A value as JSON text: compact, ASCII, members in their order."""
    return _COMPACT.encode(value)


def encode(body: Body) -> bytes:
    """An event's JSON object as the bytes of a record's value."""
    return to_json(body).encode()


def record_of(body: Body) -> Record:
    """The record of an event, by the route of its type."""
    route = ROUTES[body["eventType"]]
    return Record(route.topic, body[route.key].encode(), encode(body))
