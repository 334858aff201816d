"""The bytes of deleted rows leave the disk: no deletion vector, no file of an older version."""

from __future__ import annotations

from pathlib import Path

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import TABLES

LISTING = "spark.sql.sources.parallelPartitionDiscovery.parallelism"  # 10,000 tasks a VACUUM
NO_RETENTION = {
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    "spark.databricks.delta.vacuum.logging.enabled": "false",
}


def purge(lake: Lake, table: str) -> int:
    """Leave of a local table only the files of its newest version; that version.

    Nobody may write to the table meanwhile: what is not yet committed would be deleted too.
    """
    session = lake.spark.newSession()
    for name, value in NO_RETENTION.items():
        session.conf.set(name, value)
    session.conf.set(LISTING, session.conf.get("spark.sql.shuffle.partitions") or "1")
    place = f"delta.`{lake.path(table)}`"
    if lake.has_deletion_vectors(table):
        session.sql(f"REORG TABLE {place} APPLY (PURGE)").collect()
    if _has_other_files(lake, table):
        session.sql(f"VACUUM {place} RETAIN 0 HOURS").collect()
    return lake.version(table)


def mark(lake: Lake, table: str, transaction: Transaction) -> int:
    """A commit without rows, behind which a stream may start; its version."""
    nothing = lake.spark.createDataFrame([], TABLES[table].schema)
    lake.append(table, nothing, transaction)
    return lake.version(table)


def _has_other_files(lake: Lake, table: str) -> bool:
    """Are there files below a table that its newest version does not name?"""
    folder = Path(lake.path(table))
    there = {file.name for file in folder.rglob("*") if file.is_file() and _is_data(file, folder)}
    return not there <= {Path(file).name for file in lake.read(table).inputFiles()}


def _is_data(file: Path, folder: Path) -> bool:
    return file.suffix != ".crc" and file.relative_to(folder).parts[0] != "_delta_log"
