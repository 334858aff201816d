"""Publish: gold.recommendations and users' features to the online store, only what changed."""

from __future__ import annotations

import logging

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.lake.tables import RECOMMENDATIONS
from jobs.runtime.online.feature_publishing import publish_features
from jobs.runtime.online.list_publishing import publish
from jobs.runtime.online.opening import open_store, open_values
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import PUBLISH

log = logging.getLogger(__name__)


@job
def main(settings: Settings) -> None:
    """Update the online store (SQLite, or online.redis_url) from gold.

    Lists of gold.recommendations that have not changed since the last publication are left alone;
    cached answers of those that have are evicted. Features of gold.user_features replace those of
    earlier plays, and expire online.feature_ttl_s after the play. python -m jobs.serve answers
    from both.
    """
    lake, online = open_lake(PUBLISH, settings), settings.online
    with run_alone(lake.shared_checkpoint(PUBLISH), PUBLISH):
        values = open_values(online, lake.root)
        features = publish_features(lake, values, online.feature_ttl_s)
        result = publish(lake, open_store(online, settings.recommend.model, lake.root))
    log.info("features of %s users are newer than they were online", f"{features:,}")
    log.info(
        "%s lists changed; the online store is at version %s of %s, model %s",
        f"{result.changed:,}", result.publication.table_version, RECOMMENDATIONS,
        result.publication.model_version,
    )  # fmt: skip


if __name__ == "__main__":
    main()
