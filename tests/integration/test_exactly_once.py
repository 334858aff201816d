"""Stream, batch and oracle are equal, whatever the order, the batches, the repeats, the crashes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.fold import folding
from jobs.refine import refining
from jobs.runtime.errors import PlayheadError
from jobs.runtime.gold import compact, read_gold
from jobs.runtime.lake import Lake, Transaction
from jobs.runtime.settings import Settings, load_settings
from jobs.runtime.streams import follow
from jobs.runtime.tables import BRONZE, TABLES
from tests.oracle import Raw
from tests.promises import assert_promises
from tests.shapes import bronze_of, table_of
from tests.strategies import arrived, histories, shuffles, splits
from tests.strict import EPOCH
from transforms.gold.tables import FOLDS

BATCH_BY_BATCH = [  # a batch is at least one file, and each delivery is a file
    "refine.max_bytes_per_batch=1k",
    "fold.max_bytes_per_batch=1k",
    "fold.compact_every_batches=2",
]
numbers = count()


class CrashError(Exception):
    """The process died here."""


class CrashingLake(Lake):
    """A lake whose process dies right behind its nth write."""

    writes_left: list[int]

    def append(self, table: str, *args: Any) -> None:
        super().append(table, *args)
        self._die()

    def replace(self, table: str, *args: Any) -> None:
        super().replace(table, *args)
        self._die()

    def upsert(self, table: str, *args: Any) -> None:
        super().upsert(table, *args)
        self._die()

    def delete(self, table: str, *args: Any) -> None:
        super().delete(table, *args)
        self._die()

    def isolated(self) -> Lake:
        lake = CrashingLake(self.spark.newSession(), self.root, self.generation)
        lake.writes_left = self.writes_left
        return lake

    def _die(self) -> None:
        if self.writes_left:
            self.writes_left.pop()
            if not self.writes_left:
                raise CrashError


@pytest.fixture(scope="module")
def empty_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every table and no rows, to be copied: creating tables costs seconds."""
    root = tmp_path_factory.mktemp("lake") / "empty"
    Lake(spark, str(root)).ensure()
    return root


@pytest.fixture
def configured() -> Settings:
    return load_settings(overrides=BATCH_BY_BATCH, environment={})


@pytest.fixture
def lakes(spark: SparkSession, empty_lake: Path, tmp_path: Path) -> Callable[[type[Lake]], Lake]:
    """Makes lakes of their own, empty."""

    def made(kind: type[Lake]) -> Lake:
        root = tmp_path / f"lake-{next(numbers)}"
        shutil.copytree(empty_lake, root)
        return kind(spark, str(root))

    return made


def deliver(lake: Lake, batches: Sequence[Sequence[Raw]]) -> None:
    """Land each batch in bronze as a commit of its own, a minute after the one before."""
    schema = TABLES[BRONZE].schema
    for number, batch in enumerate(batches):
        rows = bronze_of(lake.spark, batch, EPOCH + timedelta(microseconds=batch[-1].arrival))
        full = rows.select(
            *(
                F.col(f.name)
                if f.name in rows.columns
                else F.lit(None).cast(f.dataType).alias(f.name)
                for f in schema
                if f.name != "arrival_date"
            ),
            F.to_date("kafka_timestamp").alias("arrival_date"),
        )
        lake.append(BRONZE, full.coalesce(1), Transaction("test", number))


def stream(lake: Lake, configured: Settings) -> None:
    """Take bronze through to gold."""
    with refining(lake, configured.refine, available_now=True) as run:
        follow(run)
    with folding(lake, configured.fold, available_now=True) as run:
        follow(run)


def survives(lake: Lake, configured: Settings) -> bool:
    """Stream and compact; False if the process died on the way, and only of that."""
    try:
        stream(lake, configured)
        compact(lake)
    except CrashError:
        return False
    except PlayheadError as error:
        if isinstance(error.__cause__, CrashError):
            return False
        raise
    return True


@st.composite
def delivered(draw: st.DrawFn) -> list[list[Raw]]:
    return draw(splits(draw(shuffles(draw(histories())))))


@pytest.mark.slow
@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(batches=delivered())
def test_any_order_split_and_repetition_gives_the_oracles_gold(
    lakes: Callable[[type[Lake]], Lake], configured: Settings, batches: list[list[Raw]]
) -> None:
    lake = lakes(Lake)
    deliver(lake, batches)
    stream(lake, configured)
    assert_promises(lake, configured, [raw for batch in batches for raw in batch])


@pytest.fixture(scope="module")
def history() -> list[list[Raw]]:
    """One history in three batches, with repeats inside and across them."""
    drawn: list[list[list[Raw]]] = []

    @settings(max_examples=1, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        sent = data.draw(st.lists(histories(), min_size=4, max_size=4))
        raws = arrived([delivery for part in (*sent, sent[0]) for delivery in part])
        third = len(raws) // 3
        drawn.append([raws[:third], raws[third : 2 * third], raws[2 * third :]])

    draw()
    return drawn[0]


@pytest.mark.slow
def test_a_crash_behind_any_write_loses_and_doubles_nothing(
    lakes: Callable[[type[Lake]], Lake], configured: Settings, history: list[list[Raw]]
) -> None:
    """The process dies behind its first write, is started and dies behind its second, and so on.

    Every write of refine, of fold and of compaction is thus the last one of some life.
    """
    lake = lakes(CrashingLake)
    assert isinstance(lake, CrashingLake)
    lake.writes_left = []
    deliver(lake, history)
    deaths = 0
    for life in count(1):
        lake.writes_left = life * [1]
        if survives(lake, configured):
            break
        deaths += 1
    assert deaths > 3, "the crashes did not happen"
    assert_promises(lake, configured, [raw for batch in history for raw in batch])


@pytest.mark.slow
@pytest.mark.parametrize("query", ["refine", "fold"])
def test_a_deleted_checkpoint_loses_and_doubles_nothing(
    lakes: Callable[[type[Lake]], Lake],
    configured: Settings,
    history: list[list[Raw]],
    query: str,
) -> None:
    lake = lakes(Lake)
    deliver(lake, history[:2])
    stream(lake, configured)
    shutil.rmtree(lake.checkpoint(query))
    deliver(lake, history)
    stream(lake, configured)
    assert_promises(lake, configured, [raw for batch in history for raw in batch])


def test_a_plain_delta_reader_sees_one_row_a_key(
    lakes: Callable[[type[Lake]], Lake], configured: Settings, history: list[list[Raw]]
) -> None:
    """After a compaction the base table alone is the gold table."""
    lake = lakes(Lake)
    deliver(lake, history)
    stream(lake, configured)
    compact(lake)
    for name, fold in FOLDS.items():
        assert table_of(fold, lake.read(f"gold.{name}")) == table_of(fold, read_gold(lake, fold))
