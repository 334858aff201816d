"""The job on a lake: findings in ops.quality and data docs, and the gates that read them."""

from __future__ import annotations

import re
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from pyspark.sql import functions as F

from jobs.experiments import main as experiments
from jobs.generations import main as generations
from jobs.promote import main as promote
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.generations import Action, record_action
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import QUALITY, TABLES
from jobs.runtime.quality.check import check, refuse
from jobs.runtime.quality.gate import refuse_failing
from jobs.runtime.settings import QualitySettings
from tests.support.lakes import MakeLake

BLOCKERS = QualitySettings(gate="blockers", max_age_h=1)
CHECKED = BLOCKERS.model_copy(update={"gate": "checked"})
OFF = BLOCKERS.model_copy(update={"gate": "off"})
RATINGS = "silver.ratings"


def rate(lake: Lake, number: int, half_stars: int) -> None:
    """Append a rating; 11 half stars are more than there are."""
    known = {
        "event_id": F.lit(f"e{number}"),
        "user_id": F.lit("ada"),
        "title_id": F.lit("title-1"),
        "half_stars": F.lit(half_stars),
        "event_time": F.current_timestamp(),
        "event_date": F.current_date(),
        "ingest_time": F.current_timestamp(),
    }
    columns = (
        known.get(field.name, F.lit(None)).cast(field.dataType).alias(field.name)
        for field in TABLES[RATINGS].schema
    )
    lake.append(RATINGS, lake.spark.range(1).select(*columns), Transaction("test", number))


def told(lake: Lake, command: object, *arguments: str) -> str:
    options = [*arguments, "--set", f"lake.root={lake.root}"]
    result = CliRunner().invoke(command, options)  # type: ignore[arg-type]
    assert result.exit_code, result.output
    return result.output


@pytest.mark.slow
def test_a_failing_blocker_stops_switch_promotion_and_publishing_until_it_is_mended(
    lakes: MakeLake, tmp_path: Path
) -> None:
    lake, docs = lakes(Lake), tmp_path / "docs"
    refuse_failing(lake, [RATINGS], BLOCKERS, "it")  # nothing is known: a warning
    with pytest.raises(DataError, match=r"it is stopped: silver\.ratings had no check in 1 hours"):
        refuse_failing(lake, [RATINGS], CHECKED, "it")

    rate(lake, 1, 10)
    sound = check(lake, (RATINGS,), docs=docs)
    refuse(sound)
    refuse_failing(lake, [RATINGS], CHECKED, "it")
    rate(lake, 2, 11)
    with pytest.raises(DataError, match=r"range\(half_stars\): found 1, expected at most 0"):
        refuse(check(lake, (RATINGS,), docs=docs))
    stopped = r"is stopped: silver\.ratings: range\(half_stars\): found 1"
    with pytest.raises(DataError, match=stopped):
        refuse_failing(lake, [RATINGS], BLOCKERS, "it")
    refuse_failing(lake, [RATINGS], OFF, "it")
    refuse_failing(lake, ["silver.playback"], BLOCKERS, "it")
    refuse_failing(lake.of_generation(2), [RATINGS], BLOCKERS, "it")

    record_action(lake, 1, Action.BUILT)
    assert re.search(f"switch to generation 1 {stopped}", told(lake, generations, "switch", "1"))
    assert lake.live() == 1
    assert re.search(f"publishing of results {stopped}", told(lake, experiments, "results"))
    with patch("jobs.promote.refuse"):  # its training found it better
        assert re.search(f"promotion of version 7 {stopped}", told(lake, promote, "7"))

    earlier = check(lake, (RATINGS,), version=1)
    refuse(earlier)
    refuse_failing(lake, [RATINGS], BLOCKERS, "it")  # the newest check counts
    rows = lake.read(QUALITY).groupBy("version").agg(F.count_if(~F.col("passed"))).collect()
    assert sorted(map(tuple, rows)) == [(1, 2), (2, 2)], "1 has a warning, checked twice"
    newest = lake.read(QUALITY).where("version = 2").groupBy("kind").agg(F.first("result"))
    results = dict(map(tuple, newest.collect()))
    assert (results["range"], results["rows"]) == ("failed", "holds")
    assert results["volume"] == results["drift"] == "nothing_to_measure"
    page = "".join(file.read_text() for file in docs.rglob("*.html"))
    assert list(docs.rglob("validations/**/*.html"))
    assert "range(half_stars)" in page
    assert "ratings are half a star to five stars" in page
    assert "there was nothing to measure: a producer is silent" in page
    assert not re.search(r"(src|href)=[\"']https?:[^>]*\.(js|css|png)", page)


@pytest.mark.parametrize(
    ("tables", "version", "said"),
    [
        (("gold.nothing",), None, r"nothing is expected of a table called 'gold\.nothing' -> use"),
        ((), 3, "--version is of one table -> name it with --table"),
        ((RATINGS,), 99, r"silver\.ratings has no version 99 -> the newest is 0"),
    ],
)
def test_what_cannot_be_checked_is_one_line(
    lakes: MakeLake, tables: tuple[str, ...], version: int | None, said: str
) -> None:
    lake = lakes(Lake)
    with pytest.raises(SettingsError, match=said):
        check(lake, tables, version)
    assert lake.read(QUALITY).isEmpty()


def test_a_table_that_is_not_there_says_so(lakes: MakeLake) -> None:
    lake = lakes(Lake).of_generation(2)
    with pytest.raises(DataError, match=r"no silver\.ratings in generation 2 .*jobs\.refine"):
        check(lake, (RATINGS,))
