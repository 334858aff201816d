"""Records leave quarantine after a fix: once, whatever is killed, and as if never refused."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from jobs.release import main
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, QUARANTINE, RELEASED
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import conservation
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.pipeline.release import Selection, finish, preview, release
from jobs.runtime.reader import Reader
from jobs.runtime.settings import load_settings
from jobs.runtime.streams.query import follow
from tests.oracles.pipeline import Raw
from tests.oracles.strict_json import EPOCH
from tests.support.lakes import (
    BATCH_BY_BATCH,
    CrashingLake,
    MakeLake,
    deliver,
    killed_behind_every_write,
    stream,
    survives,
    written,
)
from tests.support.promises import assert_promises
from tests.support.strategies import MINUTE, NOON, Delivery, arrived, examples, histories, plays
from transforms.contracts.registry import Registry

AGED = b"2021-"  # years before the arrival
STRICT = load_settings(overrides=BATCH_BY_BATCH, environment={})
MENDED = load_settings(overrides=[*BATCH_BY_BATCH, "refine.oldest_event_days=4000"], environment={})
ALL = Selection()


def aged(delivery: Delivery) -> Delivery:
    return delivery._replace(value=(delivery.value or b"").replace(b"2026-", AGED))


@pytest.fixture(scope="module")
def history() -> list[list[Raw]]:
    """Three batches: sound, broken and too old records, with repeats inside and across them.

    Without event ids of the producers': what is one event is so by its bytes.
    """
    drawn = [
        d for part in examples(histories(), 6) for d in part if b"eventId" not in (d.value or b"")
    ]
    first = [*drawn, *map(aged, drawn[::2]), *map(aged, drawn[::3])]
    raws = arrived([*first, *map(aged, drawn[::4]), *drawn[::5]])
    third = len(raws) // 3
    return [raws[:third], raws[third : 2 * third], raws[2 * third :]]


@pytest.mark.slow
def test_what_is_released_is_as_if_it_had_never_been_refused(
    lakes: MakeLake, history: list[list[Raw]]
) -> None:
    """Killed behind every write of the release; copies of what was released come afterwards."""
    lake = lakes(CrashingLake)
    assert isinstance(lake, CrashingLake)
    deliver(lake, history[:2])
    stream(lake, STRICT)
    old = lake.read(QUARANTINE).where("reason = 'old_time'").count()
    assert old > 5
    deaths = killed_behind_every_write(lake, lambda: release(lake, load_judge(MENDED.refine), ALL))
    assert deaths > 2
    released = lake.read(RELEASED)
    assert {row.release for row in released.select("release").collect()} == {1}
    assert released.count() == old
    assert released.where("value IS NULL OR reason != 'old_time'").isEmpty()
    deliver(lake, history)
    stream(lake, MENDED)
    assert_promises(lake, MENDED, [raw for batch in history for raw in batch])
    assert release(lake, load_judge(MENDED.refine), ALL)["duplicate"] == 0
    assert lake.read(RELEASED).count() == old


def instant(minute: int) -> datetime:
    return EPOCH + timedelta(microseconds=NOON + minute * MINUTE)


def play(event_id: str, at: str) -> Delivery:
    event = {**examples(plays, 1)[0], "eventId": event_id, "timestamp": at}
    return Delivery("user-interactions", event["userId"].encode(), json.dumps(event).encode())


def test_an_event_that_silver_has_by_now_is_released_as_a_duplicate(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    early, later = play("e1", "2021-01-01T00:00:00Z"), play("e1", "2026-09-21T14:00:00Z")
    deliver(lake, [arrived([early, later])])
    stream(lake, STRICT)
    assert release(lake, load_judge(MENDED.refine), ALL) == Counter(duplicate=1)
    assert lake.read(QUARANTINE).isEmpty()
    row = lake.read(RELEASED).first()
    assert row is not None
    assert (row.fate, row.released_id, row.reason, row.release) == (
        "duplicate",
        "e1",
        "old_time",
        1,
    )
    kept = conservation(lake)
    assert (kept.conserved, kept.duplicates, kept.silver["playback"]) == (True, 1, 1)
    assert (kept.released, kept.missing) == (1, 0)
    assert Reader(lake.root).conservation() == kept


def test_a_killed_release_keeps_refine_waiting_until_it_is_finished(
    lakes: MakeLake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lake = lakes(CrashingLake)
    assert isinstance(lake, CrashingLake)
    records = arrived([play("e1", "2026-09-21T14:00:00Z")])
    deliver(lake, [records])
    documents = {c.event_type: {"1.0": c.schema} for c in load_registry() if c.version == "1.0"}
    with monkeypatch.context() as patch:
        patch.setattr("jobs.runtime.pipeline.judging.load_registry", lambda: Registry(documents))
        stream(lake, STRICT)
    unknown = Selection(reasons=["unknown_version"])
    lake.writes_left = [1]
    assert not survives(lambda: release(lake, load_judge(STRICT.refine), unknown))
    with pytest.raises(DataError, match=r"release 1 was killed .*jobs\.release --finish"):
        stream(lake, STRICT)
    before = written(lake)
    with caplog.at_level("WARNING"):
        assert preview(lake, load_judge(STRICT.refine), unknown) == Counter()
    assert "release 1 was killed before its end" in caplog.text
    assert "python -m jobs.release --finish" in caplog.text
    assert written(lake) == before, "a dry run wrote"
    assert finish(lake, load_judge(STRICT.refine)) == 1
    before = written(lake)
    assert finish(lake, load_judge(STRICT.refine)) is None
    assert written(lake) == before, "there was nothing to finish"
    stream(lake, STRICT)
    assert_promises(lake, STRICT, records)


def test_a_dry_run_is_as_if_the_release_that_was_killed_were_finished(lakes: MakeLake) -> None:
    """Killed behind each write: what it decided is not told again, and its events are met."""
    lake = lakes(CrashingLake)
    assert isinstance(lake, CrashingLake)
    plays = [play("e1", "2021-01-01T00:00:00Z"), play("e1", "2021-01-02T00:00:00Z")]
    deliver(lake, [arrived(plays)])
    stream(lake, STRICT)
    first = Selection(arrived_until=instant(0))
    for writes in (1, 1, 2):
        lake.writes_left = writes * [1]
        assert not survives(lambda: release(lake, load_judge(MENDED.refine), first))
        before = written(lake)
        assert preview(lake, load_judge(MENDED.refine), ALL) == Counter(duplicate=1)
        assert written(lake) == before
    assert finish(lake, load_judge(MENDED.refine)) == 1
    assert preview(lake, load_judge(MENDED.refine), ALL) == Counter(duplicate=1)


@pytest.fixture(scope="module")
def refused(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose quarantine holds three plays that are too old, and a text."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("refused")))
    lake.ensure([BRONZE])
    plays = [play(f"e{day}", f"2021-01-0{day}T00:00:00Z") for day in (1, 2, 3)]
    deliver(lake, [arrived([*plays, Delivery("user-interactions", b"user_a", b"{")], partitions=1)])
    with refining(lake, load_judge(STRICT.refine), STRICT.refine, available_now=True) as run:
        follow(run)
    return lake


def run(lake: Lake, *arguments: str) -> Result:
    mended = ["--set", f"lake.root={lake.root}", "--set", "refine.oldest_event_days=4000"]
    return CliRunner().invoke(main, [*arguments, *mended])


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (ALL, {"silver.playback": 3, "quarantine: malformed_json": 1}),
        (Selection(reasons=["malformed_json"]), {"quarantine: malformed_json": 1}),
        (Selection(reasons=["old_time", "wrong_key"]), {"silver.playback": 3}),
        (
            Selection(topic="user-interactions", partition=0, offsets=(1, 3)),
            {"silver.playback": 2, "quarantine: malformed_json": 1},
        ),
        (Selection(topic="system-health"), {}),
        (Selection(partition=7), {}),
        (Selection(arrived_until=instant(1)), {"silver.playback": 2}),
        (
            Selection(arrived_from=instant(2)),
            {"silver.playback": 1, "quarantine: malformed_json": 1},
        ),
    ],
)
def test_a_dry_run_tells_the_fates_of_what_is_selected_and_writes_nothing(
    refused: Lake, chosen: Selection, found: dict[str, int]
) -> None:
    before = written(refused)
    assert preview(refused, load_judge(MENDED.refine), chosen) == Counter(found)
    assert written(refused) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reason", "bad_luck"], "'bad_luck' is not one of"),
        (["--partition", "1"], "--partition without --topic"),
        (["--offsets", "1-2"], "--offsets without --partition"),
        (["--topic", "t", "--partition", "1", "--offsets", "1-x"], "no range such as"),
        (["--from", "yesterday"], "is not an instant"),
    ],
)
def test_a_selection_that_cannot_be_meant_is_one_clear_error(
    refused: Lake, arguments: list[str], said: str
) -> None:
    result = run(refused, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_while_refine_runs_nothing_is_released(refused: Lake) -> None:
    with (
        refining(refused, load_judge(STRICT.refine), STRICT.refine, available_now=False),
        pytest.raises(DataError, match="another process is using the checkpoint"),
    ):
        release(refused, load_judge(MENDED.refine), ALL)
