"""silver.catalog: every change of the catalogue, from which intervals of validity follow."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.silver.family import Family

OWN_COLUMNS = {
    "title_id": "STRING",
    "name": "STRING",
    "content_type": "STRING",
    "genres": "ARRAY<STRING>",
    "duration_s": "BIGINT",
    "release_date": "DATE",
    "regions": "ARRAY<STRING>",
    "maturity_rating": "STRING",
    "removed": "BOOLEAN",
    "removal_reason": "STRING",
}


def _updated(event: Column) -> dict[str, Column]:
    """Own columns of a ContentMetadataUpdated."""
    return {
        "title_id": event.titleId,
        "name": event.getField("name"),
        "content_type": event.contentType,
        "genres": event.genres,
        "duration_s": event.duration,
        "release_date": event.releaseDate,
        "regions": event.regions,
        "maturity_rating": event.maturityRating,
        "removed": F.when(event.isNotNull(), F.lit(False)),
    }


def _removed(event: Column) -> dict[str, Column]:
    """Own columns of a ContentMetadataRemoved."""
    return {
        "title_id": event.titleId,
        "removed": F.when(event.isNotNull(), F.lit(True)),
        "removal_reason": event.reason,
    }


FAMILY = Family(
    OWN_COLUMNS, {"ContentMetadataUpdated": _updated, "ContentMetadataRemoved": _removed}
)
