"""The oracle itself: hand-made cases of docs/semantics.md, and jsonschema's opinion."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracles.pipeline import Bounds, Outcome, Raw, outcome
from tests.oracles.strict_json import RefusedError, compiled, micros, plain, read_json
from tests.support import contracts
from tests.support.strategies import NOON, arrived, damaged, events, histories, shuffles

BOUNDS = Bounds()
PLAY = {
    "eventType": "VideoPlaybackStarted",
    "version": "2.1",
    "timestamp": "2026-09-21T14:00:00Z",
    "eventId": "e1",
    "userId": "ann",
    "sessionId": "s",
    "deviceInfo": {"deviceType": "tablet", "platform": "ipados"},
    "contentInfo": {"titleId": "t", "contentType": "movie", "duration": 100},
    "playbackContext": {"source": "recommendation", "position": 7},
    "metadata": {"region": "eu"},
}
COMPLETION = PLAY | {
    "eventType": "VideoPlaybackCompleted",
    "version": "1.0",
    "eventId": "e2",
    "playbackContext": {"source": "search", "position": 90},
    "watchDuration": 60,
    "completionPercentage": 60.5,
}
RATING = {
    "eventType": "UserRatingSubmitted",
    "version": "1.0",
    "timestamp": "2026-09-21T14:05:00Z",
    "eventId": "r1",
    "userId": "ann",
    "contentInfo": {"titleId": "t"},
    "rating": 4.5,
    "metadata": {},
}
CLICK = {
    "eventType": "UserEngagement",
    "version": "1.0",
    "timestamp": "2026-09-21T14:00:00Z",
    "userId": "ann",
    "engagement": {"kind": "click", "titleId": "t", "source": "recommendation", "rank": 3},
    "metadata": {"region": "eu"},
}


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    return {member: value for member, value in event.items() if member != name}


def raw(
    event: dict[str, Any] | bytes | None,
    offset: int = 0,
    topic: str = "user-interactions",
    key: bytes | None = b"ann",
    arrival: int = NOON,
) -> Raw:
    value = json.dumps(event).encode() if isinstance(event, dict) else event
    return Raw(topic, 0, offset, key, value, arrival + offset)


def of(*events: dict[str, Any] | bytes | None) -> Outcome:
    return outcome([raw(event, offset) for offset, event in enumerate(events)], BOUNDS)


def ends(result: Outcome) -> list[str]:
    return [fate.end for fate in result.fates.values()]


def refusal(record: Raw) -> set[str]:
    (fate,) = outcome([record], BOUNDS).fates.values()
    assert fate.end == "quarantine"
    return set(fate.reasons)


def test_gold_of_a_play_a_completion_and_a_rating():
    gold = of(PLAY, COMPLETION, RATING).gold
    day = date(2026, 9, 21)
    viewing = {"plays": 1, "completions": 1, "watch_s": 60}
    told = gold["user_day"]["ann", day]
    assert {name: value for name, value in told.items() if value} == {
        **viewing,
        "ratings": 1,
        "plays_on_tablet": 1,
        "plays_from_recommendation": 1,
    }
    assert gold["user_features"] == {
        ("ann",): {
            **viewing,
            "last_play": {
                "event_time": micros("2026-09-21T14:00:00Z"),
                "event_id": "e1",
                "title_id": "t",
                "device_type": "tablet",
                "content_type": "movie",
            },
        }
    }
    rated = micros("2026-09-21T14:05:00Z")
    assert gold["user_title"] == {
        ("ann", "t"): {
            **viewing,
            "furthest_position_s": 90,
            "last_rating": {"event_time": rated, "event_id": "r1", "half_stars": 9},
            "first_time": micros("2026-09-21T14:00:00Z"),
            "last_time": rated,
        }
    }
    assert gold["title_day"] == {("t", day): {**viewing, "viewers": ["ann"]}}
    assert gold["business_day"] == {
        (day, "eu"): {
            **viewing,
            "recommended_plays": 1,
            "recommended_completions": 0,
            "recommended_watch_s": 0,
            "recommended_clicks": 0,
            "recommended_click_ranks": 0,
            "recommended_titles": ["t"],
            "viewers": ["ann"],
        }
    }


def test_a_completion_alone_has_no_viewer_and_no_last_play():
    gold = of(COMPLETION).gold
    assert gold["title_day"]["t", date(2026, 9, 21)]["viewers"] == []
    assert gold["user_features"]["ann",]["last_play"] is None


def test_a_rating_alone_counts_in_user_day_and_user_title_only():
    gold = of(RATING).gold
    assert [name for name, rows in gold.items() if rows] == ["user_day", "user_title"]
    assert gold["user_title"]["ann", "t"]["furthest_position_s"] is None


def test_a_click_counts_if_it_was_recommended_and_says_its_rank():
    click = CLICK["engagement"]
    told = [
        click,
        click | {"rank": 8.0},
        without(click, "titleId"),
        without(click, "rank"),
        click | {"source": "search"},
        click | {"kind": "impression"},
    ]
    gold = of(
        *(CLICK | {"eventId": f"c{n}", "engagement": each} for n, each in enumerate(told))
    ).gold
    assert [name for name, rows in gold.items() if rows] == ["business_day"]
    [row] = gold["business_day"].values()
    assert {name: value for name, value in row.items() if value} == {
        "recommended_clicks": 3,
        "recommended_click_ranks": 14,
    }


def test_a_seek_reaches_where_it_went_to():
    seek = PLAY | {
        "eventType": "VideoPlaybackSeeked",
        "version": "1.0",
        "seek": {"from": 3, "to": 99},
    }
    gold = of(seek).gold
    assert gold["user_title"]["ann", "t"]["furthest_position_s"] == 99
    assert gold["user_day"] == gold["user_features"] == gold["title_day"] == {}


def test_the_last_play_is_the_greatest_by_time_then_by_id_byte_by_byte():
    same_time = [PLAY | {"eventId": event_id, "userId": "ann"} for event_id in ("a", "Z", "9")]
    last = of(*same_time).gold["user_features"]["ann",]["last_play"]
    assert last["event_id"] == "a"


def test_versions_1_and_2_0_tell_the_same_as_2_1():
    flat = {
        **{name: PLAY[name] for name in ("eventType", "timestamp", "eventId", "userId")},
        **{"version": "1.0", "sessionId": "s", "deviceType": "tablet", "platform": "ipados"},
        **{"titleId": "t", "contentType": "movie", "durationMs": 100_999, "positionMs": 7_999},
        **{"source": "recommendation", "region": "eu"},
    }
    assert of(PLAY).gold == of(PLAY | {"version": "2.0"}).gold == of(flat).gold


def test_a_missing_region_is_unknown():
    rows = of(PLAY | {"metadata": {}}).gold["business_day"]
    assert list(rows) == [(date(2026, 9, 21), "unknown")]


def test_the_date_is_that_of_the_event_time_in_utc():
    rows = of(PLAY | {"timestamp": "2026-09-20T23:59:59.9999999Z"}).gold["user_day"]
    assert list(rows) == [("ann", date(2026, 9, 20))]


def test_the_first_by_arrival_is_the_event_and_the_others_are_duplicates():
    early, late = PLAY | {"sessionId": "one"}, PLAY | {"sessionId": "two"}
    records = [
        raw(late, offset=0, arrival=NOON + 10),
        raw(early, offset=1, arrival=NOON),
        raw(late, offset=2, arrival=NOON + 20),
    ]
    assert ends(outcome(records, BOUNDS)) == ["silver.playback", "duplicate", "duplicate"]
    assert next(iter(outcome(records, BOUNDS).fates)) == ("user-interactions", 0, 1)


def test_without_an_event_id_the_bytes_are_the_identity():
    nameless = without(PLAY, "eventId")
    assert ends(of(nameless, nameless, nameless | {"sessionId": "other"})) == [
        "silver.playback",
        "duplicate",
        "silver.playback",
    ]
    value = json.dumps(nameless).encode()
    last = of(nameless).gold["user_features"]["ann",]["last_play"]
    assert last["event_id"] == hashlib.sha256(value).hexdigest()


def test_a_broken_record_does_not_shadow_a_good_one_of_its_event_id():
    broken = PLAY | {"userId": "not an id"}
    assert ends(of(broken, PLAY)) == ["quarantine", "silver.playback"]


def test_a_rejected_record_does_not_shadow_the_same_bytes_sent_rightly():
    nameless = without(PLAY, "eventId")
    wrong_key = raw(nameless, offset=0, key=b"bob")
    assert ends(outcome([wrong_key, raw(nameless, offset=1)], BOUNDS)) == [
        "quarantine",
        "silver.playback",
    ]


def test_a_broken_record_is_repeated_by_its_bytes():
    assert ends(of(b"{", b"{", b"[")) == ["quarantine", "duplicate", "quarantine"]
    assert ends(of(None, b"")) == ["quarantine", "duplicate"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty_value"),
        (b"", "empty_value"),
        (b" \t\r\n", "empty_value"),
        (b" " * 2**20 + b"{}", "oversize_value"),
        (b"\xff", "invalid_utf8"),
        (b"{'a': 1}", "malformed_json"),
        (b'{"a": NaN}', "malformed_json"),
        (b'{"a": -Infinity}', "malformed_json"),
        (b'{"a": 1, "a": 1}', "malformed_json"),
        (b'{"a": {"b": 1, "b": 1}}', "malformed_json"),
        (b"{} {}", "malformed_json"),
        (b"{} x", "malformed_json"),
        (b'[{"a": 1, "a": 1}]', "malformed_json"),
        (b'{"a": 01}', "malformed_json"),
        (b'{"a": "\\ud800"}', "malformed_json"),
        (b'{"a": "\n"}', "malformed_json"),
        (b"\xef\xbb\xbf{}", "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"[]", "not_an_object"),
        (b'"VideoPlaybackStarted"', "not_an_object"),
        (b"{}", "unknown_event_type"),
        (b'{"eventType": ["VideoPlaybackStarted"]}', "unknown_event_type"),
        (b'{"eventType": "VideoPlaybackStarted", "version": 2.1}', "unknown_version"),
        (b'{"eventType": "VideoPlaybackStarted", "version": "9.0"}', "unknown_version"),
    ],
)
def test_a_record_that_cannot_be_read_is_quarantined(value, reason):
    assert refusal(raw(value)) == {reason}


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"timestamp": 1_790_000_000_000}, {"wrong_type"}),
        ({"timestamp": "2026-09-21T14:00:00"}, {"constraint"}),
        ({"timestamp": "2026-09-21T14:00:00+02:00"}, {"constraint"}),
        ({"timestamp": "2026-02-30T14:00:00Z"}, {"constraint"}),
        ({"timestamp": "2026-09-21T14:18:20.000001Z"}, {"future_time"}),
        ({"timestamp": "2025-08-17T14:13:19.999999Z"}, {"old_time"}),
        ({"timestamp": "1969-12-31T23:59:59.999999999Z"}, {"old_time", "extreme_time"}),
        ({"timestamp": "2262-01-01T00:00:00Z"}, {"future_time", "extreme_time"}),
        ({"userId": "ann\n"}, {"constraint", "wrong_key"}),
        ({"userId": "bob"}, {"wrong_key"}),
        ({"eventId": ""}, {"constraint"}),
        ({"eventId": None}, {"wrong_type"}),
        ({"metadata": {"Region": "eu"}}, {"wrong_case_key"}),
        ({"playbackContext": {"source": "search"}}, {"missing_field"}),
        ({"playbackContext": {"source": "fate", "position": 0}}, {"constraint"}),
        ({"playbackContext": {"source": "search", "position": -1}}, {"constraint"}),
        ({"playbackContext": {"source": "search", "position": "7"}}, {"wrong_type"}),
        ({"playbackContext": {"source": "search", "position": True}}, {"wrong_type"}),
        ({"playbackContext": {"source": "search", "position": 7.5}}, {"wrong_type"}),
        ({"playbackContext": {"source": "search", "position": 2**53}}, {"wrong_type"}),
    ],
)
def test_an_event_that_breaks_its_contract_is_quarantined(change, reasons):
    assert refusal(raw(PLAY | change)) == reasons


@pytest.mark.parametrize(
    "timestamp", ["2026-09-21T14:18:20.0000009Z", "2025-08-17T14:13:20.000000Z"]
)
def test_the_bounds_of_time_are_inclusive(timestamp):
    assert ends(of(PLAY | {"timestamp": timestamp})) == ["silver.playback"]


def test_a_record_in_the_wrong_place_is_quarantined():
    assert refusal(raw(PLAY, topic="system-health")) == {"wrong_topic"}
    assert refusal(raw(PLAY, key=None)) == {"wrong_key"}


def test_a_whole_number_may_be_written_with_a_fraction():
    context = {"source": "recommendation", "position": 7.0}
    assert of(PLAY | {"playbackContext": context}).gold == of(PLAY).gold


def test_unknown_members_are_tolerated():
    extended = PLAY | {"new": {"deep": [1e3]}, "metadata": {"region": "eu", "more": None}}
    assert of(extended).gold == of(PLAY).gold


@given(history=histories(), data=st.data())
def test_the_order_of_arrival_changes_no_conservation(history, data):
    raws = data.draw(shuffles(history))
    result = outcome(raws, BOUNDS)
    assert len(result.fates) == len(history)
    distinct = {fate.end for fate in result.fates.values()}
    silver = {"silver.playback", "silver.ratings", "silver.engagement"}
    assert distinct <= {*silver, "quarantine", "duplicate"}


@given(history=histories())
def test_records_may_be_given_in_any_order(history):
    raws = arrived(history)
    assert outcome(reversed(raws), BOUNDS) == outcome(raws, BOUNDS)


KINDS = [(file.parent.name, file.stem) for file in sorted(contracts.SCHEMAS.glob("*/*.json"))]


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first draw compiles the contracts
@given(event=st.one_of(events, damaged()), kind=st.sampled_from(KINDS))
def test_contracts_are_read_as_jsonschema_reads_them(event, kind):
    named = (event.get("eventType"), event.get("version"))
    kind = named if named in KINDS else kind
    ours = list(compiled(contracts.schema(*kind))(read_json(json.dumps(event).encode())))
    theirs = list(contracts.validator(*kind).iter_errors(event))
    assert bool(ours) == bool(theirs)


def test_a_keyword_without_meaning_is_refused():
    with pytest.raises(NotImplementedError, match="anyOf"):
        compiled({"type": "string", "anyOf": []})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1969-12-31T23:59:59.9999999Z", -1),
        ("1970-01-01T00:00:00.0000019+00:00", 1),
    ],
)
def test_instants_are_cut_to_the_microsecond(text, expected):
    assert micros(text) == expected


def test_json_is_read_as_it_is():
    read = read_json(b' {"a": [1, 2.5, "\\ud83d\\ude00", null]} ')
    assert plain(read) == {"a": [1, 2.5, "😀", None]}
    with pytest.raises(RefusedError, match="empty_value"):
        read_json(None)
