"""One cut in time, two questions about what came after it.

Lists: the best ten are made at the cut and must last; how much of what each known user watched
afterwards do they hold? Replay: each next event of every user, new users included, is predicted
before it is folded in; where did its title stand?

Nothing later than the moment of a prediction enters it: the model and the recency of histories
are of the cut, views and histories of the moment. What is tuned is tuned on earlier cuts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from jobs.runtime.recommendations.tuning import Objective, Plan, Tuning, search_settings
from tests.benchmarks.recommendations_split import (
    DECLARED,
    Declared,
    K,
    Ratings,
    Split,
    Untold,
    accuracy,
    as_user_title,
    fit_model,
    lists,
    preferences,
)
from transforms.recommendations.declaration import declared_reading, next_weight
from transforms.recommendations.fixed_point import RECENCY_ONE, VIEW_ONE, Floats, Integers, Titles
from transforms.recommendations.gram import positions
from transforms.recommendations.model import Model, Profile, with_following
from transforms.recommendations.popularity import decayed_views, log_prior
from transforms.recommendations.ranking import NEVER
from transforms.recommendations.search_space import TIME_AXES
from transforms.recommendations.validation import Part, quality
from transforms.recommendations.weighting import recency

HIT_AT = 20
DAY_S = 86_400
REFRESH = 100
"""Views are aged every so many events; in between, each event adds one."""


POPULARITY: Declared = {**DECLARED, "prior_weight": 1.0, "next_weight": 0.0}
REPLAYED = ("prior_weight", "next_weight")
"""What replay is tuned over besides the settings of the lists; the model does not depend on it."""
PLAN = Plan(draws=24, trials=120, minutes=9.0)


@dataclass(frozen=True, eq=False)
class Cut:
    """Ratings in order of time, cut in two, with a model trained on the first part.

    Args:
        rows: both parts.
        at: how many of the rows are the first.
        catalogue: every title that was ever published.
        model: trained on the first part.
        declared: the settings that it was trained by, and how histories are read.
    """

    rows: Ratings
    at: int
    catalogue: Titles
    model: Model
    declared: Declared

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

    @cached_property
    def part(self) -> Part:
        """The cut as validation judges it, by the users known at it."""
        before = as_user_title(self.before).reset_index(drop=True)
        known = self.after[self.after["user"].isin(self.before["user"])]
        days = self.before.assign(day=self.before["time_s"] // DAY_S)
        views = days.groupby(["title", "day"]).size().rename("views").reset_index()
        return Part(
            titles=self.catalogue,
            met=before,
            later=known[["user", "title"]].set_axis(["user_id", "title_id"], axis=1),
            views=views.rename(columns={"title": "title_id"}),
            as_of_s=int(self.before["time_s"].iloc[-1]),
        )

    def without_model(self) -> Cut:
        """Popularity alone: a model that has learned nothing."""
        nothing = Model(self.catalogue, np.zeros_like(self.model.weights))
        return replace(self, model=nothing, declared=POPULARITY)

    def by(self, declared: Declared) -> Cut:
        """The same cut and model, with histories and order read otherwise."""
        return replace(self, declared=declared)


def cut(rows: Ratings, catalogue: Titles, at: int, declared: Declared) -> Cut:
    return Cut(rows, at, catalogue, fit_model(rows.iloc[:at], catalogue, declared), declared)


def list_quality(part: Cut) -> Floats:
    """nDCG@10 of the list of each user known at the cut."""
    return quality(part.part, part.model, part.declared)


def popularity_quality(part: Cut) -> Floats:
    """The same of popularity, decayed to the second."""
    scores = np.tile(part.views(part.at), (len(part.part.users), 1))
    known = part.after[part.after["user"].isin(part.before["user"])]
    split = Split(part.catalogue, part.before, known)
    return accuracy(split, lists(split, scores))["ndcg"]


def tune_lists(cuts: Sequence[Cut], declared: Declared) -> Tuning:
    """What the product's own search finds on earlier cuts."""
    return search_settings(Objective([each.part for each in cuts]), declared, PLAN, Untold({}))


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


def replay(part: Cut, *, frozen: bool = False) -> Replayed:
    """Predict each event after the cut, then fold it in (unless histories are `frozen`)."""
    model = with_following(part.model, part.part.neighbours, next_weight(part.declared))
    part = replace(part, model=model)
    profiles = profiles_at_the_cut(part)
    nobody = Profile({}, np.zeros(len(part.catalogue), np.int64))
    user_codes, users = pd.factorize(part.rows["user"])
    met = np.zeros((len(users), len(part.catalogue)), bool)
    met[user_codes[: part.at], part.places[: part.at]] = True

    ranks = []
    started = perf_counter()
    for event, views in zip(events_after(part, user_codes), live_views(part), strict=True):
        profile = profiles.get(event.user, nobody)
        scores = profile.evidence + log_prior(views, part.declared["prior_weight"])
        scores[met[event.user_code]] = NEVER
        ranks.append(rank(scores, event.place))
        met[event.user_code, event.place] = True
        if not frozen:
            profiles[event.user] = model.fold_in(profile, event.title, event.weight)
    return Replayed(np.array(ranks), perf_counter() - started)


def events_after(part: Cut, user_codes: Integers) -> Iterator[Any]:
    """The second part: user, user_code, title, its place, and its weight in a history."""
    return part.after.assign(
        user_code=user_codes[part.at :],
        place=part.places[part.at :],
        weight=RECENCY_ONE * preferences(part.after, part.declared),
    ).itertuples()


def live_views(part: Cut) -> Iterator[Integers]:
    """The views of all titles just before each event of the second part."""
    for start in range(part.at, len(part.rows), REFRESH):
        views = part.views(start)
        for place in part.places[start : start + REFRESH]:
            yield views
            views[place] += VIEW_ONE


def profiles_at_the_cut(part: Cut) -> dict[str, Profile]:
    """Everybody's profile, by the batch path: the recency of all that was met is of the cut."""
    reading = declared_reading(part.declared)
    as_of_s = int(part.before["time_s"].iloc[-1])
    left, sat = (
        recency(part.before["time_s"].to_numpy(), as_of_s=as_of_s, half_life_s=half_life_s)
        for half_life_s in (reading.half_life_s, reading.sitting_half_life_s)
    )
    weights = left * preferences(part.before, part.declared)
    everybody = Split(part.catalogue, part.before, part.before)
    evidence = part.model.scores(everybody.matrix(part.before, weights))
    weighted = part.before.assign(weight=weights, left=sat)
    return {
        str(user): part.model.sit_down(
            Profile(dict(zip(rows["title"], rows["weight"].tolist(), strict=True)), scores),
            list(zip(rows["title"], rows["left"].tolist(), strict=True)),
        )
        for (user, rows), scores in zip(weighted.groupby("user"), evidence, strict=True)
    }


def rank(scores: Integers, place: int) -> int:
    """Where a title stands, from 1; ties go to the smaller position."""
    ahead = np.count_nonzero(scores > scores[place])
    return 1 + ahead + np.count_nonzero(scores[:place] == scores[place])


def tune_replay(cuts: Sequence[Cut], declared: Declared) -> Tuning:
    """What the product's own search finds for replay, over REPLAYED alone."""
    space = {name: axis for name, axis in TIME_AXES.items() if name in REPLAYED}

    def value(settings: Declared) -> float:
        return float(np.mean([replay(each.by(settings)).ndcg.mean() for each in cuts]))

    plan = Plan(draws=6, trials=24, minutes=9.0)
    return search_settings(value, declared, plan, Untold({}), space)
