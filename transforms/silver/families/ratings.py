"""silver.ratings: explicit ratings, in half stars so that they are integers."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.silver.family import Family

OWN_COLUMNS = {
    "user_id": "STRING",
    "title_id": "STRING",
    "half_stars": "BIGINT",
    "previous_half_stars": "BIGINT",
    "region": "STRING",
    "correlation_id": "STRING",
}


def _submitted(event: Column) -> dict[str, Column]:
    """Own columns of a UserRatingSubmitted."""
    return {
        "user_id": event.userId,
        "title_id": event.contentInfo.titleId,
        "half_stars": _half_stars(event.rating),
        "region": event.metadata.region,
        "correlation_id": event.metadata.correlationId,
    }


def _content_rated(event: Column) -> dict[str, Column]:
    """Own columns of a ContentRated."""
    return {
        "user_id": event.userId,
        "title_id": event.contentId,
        "half_stars": _half_stars(event.data.rating),
        "previous_half_stars": _half_stars(event.data.previousRating),
    }


def _half_stars(stars: Column) -> Column:
    """Convert stars to half stars, bigint.

    Exact: the contract admits only multiples of 0.5, which a double holds without error.
    """
    return (stars * F.lit(2)).cast("BIGINT")


FAMILY = Family(OWN_COLUMNS, {"UserRatingSubmitted": _submitted, "ContentRated": _content_rated})
