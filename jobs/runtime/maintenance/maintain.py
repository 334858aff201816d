"""Maintain: small files compacted, rows and files deleted that no policy and nobody needs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

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
from jobs.runtime.maintenance.retained_versions import RetainedVersion, retained_versions
from jobs.runtime.settings import MaintainSettings, Settings
from jobs.runtime.streams.checkpoints import CLOCK_MARGIN

log = logging.getLogger(__name__)


AT_ONCE = 2


CREATED = 0  # the version of a table without a row


HOUR = timedelta(hours=1)


# appended to, never merged into: a compaction cannot get into the way of who writes them
APPENDED = (BRONZE, *SILVER, QUARANTINE, LEDGER, FRESHNESS, QUALITY, PARITY)


OPS_OUTDATED = {
    FRESHNESS: "at < '{before}'",
    PARITY: "at < '{before}'",
    QUALITY: "at < '{before}' AND passed",  # a failure stops things until the next check
}


@dataclass(frozen=True)
class TableTask:
    """A table of one generation, and what may be done to it.

    Attributes:
        lake: the generation.
        table: its name.
        need: the oldest version that somebody will read; None: the newest.
        keep_h: files are kept for so long after the last version with them; None: for good.
    """

    lake: Lake
    table: str
    need: RetainedVersion | None
    keep_h: float | None

    def __str__(self) -> str:
        kept = (
            "all files are kept" if self.keep_h is None else f"files kept for {self.keep_h:.0f} h"
        )
        why = f", for {self.need.reader}" if self.need else ""
        return f"generation {self.lake.generation}, {self.table}: {kept}{why}"


def maintain(lake: Lake, settings: Settings, now: datetime) -> None:
    """Do everything to every table.

    Rows are deleted first, then files compacted, and the files that both leave behind are deleted
    last, most of them by a later run: when they are old enough.

    Args:
        lake: any generation of it.
        settings: the policy, and the duplicate horizon.
        now: the instant that ages are to.
    """
    policy = settings.maintain
    alone = lake.isolated()
    # the policy and the needs are checked here, better than by Delta's single bound
    alone.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    alone.spark.conf.set(LISTING, alone.spark.conf.get("spark.sql.shuffle.partitions") or "1")
    found = list(tasks(alone, policy, settings.refine.duplicate_horizon_h, now))
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda task: _maintain_table(task, policy, now), found))


def tasks(
    lake: Lake, policy: MaintainSettings, horizon_h: int, now: datetime
) -> Iterator[TableTask]:
    """Every table that was written to, of every generation that is not retired."""
    results_since = now - timedelta(days=policy.results_days)
    needed = retained_versions(lake, horizon_h, results_since)
    alive = [g.number for g in generations(lake).values() if not g.is_retired]
    for table in TABLES:
        for number in alive if is_generational(table) else [lake.generation]:
            own = lake.of_generation(number)
            if own.has(table) and own.version(table) > CREATED:
                need = needed.get(own.path(table))
                yield TableTask(own, table, need, _keep_h(own, table, need, policy, now))


def _keep_h(
    lake: Lake, table: str, need: RetainedVersion | None, policy: MaintainSettings, now: datetime
) -> float | None:
    """How long files must be kept so that the version needed, and all after it, can be read."""
    if need is None or need.version >= lake.version(table):
        return policy.vacuum_h
    after = lake.commit_time(table, need.version + 1)
    if after is None or need.version <= 0:
        return None
    return max(policy.vacuum_h, (now - after + CLOCK_MARGIN) / HOUR)


def _maintain_table(task: TableTask, policy: MaintainSettings, now: datetime) -> None:
    _delete_rows(task, policy, now)
    # what may never be deleted must not be written a second time
    if task.table in APPENDED and task.keep_h is not None:
        _compact(task, policy, now)
    if task.keep_h is not None:
        DeltaTable.forPath(task.lake.spark, task.lake.path(task.table)).vacuum(task.keep_h)
    log.info("%s", task)


def _delete_rows(task: TableTask, policy: MaintainSettings, now: datetime) -> None:
    if task.table == BRONZE and policy.bronze_days is not None:
        first = (now - timedelta(days=policy.bronze_days)).date()
        task.lake.delete(BRONZE, f"arrival_date < '{first}'")
    elif task.table in OPS_OUTDATED:
        before = (now - timedelta(days=policy.ops_days)).isoformat()
        task.lake.delete(task.table, OPS_OUTDATED[task.table].format(before=before))


def _compact(task: TableTask, policy: MaintainSettings, now: datetime) -> None:
    dated = TABLES[task.table].partition_by
    settled = (now - timedelta(days=policy.settled_days)).date()
    where = f" WHERE {dated[0]} < '{settled}'" if dated else ""
    path = task.lake.path(task.table)
    [row] = task.lake.spark.sql(f"OPTIMIZE delta.`{path}`{where}").collect()
    if row.metrics.numFilesRemoved:
        log.info(
            "generation %d, %s: %d files are now %d",
            task.lake.generation, task.table,
            row.metrics.numFilesRemoved, row.metrics.numFilesAdded,
        )  # fmt: skip
