"""jobs.training_set: a spine in, features and their pins out, and errors that say what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from jobs.runtime.features.training_sets import SOURCES
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.training_set import main
from tests.oracles.as_of import STARTED
from tests.support.shapes import plain_rows
from tests.support.silver_frames import frame
from tests.support.strategies import MINUTE, NOON
from transforms.features.as_of import features

AT = "2026-09-21T14:13:20"  # NOON
HEADER = "user_id,at,label"


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A play a minute before noon, which arrived a minute after it."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("training")))
    lake.ensure(SOURCES)
    add(lake, 0, arrival=NOON + MINUTE)
    return lake


def add(lake: Lake, number: int, arrival: int) -> None:
    play = {
        "event_id": f"e{number}",
        "event_type": STARTED,
        "user_id": "ada",
        "title_id": "t1",
        "event_time": NOON - MINUTE,
        "arrival": arrival,
        "place": ("topic", 0, number),
    }
    rows = frame(lake.spark, "playback", [play])
    lake.append("silver.playback", rows, Transaction("test", number))


def run(lake: Lake, spine: Path, out: Path, *options: str) -> Result:
    arguments = [str(spine), str(out), *options, "--set", f"lake.root={lake.root}"]
    return CliRunner().invoke(main, arguments)


def written(folder: Path, *lines: str) -> Path:
    spine = folder / "spine.csv"
    spine.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return spine


def test_a_training_set_is_the_spine_with_features_and_can_be_made_again_from_its_pins(
    lake: Lake, tmp_path: Path
) -> None:
    spine = written(tmp_path, HEADER, f"ada,{AT}Z,1", f"ada,{AT}+00:00,0", f"bob,{AT}Z,0")
    out, known = tmp_path / "out", tmp_path / "known"
    assert run(lake, spine, out, "--days", "2").exit_code == 0
    add(lake, 1, arrival=NOON - MINUTE)
    assert run(lake, spine, known, "--days", "2", "--known", "--like", str(out)).exit_code == 0

    true, then = (lake.spark.read.format("delta").load(str(path)) for path in (out, known))
    assert true.columns == [*HEADER.split(","), *features([2]), "built_from"]
    rows = plain_rows(true.orderBy("user_id", "label"))
    assert [(r["user_id"], r["at"], r["label"], r["plays_2d"]) for r in rows] == [
        ("ada", NOON, "0", 1),
        ("ada", NOON, "1", 1),
        ("bob", NOON, "0", 0),
    ]
    pins = rows[0]["built_from"]
    assert (pins["generation"], pins["playback"], pins["ratings"], pins["known"]) == (
        1,
        1,
        0,
        False,
    )
    again = plain_rows(then)
    assert [row["plays_2d"] for row in again] == [0, 0, 0], "it saw what came after the versions"
    assert again[0]["built_from"] == {**pins, "known": True}
    refused = run(lake, spine, out)
    assert (refused.exit_code, "cannot be written" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["user_id,when", f"ada,{AT}Z"], "has no at; its columns: user_id, when"),
        (["user_id,at", f"ada,{AT}"], "1 of 1 rows lack a user or an instant with its time zone"),
        (["user_id,at", f",{AT}Z", f"ada,{AT}Z"], "1 of 2 rows lack a user"),
        (["user_id,at", "ada,2026-13-01T00:00:00Z"], '"at":"2026-13-01T00:00:00Z"'),
        (["user_id,at"], "has no rows"),
        (["user_id,at,plays_7d", f"ada,{AT}Z,3"], "columns that features would have: plays_7d"),
    ],
)
def test_a_bad_spine_is_refused_in_one_line(
    lake: Lake, tmp_path: Path, lines: list[str], told: str
) -> None:
    result = run(lake, written(tmp_path, *lines), tmp_path / "out")
    assert result.exit_code in (2, 4), result.output
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_instants_without_a_time_zone_are_refused_by_type(lake: Lake, tmp_path: Path) -> None:
    naive = lake.spark.createDataFrame(
        [("ada", datetime(2026, 9, 21, tzinfo=UTC))], "user_id STRING, at TIMESTAMP"
    )
    spine = tmp_path / "spine"
    naive.selectExpr("user_id", "CAST(at AS TIMESTAMP_NTZ) AS at").write.parquet(str(spine))
    result = run(lake, spine, tmp_path / "out")
    assert "at is timestamp_ntz, without a time zone" in result.stderr
    assert "cannot be read" in run(lake, tmp_path / "absent", tmp_path / "out").stderr
