"""Kinds of faults between an application and Kafka, and where such an event must end.

| fault | what happens | where the event ends |
|---|---|---|
| duplicates | the same bytes are sent again, up to `REACH` events later | silver, one duplicate |
| late | the event time lies up to `LATEST_S` earlier | silver |
| out_of_order | it is sent up to `REACH` events later | silver |
| old_versions | a VideoPlaybackStarted in the shape of 2.0 or 1.0 | silver |
| malformed | one of `MALFORMATIONS` | quarantine |
| far_future | the event time lies 1 to 365 days ahead of the end of the run | quarantine |
| wrong_key | the Kafka key is not the event's | quarantine |
| sparse | an event of SPARSE in its newest version, with only what that requires | silver |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from jobs.producers.records import Body, Record, encode, instant, micros_of_instant

REACH = 500
LATEST_S = 3 * 86_400
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Draw:
    """The random draw that determines the form of a fault.

    Attributes:
        chance: the event's chance, in [0, 1).
        until: the last instant of the run's sound events, in microseconds since 1970.
    """

    chance: float
    until: int

    @property
    def delay(self) -> int:
        """The number of events by which a record is delayed: 1 to REACH."""
        return 1 + int(self.chance * REACH)


Deliveries = list[tuple[int, Record]]
Deliver = Callable[[Record, Draw], Deliveries]


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        fault: name of the fault on the command line.
        deliver: function from the sound record to the records sent, each with its delay in events.
        reason: the quarantine reason that the event must end with; None: it ends in silver.
        duplicates: number of the records that are repeats.
        only: the event types that can have it; empty: all.
    """

    fault: str
    deliver: Deliver
    reason: str | None = None
    duplicates: int = 0
    only: tuple[str, ...] = ()


def _sent_twice(record: Record, draw: Draw) -> Deliveries:
    """The record, and the same bytes some events later."""
    return [(0, record), (draw.delay, record)]


def _sent_later(record: Record, draw: Draw) -> Deliveries:
    """The record, some events later."""
    return [(draw.delay, record)]


def _misrouted(record: Record, draw: Draw) -> Deliveries:
    """The record under a key that is not the event's."""
    return [(0, record._replace(key=record.key + b"_elsewhere"))]


def _with_value(change: Callable[[bytes], bytes]) -> Deliver:
    """A fault that changes the bytes of the value."""
    return lambda record, draw: [(0, record._replace(value=change(record.value)))]


def _with_body(change: Callable[[Body], Body]) -> Deliver:
    """A fault that changes the event's JSON object."""
    return _with_value(lambda value: encode(change(json.loads(value))))


def _clock_behind(record: Record, draw: Draw) -> Deliveries:
    """The record with an event time up to LATEST_S seconds earlier."""
    return _with_body(partial(_moved_back, seconds=LATEST_S * draw.chance))(record, draw)


def _clock_ahead(record: Record, draw: Draw) -> Deliveries:
    """The record with an event time 1 to 365 days ahead of the end of the run."""
    ahead = instant(draw.until + DAY_US + int(364 * DAY_US * draw.chance))
    return _with_body(lambda body: {**body, "timestamp": ahead})(record, draw)


def _moved_back(body: Body, seconds: float) -> Body:
    """The event with its timestamp some seconds earlier."""
    at = micros_of_instant(body["timestamp"]) - int(1_000_000 * seconds)
    return {**body, "timestamp": instant(at)}


def _without(body: Body, name: str) -> Body:
    """The object without one of its members."""
    return {member: value for member, value in body.items() if member != name}


def _only(body: Body, *names: str) -> Body:
    """The object with only some of its members."""
    return {name: body[name] for name in names if name in body}


def started_2_0(body: Body) -> Body:
    """A VideoPlaybackStarted 2.1 in the shape of 2.0."""
    return {
        **body,
        "version": "2.0",
        "deviceInfo": _without(body["deviceInfo"], "capabilities"),
        "playbackContext": _without(body["playbackContext"], "previousTitle"),
        "metadata": _without(body["metadata"], "abTestGroups"),
    }


def started_1_0(body: Body) -> Body:
    """A VideoPlaybackStarted 2.1 in the flat shape of 1.0, times in milliseconds."""
    device, content, context = (
        body[name] for name in ("deviceInfo", "contentInfo", "playbackContext")
    )
    flat = {
        **_only(body, "eventType", "version", "timestamp", "eventId", "userId", "sessionId"),
        **_only(device, "deviceType", "platform", "appVersion"),
        **_only(content, "titleId", "episodeId", "contentType"),
        "durationMs": 1000 * content["duration"] + 999,
        **_only(content, "quality"),
        **_only(context, "source"),
        "positionMs": 1000 * context["position"] + 999,
        **_only(context, "autoPlay"),
        **_only(body["metadata"], "region"),
    }
    return {**flat, "version": "1.0"}


SPARSE: Mapping[str, tuple[str, tuple[str, ...]]] = {  # version, members that stay
    "VideoPlaybackStarted": ("3.0", ("contentInfo",)),
    "VideoPlaybackPaused": ("2.0", ("contentInfo",)),
    "VideoPlaybackSeeked": ("2.0", ("contentInfo", "seek")),
    "VideoPlaybackCompleted": ("2.0", ("contentInfo", "watchDuration")),
    "UserRatingSubmitted": ("2.0", ("contentInfo", "rating")),
}


def sparse(body: Body) -> Body:
    """An event of a client that knows little: what is optional is absent."""
    version, members = SPARSE[body["eventType"]]
    return {
        **_only(body, "eventType", "version", "timestamp", "eventId", "userId", *members),
        "version": version,
        "contentInfo": _only(body["contentInfo"], "titleId"),
    }


def _epoch_milliseconds(body: Body) -> Body:
    """The event with its timestamp in milliseconds since 1970."""
    return {**body, "timestamp": micros_of_instant(body["timestamp"]) // 1000}


def _wrong_case(body: Body) -> Body:
    """The event with EventId in place of eventId."""
    return {**_without(body, "eventId"), "EventId": body["eventId"]}


MALFORMATIONS: Mapping[str, tuple[str, Deliver]] = {
    "cut off": ("malformed_json", _with_value(lambda value: value[:-2])),
    "two run together": ("malformed_json", _with_value(lambda value: value + value)),
    "single quotes": ("malformed_json", _with_value(lambda value: value.replace(b'"', b"'"))),
    "a key twice": ("malformed_json", _with_value(lambda value: b'{"version":"9",' + value[1:])),
    "NaN": ("malformed_json", _with_value(lambda value: b'{"score":NaN,' + value[1:])),
    "not UTF-8": ("invalid_utf8", _with_value(lambda value: b'{"note":"\xff",' + value[1:])),
    "unknown type": (
        "unknown_event_type",
        _with_body(lambda body: {**body, "eventType": "VideoPlaybackTeleported"}),
    ),
    "unknown version": ("unknown_version", _with_body(lambda body: {**body, "version": "99.0"})),
    "no time": ("missing_field", _with_body(lambda body: _without(body, "timestamp"))),
    "key in the wrong case": ("wrong_case_key", _with_body(_wrong_case)),
    "time in milliseconds": ("wrong_type", _with_body(_epoch_milliseconds)),
    "not an identifier": (
        "constraint",
        _with_body(lambda body: {**body, "eventId": f"retry of {body['eventId']}"}),
    ),
}

FAULT_KINDS = (
    FaultKind("duplicates", _sent_twice, duplicates=1),
    FaultKind("late", _clock_behind),
    FaultKind("out_of_order", _sent_later),
    *(FaultKind("malformed", deliver, reason) for reason, deliver in MALFORMATIONS.values()),
    FaultKind("far_future", _clock_ahead, "future_time"),
    FaultKind("old_versions", _with_body(started_2_0), only=("VideoPlaybackStarted",)),
    FaultKind("old_versions", _with_body(started_1_0), only=("VideoPlaybackStarted",)),
    FaultKind("wrong_key", _misrouted, "wrong_key"),
    FaultKind("sparse", _with_body(sparse), only=tuple(SPARSE)),
)
SOUND = len(FAULT_KINDS)
