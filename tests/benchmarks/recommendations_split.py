"""The benchmark of recommenders-team/recommenders on MovieLens 100K: its split, its metrics.

Ratings are split 75 to 25 within each title, at random; every test rating is relevant, titles of
the training part are not recommended, and ten are. Its published table has two rows that can be
computed without luck, popularity and SAR: computing them here to the published digits shows that
the split and the metrics are the same. Settings are tuned by splitting the training part again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from transforms.recommendations import metrics
from transforms.recommendations.fixed_point import (
    RECENCY_ONE,
    Floats,
    Integers,
    Titles,
    to_fixed_point,
)
from transforms.recommendations.gram import gram, interactions, positions
from transforms.recommendations.model import Model, train
from transforms.recommendations.ranking import NEVER, top_k
from transforms.recommendations.solvers import Ease, Edlae, Solver, SquaredSpectrum
from transforms.recommendations.weighting import Weighting, preference

K = 10
TRAINING_SHARE = 0.75
INNER_SHARE = 0.9
"""Of the training part when tuning: close to all of it, as regularisation depends on its size."""
INNER_SEEDS = (0, 1, 2, 3)

PUBLISHED = {
    "als": {"map": 0.0033, "ndcg": 0.0332, "precision": 0.0385, "recall": 0.0134},
    "sar": {"map": 0.1140, "ndcg": 0.3938, "precision": 0.3406, "recall": 0.1854},
    "bpr": {"map": 0.1340, "ndcg": 0.4450, "precision": 0.3887, "recall": 0.2166},
    "bivae": {"map": 0.1436, "ndcg": 0.4687, "precision": 0.4082, "recall": 0.2209},
    "lightgcn": {"map": 0.1209, "ndcg": 0.4164, "precision": 0.3592, "recall": 0.1960},
    "popularity": {"map": 0.0560, "ndcg": 0.2523, "precision": 0.2287, "recall": 0.1132},
}

Ratings = pd.DataFrame


@dataclass(frozen=True)
class Settings:
    """What is tuned; the plainest choice of each is where the search starts."""

    solver: Solver
    half_star: int = 0
    damping: float = 0.0


START = {
    "ease": Settings(Ease()),
    "edlae": Settings(Edlae(dropout=0.5)),
    "squared_spectrum": Settings(SquaredSpectrum(l2=1.0, dropout=0.5, popularity_exponent=0.0)),
}
DECLARED = Settings(SquaredSpectrum(), half_star=Weighting.half_star, damping=0.3)
"""The defaults of the package."""

GRID: Mapping[str, Sequence[float]] = {
    "dropout": (0.5, 0.6, 0.7, 0.8),
    "l2": (1.0, 3.0, 10.0),
    "damping": (0.0, 0.15, 0.3, 0.45),
    "popularity_exponent": (-0.2, -0.1, 0.0),
    "half_star": (0, 1, 2),
}


@dataclass(frozen=True, eq=False)
class Split:
    """A training and a test part over the same catalogue; users are those of the test part."""

    catalogue: Titles
    training: Ratings
    test: Ratings

    @cached_property
    def users(self) -> Titles:
        return np.unique(self.test["user"].to_numpy(np.str_))

    @cached_property
    def relevant(self) -> csr_array:
        return self.matrix(self.test, np.ones(len(self.test), np.int64))

    @cached_property
    def seen(self) -> csr_array:
        return self.matrix(self.training, np.ones(len(self.training), np.int64))

    def matrix(self, rows: Ratings, values: np.ndarray) -> csr_array:
        """Users x titles; rows of users without a test rating are dropped."""
        users = positions(self.users, rows["user"].to_numpy(np.str_))
        titles = positions(self.catalogue, rows["title"].to_numpy(np.str_))
        kept = users >= 0
        shape = (len(self.users), len(self.catalogue))
        return csr_array((values[kept], (users[kept], titles[kept])), shape)


def stratified_split(ratings: Ratings, seed: int, share: float) -> tuple[Ratings, Ratings]:
    """As python_stratified_split(ratings, ratio=share, filter_by="item", seed=seed) splits.

    Rows get a random number in the order given; within each title, the round(share x n) smallest
    train (halves to even).
    """
    order = pd.Series(np.random.RandomState(seed).rand(len(ratings)), index=ratings.index)
    rank = order.groupby(ratings["title"]).rank()
    size = order.groupby(ratings["title"]).transform("size")
    training = rank <= np.round(share * size)
    return ratings[training], ratings[~training]


def split(ratings: Ratings, catalogue: Titles, seed: int, share: float = TRAINING_SHARE) -> Split:
    return Split(catalogue, *stratified_split(ratings, seed, share))


def preferences(rows: Ratings, half_star: int) -> Integers:
    """Ratings as rows of gold.user_title that nobody played."""
    signals = rows[["half_stars"]].assign(plays=0, completions=0, watch_s=0, furthest_position_s=0)
    return preference(signals, Weighting(half_star=half_star))


def fit_model(
    rows: Ratings,
    catalogue: Titles,
    settings: Settings,
    precision: type[np.floating] = np.float32,
) -> Model:
    weights = preferences(rows, settings.half_star)
    statistic = gram(interactions(rows["user"], rows["title"], weights), damping=settings.damping)
    return train(statistic.reindex(catalogue), settings.solver, precision=precision)


def model_scores(
    part: Split, settings: Settings, precision: type[np.floating] = np.float32
) -> Integers:
    weights = RECENCY_ONE * preferences(part.training, settings.half_star)
    model = fit_model(part.training, part.catalogue, settings, precision)
    return model.scores(part.matrix(part.training, weights))


def popularity_scores(part: Split) -> Integers:
    _, counts = np.unique(
        np.concatenate([part.catalogue, part.training["title"].to_numpy(np.str_)]),
        return_counts=True,
    )
    return np.tile(counts - 1, (len(part.users), 1))


def sar_scores(part: Split) -> Integers:
    """SAR as benchmarked: Jaccard similarity, ratings that halve in 30 days."""
    met = csr_array((np.ones(part.seen.nnz), part.seen.indices, part.seen.indptr), part.seen.shape)
    together = (met.T @ met).toarray()
    own = together.diagonal()
    either = own[:, None] + own - together
    jaccard = np.divide(together, either, out=np.zeros_like(together), where=either > 0)
    age_s = part.training["time_s"].max() - part.training["time_s"]
    affinity = part.training["half_stars"] / 2 * np.exp2(-age_s / (30 * 86_400))
    return to_fixed_point(part.matrix(part.training, affinity.to_numpy()) @ jaccard, 1 << 40)


def lists(part: Split, scores: Integers) -> Integers:
    """Each user's ten, without what is in the training part."""
    allowed = np.where(part.seen.toarray() > 0, NEVER, scores)
    return np.array([top_k(row, K) for row in allowed])


def accuracy(part: Split, listed: Integers) -> dict[str, Floats]:
    """The metrics of the benchmark, a value a user."""
    hits = metrics.hits(listed, part.relevant)
    relevant = np.diff(part.relevant.indptr)
    return {
        "map": metrics.average_precision(hits, relevant),
        "ndcg": metrics.ndcg(hits, relevant),
        "precision": metrics.precision(hits),
        "recall": metrics.recall(hits, relevant),
    }


def means(by_user: Mapping[str, Floats]) -> dict[str, float]:
    return {name: round(float(values.mean()), 4) for name, values in by_user.items()}


def tune(training: Ratings, catalogue: Titles, start: Settings) -> Settings:
    """The settings with the best nDCG on splits of the training part alone."""
    inner = [split(training, catalogue, seed, INNER_SHARE) for seed in INNER_SEEDS]

    def quality(settings: Settings) -> float:
        found = [lists(part, model_scores(part, settings)) for part in inner]
        return float(
            np.mean([accuracy(*each)["ndcg"].mean() for each in zip(inner, found, strict=True)])
        )

    return coordinate_search(cache(quality), start)


def coordinate_search(quality: Callable[[Settings], float], start: Settings) -> Settings:
    """Improve one setting at a time until none can be; ties go to the earlier value."""
    best, previous = start, None
    while best != previous:
        previous = best
        for name, values in GRID.items():
            best = max((with_value(best, name, value) for value in values), key=quality)
    return best


def with_value(settings: Settings, name: str, value: float) -> Settings:
    """The settings with one value changed, their own or their solver's, if they have it."""
    if hasattr(settings, name):
        return replace(settings, **{name: value})
    if hasattr(settings.solver, name):
        return replace(settings, solver=replace(settings.solver, **{name: value}))
    return settings
