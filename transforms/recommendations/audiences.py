"""Popularity by audience: everybody, those on a class of devices, those of a region."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from transforms.recommendations.contexts import DEVICE_CLASSES
from transforms.recommendations.fixed_point import Integers, Titles
from transforms.recommendations.popularity import log_prior
from transforms.recommendations.views import view_array

ALL = ""
"""The audience of everybody."""


def regional_audience(region: str | None) -> str:
    """The name of a region's audience."""
    return f"region/{region}"


def views_by_audience(views: pd.DataFrame, titles: Titles) -> dict[str, Integers]:
    """Views of each title, by audience.

    Args:
        views: title_id, region, device_type and views, in units of 2^-20.
        titles: sorted, distinct.
    """
    audiences = {ALL: view_array(views, titles)}
    for name, device_types in DEVICE_CLASSES.items():
        audiences[name] = view_array(views[views["device_type"].isin(device_types)], titles)
    for region, rows in views.groupby("region"):
        audiences[regional_audience(str(region))] = view_array(rows, titles)
    return audiences


def priors_by_audience(
    views: pd.DataFrame, titles: Titles, weight: float
) -> Mapping[str, Integers]:
    """The prior of each title, by audience; see `popularity.log_prior` and `views_by_audience`."""
    of_audience = views_by_audience(views, titles)
    return {name: log_prior(each, weight) for name, each in of_audience.items()}
