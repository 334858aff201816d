"""Publish: gold.recommendations to the online store that applications ask, only what changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import RECOMMENDATIONS
from jobs.runtime.online.gold_lists import documents
from jobs.runtime.online.lists import ListStore, Publication, StoredList
from jobs.runtime.spark.failures import SPARK_ERRORS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishResult:
    """What a call of `publish` did.

    Attributes:
        publication: what the online store holds now.
        changed: number of lists written or deleted.
    """

    publication: Publication
    changed: int


def publish(lake: Lake, store: ListStore) -> PublishResult:
    """Bring an online store to gold.recommendations, all lists if the version before is gone.

    Raises:
        SettingsError: gold.recommendations is missing or empty.
        StoreError: the online store cannot be read or written.
    """
    if not lake.has(RECOMMENDATIONS):
        raise _NOTHING
    version = lake.version(RECOMMENDATIONS)
    row = lake.read(RECOMMENDATIONS, version).select("built_from.model_version").first()
    if row is None:
        raise _NOTHING
    publication = Publication(version, row.model_version, lake.generation)
    before = store.publication()
    if before == publication:
        return PublishResult(publication, 0)
    if before is not None and _precedes(before, publication):
        try:
            changes = _stored_lists(_changes(lake, before.table_version, version))
            return PublishResult(publication, store.apply(changes, publication, anew=False))
        except SPARK_ERRORS:
            log.info("version %d is gone: all lists are loaded", before.table_version)
    everything = _stored_lists(documents(lake, version=version))
    return PublishResult(publication, store.apply(everything, publication, anew=True))


_NOTHING = SettingsError(f"{RECOMMENDATIONS} is empty", "python -m jobs.score fills it")


def _precedes(before: Publication, publication: Publication) -> bool:
    """Whether the one is an earlier version of the same table as the other."""
    same = before.generation == publication.generation
    return same and before.table_version < publication.table_version


def _changes(lake: Lake, old: int, new: int) -> DataFrame:
    """user_id, context_type and document (null: deleted) of the lists that differ."""
    key = ["user_id", "context_type"]
    before = documents(lake, version=old).withColumnRenamed("document", "old")
    both = before.join(documents(lake, version=new), key, "full_outer")
    return both.where(~F.col("old").eqNullSafe(F.col("document"))).select(*key, "document")


def _stored_lists(changes: DataFrame) -> Iterator[StoredList]:
    for row in changes.toLocalIterator():
        yield StoredList(row.user_id, row.context_type, row.document)
