"""Attribution in the stream equals batch and oracle, in any order, in any batches."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.runtime.experiments.attribution import all_experiment_users, attributing
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import ATTRIBUTE
from jobs.runtime.streams.query import follow
from tests.oracles.attribution import DAY, HOUR, experiment_users
from tests.support.attribution_cases import (
    assigned,
    documents,
    keyed,
    outcome,
    random_history,
    silver,
)
from tests.support.attribution_times import AT, CHANCE
from tests.support.lakes import arrive
from transforms.experiments.definitions import catalogue
from transforms.gold.experiment_user import SOURCES, differing_users

DEFINED = catalogue(documents())


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    lake = Lake(spark, str(tmp_path / "lake"))
    lake.ensure([*SOURCES, EXPERIMENT_USER])
    return lake


def stream(lake: Lake, settings: Settings, known: Any = DEFINED) -> None:
    with attributing(lake, settings.attribute, known, available_now=True) as run:
        follow(run)


@pytest.mark.slow
def test_stream_equals_batch_and_oracle(lake: Lake, base_settings: Settings) -> None:
    """A third of the events before the first start, then batch by batch; then a new checkpoint."""
    arrived = random_history(users=60, seed=5)
    tables = silver(lake.spark, arrived)
    ends = [len(arrived) // 3, len(arrived) // 3 * 2, len(arrived)]
    for first, end in zip([0, *ends], ends, strict=False):
        arrive(lake, tables, first, end)
        stream(lake, base_settings)
        expected = experiment_users(arrived[:end], documents())
        assert keyed(lake.read(EXPERIMENT_USER)) == expected
    assert keyed(all_experiment_users(lake, DEFINED)) == expected
    assert (
        differing_users(lake.read(EXPERIMENT_USER), all_experiment_users(lake, DEFINED)).count()
        == 0
    )
    shutil.rmtree(lake.checkpoint(ATTRIBUTE))
    stream(lake, base_settings)
    assert keyed(lake.read(EXPERIMENT_USER)) == expected


@pytest.mark.slow
def test_only_what_can_change_is_computed_anew(lake: Lake, base_settings: Settings) -> None:
    """An event, one row of three; a changed definition, all rows."""
    watched = outcome("VideoPlaybackCompleted", "o", "ada", AT + 3 * DAY, CHANCE)
    events = [
        assigned("a", "ada", AT, "new"),
        assigned("b", "ada", AT - 15 * DAY, "new", "delay"),
        assigned("c", "bob", AT, "control"),
        outcome("UserEngagement", "d", "ada", AT + HOUR, CHANCE),
        watched,
    ]
    tables = silver(lake.spark, events)
    arrive(lake, tables, 0, 3)
    stream(lake, base_settings)
    arrive(lake, tables, 3, 5)
    stream(lake, base_settings)
    newest = DeltaTable.forPath(lake.spark, lake.path(EXPERIMENT_USER)).history(1).first()
    assert newest is not None
    assert newest.operationMetrics["numSourceRows"] == "1"
    assert totals(lake)["watch"] == 0

    changed = lake.read(EXPERIMENT_USER).withColumn(
        "totals", F.expr("if(user_id = 'bob', map_concat(totals, map('more', 1L)), totals)")
    )
    assert [
        tuple(row) for row in differing_users(lake.read(EXPERIMENT_USER), changed).collect()
    ] == [("rows", "bob")]

    longer = documents()
    longer["metrics.yaml"]["metrics"]["watch"]["window_h"] = 96
    stream(lake, base_settings, catalogue(longer))
    assert totals(lake)["watch"] == watched["watchDuration"]


def totals(lake: Lake) -> dict[str, int]:
    """Of ada, in rows."""
    found: dict[str, int] = keyed(lake.read(EXPERIMENT_USER))["rows", "ada"]["totals"]
    return found
