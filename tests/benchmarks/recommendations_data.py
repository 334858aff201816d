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


def without_ratings(rows: pd.DataFrame) -> pd.DataFrame:
    """The same meetings, of which nothing more is known than that they were."""
    return rows.assign(half_stars=pd.Series(np.nan, index=rows.index, dtype="Float64"))


def simulated_ratings(users: int = 1_500, catalogue: int = 3_000, mean: int = 40) -> pd.DataFrame:
    """A catalogue with a long tail: sixteen tastes, popularity by a power law, a rating each.

    Args:
        users: number of users.
        catalogue: number of titles.
        mean: mean number of titles that a user meets; lengths are log-normal.
    """
    generator = np.random.default_rng(7)
    popularity = -np.log(np.arange(1, catalogue + 1) + 5.0)
    tastes = generator.normal(size=(users, 16))
    features = generator.normal(size=(catalogue, 16)) / 4
    features[np.arange(catalogue), generator.integers(16, size=catalogue)] += 1
    affinity = tastes @ features.T
    lengths = generator.lognormal(np.log(mean) - 0.5, 1.0, users).clip(8, catalogue // 3)
    drawn = np.argsort(
        -(popularity + 1.5 * affinity + generator.gumbel(size=affinity.shape)), axis=1
    )
    met = [drawn[user, : int(length)] for user, length in enumerate(lengths)]
    who, what = np.repeat(np.arange(users), [len(each) for each in met]), np.concatenate(met)
    stars = 7 + 1.5 * affinity[who, what] + generator.normal(0, 1.5, len(who))
    rows = pd.DataFrame(
        {
            "user": [f"u{user:05}" for user in who],
            "title": [f"t{title:05}" for title in what],
            "half_stars": stars.round().clip(1, 10).astype(np.int64),
        }
    )
    shuffled = rows.sample(frac=1.0, random_state=7, ignore_index=True)
    return shuffled.assign(time_s=np.arange(len(rows)))
