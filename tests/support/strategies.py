"""Hypothesis strategies: small histories of raw records, and the ways in which they may arrive.

A history has few users, titles and instants, so that keys, ties and repeats meet often. It is a
list of deliveries in no order; `arrived` gives it places and arrival times, `split` cuts what
arrived into micro-batches.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracles.pipeline import DEVICE_TYPES, SOURCES, Raw

T = TypeVar("T")
NOON = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z, in microseconds
MINUTE = 60_000_000
INTERACTIONS = "user-interactions"
PROFILES = "user-profile-events"


class Delivery(NamedTuple):
    """A record that is sent, before Kafka gives it a place."""

    topic: str
    key: bytes | None
    value: bytes | None


users = st.sampled_from(["user_a", "user_b"])
titles = st.sampled_from(["title_x", "title_y"])
regions = st.sampled_from([{}, {"region": "eu"}, {"region": "us"}])
seconds = st.integers(0, 7200)
stars = st.integers(1, 10).map(lambda half_stars: half_stars / 2)
instants = st.sampled_from(
    [
        "2026-09-21T14:13:20Z",
        "2026-09-21T14:13:20.000001Z",
        "2026-09-21T14:13:20.0000019Z",
        "2026-09-21T00:00:00+00:00",
        "2026-09-20T23:59:59.999999999Z",
        "2026-09-19T12:00:00.5Z",
    ]
)
event_ids = st.one_of(
    st.just({}), st.sampled_from("ABab09").map(lambda event_id: {"eventId": event_id})
)


def _event(event_type: str, version: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy:
    named = st.fixed_dictionaries(
        {
            "eventType": st.just(event_type),
            "version": st.just(version),
            "timestamp": instants,
            "userId": users,
            **members,
        }
    )
    return st.builds(lambda event, event_id: {**event, **event_id}, named, event_ids)


def _playback(
    event_type: str, version: str, **members: st.SearchStrategy[Any]
) -> st.SearchStrategy:
    return _event(
        event_type,
        version,
        sessionId=st.just("session_1"),
        deviceInfo=st.fixed_dictionaries(
            {"deviceType": st.sampled_from(DEVICE_TYPES), "platform": st.just("web")}
        ),
        contentInfo=st.fixed_dictionaries(
            {"titleId": titles, "contentType": st.just("movie"), "duration": seconds}
        ),
        playbackContext=st.fixed_dictionaries(
            {"source": st.sampled_from(SOURCES), "position": seconds}
        ),
        metadata=regions,
        **members,
    )


plays = st.one_of(
    _playback("VideoPlaybackStarted", "2.1"), _playback("VideoPlaybackStarted", "2.0")
)
old_plays = _event(
    "VideoPlaybackStarted",
    "1.0",
    sessionId=st.just("session_1"),
    deviceType=st.sampled_from(DEVICE_TYPES),
    platform=st.just("web"),
    titleId=titles,
    contentType=st.just("movie"),
    durationMs=st.integers(0, 7_200_999),
    source=st.sampled_from(SOURCES),
    positionMs=st.integers(0, 7_200_999),
)
pauses = _playback("VideoPlaybackPaused", "1.0")
seeks = _playback(
    "VideoPlaybackSeeked", "1.0", seek=st.fixed_dictionaries({"from": seconds, "to": seconds})
)
completions = _playback(
    "VideoPlaybackCompleted",
    "1.0",
    watchDuration=seconds,
    completionPercentage=st.integers(0, 100),
)
ratings = _event(
    "UserRatingSubmitted",
    "1.0",
    contentInfo=st.fixed_dictionaries({"titleId": titles}),
    rating=stars,
    metadata=regions,
)
content_ratings = _event(
    "ContentRated", "1.0", contentId=titles, data=st.fixed_dictionaries({"rating": stars})
)

clicks = _event(
    "UserEngagement",
    "1.0",
    engagement=st.fixed_dictionaries(
        {"kind": st.sampled_from(["click", "click", "impression"])},
        optional={
            "titleId": titles,
            "source": st.sampled_from(["recommendation", "recommendation", "search"]),
            "rank": st.integers(1, 40),
        },
    ),
    metadata=regions,
)


sparse_watching = st.fixed_dictionaries(
    {},
    optional={
        "sessionId": st.just("session_1"),
        "deviceInfo": st.fixed_dictionaries(
            {}, optional={"deviceType": st.sampled_from(DEVICE_TYPES), "platform": st.just("tv 7")}
        ),
        "playbackContext": st.fixed_dictionaries(
            {}, optional={"source": st.sampled_from(SOURCES), "position": seconds}
        ),
        "metadata": regions,
    },
)


def _sparse_playback(
    event_type: str, version: str, **members: st.SearchStrategy[Any]
) -> st.SearchStrategy:
    content = st.fixed_dictionaries(
        {"titleId": st.sampled_from(["title_x", "Am\u00e9lie (2001)"])},
        optional={"contentType": st.just("movie"), "duration": seconds},
    )
    known = _event(event_type, version, contentInfo=content, **members)
    return st.builds(lambda event, more: {**event, **more}, known, sparse_watching)


sparse = st.one_of(  # what clients send that know little
    _sparse_playback("VideoPlaybackStarted", "3.0"),
    _sparse_playback("VideoPlaybackPaused", "2.0"),
    _sparse_playback(
        "VideoPlaybackSeeked", "2.0", seek=st.fixed_dictionaries({"from": seconds, "to": seconds})
    ),
    _sparse_playback("VideoPlaybackCompleted", "2.0", watchDuration=seconds),
    _event(
        "UserRatingSubmitted",
        "2.0",
        contentInfo=st.fixed_dictionaries({"titleId": st.just("Am\u00e9lie (2001)")}),
        rating=stars,
    ),
)


def _delivered(event: dict[str, Any]) -> Delivery:
    topic = PROFILES if event["eventType"] == "ContentRated" else INTERACTIONS
    return Delivery(topic, event["userId"].encode(), json.dumps(event).encode())


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6), st.text()
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
events = st.one_of(
    *(plays, old_plays, pauses, seeks, completions, ratings, content_ratings, clicks, sparse)
)
sound = events.map(_delivered)


def _broken(delivery: Delivery, way: int) -> Delivery:
    value = delivery.value or b""
    return (
        delivery._replace(value=value[:-1]),
        delivery._replace(value=b""),
        delivery._replace(value=None),
        delivery._replace(value=value.replace(b"title_", b"no title ")),
        delivery._replace(value=value.replace(b'"timestamp"', b'"Timestamp"')),
        delivery._replace(value=value.replace(b"2026-", b"2027-")),
        delivery._replace(value=value.replace(b"2026-", b"2020-")),
        delivery._replace(value=value + value),
        delivery._replace(key=b"user_c"),
        delivery._replace(key=None),
        delivery._replace(topic="system-health"),
    )[way]


broken = st.builds(_broken, sound, st.integers(0, 10))


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """An event of which one member, at any depth, is taken away or replaced."""
    event = deepcopy(draw(events))
    target = event
    name = draw(st.sampled_from(sorted(target)))
    while isinstance(target[name], dict) and target[name] and draw(st.booleans()):
        target = target[name]
        name = draw(st.sampled_from(sorted(target)))
    if draw(st.booleans()):
        del target[name]
    else:
        target[name] = draw(anything)
    return event


@st.composite
def histories(draw: st.DrawFn, max_size: int = 20) -> list[Delivery]:
    """Deliveries: mostly sound ones, some broken, any of them repeated."""
    once = draw(st.lists(st.one_of(sound, sound, sound, broken), min_size=1, max_size=max_size))
    again = draw(st.lists(st.sampled_from(once), max_size=max_size // 2))
    return once + again


def arrived(deliveries: Sequence[Delivery], partitions: int = 2) -> list[Raw]:
    """The records as Kafka holds them when they arrive in this order, a minute apart.

    A key always goes to the same partition, as offsets of a partition follow the order.
    """
    offsets: Counter[tuple[str, int]] = Counter()
    raws = []
    for minute, (topic, key, value) in enumerate(deliveries):
        partition = sum(key or b"") % partitions
        raws.append(
            Raw(topic, partition, offsets[topic, partition], key, value, NOON + minute * MINUTE)
        )
        offsets[topic, partition] += 1
    return raws


@st.composite
def shuffles(draw: st.DrawFn, deliveries: Iterable[Delivery]) -> list[Raw]:
    """The same deliveries arrived in any order."""
    return arrived(draw(st.permutations(list(deliveries))))


@st.composite
def splits(draw: st.DrawFn, raws: Sequence[Raw], most: int = 4) -> list[list[Raw]]:
    """What arrived, cut in order into at most so many batches, none of them empty."""
    cuts = draw(st.sets(st.integers(1, max(1, len(raws) - 1)), max_size=most - 1))
    edges = [0, *sorted(cut for cut in cuts if cut < len(raws)), len(raws)]
    return [list(raws[a:b]) for a, b in pairwise(edges)]


def examples(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """So many values of a strategy, the same in every run."""
    drawn: list[T] = []

    @settings(
        max_examples=count, derandomize=True, database=None, suppress_health_check=HealthCheck
    )
    @given(strategy)
    def draw(value: T) -> None:
        drawn.append(value)

    draw()
    return drawn
