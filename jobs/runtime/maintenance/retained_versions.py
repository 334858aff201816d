"""Needs: the old versions of tables that somebody will still read, so that no file of them goes.

Who reads old versions:

- refine, of bronze: where a checkpoint made anew would begin. A generation streamed from the start
  replays all of bronze; one built in batch begins a duplicate horizon before the end of its build,
  and while it is being built it reads that version. Nobody reads what an erasure has cut off.
- fold and attribute, of silver: what came after their last finished batch.
- experiment results: the versions that they name, to be reproduced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.erasure_log import history_begins
from jobs.runtime.lake.generations import Generation, generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, EXPERIMENT_RESULTS, EXPERIMENT_USER, SILVER
from jobs.runtime.pipeline.progress import ingested_through
from jobs.runtime.streams.checkpoints import finished_versions
from jobs.runtime.streams.queries import READING_SILVER

FIRST = 0
PINNED = {
    EXPERIMENT_USER: "experiment_user",
    "silver.models": "models",
    "silver.catalog": "catalog",
}


@dataclass(frozen=True)
class RetainedVersion:
    """Somebody will read a version of a table, and all that came after it.

    Attributes:
        version: the Delta version.
        reader: who, for people.
    """

    version: int
    reader: str


def retained_versions(
    lake: Lake, horizon_h: int, results_since: datetime
) -> Mapping[str, RetainedVersion]:
    """The oldest version of each table that is still needed, by the table's path.

    Args:
        lake: any generation of it.
        horizon_h: refine.duplicate_horizon_h.
        results_since: results computed from then on must stay reproducible.

    Returns:
        Tables of which only the newest version is needed are left out.
    """
    oldest: dict[str, RetainedVersion] = {}
    for path, need in _all_retained(lake, horizon_h, results_since):
        if path not in oldest or need.version < oldest[path].version:
            oldest[path] = need
    return oldest


def _all_retained(
    lake: Lake, horizon_h: int, results_since: datetime
) -> Iterator[tuple[str, RetainedVersion]]:
    for generation in generations(lake).values():
        if not generation.is_retired:
            own = lake.of_generation(generation.number)
            yield lake.path(BRONZE), _replayed_by_refine(own, generation, horizon_h)
            yield from _read_by_streams(own)
            yield from _pinned_by_results(own, results_since)


def _replayed_by_refine(own: Lake, generation: Generation, horizon_h: int) -> RetainedVersion:
    reader = f"refine of generation {generation.number}, if its checkpoint were lost"
    cut = history_begins(own)
    first = FIRST if cut is None else cut[0]
    built = generation.bronze_version
    last = None if built is None or built < first else ingested_through(own, built)
    if built is None or last is None:
        return RetainedVersion(first, reader)
    try:
        begins = own.version_at(BRONZE, last - timedelta(hours=horizon_h))
    except SettingsError:  # before the first commit
        begins = first
    return RetainedVersion(max(first, min(begins, built)), reader)


def _read_by_streams(own: Lake) -> Iterator[tuple[str, RetainedVersion]]:
    if "://" in own.root:
        for table in SILVER:  # how far streams have come is not known from here
            yield own.path(table), RetainedVersion(0, f"streams of generation {own.generation}")
        return
    ids = {table: own.table_id(table) for table in SILVER if own.has(table)}
    for query in READING_SILVER:
        for table, version in finished_versions(own.checkpoint(query), ids).items():
            yield (
                own.path(table),
                RetainedVersion(version, f"{query} of generation {own.generation}"),
            )


def _pinned_by_results(own: Lake, since: datetime) -> Iterator[tuple[str, RetainedVersion]]:
    if not own.has(EXPERIMENT_RESULTS):
        return
    stored = own.unmarked().read(EXPERIMENT_RESULTS)
    rows = stored.where(F.col("computed_at") >= F.lit(since))
    pins = (F.min(f"built_from.{pin}").alias(pin) for pin in PINNED.values())
    for row in (
        rows.groupBy(F.col("built_from.generation").alias("generation")).agg(*pins).collect()
    ):
        then = own.of_generation(row.generation)
        for table, pin in PINNED.items():
            yield (
                then.path(table),
                RetainedVersion(row[pin], f"experiment results since {since:%Y-%m-%d}"),
            )
