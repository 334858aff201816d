"""A file of one's own: rows become checked events by a mapping, and every row is accounted for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from jobs.producers.history_mapping import load_mapping
from jobs.producers.history_replay import HistoryReplay
from jobs.producers.records import Record
from jobs.replay import main
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import PlayheadError
from jobs.runtime.settings import load_settings
from tests.oracles.strict_json import micros
from tests.support.contracts import assert_in_order, assert_sound

EXAMPLE = Path(__file__).parents[3] / "conf" / "mappings" / "viewing-history.csv"
START = {"column": "at"}
TITLE = {"column": "title"}
WHO = {"timestamp": START, "userId": {"column": "who"}, "contentInfo.titleId": TITLE}
PLAY = {"event": "VideoPlaybackStarted"}
HEADING = "who,at,title"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def mapped(
    tmp_path: Path, text: str | bytes, *becomes: dict[str, Any], name: str = "h.csv", **keys: Any
) -> HistoryReplay:
    """The replay of a file with this content, its events mapped so; WHO is mapped for all."""
    file, mapping = tmp_path / name, tmp_path / "mapping.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    document = {"every": WHO, "events": list(becomes or [PLAY]), **keys}
    mapping.write_text(yaml.safe_dump(document), encoding="utf-8")
    return HistoryReplay(file, load_mapping(mapping, load_registry()))


def events(replay: HistoryReplay) -> list[dict[str, Any]]:
    return [assert_sound(*record) for record in replay.records()]


def csv_of(*rows: str, heading: str = HEADING) -> str:
    return "\n".join([heading, *rows]) + "\n"


def refusals(replay: HistoryReplay) -> dict[str, tuple[int, list[int]]]:
    list(replay.records())
    found = replay.account.refused.items()
    return {reason: (refusal.rows, refusal.first) for reason, refusal in found}


def account(replay: HistoryReplay) -> list[str]:
    return list(replay.account.lines(replay.file, load_settings().refine, NOW))


def test_the_example_becomes_sound_events_in_the_order_of_serializers() -> None:
    mapping = load_mapping(EXAMPLE.with_suffix(".yaml"), load_registry())
    replay = HistoryReplay(EXAMPLE, mapping)
    records = list(replay.records())
    for record in records:
        assert_sound(*record)
        assert_in_order(record.value)
    told = replay.account
    assert (told.rows, told.copies, told.refused_rows, told.silent) == (49, 1, 2, 0)
    assert told.events.total() == len(records) == 104


def test_a_row_becomes_one_event_or_several(tmp_path: Path) -> None:
    rated = {
        "event": "UserRatingSubmitted",
        "when": {"column": "stars"},
        "fields": {"rating": {"column": "stars", "scale": 0.5}},
    }
    done = {
        "event": "VideoPlaybackCompleted",
        "when": {"column": "share", "at_least": 90},
        "fields": {
            "timestamp": {**START, "plus": {"column": "seconds"}},
            "watchDuration": {"column": "seconds", "round": "down"},
            "completionPercentage": {"column": "share"},
        },
    }
    text = csv_of(
        "1,2026-05-01T20:00:00Z,Heat,61.9,91.5,7",
        "1,2026-05-02T20:00:00Z,Heat,5,3,",
        heading="who,at,title,seconds,share,stars",
    )
    first, second, third, fourth = events(mapped(tmp_path, text, PLAY, done, rated))
    assert (first["eventType"], first["version"]) == ("VideoPlaybackStarted", "3.0")
    assert set(first) == {
        *("eventType", "version", "timestamp", "eventId", "userId", "contentInfo"),
    }, "what the row does not say is not invented"
    assert (second["watchDuration"], second["completionPercentage"]) == (61, 91.5)
    assert second["timestamp"] == "2026-05-01T20:01:01.900000Z"
    assert (third["eventType"], third["rating"]) == ("UserRatingSubmitted", 3.5)
    assert (fourth["eventType"], fourth["timestamp"][:10]) == ("VideoPlaybackStarted", "2026-05-02")


def test_ids_are_those_of_the_rows_whatever_their_order_and_the_mapping(tmp_path: Path) -> None:
    rows = ["1,2026-05-01T20:00:00Z,Heat", "2,2026-05-01T20:00:00Z,Heat"]

    def ids(*told: str, **keys: Any) -> set[str]:
        return {event["eventId"] for event in events(mapped(tmp_path, csv_of(*told), **keys))}

    assert ids(*rows) == ids(*reversed(rows)) == ids(*rows, zone="Asia/Tokyo")
    assert len(ids(*rows)) == 2
    wide = csv_of(*(f"{row},{at}" for at, row in enumerate(rows)), heading=f"{HEADING},exported")
    named = events(mapped(tmp_path, wide, identity=["who", "at", "title"]))
    by_name = events(mapped(tmp_path, csv_of(*rows), identity=["who", "at", "title"]))
    assert [e["eventId"] for e in named] == [e["eventId"] for e in by_name]


def test_equal_rows_are_one_and_are_told(tmp_path: Path) -> None:
    row = "1,2026-05-01T20:00:00Z,Heat"
    replay = mapped(tmp_path, csv_of(row, row))
    assert len(events(replay)) == 1
    assert "rows equal to an earlier row, not sent again: 1 -> " in account(replay)[1]


def test_a_catalogue_is_told_once_a_title(tmp_path: Path) -> None:
    entry = {
        "event": "ContentMetadataUpdated",
        "once": True,
        "fields": {
            "titleId": TITLE,
            "name": TITLE,
            "genres": {"column": "genres", "split": "|"},
            "regions": {"constant": "eu"},
        },
    }
    rows = ("1,2026-05-01T20:00:00Z,Heat,Crime|Drama", "2,2026-05-02T20:00:00Z,Heat,Crime")
    replay = mapped(tmp_path, csv_of(*rows, heading=f"{HEADING},genres"), entry, PLAY)
    kinds = [(e["eventType"], e.get("genres"), e.get("regions")) for e in events(replay)]
    assert kinds == [
        ("ContentMetadataUpdated", ["Crime", "Drama"], ["eu"]),
        *[("VideoPlaybackStarted", None, None)] * 2,
    ]


@pytest.mark.parametrize(
    ("cell", "keys", "instant"),
    [
        ("2026-05-01T20:00:00+02:00", {}, "2026-05-01T18:00:00Z"),
        ("2026-05-01 20:00", {}, "2026-05-01T18:00:00Z"),
        ("2026-05-01", {}, "2026-04-30T22:00:00Z"),
        ("2026-10-25 02:30", {}, "2026-10-25T00:30:00Z"),  # told twice: the first
        ("2026-05-01 20:00", {"zone": "America/New_York"}, "2026-05-02T00:00:00Z"),
        ("01.05.2026 20:00", {"format": "%d.%m.%Y %H:%M"}, "2026-05-01T18:00:00Z"),
        ("1777665600", {"format": "unix_s"}, "2026-05-01T20:00:00Z"),
        ("1777665600123", {"format": "unix_ms"}, "2026-05-01T20:00:00.123Z"),
    ],
)
def test_times_are_read_by_format_and_zone(
    tmp_path: Path, cell: str, keys: dict[str, Any], instant: str
) -> None:
    play = {**PLAY, "fields": {"timestamp": {**START, **keys}}}
    [event] = events(mapped(tmp_path, csv_of(f"1,{cell},Heat"), play, zone="Europe/Berlin"))
    assert micros(event["timestamp"]) == micros(instant)


@pytest.mark.parametrize(
    ("cell", "keys", "value"),
    [
        ("61.99", {"round": "down"}, 61),
        ("61.5", {"round": "nearest"}, 62),
        ("1.5", {"scale": 60}, 90),
        ("1:24:13", {"clock": True}, 5053),
        ("24:13.7", {"clock": True, "round": "down"}, 1453),
        ("2400000", {"scale": 0.001}, 2400),
        ("0", {}, 0),
        ("n/a", {}, None),
        (" ", {}, None),
    ],
)
def test_numbers_are_scaled_and_rounded(
    tmp_path: Path, cell: str, keys: dict[str, Any], value: int | None
) -> None:
    play = {**PLAY, "fields": {"playbackContext.position": {"column": "n", **keys}}}
    text = csv_of(f"1,2026-05-01T20:00:00Z,Heat,{cell}", heading=f"{HEADING},n")
    [event] = events(mapped(tmp_path, text, play, absent=["n/a"]))
    assert event.get("playbackContext", {}).get("position") == value


@pytest.mark.parametrize(
    ("cell", "others", "device"),
    [("tv", "absent", "smart_tv"), ("Device Type 7", "absent", None), ("tablet", "keep", "tablet")],
)
def test_words_are_mapped_and_others_are_decided(
    tmp_path: Path, cell: str, others: str, device: str | None
) -> None:
    value = {"column": "device", "values": {"tv": "smart_tv"}, "others": others}
    play = {**PLAY, "fields": {"deviceInfo.deviceType": value}}
    text = csv_of(f"1,2026-05-01T20:00:00Z,Heat,{cell}", heading=f"{HEADING},device")
    [event] = events(mapped(tmp_path, text, play))
    assert event.get("deviceInfo", {}).get("deviceType") == device


def test_refused_rows_are_told_by_reason_with_count_and_row_numbers(tmp_path: Path) -> None:
    auto = {"column": "auto", "values": {"y": True}}
    play = {
        **PLAY,
        "fields": {
            "playbackContext.position": {"column": "n"},
            "playbackContext.autoPlay": auto,
        },
    }
    good = "1,2026-05-01T20:00:00Z,Heat,0,y"
    rows = (
        *(good, "a b,2026-05-01T20:00:00Z,Heat,0,y", "1,yesterday,Heat,0,y", "1,2,3"),
        *("1,2026-05-01T20:00:00Z,,0,y", "1,2026-05-01T20:00:00Z,Heat,1.5,y"),
        *("1,2026-05-01T20:00:00Z,Heat,many,y", "1,2026-05-01T20:00:00Z,Heat,0,maybe"),
        *("1,2026-05-01T20:00:00Z,Heat,-1,y", "1,2026-05-01T20:00:00Z,Heat,-2,y"),
    )
    replay = mapped(tmp_path, csv_of(*rows, heading=f"{HEADING},n,auto"), play)
    assert refusals(replay) == {
        "VideoPlaybackStarted $.userId (pattern)": (1, [2]),
        "VideoPlaybackStarted: no time of the format iso": (1, [3]),
        "a row of other than 5 cells, as the heading has": (1, [4]),
        "VideoPlaybackStarted $ (required)": (1, [5]),
        "VideoPlaybackStarted $.playbackContext.position (type)": (1, [6]),
        "VideoPlaybackStarted: no number": (1, [7]),
        "VideoPlaybackStarted: a value of 'auto' that `values` does not list": (1, [8]),
        "VideoPlaybackStarted $.playbackContext.position (minimum)": (2, [9, 10]),
    }
    told = account(replay)
    assert told[0].endswith("10 rows, 1 events: VideoPlaybackStarted 1")
    assert told[1] == "rows refused, nothing of them was sent: 9"
    assert told[2] == (
        "  2  VideoPlaybackStarted $.playbackContext.position (minimum): "
        "-1 is less than the minimum of 0 (row 9, 10)"
    )


def test_a_row_is_sent_whole_or_not_at_all(tmp_path: Path) -> None:
    rated = {"event": "UserRatingSubmitted", "fields": {"rating": {"column": "stars"}}}
    text = csv_of("1,2026-05-01T20:00:00Z,Heat,9", heading=f"{HEADING},stars")
    replay = mapped(tmp_path, text, PLAY, rated)
    assert list(replay.records()) == []
    assert replay.account.events.total() == 0


LINES = (
    {"who": 1, "at": "2026-05-01T20:00:00Z", "title": "七つの橋", "n": 1.50, "in": {"tv": True}},
    {"who": 2, "at": "2026-05-01T20:00:00Z", "title": "Heat", "n": None},
)


def _jsonl(rows: Iterable[Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode() + b"\n\n[1]\n{\n"


def test_json_lines_may_nest_and_be_compressed(tmp_path: Path) -> None:
    fields = {
        "playbackContext.position": {"column": "n", "scale": 2},
        "playbackContext.autoPlay": {"column": "in.tv"},
    }
    for name, value in (("h.jsonl", _jsonl(LINES)), ("h.jsonl.gz", gzip.compress(_jsonl(LINES)))):
        replay = mapped(tmp_path, value, {**PLAY, "fields": fields}, name=name)
        first, second = events(replay)
        assert first["contentInfo"] == {"titleId": "七つの橋"}
        assert first["playbackContext"] == {"position": 3, "autoPlay": True}
        assert (second["userId"], "playbackContext" in second) == ("2", False)
        assert refusals(replay).keys() == {"no JSON object", "a line that is no JSON"}


def test_parquet_has_types_of_its_own(tmp_path: Path) -> None:
    at = datetime(2026, 5, 1, 20, 0, 0, 123, UTC)
    table = pa.table({"who": [1, 2], "at": [at, None], "title": ["Heat", "Heat"]})
    pq.write_table(table, tmp_path / "source.parquet")
    replay = mapped(tmp_path, (tmp_path / "source.parquet").read_bytes(), name="h.parquet")
    [event] = events(replay)
    assert event["timestamp"] == "2026-05-01T20:00:00.000123Z"
    assert refusals(replay) == {"VideoPlaybackStarted $ (required)": (1, [2])}


def test_what_refine_would_quarantine_is_told_with_the_remedy(tmp_path: Path) -> None:
    rows = ("1,2024-05-01T20:00:00Z,Heat", "1,2026-12-01T20:00:00Z,Heat")
    replay = mapped(tmp_path, csv_of(*rows))
    list(replay.records())
    old, new = account(replay)[1:]
    assert old == (
        "the oldest event is 914 days old, refine takes 400 -> before refine and recompute: "
        "export PLAYHEAD_REFINE__OLDEST_EVENT_DAYS=915"
    )
    assert new.startswith("the newest event is of 2026-12-01 20:00 UTC, in the future: ")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"events": []}, "key 'events'"),
        ({"events": [{"fields": {}}]}, "event 1 names no event"),
        ({"events": [{"event": "Played"}]}, "Played: no such event type -> use one of: Content"),
        ({"events": [{**PLAY, "version": "7.0"}]}, "no version '7.0' -> use one of: 1.0, 2.0, 2.1"),
        ({"events": [{**PLAY, "feilds": {}}]}, "event 1: unknown key 'feilds'"),
        (
            {"events": [{**PLAY, "fields": {"contentInfo.title": TITLE}}]},
            "no member 'contentInfo.title' to map -> use one of: timestamp, eventId, userId",
        ),
        ({"events": [{**PLAY, "fields": {"deviceInfo": TITLE}}]}, "no member 'deviceInfo' to map"),
        ({"events": [{**PLAY, "fields": {"userId": {}}}]}, "userId needs a column or a constant"),
        ({"events": [{**PLAY, "fields": {"timestamp": {**START, "plus": {}}}}]}, "plus names no"),
        ({"events": [{**PLAY, "when": {"equals": ["x"]}}]}, "when names no column"),
        (
            {"events": [{**PLAY, "fields": {"userId": {"column": "id"}}}]},
            "has no column 'id' -> map",
        ),
        ({"zone": "Mars/Olympus"}, "no time zone is called 'Mars/Olympus'"),
        ({"zones": "UTC"}, "unknown key 'zones'"),
        ({"encoding": "klingon"}, "cannot be read: unknown encoding: klingon"),
    ],
)
def test_a_wrong_mapping_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PlayheadError) as refused:
        list(mapped(tmp_path, csv_of("1,2026-05-01T20:00:00Z,Heat"), **change).records())
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_dry_run_sends_nothing_and_shows_what_it_would(tmp_path: Path) -> None:
    mapping = str(EXAMPLE.with_suffix(".yaml"))
    result = CliRunner().invoke(main, ["--from", str(EXAMPLE), "--mapping", mapping, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert result.output.count('{"eventType":') == 3
    assert "49 rows, 104 events" in result.output


def test_a_file_of_which_every_row_is_refused_is_a_failure(tmp_path: Path) -> None:
    replay = mapped(tmp_path, csv_of("1,now,Heat", "2,then,Heat"))
    arguments = ["--from", str(replay.file), "--mapping", str(tmp_path / "mapping.yaml")]
    result = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert result.exit_code == 4
    assert f"{replay.file}: every row was refused -> correct the mapping" in result.output


def test_a_replay_that_is_interrupted_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(records: Iterator[Record], *_: object) -> None:
        for _record in islice(records, 10):
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr("jobs.replay.kafka_of", nullcontext)
    monkeypatch.setattr("jobs.replay.require_topics", lambda kafka: None)
    monkeypatch.setattr("jobs.replay.publish", interrupted)
    mapping = str(EXAMPLE.with_suffix(".yaml"))
    result = CliRunner().invoke(main, ["--from", str(EXAMPLE), "--mapping", mapping])
    assert result.exit_code == 130
    assert "start it again: events that were sent are recognised" in result.output
    assert " rows, 1" in result.output, "what was made so far is not told"


@pytest.mark.parametrize("lone", ["--from", "--mapping", "--dry-run"])
def test_a_file_goes_with_its_mapping(lone: str) -> None:
    given = [lone] if lone == "--dry-run" else [lone, "x"]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 2
    assert " without --" in result.output
