"""Publish: gold.recommendations to the online store, only what changed."""

from __future__ import annotations

import logging

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import RECOMMENDATIONS
from jobs.runtime.online.list_publishing import publish
from jobs.runtime.online.opening import open_store
from jobs.runtime.settings import Settings
from jobs.runtime.spark.session import spark_session

log = logging.getLogger(__name__)


@job
def main(settings: Settings) -> None:
    """Bring the online store (SQLite, or online.redis_url) to gold.recommendations.

    Lists that have not changed since the last publication are left alone; cached answers of
    those that have are evicted.
    """
    lake = Lake(
        spark_session("publish", settings.spark), settings.lake.root, settings.lake.generation
    )
    result = publish(lake, open_store(settings.online, settings.recommend.model, lake.root))
    log.info(
        "%s lists changed; the online store is at version %s of %s, model %s",
        f"{result.changed:,}", result.publication.table_version, RECOMMENDATIONS,
        result.publication.model_version,
    )  # fmt: skip


if __name__ == "__main__":
    main()
