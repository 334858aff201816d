"""The silver tables by name."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.contracts.registry import Registry
from transforms.silver.families import (
    catalog,
    engagement,
    experiments,
    health,
    models,
    playback,
    profiles,
    ratings,
)
from transforms.silver.family import Family

FAMILIES: Mapping[str, Family] = {
    "playback": playback.FAMILY,
    "engagement": engagement.FAMILY,
    "ratings": ratings.FAMILY,
    "profiles": profiles.FAMILY,
    "catalog": catalog.FAMILY,
    "experiments": experiments.FAMILY,
    "health": health.FAMILY,
    "models": models.FAMILY,
}


def silver_of(family: str, judged: DataFrame, registry: Registry) -> DataFrame:
    """The accepted events of one family, as rows of silver.<family>.

    Args:
        family: name of the family.
        judged: rows of `judge`.
        registry: contracts that they were judged by.

    Returns:
        The columns of the family (`Family.columns`).
    """
    return FAMILIES[family].silver(judged.where(F.col("family") == family), registry)
