"""jobs.profile on a small lake: state, audit trail, rebuild as of an instant, and proof."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.profile.__main__ import main
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, PARTIALS, USER_PROFILE
from jobs.runtime.pipeline.gold import append_partials
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.profiles.profiles import build_profiles, store_profiles, verify_profiles
from jobs.runtime.profiles.ratings import LakeRatings
from jobs.runtime.settings import load_settings
from tests.support.lakes import deliver
from tests.support.profile_events import delivered, prefer, rate, view
from tests.support.strategies import arrived
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.profile import PROFILE_SOURCES

REFINE = load_settings(environment={}).refine
HISTORY = [
    prefer("p1", 1, language="en"),
    prefer("p2", 2_000_000, language="de"),
    view("v1", 3, session="s"),
    rate("r1", 4, 3),
    rate("r2", 5, 4, previousRating=1),
    prefer("b1", 6, user="bob", autoplay=False),
]
FIRST_SEQUENCE = 2**32  # of a checkpoint's first generation
AFTER_P1 = "2026-09-21T14:13:21Z"


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose bronze and silver hold HISTORY."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("profiles")))
    silver = set(PROFILE_SOURCES) | set(FACT_SOURCES)
    lake.ensure([BRONZE, *silver, PARTIALS, "gold.user_title"])
    deliver(lake, [arrived(delivered(HISTORY))])
    accepted = load_judge(REFINE).accepted_events(lake.read(BRONZE)).persist()
    for table in silver:
        lake.append(
            table,
            load_judge(REFINE).silver_rows(table.split(".")[1], accepted),
            Transaction("test", 0),
        )
    ratings = facts({t: lake.read(t) for t in FACT_SOURCES})
    append_partials(lake, ratings, Transaction("test", FIRST_SEQUENCE))
    return lake


def run(lake: Lake, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--set", f"lake.root={lake.root}"])


def shown(lake: Lake, *arguments: str) -> dict[str, Any]:
    result = run(lake, "show", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_show_tells_the_state_and_the_events_that_made_it(lake: Lake) -> None:
    told = shown(lake, "ada")
    assert told["profile"]["preferences"] == {"language": "de"}
    steps = {step["event_id"]: step for step in told["events"]}
    assert list(steps) == ["p1", "v1", "r1", "r2", "p2"]
    assert steps["p2"]["preferences"] == {"language": {"from": "en", "to": "de"}}
    assert steps["r2"]["rating"]["disputed"] is True
    assert (steps["p1"]["topic"], steps["p1"]["offset"]) == ("user-profile-events", 0)


def test_show_as_of_an_instant_is_the_state_of_then(lake: Lake) -> None:
    told = shown(lake, "ada", "--as-of", AFTER_P1)
    assert told["profile"]["preferences"] == {"language": "en"}
    assert "p2" not in {step["event_id"] for step in told["events"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nobody"), "user 'nobody' has no profile events"),
        (("show", "ada", "--as-of", "1999-01-01T00:00:00Z"), "as of 1999-01-01"),
        (("show", "ada", "--as-of", "yesterday"), "'yesterday' is not an instant"),
        (("show", "ada", "--as-of", "2026-01-01"), "is not an instant"),
    ],
)
def test_what_cannot_be_shown_is_one_clear_error(
    lake: Lake, arguments: tuple[str, ...], said: str
) -> None:
    result = run(lake, *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_an_empty_lake_is_one_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    result = run(Lake(spark, str(tmp_path)), "show", "ada")
    assert result.exit_code == 4
    assert "has no silver.profiles" in result.output


def test_a_profile_as_of_an_instant_is_verified_in_the_hour_that_is_told_twice(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a zone whose clocks are set back at 15:00 of that day, which is 14:00 UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "STD0DST,M3.2.0,J264/15")
        time.tzset()
        with build_profiles(lake, datetime.fromisoformat(AFTER_P1)) as rows:
            store_profiles(lake, rows)
        verified = verify_profiles(lake, load_judge(REFINE))
    time.tzset()
    assert verified == (2, 0, [])


def test_verify_finds_the_profile_that_is_not_its_events(lake: Lake) -> None:
    with build_profiles(lake, None) as rows:
        store_profiles(lake, rows)
    assert verify_profiles(lake, load_judge(REFINE)) == (2, 0, [])
    assert verify_profiles(lake, load_judge(REFINE), "bob") == (1, 0, [])
    forged = lake.read(USER_PROFILE).withColumn(
        "events", F.expr("IF(user_id = 'bob', events + 1, events)")
    )
    store_profiles(lake, forged)
    assert verify_profiles(lake, load_judge(REFINE)) == (2, 0, ["bob"])
    assert run(lake, "verify").exit_code == 4


def test_rebuild_writes_elsewhere_and_never_over_it(lake: Lake, tmp_path: Path) -> None:
    out = str(tmp_path / "then")
    assert run(lake, "rebuild", "--as-of", AFTER_P1, "--out", out).exit_code == 0
    rows = lake.spark.read.format("delta").load(out)
    found = {row.user_id: row.preferences.language for row in rows.collect()}
    assert found == {"ada": "en", "bob": None}
    assert run(lake, "rebuild", "--out", out).exit_code == 2


def test_the_read_model_knows_the_last_rating(lake: Lake) -> None:
    ratings = LakeRatings(lake)
    assert (ratings.rating("ada", "t"), ratings.rating("bob", "t")) == (8, None)
