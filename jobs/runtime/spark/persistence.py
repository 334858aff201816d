"""Rows that are computed once and read several times in a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from jobs.runtime.spark.session import is_local

MEMORY_FIRST = StorageLevel.MEMORY_AND_DISK_DESER


@contextmanager
def persist(rows: DataFrame, level: StorageLevel = MEMORY_FIRST) -> Iterator[DataFrame]:
    """Persist a DataFrame for the time of the block.

    Args:
        rows: DataFrame to be read several times.
        level: storage level.

    Yields:
        The same DataFrame, computed at its first read.
    """
    rows.persist(level)
    try:
        yield rows
    finally:
        rows.unpersist()


@contextmanager
def materialize(batch: DataFrame, level: StorageLevel = MEMORY_FIRST) -> Iterator[DataFrame]:
    """Materialize a micro-batch for the time of the block.

    In one process rows are stored as they are, by a local checkpoint: `persist` would convert them
    to columns and back at each read. Only the garbage collector frees the storage of a local
    checkpoint unless it is unpersisted, as here. A local checkpoint also drops the lineage, so on a
    cluster, where an executor may be lost with its share, rows are persisted: what is lost is
    computed again, from the same offsets and the same version of the state.

    Args:
        batch: rows of the micro-batch.
        level: storage level.

    Yields:
        The same rows, computed at their first read.
    """
    if not is_local(batch.sparkSession):
        with persist(batch, level) as rows:
            yield rows
        return
    rows = batch.localCheckpoint(eager=False, storageLevel=level)
    try:
        yield rows
    finally:
        rows._jdf.queryExecution().analyzed().rdd().unpersist(False)
