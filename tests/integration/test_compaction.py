"""Compaction beside the stream: what is appended meanwhile is neither lost nor folded in twice."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.pipeline.gold import Compaction, folded_through
from jobs.runtime.settings import load_settings
from tests.oracles.pipeline import Raw
from tests.support.lakes import MakeLake, deliver, stream
from tests.support.promises import assert_promises
from transforms.gold.tables import FOLDS

SETTINGS = load_settings(overrides=["fold.compact_every_batches=1000"], environment={})


class HeldLake(Lake):
    """A lake whose bases are folded into when it is let go."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reached, self.let_go = Event(), Event()

    def isolated(self) -> Lake:
        self.reached.set()
        self.let_go.wait()
        return super().isolated()

    def of_generation(self, generation: int) -> Lake:
        return Lake(self.spark, self.root, generation)


def sequences(lake: Lake) -> set[int]:
    return {row.sequence for row in lake.read(PARTIALS).select("sequence").distinct().collect()}


def test_partials_that_come_meanwhile_stay(lakes: MakeLake, history: list[list[Raw]]) -> None:
    lake = lakes(HeldLake)
    assert isinstance(lake, HeldLake)
    compaction = Compaction(lake)
    stream(lake, SETTINGS)  # silver that was there before the stream makes no partials
    deliver(lake, history[:2])
    stream(lake, SETTINGS)
    before = sequences(lake)

    compaction.begin()
    assert lake.reached.wait(60), "nothing was folded in"
    try:
        deliver(lake, history)
        stream(lake, SETTINGS)
        compaction.end()
        meanwhile = sequences(lake) - before
        assert before < sequences(lake), "partials were dropped before they were folded in"
    finally:
        lake.let_go.set()
    compaction.end(wait=True)
    assert sequences(lake) == meanwhile, "other partials were dropped than were folded in"
    assert {folded_through(lake, fold)[1] for fold in FOLDS.values()} == {max(before)}
    assert_promises(lake, SETTINGS, [raw for batch in history for raw in batch])


def test_a_compaction_that_fails_is_told_of(spark: SparkSession, tmp_path: Path) -> None:
    compaction = Compaction(Lake(spark, str(tmp_path / "no lake")))
    compaction.begin()
    with pytest.raises(Exception, match="no lake"):
        compaction.end(wait=True)
    compaction.end(wait=True)  # it is told once
