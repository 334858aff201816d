"""The shelf: what may be listed now, and how popular it is with each audience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transforms.recommendations.audiences import priors_by_audience
from transforms.recommendations.catalogue import (
    genre_matrix,
    latest_releases,
    membership,
    regional_titles,
)
from transforms.recommendations.contexts import UNKNOWN_REGION
from transforms.recommendations.fixed_point import Integers, Titles


@dataclass(frozen=True, eq=False)
class Shelf:
    """What may be listed, and how popular it is.

    Args:
        titles: sorted, distinct; positions elsewhere are those of this array.
        everywhere: which titles are available in every region.
        regions: which titles are available in a region, by region.
        genres: titles x genres.
        new: which titles are among the latest.
        priors: prior of each title, by audience (`audiences`).
        as_of_s: instant of the lists, in seconds since the epoch, UTC.
        length: number of titles in a list.
        diversity: trade-off of `ranking.diversify` for homepage; 0: by score alone.
    """

    titles: Titles
    everywhere: NDArray[np.bool_]
    regions: Mapping[str, NDArray[np.bool_]]
    genres: NDArray[np.bool_]
    new: NDArray[np.bool_]
    priors: Mapping[str, Integers]
    as_of_s: int
    length: int
    diversity: float

    def available(self, region: str | None) -> NDArray[np.bool_]:
        """Which titles are available to a user of this region."""
        return self.everywhere if region is None else self.regions.get(region, self.everywhere)


def stock(
    catalogue: pd.DataFrame,
    views: pd.DataFrame,
    model_titles: Titles,
    *,
    prior_weight: float,
    as_of_s: int,
    new_titles: int,
    length: int,
    diversity: float,
) -> Shelf:
    """Put the titles of the catalogue on a shelf.

    Args:
        catalogue: rows of `catalogue.current_titles`, at least one.
        views: rows of `views.faded_views`.
        model_titles: titles that the model knows, sorted; those that the catalogue does not hold
            are on the shelf, as parts of histories, and available nowhere.
        prior_weight: weight of the logarithm of views in a score.
        as_of_s: instant of the lists, in seconds since the epoch, UTC.
        new_titles: number of the latest titles that new_releases chooses among.
        length: number of titles in a list.
        diversity: trade-off of `ranking.diversify` for homepage.
    """
    titles = np.union1d(model_titles, catalogue["title_id"].to_numpy(np.str_))
    everywhere = membership(titles, catalogue[catalogue["regions"].isna()])
    some = catalogue[catalogue["regions"].notna()]
    regions = {*views["region"], *(region for each in some["regions"] for region in each)}
    return Shelf(
        titles=titles,
        everywhere=everywhere,
        regions={
            region: everywhere | membership(titles, regional_titles(some, region))
            for region in sorted(regions - {UNKNOWN_REGION})
        },
        genres=genre_matrix(titles, catalogue),
        new=membership(titles, latest_releases(catalogue, new_titles)),
        priors=priors_by_audience(views, titles, prior_weight),
        as_of_s=as_of_s,
        length=length,
        diversity=diversity,
    )
