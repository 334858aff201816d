"""Maintenance: delete outdated rows, compact small files, vacuum files that no reader needs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from delta.tables import DeltaTable

from jobs.runtime.lake.generations import generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import (
    BRONZE,
    FRESHNESS,
    LEDGER,
    PARITY,
    QUALITY,
    QUARANTINE,
    SILVER,
    TABLES,
    is_generational,
)
from jobs.runtime.maintenance.purge import LISTING
from jobs.runtime.maintenance.retained_versions import (
    RetainedVersion,
    replayed_from,
    retained_versions,
)
from jobs.runtime.settings import MaintainSettings, Settings
from jobs.runtime.streams.checkpoints import CLOCK_MARGIN

log = logging.getLogger(__name__)


AT_ONCE = 2


CREATED = 0  # the version of a table without a row


HOUR = timedelta(hours=1)


# append-only, never merged into: a compaction does not conflict with their writers
APPENDED = (BRONZE, *SILVER, QUARANTINE, LEDGER, FRESHNESS, QUALITY, PARITY)


OPS_OUTDATED = {
    FRESHNESS: "at < '{before}'",
    PARITY: "at < '{before}'",
    QUALITY: "at < '{before}' AND passed",  # a failure stops things until the next check
}


@dataclass(frozen=True)
class TableTask:
    """One table of one generation, and how long its files are retained.

    Attributes:
        lake: the generation.
        table: the table's name, such as `silver.playback`.
        need: the oldest version that a reader still needs; None: only the newest version.
        keep_h: hours that files are kept after the last version that references them; None: for
            ever.
        settled: date, UTC; partitions of earlier dates may be compacted.
    """

    lake: Lake
    table: str
    need: RetainedVersion | None
    keep_h: float | None
    settled: date

    def __str__(self) -> str:
        kept = (
            "all files are kept" if self.keep_h is None else f"files kept for {self.keep_h:.0f} h"
        )
        why = f", for {self.need.reader}" if self.need else ""
        return f"generation {self.lake.generation}, {self.table}: {kept}{why}"


def maintain(lake: Lake, settings: Settings, now: datetime) -> None:
    """Delete outdated rows, compact and vacuum every table of every generation in use.

    Rows are deleted first, then files compacted, and the files that both leave behind are deleted
    last, most of them by a later run: when they are old enough.

    Args:
        lake: any generation of the lake.
        settings: the retention policy (`maintain`) and the duplicate horizon (`refine`).
        now: the instant that ages are measured to.
    """
    policy = settings.maintain
    alone = lake.isolated()
    # retention is checked here, table by table, better than by Delta's single bound
    alone.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    alone.spark.conf.set(LISTING, alone.spark.conf.get("spark.sql.shuffle.partitions") or "1")
    found = list(tasks(alone, policy, settings.refine.duplicate_horizon_h, now))
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda task: _maintain_table(task, policy, now), found))


def tasks(
    lake: Lake, policy: MaintainSettings, horizon_h: int, now: datetime
) -> Iterator[TableTask]:
    """The maintenance tasks: one for each table of each generation that is not retired.

    Args:
        lake: any generation of the lake.
        policy: the retention policy.
        horizon_h: duplicate horizon in hours.
        now: the instant that ages are measured to.

    Yields:
        Tasks of the tables that exist and have a commit besides their creation.
    """
    results_since = now - timedelta(days=policy.results_days)
    needed = retained_versions(lake, horizon_h, results_since)
    settled = (now - timedelta(days=policy.settled_days)).date()
    alive = [g.number for g in generations(lake).values() if not g.is_retired]
    for table in TABLES:
        for number in alive if is_generational(table) else [lake.generation]:
            own = lake.of_generation(number)
            if own.has(table) and own.version(table) > CREATED:
                need = needed.get(own.path(table))
                keep_h = _keep_h(own, table, need, policy, now)
                before = (
                    min(settled, replayed_from(lake, horizon_h)) if table == BRONZE else settled
                )
                yield TableTask(own, table, need, keep_h, before)


def _keep_h(
    lake: Lake, table: str, need: RetainedVersion | None, policy: MaintainSettings, now: datetime
) -> float | None:
    """Retention of a table's files, such that the version needed and all later ones stay readable.

    Returns:
        Hours, at least `maintain.vacuum_h`; None if no file may be deleted.
    """
    if need is None or need.version >= lake.version(table):
        return policy.vacuum_h
    after = lake.commit_time(table, need.version + 1)
    if after is None or need.version <= 0:
        return None
    return max(policy.vacuum_h, (now - after + CLOCK_MARGIN) / HOUR)


def _maintain_table(task: TableTask, policy: MaintainSettings, now: datetime) -> None:
    """Delete outdated rows of one table, then compact and vacuum it."""
    _delete_rows(task, policy, now)
    # files that may never be vacuumed must not be rewritten: a compaction would double them
    if task.table in APPENDED and task.keep_h is not None:
        _compact(task)
    if task.keep_h is not None:
        DeltaTable.forPath(task.lake.spark, task.lake.path(task.table)).vacuum(task.keep_h)
    log.info("%s", task)


def _delete_rows(task: TableTask, policy: MaintainSettings, now: datetime) -> None:
    """Delete the rows of bronze and the ops tables that are older than the policy allows."""
    if task.table == BRONZE and policy.bronze_days is not None:
        first = (now - timedelta(days=policy.bronze_days)).date()
        task.lake.delete(BRONZE, f"arrival_date < '{first}'")
    elif task.table in OPS_OUTDATED:
        before = (now - timedelta(days=policy.ops_days)).isoformat()
        task.lake.delete(task.table, OPS_OUTDATED[task.table].format(before=before))


def _compact(task: TableTask) -> None:
    """Compact an unpartitioned table, or the partitions that are settled."""
    dated = TABLES[task.table].partition_by
    where = f" WHERE {dated[0]} < '{task.settled}'" if dated else ""
    path = task.lake.path(task.table)
    [row] = task.lake.spark.sql(f"OPTIMIZE delta.`{path}`{where}").collect()
    if row.metrics.numFilesRemoved:
        log.info(
            "generation %d, %s: %d files are now %d",
            task.lake.generation, task.table,
            row.metrics.numFilesRemoved, row.metrics.numFilesAdded,
        )  # fmt: skip
