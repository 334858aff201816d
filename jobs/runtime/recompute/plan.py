"""The plan of a recompute: bytes read and written, duration, and free disk space."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from jobs.runtime.lake.generations import Action
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, GENERATIONS, TABLES, is_generational
from jobs.runtime.pipeline.progress import refuse_unreadable

MEGABYTE = 10**6


@dataclass(frozen=True)
class Plan:
    """The estimated cost of a full recompute.

    Attributes:
        bronze_version: Delta version of bronze.events that would be read.
        events: number of records in it.
        read_bytes: size of its files, in bytes.
        written_bytes: size in bytes, by table; that of the live generation, which the next one will
            resemble.
        seconds: duration by the median rate of past builds; None without one.
        free_bytes: free space on the lake's disk, in bytes; None on an object store.
    """

    bronze_version: int
    events: int
    read_bytes: int
    written_bytes: dict[str, int]
    seconds: float | None
    free_bytes: int | None


def plan(lake: Lake, bronze_version: int | None = None) -> Plan:
    """Plan a recompute; nothing is written and no event is read.

    Args:
        lake: the live generation.
        bronze_version: Delta version of bronze.events; None: the newest.

    Raises:
        SettingsError: the version does not exist or can no longer be read.
    """
    version = lake.version(BRONZE) if bronze_version is None else bronze_version
    refuse_unreadable(lake, version, lake.version(BRONZE))
    events = lake.read(BRONZE, version).count()
    rate = _past_rate(lake)
    own = [t for t in TABLES if is_generational(t) and lake.has(t)]
    return Plan(
        version,
        events,
        _size(lake, BRONZE),
        {table: _size(lake, table) for table in own},
        None if rate is None else events / rate,
        None if "://" in lake.root else shutil.disk_usage(Path(lake.root)).free,
    )


def plan_text(planned: Plan) -> str:
    """A plan as lines of text."""
    written = sum(planned.written_bytes.values())
    seconds = "unknown: no past build" if planned.seconds is None else f"{planned.seconds:,.0f} s"
    free = "" if planned.free_bytes is None else f", {_megabytes(planned.free_bytes)} are free"
    return "\n".join(
        [
            f"read     {BRONZE} at version {planned.bronze_version}: {planned.events:,} records, "
            f"{_megabytes(planned.read_bytes)}",
            f"write    about {_megabytes(written)}, as the live generation holds{free}",
            *(
                f"           {table:<24} {_megabytes(size)}"
                for table, size in planned.written_bytes.items()
                if size
            ),
            f"seconds  {seconds}",
        ]
    )


def _past_rate(lake: Lake) -> float | None:
    """The median rate of past builds.

    Returns:
        Records a second; None without a past build.
    """
    if not lake.has(GENERATIONS):
        return None
    built = lake.read(GENERATIONS).where((F.col("action") == Action.BUILT) & (F.col("events") > 0))
    median: float | None = built.agg(F.median(F.col("events") / F.col("seconds"))).collect()[0][0]
    return median


def _size(lake: Lake, table: str) -> int:
    """The size of the files of a table's newest version, in bytes."""
    detail = DeltaTable.forPath(lake.spark, lake.path(table)).detail()
    return int(detail.select("sizeInBytes").collect()[0][0])


def _megabytes(size: int) -> str:
    """A size in bytes as text in MB (10^6 bytes)."""
    return f"{size / MEGABYTE:,.1f} MB"
