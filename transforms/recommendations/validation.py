"""What settings come to on a part of what is known, in one process, without Spark.

A part is a past and what came after it. A model is trained on the past and its lists judged by what
came after, exactly as a trial does it: the same integers, the same ties, the same metric. So many
settings can be tried where a trial of each would take Spark minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from transforms.recommendations import metrics
from transforms.recommendations.declaration import (
    declared_reading,
    declared_solver,
    declared_weighting,
    next_weight,
    views_half_life_s,
)
from transforms.recommendations.evaluation import CHUNK, K
from transforms.recommendations.fixed_point import (
    Floats,
    Integers,
    Titles,
)
from transforms.recommendations.gram import Interactions, gram, positions
from transforms.recommendations.model import Model, train, with_following
from transforms.recommendations.neighbours import Neighbours, neighbours, sitting_weights
from transforms.recommendations.popularity import log_prior
from transforms.recommendations.ranking import NEVER, top_lists
from transforms.recommendations.views import day_worth
from transforms.recommendations.weighting import preference, recency

OF_THE_MODEL = (
    *("algorithm", "l2", "l2_per", "dropout", "popularity_exponent", "damping", "half_star"),
)
"""The settings that the weights depend on; the others only weigh histories and views."""


@dataclass(frozen=True, eq=False)
class Part:
    """A past, and what came after it.

    Attributes:
        titles: titles that may be listed, sorted, distinct.
        met: the (user, title) met in the past: user_id, title_id, last_s (seconds since the epoch,
            UTC) and what `weighting.preference` reads.
        later: the (user, title) met afterwards for the first time: user_id, title_id.
        views: plays in the past: title_id, day (since the epoch, UTC), views; None: time says
            nothing here, neither views nor the age of a history.
        as_of_s: end of the past, in seconds since the epoch, UTC.
    """

    titles: Titles
    met: pd.DataFrame
    later: pd.DataFrame
    views: pd.DataFrame | None
    as_of_s: int

    @cached_property
    def users(self) -> Titles:
        """The users who are judged: who met something later."""
        return np.unique(self.later["user_id"].to_numpy(np.str_))

    @cached_property
    def relevant(self) -> csr_array:
        """Users judged x titles: what they met later."""
        return self._of_judged(self.later, np.ones(len(self.later), np.int64))

    @cached_property
    def histories(self) -> Interactions:
        """Everybody's history; a weight is the number of its row in `met`, from 1."""
        rows, _ = pd.factorize(self.met["user_id"], sort=True)
        columns = positions(self.titles, self.met["title_id"].to_numpy(np.str_))
        numbers = np.arange(1, len(self.met) + 1)
        shape = (rows.max(initial=-1) + 1, len(self.titles))
        return Interactions(self.titles, csr_array((numbers, (rows, columns)), shape))

    @cached_property
    def judged(self) -> csr_array:
        """The histories of the users judged, x titles, as `histories` has them."""
        return self._of_judged(self.met, np.arange(1, len(self.met) + 1))

    @cached_property
    def ranks_from_last(self) -> Integers:
        """Where each row of `met` stands in its user's history, from 0, the title met last."""
        order = self.met[["user_id", "last_s", "title_id"]].sort_values(
            ["user_id", "last_s", "title_id"], ascending=False
        )
        return np.asarray(order.groupby("user_id").cumcount().sort_index(), np.int64)

    @cached_property
    def neighbours(self) -> Neighbours:
        """What was met next to what in the past; nothing where time says nothing."""
        if self.views is None:
            return neighbours([], self.titles)
        ordered = self.met.sort_values(["user_id", "last_s", "title_id"])
        places = positions(self.titles, ordered["title_id"].to_numpy(np.str_))
        users, _ = pd.factorize(ordered["user_id"])
        return neighbours(np.split(places, np.flatnonzero(np.diff(users)) + 1), self.titles)

    def _of_judged(self, rows: pd.DataFrame, values: Integers) -> csr_array:
        users = positions(self.users, rows["user_id"].to_numpy(np.str_))
        titles = positions(self.titles, rows["title_id"].to_numpy(np.str_))
        kept = (users >= 0) & (titles >= 0)
        shape = (len(self.users), len(self.titles))
        return csr_array((values[kept], (users[kept], titles[kept])), shape, dtype=np.int64)


def fit(part: Part, declared: Mapping[str, Any]) -> Model:
    """Train on the past of a part.

    Raises:
        UnsolvableError: see `model.train`.
    """
    values = preference(part.met, declared_weighting(declared))
    weights = _with_values(part.histories.weights, values)
    statistic = gram(Interactions(part.titles, weights), damping=declared["damping"])
    return train(statistic, declared_solver(declared)).reindex(part.titles)


def quality(part: Part, model: Model, declared: Mapping[str, Any]) -> Floats:
    """nDCG@10 of the list of each user judged, in the order of `part.users`.

    Args:
        part: past, and what came after it.
        model: model of the past, as `fit` trains it.
        declared: declaration; how histories and views fade is read, and the weight of order.
    """
    reading = declared_reading(declared)
    values = preference(part.met, reading.weighting) * _recency(part, reading.half_life_s)
    histories = _with_values(part.judged, values)
    sittings = _with_values(part.judged, _sitting(part, values, reading.sitting_half_life_s))
    whole = with_following(model, part.neighbours, next_weight(declared))
    prior = _prior(part, declared)
    return np.concatenate([np.zeros(0), *_in_chunks(part, whole, histories, sittings, prior)])


def _in_chunks(
    part: Part, model: Model, histories: csr_array, sittings: csr_array, prior: Integers
) -> Iterator[Floats]:
    for start in range(0, len(part.users), CHUNK):
        rows = slice(start, start + CHUNK)
        scores = model.scores(histories[rows], sittings[rows]) + prior
        scores[part.judged[rows].nonzero()] = NEVER
        relevant = part.relevant[rows]
        hits = metrics.hits(top_lists(scores, K), relevant)
        yield metrics.ndcg(hits, np.diff(relevant.indptr))


def _with_values(numbered: csr_array, values: Integers) -> csr_array:
    """A matrix of row numbers, from 1, with the values of these rows."""
    return csr_array((values[numbered.data - 1], numbered.indices, numbered.indptr), numbered.shape)


def _recency(part: Part, half_life_s: float) -> Integers:
    last_s = part.met["last_s"].to_numpy(np.int64)
    fades = half_life_s if part.views is not None else np.inf
    return recency(last_s, as_of_s=part.as_of_s, half_life_s=fades)


def _sitting(part: Part, weights: Integers, half_life_s: float) -> Integers:
    """What each row of `met` weighs as part of its user's sitting."""
    if part.views is None:
        return np.zeros(len(weights), np.int64)
    each = sitting_weights(part.ranks_from_last, _recency(part, half_life_s))
    return np.where(weights > 0, each, 0)


def _prior(part: Part, declared: Mapping[str, Any]) -> Integers:
    views = np.zeros(len(part.titles), np.int64)
    if part.views is not None:
        half_life_s = views_half_life_s(declared)
        days = part.views["day"].to_numpy(np.int64)
        worth = day_worth(days, as_of_s=part.as_of_s, half_life_s=half_life_s)
        places = positions(part.titles, part.views["title_id"].to_numpy(np.str_))
        inside = places >= 0
        each = (part.views["views"].to_numpy(np.int64) * worth)[inside]
        np.add.at(views, places[inside], each)
    return log_prior(views, declared["prior_weight"])


def random_part(part: Part, share: float, generator: np.random.Generator) -> Part:
    """Hold out what users met of each title at random, so that time says nothing.

    Args:
        part: past; what came after it is left out.
        share: share of those who met a title that is trained on, rounded, halves to even.
        generator: source of randomness, the caller's.
    """
    met = part.met.sort_values(["user_id", "title_id"], ignore_index=True)
    order = pd.Series(generator.random(len(met)))
    by_title = order.groupby(met["title_id"])
    training = by_title.rank() <= np.round(share * by_title.transform("size"))
    later = met.loc[~training, ["user_id", "title_id"]]
    return Part(part.titles, met[training].reset_index(drop=True), later, None, part.as_of_s)


def sample_users(part: Part, most: int, generator: np.random.Generator) -> Part:
    """Judge by at most so many users, drawn at random; all are trained on."""
    if len(part.users) <= most:
        return part
    drawn = generator.choice(part.users, size=most, replace=False)
    later = part.later[part.later["user_id"].isin(drawn)]
    return Part(part.titles, part.met, later, part.views, part.as_of_s)
