"""The titles that may be recommended: what the catalogue says of each, as rows and as arrays.

`titles` below is the sorted, distinct array whose positions index every other array; `catalogue`
is the rows of `current_titles`, in pandas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from transforms.recommendations.fixed_point import Titles
from transforms.silver.validity import entries

CATALOGUE = ("title_id", "name", "content_type", "genres", "regions", "release_date")


def current_titles(changes: DataFrame) -> DataFrame:
    """The titles that the catalogue holds now; one that was removed is not among them.

    Args:
        changes: rows of silver.catalog.

    Returns:
        title_id, name, content_type, genres, regions (null: everywhere), release_date.
    """
    return entries(changes).where("valid_to IS NULL").select(*CATALOGUE)


def genre_matrix(titles: Titles, catalogue: pd.DataFrame) -> NDArray[np.bool_]:
    """Titles x genres; a title that the catalogue does not hold has none."""
    rows = zip(catalogue["title_id"], catalogue["genres"], strict=True)
    of: dict[str, set[str]] = {
        title: set(genres if genres is not None else ()) for title, genres in rows
    }
    names = sorted(set().union(*of.values()))
    return np.array(
        [[g in of.get(title, ()) for g in names] for title in titles.tolist()], np.bool_
    )


def membership(titles: Titles, catalogue: pd.DataFrame) -> NDArray[np.bool_]:
    """Which titles are among these rows of the catalogue."""
    return np.isin(titles, catalogue["title_id"].to_numpy(np.str_))


def latest_releases(catalogue: pd.DataFrame, count: int) -> pd.DataFrame:
    """The `count` rows released last, ties to the smaller title; those without a date are none."""
    dated = catalogue[catalogue["release_date"].notna()]
    return dated.sort_values(["release_date", "title_id"], ascending=[False, True]).head(count)


def regional_titles(catalogue: pd.DataFrame, region: str) -> pd.DataFrame:
    """The rows that name a region, of rows that all name regions."""
    names_it = np.fromiter((region in list(each) for each in catalogue["regions"]), np.bool_)
    return catalogue.loc[names_it]


def title_metadata(catalogue: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Rows of METADATA_COLUMNS."""
    columns = (catalogue[name] for name in ("title_id", "name", "genres", "content_type"))
    return [
        (title, name, None if genres is None else list(genres), kind)
        for title, name, genres, kind in zip(*columns, strict=True)
    ]
