"""Publish: features of users' last plays, from gold to the online store."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pyspark.sql import DataFrame

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.online.features import UserFeatures, write_features
from jobs.runtime.online.values import ValueStore
from jobs.runtime.pipeline.gold import read_gold
from transforms.features.latest import latest_features
from transforms.gold.tables import USER_FEATURES

SOURCES = (PARTIALS, f"gold.{USER_FEATURES.name}", "silver.catalog")


def publish_features(lake: Lake, store: ValueStore, ttl_s: int) -> int:
    """Write the features of all users to the store, each under the version of its last play.

    Args:
        lake: the generation to read.
        store: online store of values.
        ttl_s: seconds after a play at which its features expire.

    Returns:
        The number of users whose features were older in the store, or missing; 0 if the lake has
        no features yet.

    Raises:
        StoreError: the store cannot be written.
    """
    if not all(map(lake.has, SOURCES)):
        return 0
    rows = latest_features(read_gold(lake, USER_FEATURES), lake.read("silver.catalog"))
    return write_features(store, _user_features(rows), ttl_s)


def _user_features(rows: DataFrame) -> Iterator[UserFeatures]:
    for row in rows.toLocalIterator():
        yield UserFeatures(row.user_id, json.loads(row.features), row.event_micros, row.event_id)
