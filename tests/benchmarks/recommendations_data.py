"""MovieLens 100K as the benchmarks need it: in the order of its file, which splits depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.producers import movielens

COLUMNS = ("user", "title", "stars", "time_s")


def ratings() -> pd.DataFrame:
    """Users and titles (text), half_stars and time_s (seconds since the epoch), in file order."""
    rows = pd.read_csv(
        movielens.files() / "ml-100k.inter",
        sep="\t",
        header=0,
        names=COLUMNS,
        dtype={"user": "str", "title": "str"},
    )
    rows["half_stars"] = (2 * rows["stars"]).astype(np.int64)
    rows["time_s"] = rows["time_s"].astype(np.int64)
    return rows.drop(columns="stars")


def titles(rows: pd.DataFrame) -> NDArray[np.str_]:
    """The catalogue: every title of these rows, sorted."""
    return np.unique(rows["title"].to_numpy(np.str_))


def genres(catalogue: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Titles x genres, in the order of the catalogue."""
    films = movielens.load().films
    names = sorted({genre for film in films.values() for genre in film.genres})
    return np.array([[name in films[int(title)].genres for name in names] for title in catalogue])
