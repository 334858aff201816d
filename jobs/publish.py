"""Publish: gold.recommendations to the read model that applications ask, only what changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.cli import job
from jobs.runtime.errors import SettingsError
from jobs.runtime.faults import SPARK_ERRORS
from jobs.runtime.lake import Lake
from jobs.runtime.list_store import ListStore, Published, StoredList, open_store
from jobs.runtime.recommendations import documents
from jobs.runtime.session import spark_session
from jobs.runtime.settings import Settings
from jobs.runtime.tables import RECOMMENDATIONS

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


@job
def main(settings: Settings) -> None:
    """Bring the read model (SQLite, or recommend.redis_url) to gold.recommendations.

    Lists that have not changed since the last publication are left alone; cached answers that
    have are forgotten.
    """
    lake = Lake(spark_session("publish", settings.spark), settings.lake.root)
    done = publish(lake, open_store(settings.recommend, lake.root))
    log.info(
        "%s lists changed; the read model is at version %s of %s, model %s",
        f"{done.changed:,}", done.published.table_version, RECOMMENDATIONS,
        done.published.model_version,
    )  # fmt: skip


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
    published = Published(version, row.model_version)
    before = store.published()
    if before == published:
        return Publication(published, 0)
    changes, anew = _changes(lake, version, before)
    return Publication(published, store.apply(_streamed(changes), published, anew=anew))


_NOTHING = SettingsError(f"{RECOMMENDATIONS} is empty", "python -m jobs.score fills it")


def _changes(lake: Lake, version: int, before: Published | None) -> tuple[DataFrame, bool]:
    """user_id, context_type, document (null: gone), and whether all lists are among them."""
    after = documents(lake, version=version)
    if before is None or before.table_version > version:
        return after, True
    try:
        known = documents(lake, version=before.table_version).persist()
        known.count()
    except SPARK_ERRORS:
        log.info("version %d is gone: all lists are loaded", before.table_version)
        return after, True
    key = ["user_id", "context_type"]
    both = known.withColumnRenamed("document", "old").join(after, key, "full_outer")
    return both.where(~F.col("old").eqNullSafe(F.col("document"))).select(*key, "document"), False


def _streamed(changes: DataFrame) -> Iterator[StoredList]:
    for row in changes.toLocalIterator():
        yield StoredList(row.user_id, row.context_type, row.document)


if __name__ == "__main__":
    main()
