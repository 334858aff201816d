"""One cut in time, two questions about what came after it.

Lists: the best ten are made at the cut and must last; how much of what each known user watched
afterwards do they hold? Replay: each next event of every user, new users included, is predicted
before it is folded in; where did its title stand?

Nothing later than the moment of a prediction enters it: the model and the recency of histories
are of the cut, views and histories of the moment. What is tuned is tuned on earlier cuts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.recommendations_split import (
    K,
    Ratings,
    Settings,
    Split,
    accuracy,
    fit_model,
    lists,
    preferences,
)
from transforms.recommendations.fixed_point import RECENCY_ONE, VIEW_ONE, Floats, Integers, Titles
from transforms.recommendations.gram import positions
from transforms.recommendations.model import Model, Profile
from transforms.recommendations.popularity import decayed_views, log_prior
from transforms.recommendations.ranking import NEVER
from transforms.recommendations.weighting import recency

HIT_AT = 20
DAY_S = 86_400
REFRESH = 100
"""Views are aged every so many events; in between, each event adds one."""


@dataclass(frozen=True)
class Time:
    """How time enters a score: the weight of faded popularity, and how histories fade."""

    prior_weight: float
    recency_half_life_days: float


GRID = [
    Time(prior_weight, half_life_days)
    for half_life_days, prior_weight in product((math.inf, 30.0), (0.02, 0.05, 0.1, 0.2, 0.3, 0.5))
]
POPULARITY = Time(prior_weight=1.0, recency_half_life_days=math.inf)


@dataclass(frozen=True, eq=False)
class Cut:
    """Ratings in order of time, cut in two, with a model trained on the first part.

    Args:
        rows: both parts.
        at: how many of the rows are the first.
        catalogue: every title that was ever published.
        model: trained on the first part.
        half_star: the weighting that it was trained with.
    """

    rows: Ratings
    at: int
    catalogue: Titles
    model: Model
    half_star: int

    @property
    def before(self) -> Ratings:
        return self.rows.iloc[: self.at]

    @property
    def after(self) -> Ratings:
        return self.rows.iloc[self.at :]

    @cached_property
    def places(self) -> Integers:
        """The position of the title of each row."""
        return positions(self.catalogue, self.rows["title"].to_numpy(np.str_))

    def views(self, end: int) -> Integers:
        """Views by the first `end` rows, faded until the last of them."""
        times_s = self.rows["time_s"].to_numpy()[:end]
        return decayed_views(
            self.places[:end],
            times_s,
            np.ones(end, np.int64),
            count=len(self.catalogue),
            as_of_s=int(times_s[-1]),
        )

    def history_weights(self, half_life_days: float) -> Integers:
        """What each row of the first part weighs in its user's history."""
        times_s = self.before["time_s"].to_numpy()
        half_life_s = half_life_days * DAY_S
        left = recency(times_s, as_of_s=int(times_s[-1]), half_life_s=half_life_s)
        return preferences(self.before, self.half_star) * left

    def without_model(self) -> Cut:
        """Popularity alone: a model that has learned nothing."""
        nothing = Model(self.catalogue, np.zeros_like(self.model.weights))
        return replace(self, model=nothing)


def cut(rows: Ratings, catalogue: Titles, at: int, settings: Settings) -> Cut:
    model = fit_model(rows.iloc[:at], catalogue, settings)
    return Cut(rows, at, catalogue, model, settings.half_star)


def list_quality(part: Cut, time: Time) -> Floats:
    """nDCG@10 of the list of each user known at the cut."""
    known = part.after[part.after["user"].isin(part.before["user"])]
    split = Split(part.catalogue, part.before, known)
    histories = split.matrix(part.before, part.history_weights(time.recency_half_life_days))
    prior = log_prior(part.views(part.at), time.prior_weight)
    return accuracy(split, lists(split, part.model.scores(histories) + prior))["ndcg"]


@dataclass(frozen=True)
class Replayed:
    """What came of predicting each event.

    Args:
        ranks: where the title stood among those that its user had not met, from 1.
        seconds: spent on scoring, ranking and folding in.
    """

    ranks: Integers
    seconds: float

    @property
    def ndcg(self) -> Floats:
        """With one relevant title, the discount of its rank."""
        return np.where(self.ranks <= K, 1 / np.log2(1 + self.ranks), 0.0)

    @property
    def hit(self) -> Floats:
        return np.asarray(self.ranks <= HIT_AT, np.float64)


def replay(part: Cut, time: Time, *, frozen: bool = False) -> Replayed:
    """Predict each event after the cut, then fold it in (unless histories are `frozen`)."""
    profiles = profiles_at_the_cut(part, time)
    nobody = Profile({}, np.zeros(len(part.catalogue), np.int64))
    user_codes, users = pd.factorize(part.rows["user"])
    met = np.zeros((len(users), len(part.catalogue)), bool)
    met[user_codes[: part.at], part.places[: part.at]] = True

    ranks = []
    started = perf_counter()
    for event, views in zip(events_after(part, user_codes), live_views(part), strict=True):
        profile = profiles.get(event.user, nobody)
        scores = profile.evidence + log_prior(views, time.prior_weight)
        scores[met[event.user_code]] = NEVER
        ranks.append(rank(scores, event.place))
        met[event.user_code, event.place] = True
        if not frozen:
            profiles[event.user] = part.model.fold_in(profile, event.title, event.weight)
    return Replayed(np.array(ranks), perf_counter() - started)


def events_after(part: Cut, user_codes: Integers) -> Iterator[Any]:
    """The second part: user, user_code, title, its place, and its weight in a history."""
    return part.after.assign(
        user_code=user_codes[part.at :],
        place=part.places[part.at :],
        weight=RECENCY_ONE * preferences(part.after, part.half_star),
    ).itertuples()


def live_views(part: Cut) -> Iterator[Integers]:
    """The views of all titles just before each event of the second part."""
    for start in range(part.at, len(part.rows), REFRESH):
        views = part.views(start)
        for place in part.places[start : start + REFRESH]:
            yield views
            views[place] += VIEW_ONE


def profiles_at_the_cut(part: Cut, time: Time) -> dict[str, Profile]:
    """Everybody's profile, by the batch path."""
    weighted = part.before.assign(weight=part.history_weights(time.recency_half_life_days))
    everybody = Split(part.catalogue, part.before, part.before)
    evidence = part.model.scores(everybody.matrix(weighted, weighted["weight"].to_numpy()))
    return {
        str(user): Profile(dict(zip(rows["title"], rows["weight"].tolist(), strict=True)), scores)
        for (user, rows), scores in zip(weighted.groupby("user"), evidence, strict=True)
    }


def rank(scores: Integers, place: int) -> int:
    """Where a title stands, from 1; ties go to the smaller position."""
    ahead = np.count_nonzero(scores > scores[place])
    return 1 + ahead + np.count_nonzero(scores[:place] == scores[place])


def tune(cuts: Sequence[Cut], quality: Callable[[Cut, Time], Floats]) -> Time:
    """The best of the grid on earlier cuts, by the mean over cuts of the mean quality."""
    return max(GRID, key=lambda time: np.mean([quality(part, time).mean() for part in cuts]))


def replay_quality(part: Cut, time: Time) -> Floats:
    """nDCG@10 of each event replayed."""
    return replay(part, time).ndcg
