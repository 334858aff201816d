"""The judge and the oracle, made apart from one another, agree on every kind of bad record."""

from __future__ import annotations

import json
import operator
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from jobs.runtime.contracts.registry import load_registry
from tests.oracles.pipeline import Bounds, Raw, contract_of, identity, judged
from tests.support.shapes import bronze_of
from tests.support.strategies import NOON, damaged, examples, histories
from transforms.contracts.example import example
from transforms.events.bodies import with_bodies
from transforms.events.bronze import PLACE
from transforms.events.judge import StrictLane, TimeBounds, judge

BOUNDS = Bounds()
TIME_BOUNDS = TimeBounds(BOUNDS.future_tolerance_s, BOUNDS.oldest_event_days)
PLAY = (
    b'{"eventType": "VideoPlaybackStarted", "version": "2.1", "eventId": "e1", '
    b'"timestamp": "2026-09-21T14:00:00Z", "userId": "ann", "sessionId": "s", '
    b'"deviceInfo": {"deviceType": "tablet", "platform": "ipados"}, '
    b'"contentInfo": {"titleId": "t", "contentType": "movie", "duration": 100}, '
    b'"playbackContext": {"source": "browse", "position": 7}, "metadata": {"region": "eu"}}'
)
SPARSE = (
    b'{"eventType": "VideoPlaybackStarted", "version": "3.0", "eventId": "e2", '
    b'"timestamp": "2026-09-21T14:00:00Z", "userId": "ann", "contentInfo": {"titleId": "t"}}'
)
TEXTS: tuple[bytes | None, ...] = (
    *(None, b"", b" \n", b"\xff", b"[]", b"null", b"1", b'"x"', b"{}", b"{", b"[" * 2000),
    *(b"{'a': 1}", b'{"a": NaN}', b'{"a": 01}', b'{"a": 1, "a": 1}', b"{} {}", b"{} x"),
    *(b'{"a": "\\ud800"}', b'{"a": "\n"}', b"\xef\xbb\xbf{}", b"\xef\xbb\xbf" + PLAY),
    *(b'{"eventType": "VideoPlaybackStarted"}', b'{"eventType": ["VideoPlaybackStarted"]}'),
    *(PLAY, PLAY + b" \n", b" " + PLAY, PLAY + b"x", PLAY + b"]", PLAY + b"," + PLAY),
    *(PLAY + b"\0", b"[" + PLAY + b"]", PLAY[:-1] + b",}", b" " * 2**20 + PLAY),
)
SWAPS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (
        b'"position": 7',
        (
            *(b'"position": 7.0', b'"position": 7e0', b'"position": 7.5', b'"position": -0'),
            *(b'"position": -1', b'"position": "7"', b'"position": null', b'"position": true'),
            *(b'"position": +7', b'"position": 07', b'"position": 7.', b'"position": 0x7'),
            *(b'"position": 9007199254740993', b'"position": 99999999999999999999999'),
            *(b'"position": 1e999', b'"position": 7, "autoPlay": "true"'),
            *(b'"position": 7, "x": 1e999', b'"position": 7, "autoPlay": 1'),
            *(b'"position": 7, "x": {"b": 1, "b": 2}', b'"position": 7, "Quality": null'),
        ),
    ),
    (
        b'{"region": "eu"}',
        (
            *(b"null", b"[]", b'"x"', b"{}", b'{"Region": "eu"}', b'{"region": null}'),
            *(b'{"region": 5}', b'{"region": ["eu"]}', b'{"region": {}}', b'{"region": ""}'),
            *(b'{"abTestGroups": ["a", null]}', b'{"abTestGroups": [1]}'),
            *(b'{"abTestGroups": "a"}', b'{"abTestGroups": null}', b'{"abTestGroups": {}}'),
            *(b'{"region": "%s"}' % ("\u00e9" * 128).encode(), b'{"region": "\\u0000"}'),
            *(b'{"region": "%s"}' % ("\u00e9" * 129).encode(), b'{"region": "\\ud800"}'),
            b'{"region": "%s"}' % ("\U0001f600" * 128).encode(),
        ),
    ),
    (
        b"2026-09-21T14:00:00Z",
        (
            *(b"2026-09-21T14:00:60Z", b"2026-09-21T24:00:00Z", b"2026-02-29T14:00:00Z"),
            *(b"2026-09-21T14:00:00.123456789Z", b"2026-09-21T14:00:00.1234567890Z"),
            *(b"2026-09-21t14:00:00z", b"2026-09-21 14:00:00Z", b"2026-09-21T14:00:00"),
            *(b"2026-09-21T14:00:00+00:00", b"2026-09-21T14:00:00-00:00", b"2026-09-21"),
            *(b"2026-09-21T14:18:20Z", b"2026-09-21T14:18:20.000001Z", b"+12026-09-21T14:00:00Z"),
            *(b"2025-08-17T14:13:20Z", b"2025-08-17T14:13:19.999999Z", b"0000-01-01T00:00:00Z"),
        ),
    ),
    (
        b'"eventId": "e1"',
        (
            *(b'"eventId": null', b'"eventId": 5', b'"eventId": ""', b'"EventId": "e1"'),
            *(b'"eventId": "e\\u0031"', b'"event\\u0049d": "e1"', b'"eventId": "e1\\n"'),
            *(b'"eventId": "e\\q1"', b'"eventId": "e\t1"', b"\"eventId\": 'e1'", b'"x": "y"'),
        ),
    ),
)


TITLES: tuple[bytes, ...] = (  # the same as a text, as an escape, and what no title may be
    *(b"t", b"Se7en: A & B's \\\\ #1/2", "Am\u00e9lie".encode(), b"Am\\u00e9lie", b" ", b""),
    *(b"a\\nb", b"a\\u0000", b"\\u007f", b"\\ud83d\\ude00", b"\\ud800", b"x" * 256, b"x" * 257),
)
KNOWN: tuple[bytes, ...] = (
    *(b'"deviceInfo": {}', b'"deviceInfo": {"platform": "Device Type 7"}', b'"deviceInfo": null'),
    *(b'"deviceInfo": {"deviceType": "tv"}', b'"playbackContext": {"position": 0}'),
    *(b'"playbackContext": {"autoPlay": true}', b'"metadata": {}', b'"sessionId": null'),
)


def records() -> list[Raw]:
    """Texts as they are, plays with one thing swapped, and generated events and histories."""
    swapped = (PLAY.replace(old, new) for old, others in SWAPS for new in others)
    titled = (SPARSE.replace(b'"t"', b'"%s"' % title) for title in TITLES)
    more = (SPARSE[:-1] + b", " + known + b"}" for known in KNOWN)
    texts = [*TEXTS, *swapped, *titled, *more]
    by_hand = [Raw("user-interactions", 0, at, b"ann", text, NOON) for at, text in enumerate(texts)]
    generated = [
        Raw(
            _topic(event),
            1,
            at,
            str(event.get("userId")).encode(),
            json.dumps(event).encode(),
            NOON,
        )
        for at, event in enumerate(examples(damaged(), 300))
    ]
    sent = (delivery for history in examples(histories(), 50) for delivery in history)
    delivered = [Raw(topic, 2, at, key, value, NOON) for at, (topic, key, value) in enumerate(sent)]
    return by_hand + generated + delivered


def _topic(event: dict[str, Any]) -> str:
    rated = event.get("eventType") == "ContentRated"
    return "user-profile-events" if rated else "user-interactions"


@pytest.mark.parametrize("lane", ["python", "spark"])
def test_judge_and_oracle_agree(spark: SparkSession, lane: StrictLane) -> None:
    raws = records()
    told = verdicts(spark, raws, lane)
    differing = []
    for raw in raws:
        event, reasons = judged(raw, BOUNDS)
        row = told[raw.place]
        family = None if reasons else contract_of(event).family
        same = row.reason in reasons if reasons else row.reason is None
        if not same or (row.family, row.event_id) != (family, identity(raw, event, reasons)):
            differing.append((raw.value, sorted(reasons), row.reason, row.family))
        assert row.value == (raw.value if reasons else None), "a rejected record keeps its bytes"
        assert (row.content is None) == bool(reasons), "an accepted one its content"
    assert differing == []


def test_the_strict_lanes_say_the_same(spark: SparkSession) -> None:
    """Reason, path and rule too, and what silver will hold of the accepted."""
    raws = records()
    python, plain = (verdicts(spark, raws, lane) for lane in ("python", "spark"))
    wanted = ("event_type", "contract_version", "event_time", "reason", "path", "rule", "event_id")
    differing = [
        (
            raw.value,
            *((row[name] for name in wanted) for row in (python[raw.place], plain[raw.place])),
        )
        for raw in raws
        if any(python[raw.place][name] != plain[raw.place][name] for name in wanted)
    ]
    assert [(value, *map(list, rows)) for value, *rows in differing] == []


def test_the_strict_lanes_read_the_same_bodies(spark: SparkSession) -> None:
    sound = [raw for raw in records() if not judged(raw, BOUNDS)[1]]
    registry, types = load_registry(), load_registry().event_types
    python, plain = (
        with_bodies(
            judge(bronze_of(spark, sound), registry, TIME_BOUNDS, lane), registry, types, PLACE
        )
        for lane in ("python", "spark")
    )
    order = operator.itemgetter(*PLACE)
    assert sorted(python.collect(), key=order) == sorted(plain.collect(), key=order)


def verdicts(
    spark: SparkSession, raws: list[Raw], lane: StrictLane
) -> dict[tuple[str, int, int], Row]:
    """The judge's row of each record, by place."""
    judged_rows = judge(bronze_of(spark, raws), load_registry(), TIME_BOUNDS, lane)
    return {(row.topic, row.partition, row.offset): row for row in judged_rows.collect()}


def test_what_a_serializer_writes_takes_the_fast_lane(spark: SparkSession) -> None:
    """Tight or spaced, in the contract's order: slow events would be right, and too slow."""
    sent = [
        Raw(contract.topics[0], 0, 2 * at + spaced, str(event[contract.key]).encode(), text, NOON)
        for at, contract in enumerate(load_registry())
        for event in [{**example(contract), "timestamp": "2026-09-21T14:00:00Z"}]
        for spaced, text in enumerate(
            json.dumps(event, separators=marks).encode() for marks in ((",", ":"), (", ", ": "))
        )
    ]
    slow = judge(bronze_of(spark, sent), load_registry(), TIME_BOUNDS).where(
        "content IS NULL OR content LIKE '{%'"
    )
    assert [(row.event_type, row.contract_version) for row in slow.collect()] == []
