"""The readout, and the looks into the past that it draws."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.experiments.attribution import all_experiment_users
from jobs.runtime.experiments.looks import instants, look_back
from jobs.runtime.experiments.readout import write_readout
from jobs.runtime.experiments.results_refresh import refresh_results
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER
from tests.oracles.attribution import Event, experiment_users
from tests.oracles.strict_json import EPOCH
from tests.support.attribution_cases import END, documents, random_history, silver
from tests.support.local_time import FIRST_HOUR, SECOND_HOUR
from transforms.experiments.definitions import catalogue
from transforms.gold.experiment_user import SOURCES

AT = EPOCH + timedelta(microseconds=END)
DOCUMENTS = documents()
DOCUMENTS["rows.yaml"]["plan"] = {"minimum_units": 2, "contamination_limit": 0.9}
DEFINED = catalogue(DOCUMENTS)
ROWS = DEFINED.experiments["rows"]


@pytest.fixture(scope="module")
def arrived() -> list[Event]:
    return random_history(users=300, seed=31)


@pytest.fixture(scope="module")
def lake(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, arrived: list[Event]
) -> Lake:
    lake = Lake(spark, str(tmp_path_factory.mktemp("readout")))
    lake.ensure([*SOURCES, EXPERIMENT_USER])
    for table, rows in silver(spark, arrived).items():
        lake.append(table, rows, Transaction("test", 0))
    return lake


def test_a_look_back_knows_what_was_known_then(lake: Lake, arrived: list[Event]) -> None:
    metrics = {name: DEFINED.metrics[name] for name in ROWS.metrics}
    looks = look_back(lake, ROWS, metrics, [*instants(ROWS, AT, 3), FIRST_HOUR, SECOND_HOUR])
    for look in looks:
        as_of = (look.at - EPOCH) // timedelta(microseconds=1)
        rows = [
            row
            for (name, _), row in experiment_users(arrived, DOCUMENTS, as_of).items()
            if name == "rows" and row["state"] == "attributed"
        ]
        arms = {variant: [row for row in rows if row["variant"] == variant]
                for variant in ROWS.weights}  # fmt: skip
        assert look.users == {variant: len(own) for variant, own in arms.items() if own}
        watched = next(one for one in look.result.results if one.metric == "watch")
        totals = [row["totals"]["watch"] for row in arms["control"]]
        assert watched.control == pytest.approx(sum(totals) / len(totals), rel=1e-15)
    assert looks[0].users["control"] < looks[2].users["control"]
    assert looks[3].users == looks[4].users


def test_the_page_says_what_was_decided_and_where_from(lake: Lake, tmp_path: Path) -> None:
    lake.replace(EXPERIMENT_USER, all_experiment_users(lake, DEFINED), Transaction("test", 0))
    [first, *_] = rows = refresh_results(lake, DEFINED, AT, ["rows"])
    page = tmp_path / "rows.html"
    write_readout(lake, "rows", page, looks=2)
    text = page.read_text(encoding="utf-8")
    body = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert all(row["metric"] in body for row in rows)
    assert first["built_from"]["definition_hash"] in body
    assert first["built_from"]["command"] in body
    assert "not significant" in body
    assert "No segment is significant after correction" in body
    assert "NaN" not in body
    assert not re.search(r'<(script|link|img)[^>]+"https?:', text), "the page needs nothing else"
