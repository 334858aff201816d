"""The replay of people's history: what a rating becomes, and when."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.producers import movielens
from jobs.producers.exposures import SAME_FOR_ALL, same_for_all, with_exposures
from jobs.producers.faults import Faults
from jobs.producers.movielens import MovieLens
from jobs.producers.records import Record
from jobs.producers.replaying import records, truth_of
from jobs.producers.viewing import history
from jobs.runtime.errors import ServiceError
from tests.oracles.strict_json import micros
from tests.support.contracts import assert_in_order, assert_sound
from transforms.experiments.assignment import hashed_variant
from transforms.experiments.definitions import catalogue

USERS = """\
user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token
1\t23\tF\twriter\t02139
2\t51\tM\tother\tT8H1N
"""
ITEMS = """\
item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
10\tNénette et Boni\t1996\tDrama
20\tunknown\t\tunknown
"""
INTERS = """\
user_id:token\titem_id:token\trating:float\ttimestamp:float
1\t10\t5\t880001000
1\t20\t1\t880002000
1\t10\t4\t880009000
2\t10\t3\t880000000
"""
NO_FAULTS = Faults()
UNTIL = 1_790_000_000


@pytest.fixture
def data(tmp_path: Path) -> MovieLens:
    for name, text in zip(movielens.FILES, (USERS, ITEMS, INTERS), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return movielens.load(tmp_path)


def sent(data: MovieLens, shift_s: int = 0, plan: Faults = NO_FAULTS) -> list[Record]:
    return list(records(history(data), plan, shift_s, UNTIL * 1_000_000))


def events(data: MovieLens, event_type: str, shift_s: int = 0) -> list[dict]:
    bodies = (json.loads(record.value) for record in sent(data, shift_s))
    return [body for body in bodies if body["eventType"] == event_type]


def test_every_event_keeps_its_contract(data):
    told = [assert_sound(*record)["eventType"] for record in sent(data)]
    assert sorted(set(told)) == [
        "ContentMetadataUpdated",
        "UserEngagement",
        "UserRatingSubmitted",
        "VideoPlaybackCompleted",
        "VideoPlaybackStarted",
    ]


def test_events_are_written_as_serializers_write_them(data):
    for record in sent(data):
        assert_in_order(record.value)


def test_a_film_is_announced_a_day_before_the_first_rating(data):
    first, second = events(data, "ContentMetadataUpdated")
    assert first["timestamp"] == second["timestamp"] == "1997-11-19T04:26:40.000Z"
    assert (first["name"], first["genres"]) == ("Nénette et Boni", ["Drama"])
    assert first["releaseDate"] == "1996-01-01"
    assert "releaseDate" not in second


def test_a_rating_keeps_person_film_stars_and_time(data):
    ratings = events(data, "UserRatingSubmitted")
    assert [
        (body["userId"], body["contentInfo"]["titleId"], body["rating"], body["timestamp"])
        for body in ratings
    ] == [
        ("user_2", "title_10", 3, "1997-11-20T04:26:40.000Z"),
        ("user_1", "title_10", 5, "1997-11-20T04:43:20.000Z"),
        ("user_1", "title_20", 1, "1997-11-20T05:00:00.000Z"),
        ("user_1", "title_10", 4, "1997-11-20T06:56:40.000Z"),
    ]


def test_the_first_play_of_a_sitting_is_clicked_if_it_was_recommended(data):
    clicks = events(data, "UserEngagement")
    first = [
        play
        for play in events(data, "VideoPlaybackStarted")
        if play["playbackContext"]["source"] == "recommendation"
        and not play["playbackContext"]["autoPlay"]
    ]
    assert [
        (click["timestamp"], click["sessionId"], click["engagement"]["titleId"]) for click in clicks
    ] == [(play["timestamp"], play["sessionId"], play["contentInfo"]["titleId"]) for play in first]
    assert clicks
    assert all(click["engagement"]["kind"] == "click" for click in clicks)


def test_a_viewing_lasts_as_long_as_was_watched(data):
    for body in events(data, "VideoPlaybackCompleted"):
        duration = body["contentInfo"]["duration"]
        assert body["watchDuration"] == body["playbackContext"]["position"] <= duration
        assert body["completionPercentage"] == pytest.approx(
            100 * body["watchDuration"] / duration, abs=0.1
        )


def test_a_sitting_ends_after_half_an_hour_without_a_rating(data):
    starts = [body for body in events(data, "VideoPlaybackStarted") if body["userId"] == "user_1"]
    starts.sort(key=lambda body: body["metadata"]["correlationId"])
    assert sorted(body["sessionId"] for body in starts) == [
        "session_1_1",
        "session_1_1",
        "session_1_2",
    ]
    previous = [body["playbackContext"].get("previousTitle") for body in starts]
    assert sorted(previous, key=str) == [None, None, "title_10"]


def test_the_region_is_that_of_the_zip_code(data):
    regions = {
        body["userId"]: body["metadata"]["region"] for body in events(data, "UserRatingSubmitted")
    }
    assert regions == {"user_1": "us-east-1", "user_2": "ca-central-1"}


def test_shifted_times_keep_the_gaps_and_the_event_ids(data):
    kept = events(data, "UserRatingSubmitted")
    shifted = events(data, "UserRatingSubmitted", shift_s=86_400)
    assert [body["timestamp"].replace("-21T", "-20T") for body in shifted] == [
        body["timestamp"] for body in kept
    ]
    assert [body["eventId"] for body in shifted] == [body["eventId"] for body in kept]


def test_a_second_replay_sends_the_same_bytes(data):
    assert sent(data) == sent(data)


def test_events_are_sent_in_order_of_time(data):
    times = [json.loads(record.value)["timestamp"] for record in sent(data)]
    assert times == sorted(times)


def test_the_truth_counts_what_is_sent(data):
    plan = Faults.parse("duplicates=0.5", seed=1)
    told = truth_of(history(data), plan)
    values = [record.value for record in sent(data, plan=plan)]
    assert told.records == len(values)
    assert told.duplicates == len(values) - len(set(values)) > 0


def test_a_missing_package_names_the_remedy(tmp_path, monkeypatch):
    def refused(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: no connection\n")

    monkeypatch.setenv("PLAYHEAD_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(ServiceError, match=r"ERROR: no connection -> connect this machine"):
        movielens.files()


def test_people_are_assigned_once_as_they_first_press_play(data):
    past = history(data)
    shift_s = UNTIL - past[-1].at
    definitions = catalogue(same_for_all(datetime.fromtimestamp(UNTIL, UTC)))
    exposed = with_exposures(past, definitions, shift_s)
    told = [
        assert_sound(*record) for record in records(exposed, NO_FAULTS, shift_s, UNTIL * 1_000_000)
    ]
    plays = {}
    for event in told:
        if event["eventType"] == "VideoPlaybackStarted":
            plays.setdefault(event["userId"], event)
    assigned = [event for event in told if event["eventType"] == "ExperimentAssignment"]
    assert [event["userId"] for event in assigned] == list(plays)
    experiment = definitions.experiments[SAME_FOR_ALL]
    for event in assigned:
        play = plays[event["userId"]]
        assert micros(event["timestamp"]) == micros(play["timestamp"])
        assert event["variant"] == hashed_variant(experiment, event["userId"])
        assert event["context"] == {
            "region": play["metadata"]["region"],
            "device_type": play["deviceInfo"]["deviceType"],
        }
    assert truth_of(exposed, NO_FAULTS).produced["ExperimentAssignment"] == len(plays)
