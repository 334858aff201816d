"""A lake that the code before the house was redrawn has made is taken up as it is.

tests/support/lake-of-0.1.tar.xz was made by commit 081111c: 360 simulated events with faults
through refine, fold (two batches compacted, one in partials) and attribute, and the profiles.
"""

from __future__ import annotations

import json
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from jobs.runtime.experiments.attribution import attributing
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER, SILVER
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import OF_A_GENERATION
from jobs.runtime.streams.query import follow
from tests.oracles.pipeline import Raw
from tests.oracles.strict_json import EPOCH
from tests.support.lakes import land, stream
from tests.support.promises import assert_promises, landed
from tests.support.shapes import bronze_of
from transforms.gold.tables import FOLDS

ARCHIVE = Path(__file__).resolve().parents[1] / "support" / "lake-of-0.1.tar.xz"
BASES = [f"gold.{name}" for name in FOLDS]


@pytest.fixture
def old_lake(spark: SparkSession, tmp_path: Path) -> Lake:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return Lake(spark, str(tmp_path / "lake"))


def checkpoint_generations(lake: Lake) -> dict[str, Any]:
    """How many checkpoints each query has had."""
    labels = {query: Path(lake.checkpoint(query)) / "playhead.json" for query in OF_A_GENERATION}
    return {query: json.loads(file.read_text())["generation"] for query, file in labels.items()}


def rewrites(lake: Lake, table: str, after: int) -> list[str]:
    """The commits behind a version that replaced rows of a table, by their operation."""
    history = DeltaTable.forPath(lake.spark, lake.path(table)).history()
    rows = history.where(f"version > {after}").select("operation", "operationParameters").collect()
    return [row.operation for row in rows if row.operationParameters.get("mode") == "Overwrite"]


@pytest.mark.slow
def test_it_is_streamed_on_without_a_table_rebuilt_and_its_recompute_differs_in_nothing(
    old_lake: Lake, base_settings: Settings
) -> None:
    versions = {table: old_lake.version(table) for table in (*BASES, *SILVER, EXPERIMENT_USER)}
    before = landed(old_lake)
    last = max(before, key=lambda raw: raw.arrival)
    sent = [
        Raw(raw.topic, raw.partition, 10_000 + number, raw.key, raw.value, last.arrival + number)
        for number, raw in enumerate([before[0], last])
    ]
    new = json.loads(last.value or b"{}") | {"eventId": "after-the-house"}
    value = json.dumps(new, separators=(",", ":")).encode()
    sent.append(Raw(last.topic, last.partition, 10_002, last.key, value, last.arrival + 2))
    ingested = EPOCH + timedelta(microseconds=last.arrival + 3)
    land(old_lake, bronze_of(old_lake.spark, sent, ingested).coalesce(1), 3)

    stream(old_lake, base_settings)
    definitions = load_definitions()
    with attributing(old_lake, base_settings.attribute, definitions, available_now=True) as run:
        follow(run)

    assert checkpoint_generations(old_lake) == dict.fromkeys(OF_A_GENERATION, 1), (
        "a checkpoint was made anew: its tables are rebuilt in every lake"
    )
    for table in (*BASES, EXPERIMENT_USER):
        assert rewrites(old_lake, table, versions[table]) == [], f"{table} was rebuilt"
    assert_promises(old_lake, base_settings, [*before, *sent])
