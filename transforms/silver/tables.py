"""The silver tables by name."""

from __future__ import annotations

from collections.abc import Mapping

from transforms.silver import (
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
