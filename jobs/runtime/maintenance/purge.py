"""Purging: remove deleted rows and the files of older versions from disk."""

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
    """Delete every file that the newest version does not reference, and all deletion vectors.

    Nobody may write to the table meanwhile: files that are not yet committed would be deleted too.

    Args:
        lake: a lake on a local disk.
        table: name of the table.

    Returns:
        The table's newest Delta version after the purge.
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
    """Commit an empty version, from which a stream may start.

    Args:
        lake: the lake to commit to.
        table: name of the table.
        transaction: id of the commit; a repeat commits nothing.

    Returns:
        The table's newest Delta version.
    """
    nothing = lake.spark.createDataFrame([], TABLES[table].schema)
    lake.append(table, nothing, transaction)
    return lake.version(table)


def _has_other_files(lake: Lake, table: str) -> bool:
    """Whether the table's folder holds data files that its newest version does not reference."""
    folder = Path(lake.path(table))
    there = {file.name for file in folder.rglob("*") if file.is_file() and _is_data(file, folder)}
    return not there <= {Path(file).name for file in lake.read(table).inputFiles()}


def _is_data(file: Path, folder: Path) -> bool:
    """Whether a file of a table's folder is data: no checksum, and not in the Delta log."""
    return file.suffix != ".crc" and file.relative_to(folder).parts[0] != "_delta_log"
