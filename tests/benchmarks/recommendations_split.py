"""The benchmark of recommenders-team/recommenders on MovieLens 100K: its split, its metrics.

Ratings are split 75 to 25 within each title, at random; every test rating is relevant, titles of
the training part are not recommended, and ten are. Its published table has two rows that can be
computed without luck, popularity and SAR: computing them here to the published digits shows that
the split and the metrics are the same. Settings are tuned by splitting the training part again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from jobs.runtime.recommendations.training import declaration
from jobs.runtime.recommendations.tuning import (
    Objective,
    Plan,
    Trials,
    Tuning,
    search_settings,
    text_of,
)
from jobs.runtime.recommendations.validation_cuts import RANDOM_SHARE as INNER_SHARE
from jobs.runtime.settings import load_settings
from transforms.recommendations import metrics
from transforms.recommendations.declaration import declared_solver, declared_weighting
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
from transforms.recommendations.validation import Part, random_part
from transforms.recommendations.weighting import preference

K = 10
TRAINING_SHARE = 0.75

PUBLISHED = {
    "als": {"map": 0.0033, "ndcg": 0.0332, "precision": 0.0385, "recall": 0.0134},
    "sar": {"map": 0.1140, "ndcg": 0.3938, "precision": 0.3406, "recall": 0.1854},
    "bpr": {"map": 0.1340, "ndcg": 0.4450, "precision": 0.3887, "recall": 0.2166},
    "bivae": {"map": 0.1436, "ndcg": 0.4687, "precision": 0.4082, "recall": 0.2209},
    "lightgcn": {"map": 0.1209, "ndcg": 0.4164, "precision": 0.3592, "recall": 0.1960},
    "popularity": {"map": 0.0560, "ndcg": 0.2523, "precision": 0.2287, "recall": 0.1132},
}

Ratings = pd.DataFrame
Declared = Mapping[str, Any]

DECLARED: Declared = declaration(load_settings(environment={}).recommend)
"""The settings as shipped."""

PLAN = Plan(split="random", cuts=2, draws=12, trials=60, minutes=9.0)


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


def preferences(rows: Ratings, declared: Declared) -> Integers:
    """Ratings as rows of gold.user_title that nobody played."""
    return preference(as_user_title(rows), declared_weighting(declared))


def as_user_title(rows: Ratings) -> pd.DataFrame:
    """Ratings as rows of gold.user_title that nobody played, as validation reads them."""
    named = rows.rename(columns={"user": "user_id", "title": "title_id", "time_s": "last_s"})
    columns = named[["user_id", "title_id", "last_s", "half_stars"]]
    return columns.assign(plays=0, completions=0, watch_s=0, furthest_position_s=0)


def fit_model(
    rows: Ratings,
    catalogue: Titles,
    declared: Declared,
    precision: type[np.floating] = np.float32,
) -> Model:
    met = interactions(rows["user"], rows["title"], preferences(rows, declared))
    statistic = gram(met, damping=declared["damping"])
    solver = declared_solver(declared)
    return train(statistic.reindex(catalogue), solver, precision=precision)


def model_scores(
    part: Split, declared: Declared, precision: type[np.floating] = np.float32
) -> Integers:
    weights = RECENCY_ONE * preferences(part.training, declared)
    model = fit_model(part.training, part.catalogue, declared, precision)
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


def tune(training: Ratings, catalogue: Titles, algorithm: str) -> Tuning:
    """What the product's own search finds on parts of the training part alone."""
    met = as_user_title(training).reset_index(drop=True)
    whole = Part(catalogue, met, met[:0][["user_id", "title_id"]], None, 0)
    generators = (np.random.default_rng([PLAN.seed, number]) for number in range(PLAN.cuts))
    parts = [random_part(whole, INNER_SHARE, generator) for generator in generators]
    return search_settings(Objective(parts), {**DECLARED, "algorithm": algorithm}, PLAN, Untold({}))


class Untold(Trials):
    """Trials that are not told to MLflow."""

    def record(self, declared: Declared, value: float, seconds: float) -> None:
        self.known[text_of(declared)] = value
