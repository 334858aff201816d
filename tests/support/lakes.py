"""Lakes of tests: filled batch by batch, streamed to gold, and killed at any write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import PlayheadError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, TABLES
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.settings import Settings
from jobs.runtime.streams.query import follow
from tests.oracles.pipeline import Raw
from tests.oracles.strict_json import EPOCH
from tests.support.shapes import bronze_of

BATCH_BY_BATCH = [  # a batch is at least one file, and each delivery is a file
    "refine.max_bytes_per_batch=1k",
    "fold.max_bytes_per_batch=1k",
    "fold.compact_every_batches=2",
]
MakeLake = Callable[[type[Lake]], Lake]


class CrashError(Exception):
    """The process died here."""


class CrashingLake(Lake):
    """A lake whose process dies right behind its nth write."""

    writes_left: list[int]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.writes_left = []

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

    def delete_matching(self, table: str, *args: Any) -> None:
        super().delete_matching(table, *args)
        self._die()

    def isolated(self) -> Lake:
        return self._same(CrashingLake(self.spark.newSession(), self.root, self.generation))

    def of_generation(self, generation: int) -> Lake:
        return self._same(CrashingLake(self.spark, self.root, generation))

    def _same(self, lake: CrashingLake) -> Lake:
        lake.writes_left = self.writes_left
        return lake

    def _die(self) -> None:
        if self.writes_left:
            self.writes_left.pop()
            if not self.writes_left:
                raise CrashError


def deliver(lake: Lake, batches: Sequence[Sequence[Raw]]) -> None:
    """Land each batch in bronze as a commit of its own, a minute after the one before."""
    for number, batch in enumerate(batches):
        ingested = EPOCH + timedelta(microseconds=batch[-1].arrival)
        land(lake, bronze_of(lake.spark, batch, ingested).coalesce(1), number)


def land(lake: Lake, records: DataFrame, number: int) -> None:
    """Append records, as `judge` reads them, to bronze.events; once for each number."""
    known = {name: F.col(name) for name in records.columns}
    known["arrival_date"] = F.to_date("kafka_timestamp")
    columns = (
        known.get(field.name, F.lit(None)).cast(field.dataType).alias(field.name)
        for field in TABLES[BRONZE].schema
    )
    lake.append(BRONZE, records.select(*columns), Transaction("test", number))


def arrive(lake: Lake, tables: Mapping[str, DataFrame], first: int, end: int) -> None:
    """Append the events that arrived at places from `first` to before `end`."""
    for table, rows in tables.items():
        places = F.col("offset").between(first, end - 1)
        lake.append(table, rows.where(places).coalesce(1), Transaction("test", end))


def stream(lake: Lake, configured: Settings) -> None:
    """Take bronze through to gold."""
    with refining(
        lake, load_judge(configured.refine), configured.refine, available_now=True
    ) as run:
        follow(run)
    with folding(lake, configured.fold, available_now=True) as run:
        follow(run)


def written(lake: Lake) -> dict[str, tuple[int, int]]:
    """Every file and folder of a lake by its path, with size and time of the last change.

    Marks of who reads a generation are left out: readers leave them.
    """
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else (0, 0)
        for path in Path(lake.root).rglob("*")
        if path.name != "last-read"
    }


def survives(work: Callable[[], object]) -> bool:
    """Do it; False if the process died on the way, and only of that."""
    try:
        work()
    except CrashError:
        return False
    except PlayheadError as error:
        if isinstance(error.__cause__, CrashError):
            return False
        raise
    return True


def killed_behind_every_write(lake: CrashingLake, work: Callable[[], object]) -> int:
    """Do it in a life that ends behind its first write, in one that ends behind its second, ...

    Every write is thus the last one of some life, until a life ends by itself.

    Returns:
        How often the process died.
    """
    for life in count(1):
        lake.writes_left = life * [1]
        if survives(work):
            lake.writes_left = []
            return life - 1
    raise AssertionError
