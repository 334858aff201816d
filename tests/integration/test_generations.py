"""Generations: built in batch while the live one streams, equal to it, switched by one commit."""

from __future__ import annotations

import threading

import pytest
from pyspark.sql import functions as F

from jobs.plan import plan
from jobs.recompute import compared, next_generation
from jobs.runtime.errors import SettingsError
from jobs.runtime.generations import Action, Superseded, record, retire, switch
from jobs.runtime.gold import read_gold
from jobs.runtime.lake import Lake
from jobs.runtime.settings import Settings, load_settings
from jobs.runtime.tables import BRONZE, PARITY
from tests.lakes import BATCH_BY_BATCH, MakeLake, deliver, stream
from tests.oracle import Raw
from tests.promises import assert_promises
from transforms.gold.tables import BUSINESS_DAY, USER_DAY


class Watcher(threading.Thread):
    """Reads the live gold again and again, as a dashboard would."""

    def __init__(self, lake: Lake) -> None:
        super().__init__()
        self.seen: set[tuple[int, ...]] = set()
        self._lake, self._done = lake, threading.Event()

    def run(self) -> None:
        while not self._done.is_set():
            self.seen.add(totals(Lake(self._lake.spark, self._lake.root)))

    def finish(self) -> set[tuple[int, ...]]:
        self._done.set()
        self.join()
        return self.seen


def totals(lake: Lake) -> tuple[int, ...]:
    """Plays and watch time, by two tables."""
    sums = F.sum("plays"), F.sum("watch_s")
    rows = [read_gold(lake, fold).agg(*sums).collect()[0] for fold in (USER_DAY, BUSINESS_DAY)]
    return tuple(value for row in rows for value in row)


@pytest.fixture
def configured() -> Settings:
    return load_settings(overrides=BATCH_BY_BATCH, environment={})


@pytest.mark.slow
def test_a_generation_is_built_caught_up_compared_and_switched(
    lakes: MakeLake, configured: Settings, history: list[list[Raw]]
) -> None:
    live = lakes(Lake)
    deliver(live, history[:2])
    built_from = live.version(BRONZE)
    deliver(live, history)  # what the new generation must catch up with
    stream(live, configured)
    assert plan(live).seconds is None

    watcher = Watcher(live)
    watcher.start()
    new = next_generation(live, configured, built_from)
    found = compared(live, new, configured)
    reader, expected = Lake(live.spark, live.root), totals(live)
    moved = Superseded(reader)
    assert not moved()
    switch(live, new.generation)
    assert moved()
    assert watcher.finish() == {expected}, "a reader saw a gap, a double or a mixture"

    assert found.compared
    assert found.differing == 0
    assert live.read(PARITY).where("cause IS NULL").count() == len(found.tables)
    assert plan(live).seconds
    assert (reader.generation, Lake(live.spark, live.root).generation) == (1, 2)
    switched = Lake(live.spark, live.root)
    assert_promises(switched, configured, [raw for part in history for raw in part])
    switch(live, 1)
    assert Lake(live.spark, live.root).generation == 1


def test_what_may_be_retired(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    for number in (2, 3, 4, 5):
        record(lake, number, Action.BUILDING, bronze_version=0)
        if number < 5:
            record(lake, number, Action.BUILT)
            lake.of_generation(number).ensure([f"gold.{USER_DAY.name}"])
    with pytest.raises(SettingsError, match="generation 5 is not complete"):
        switch(lake, 5)
    switch(lake, 4)
    assert retire(lake, keep=0, unread_h=1) == [], "all were live or built a moment ago"
    assert retire(lake, keep=1, unread_h=0) == [1, 2], "3 is kept, 4 is live, 5 is being built"
    assert not lake.of_generation(2).has(f"gold.{USER_DAY.name}")
    with pytest.raises(SettingsError, match="generation 1 is not complete"):
        switch(lake, 1)
