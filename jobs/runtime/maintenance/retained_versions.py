"""Retained versions: the old table versions that readers still need, so their files must stay.

Readers of old versions:

- refine, of bronze: the version where a new checkpoint would begin. A generation streamed from the
  start replays all of bronze; one built in batch begins a duplicate horizon before the end of its
  build, and while it is being built it reads that version. Nobody reads what an erasure has cut
  off.
- fold and attribute, of silver: the versions after their last finished batch.
- experiment results: the versions that they were computed from, to be reproducible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.erasure_log import history_begins
from jobs.runtime.lake.generations import Generation, generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, EXPERIMENT_RESULTS, EXPERIMENT_USER, SILVER
from jobs.runtime.pipeline.progress import ingested_through
from jobs.runtime.streams.checkpoints import finished_versions
from jobs.runtime.streams.queries import READING_SILVER
from transforms.instants import EPOCH

FIRST = 0
PINNED = {
    EXPERIMENT_USER: "experiment_user",
    "silver.models": "models",
    "silver.catalog": "catalog",
}


@dataclass(frozen=True)
class RetainedVersion:
    """A table version that a reader still needs, along with all later ones.

    Attributes:
        version: the Delta version.
        reader: the reader's description, for messages.
    """

    version: int
    reader: str


def retained_versions(
    lake: Lake, horizon_h: int, results_since: datetime
) -> Mapping[str, RetainedVersion]:
    """The oldest version of each table that a reader still needs.

    Args:
        lake: any generation of the lake.
        horizon_h: duplicate horizon in hours.
        results_since: instant; results computed from then on must stay reproducible.

    Returns:
        Retained versions by the table's path, without tables of which only the newest is needed.
    """
    oldest: dict[str, RetainedVersion] = {}
    for path, need in _all_retained(lake, horizon_h, results_since):
        if path not in oldest or need.version < oldest[path].version:
            oldest[path] = need
    return oldest


def replayed_from(lake: Lake, horizon_h: int) -> date:
    """The date from which on a new refine checkpoint would read bronze, of any generation in use.

    Where Delta has forgotten the commits it reads bronze file by file in the order of writing, so
    these files must stay as they were written. Files of earlier dates of arrival that were ingested
    later still (a backlog of days) are not told apart.

    Args:
        lake: any generation of the lake.
        horizon_h: duplicate horizon in hours.

    Returns:
        A date, UTC; the least date if from the start or not known, the greatest if no generation
        can make a new checkpoint.
    """
    dates = [date.max]
    for generation in generations(lake).values():
        if generation.is_retired or (generation.bronze_version is None and history_begins(lake)):
            continue
        last = _built_through(lake.of_generation(generation.number), generation)
        horizon = timedelta(hours=horizon_h)
        dates.append(date.min if last in (None, EPOCH) else (last - horizon).date())
    return min(dates)


def _all_retained(
    lake: Lake, horizon_h: int, results_since: datetime
) -> Iterator[tuple[str, RetainedVersion]]:
    """Every reader's oldest version, over all generations that are not retired.

    Yields:
        The table's path and the version; a path may come several times.
    """
    for generation in generations(lake).values():
        if not generation.is_retired:
            own = lake.of_generation(generation.number)
            yield lake.path(BRONZE), _replayed_by_refine(own, generation, horizon_h)
            yield from _read_by_streams(own)
            yield from _pinned_by_results(own, results_since)


def _replayed_by_refine(own: Lake, generation: Generation, horizon_h: int) -> RetainedVersion:
    """The version of bronze from which a new refine checkpoint of a generation would replay."""
    reader = f"refine of generation {generation.number}, if its checkpoint were lost"
    cut = history_begins(own)
    first = FIRST if cut is None else cut[0]
    built = generation.bronze_version
    last = _built_through(own, generation)
    if built is None or last is None:
        return RetainedVersion(first, reader)
    try:
        begins = own.version_at(BRONZE, last - timedelta(hours=horizon_h))
    except SettingsError:  # before the first commit
        begins = first
    return RetainedVersion(max(first, min(begins, built)), reader)


def _built_through(own: Lake, generation: Generation) -> datetime | None:
    """The last ingest time that a generation's batch build has read.

    Returns:
        An instant in UTC; None without a build, or if it is neither recorded nor to be found.
    """
    built = generation.bronze_version
    if built is None or generation.ingested_through is not None:
        return generation.ingested_through
    cut = history_begins(own)
    oldest = max(FIRST if cut is None else cut[0], own.oldest_commit(BRONZE))
    return None if built < oldest else ingested_through(own, built)


def _read_by_streams(own: Lake) -> Iterator[tuple[str, RetainedVersion]]:
    """The silver versions that fold and attribute have read whole in their finished batches.

    Yields:
        The table's path and the version; version 0 on an object store, where progress is unknown.
    """
    if "://" in own.root:
        for table in SILVER:  # the streams' progress is not known from here
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
    """The oldest versions that the experiment results stored since an instant were computed from.

    Yields:
        The table's path and the version, for each generation that results name.
    """
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
