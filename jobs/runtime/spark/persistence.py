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
    """Rows computed once, for several reads in the block."""
    rows.persist(level)
    try:
        yield rows
    finally:
        rows.unpersist()


@contextmanager
def materialize(batch: DataFrame, level: StorageLevel = MEMORY_FIRST) -> Iterator[DataFrame]:
    """A batch computed once, for several reads; forgotten at the end.

    In one process rows are kept as they are: `persist` would take them apart into columns and put
    them together again at each read. Spark offers that as a local checkpoint, whose storage only
    the garbage collector frees unless it is told, here. It also forgets how rows were made, so on
    a cluster, where an executor may be lost with its share, they are persisted: what is lost is
    computed again, from the same offsets and the same version of the state.
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
