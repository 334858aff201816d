"""Publish: gold.recommendations to the read model that applications ask, only what changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import RECOMMENDATIONS
from jobs.runtime.online.recommendation_query import documents
from jobs.runtime.online.store import ListStore, Published, StoredList
from jobs.runtime.spark.failures import SPARK_ERRORS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """What a publication came to.

    Attributes:
        published: what the read model holds now.
        changed: lists written or taken out.
    """

    published: Published
    changed: int


def publish(lake: Lake, store: ListStore) -> Publication:
    """Load what changed since the read model was last published.

    Raises:
        SettingsError: nothing was scored yet.
        StoreError: the read model cannot be written.
    """
    if not lake.has(RECOMMENDATIONS):
        raise _NOTHING
    version = lake.version(RECOMMENDATIONS)
    row = lake.read(RECOMMENDATIONS, version).select("built_from.model_version").first()
    if row is None:
        raise _NOTHING
    published = Published(version, row.model_version, lake.generation)
    before = store.published()
    if before == published:
        return Publication(published, 0)
    if before is not None and _precedes(before, published):
        try:
            changes = _changes(lake, before.table_version, version)
            return Publication(published, store.apply(_streamed(changes), published, anew=False))
        except SPARK_ERRORS:
            log.info("version %d is gone: all lists are loaded", before.table_version)
    everything = documents(lake, version=version)
    return Publication(published, store.apply(_streamed(everything), published, anew=True))


_NOTHING = SettingsError(f"{RECOMMENDATIONS} is empty", "python -m jobs.score fills it")


def _precedes(before: Published, published: Published) -> bool:
    """Is the one an earlier version of the same table as the other?"""
    same = before.generation == published.generation
    return same and before.table_version < published.table_version


def _changes(lake: Lake, old: int, new: int) -> DataFrame:
    """user_id, context_type and document (null: gone) of the lists that differ."""
    key = ["user_id", "context_type"]
    before = documents(lake, version=old).withColumnRenamed("document", "old")
    both = before.join(documents(lake, version=new), key, "full_outer")
    return both.where(~F.col("old").eqNullSafe(F.col("document"))).select(*key, "document")


def _streamed(changes: DataFrame) -> Iterator[StoredList]:
    for row in changes.toLocalIterator():
        yield StoredList(row.user_id, row.context_type, row.document)
