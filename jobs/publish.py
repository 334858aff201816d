"""Publish: gold.recommendations to the online store, only what changed."""

from __future__ import annotations

import logging

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.lake.tables import RECOMMENDATIONS
from jobs.runtime.online.list_publishing import publish
from jobs.runtime.online.opening import open_store
from jobs.runtime.settings import Settings

log = logging.getLogger(__name__)


@job
def main(settings: Settings) -> None:
    """Bring the read model (SQLite, or recommend.redis_url) to gold.recommendations.

    Lists that have not changed since the last publication are left alone; cached answers that
    have are forgotten.
    """
    lake = open_lake("publish", settings)
    done = publish(lake, open_store(settings.recommend, lake.root))
    log.info(
        "%s lists changed; the read model is at version %s of %s, model %s",
        f"{done.changed:,}", done.published.table_version, RECOMMENDATIONS,
        done.published.model_version,
    )  # fmt: skip


if __name__ == "__main__":
    main()
