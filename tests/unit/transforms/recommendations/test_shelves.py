"""The shelf: what is on it, where it is available and how popular it is with whom."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from transforms.recommendations.catalogue import latest_releases
from transforms.recommendations.fixed_point import SCORE_ONE, VIEW_ONE
from transforms.recommendations.popularity import log_prior, reindex_prior
from transforms.recommendations.shelves import Shelf, stock
from transforms.recommendations.views import view_array

CATALOGUE = pd.DataFrame(
    {
        "title_id": ["a", "b", "c"],
        "genres": [["Drama"], None, ["Comedy", "Drama"]],
        "regions": [None, ["eu", "us"], ["us"]],
        "release_date": [date(2020, 1, 1), None, date(2021, 1, 1)],
    }
)
VIEWS = pd.DataFrame(
    {
        "title_id": ["a", "a", "b", "removed"],
        "region": ["eu", "unknown", "us", "mars"],
        "device_type": ["smart_tv", "mobile", "desktop", "desktop"],
        "views": [VIEW_ONE, 2 * VIEW_ONE, 4 * VIEW_ONE, 8 * VIEW_ONE],
    }
)


def shelf() -> Shelf:
    return stock(
        CATALOGUE,
        VIEWS,
        np.asarray(["b", "removed"]),
        prior_weight=1.0,
        as_of_s=0,
        new_titles=1,
        length=10,
        diversity=0.0,
    )


def test_a_title_that_was_removed_is_on_the_shelf_and_available_nowhere() -> None:
    on = shelf()
    assert on.titles.tolist() == ["a", "b", "c", "removed"]
    assert on.available(None).tolist() == [True, False, False, False]
    assert on.available("eu").tolist() == [True, True, False, False]
    assert on.available("us").tolist() == [True, True, True, False]
    assert on.available("mars").tolist() == on.available("venus").tolist() == [True, *[False] * 3]
    assert "unknown" not in on.regions


def test_genres_are_those_of_the_catalogue_and_none_for_other_titles() -> None:
    assert shelf().genres.tolist() == [[False, True], [False] * 2, [True, True], [False] * 2]


def test_the_latest_release_is_new_and_a_title_without_a_date_is_not() -> None:
    assert shelf().new.tolist() == [False, False, True, False]
    assert latest_releases(CATALOGUE, 9)["title_id"].tolist() == ["c", "a"]


def test_each_audience_has_the_prior_of_its_own_views() -> None:
    priors = shelf().priors
    counts = {"": [3, 4, 0, 8], "tv": [1, 0, 0, 0], "mobile": [2, 0, 0, 0],
              "computer": [0, 4, 0, 8], "region/eu": [1, 0, 0, 0], "region/us": [0, 4, 0, 0],
              "region/mars": [0, 0, 0, 8], "region/unknown": [2, 0, 0, 0]}  # fmt: skip
    assert {name: prior.tolist() for name, prior in priors.items()} == {
        name: log_prior(np.asarray(views) * VIEW_ONE, 1.0).tolist()
        for name, views in counts.items()
    }


def test_views_of_other_titles_are_left_out() -> None:
    assert view_array(VIEWS, np.asarray(["b", "c"])).tolist() == [4 * VIEW_ONE, 0]


def test_a_prior_over_other_titles_is_zero_where_it_holds_none() -> None:
    prior = np.asarray([1, 2]) * SCORE_ONE
    wider = reindex_prior(prior, np.asarray(["b", "c"]), np.asarray(["a", "b", "d"]))
    assert wider.tolist() == [0, SCORE_ONE, 0]
