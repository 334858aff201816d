"""The bytes of deleted rows leave the disk: no deletion vector, no file of an older version."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from jobs.runtime.lake import Lake, Transaction
from jobs.runtime.tables import TABLES

AT_ONCE = 4
LISTING = "spark.sql.sources.parallelPartitionDiscovery.parallelism"  # 10,000 tasks a VACUUM
NO_RETENTION = {
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    "spark.databricks.delta.vacuum.logging.enabled": "false",
}


def purge(lakes: Iterable[Lake], tables: Iterable[str] = TABLES) -> list[tuple[Lake, str, int]]:
    """Leave of each table only the files of its newest version.

    Nobody may write to the tables meanwhile: what is not yet committed would be deleted too.

    Returns:
        The tables that were ever written to, with that version.
    """
    there = [
        (lake, table)
        for lake in lakes
        for table in tables
        if lake.has(table) and lake.version(table) > 0
    ]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(lambda each: _purge(*each), there))
    return [(lake, table, lake.version(table)) for lake, table in there]


def mark(lake: Lake, table: str, transaction: Transaction) -> int:
    """A commit without rows, behind which a stream may start; its version."""
    nothing = lake.spark.createDataFrame([], TABLES[table].schema)
    lake.append(table, nothing, transaction)
    return lake.version(table)


def _purge(lake: Lake, table: str) -> None:
    session = lake.spark.newSession()
    for name, value in NO_RETENTION.items():
        session.conf.set(name, value)
    session.conf.set(LISTING, session.conf.get("spark.sql.shuffle.partitions") or "1")
    place = f"delta.`{lake.path(table)}`"
    if lake.has_deletion_vectors(table):
        session.sql(f"REORG TABLE {place} APPLY (PURGE)").collect()
    session.sql(f"VACUUM {place} RETAIN 0 HOURS").collect()
