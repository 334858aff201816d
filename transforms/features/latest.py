"""The features of users' last plays, as the online store holds them for applications."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.silver.validity import at_event_time

FEATURES = {
    "last_watched_title": "title_id",
    "last_watched_genre": "get(title.genres, 0)",
    "viewing_hour": "hour(event_time)",
    "device_type": "device_type",
    "content_type": "content_type",
}


def latest_features(users: DataFrame, catalog: DataFrame) -> DataFrame:
    """Derive the features of each user's last play.

    Args:
        users: rows of gold.user_features.
        catalog: rows of silver.catalog, a batch DataFrame.

    Returns:
        user_id, event_micros (event time of the play, in microseconds since 1970), event_id, and
        features: a JSON object by the names of FEATURES, without what the play or the catalogue
        does not say; the hour is that of UTC. Users without a play have no row.
    """
    plays = users.where("last_play IS NOT NULL").select("user_id", "last_play.*")
    features = F.struct(*(F.expr(value).alias(name) for name, value in FEATURES.items()))
    return at_event_time(plays, catalog).select(
        "user_id",
        F.unix_micros("event_time").alias("event_micros"),
        "event_id",
        F.to_json(features).alias("features"),
    )
