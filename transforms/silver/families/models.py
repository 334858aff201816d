"""silver.models: recommendation models as published."""

from __future__ import annotations

from pyspark.sql import Column

from transforms.silver.family import Family

OWN_COLUMNS = {
    "model_name": "STRING",
    "model_version": "STRING",
    "alias": "STRING",
    "trained_at": "TIMESTAMP",
    "metrics": "MAP<STRING, DOUBLE>",
}


def _published(event: Column) -> dict[str, Column]:
    """Own columns of a RecommendationModelPublished."""
    return {
        "model_name": event.modelName,
        "model_version": event.modelVersion,
        "alias": event.getField("alias"),
        "trained_at": event.trainedAt,
        "metrics": event.metrics,
    }


FAMILY = Family(OWN_COLUMNS, {"RecommendationModelPublished": _published})
