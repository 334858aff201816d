"""Training: from gold.user_title to a model, and to a trial of settings at a cut in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.gold import read_gold
from jobs.runtime.recommendations.als import fit
from jobs.runtime.recommendations.artifact import TrainedModel
from jobs.runtime.recommendations.gram_state import gram_of, update
from jobs.runtime.recommendations.neighbour_counts import read_neighbours
from jobs.runtime.settings import RecommendSettings
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.tables import USER_TITLE
from transforms.recommendations.catalogue import current_titles
from transforms.recommendations.declaration import (
    DECLARED,
    declared_reading,
    declared_solver,
    declared_weighting,
    next_weight,
    views_half_life_s,
)
from transforms.recommendations.evaluation import (
    Arena,
    Contender,
    arena_at_cut,
    contender_in,
    evaluate_contenders,
    listed_titles,
    popularity_in,
)
from transforms.recommendations.fixed_point import Integers, Titles
from transforms.recommendations.gram import Gram
from transforms.recommendations.histories import Reading, histories
from transforms.recommendations.model import Model, Recommender, train, with_following
from transforms.recommendations.popularity import log_prior
from transforms.recommendations.temporal_split import (
    Past,
    cut_after,
    first_meeting_quantile,
    hold_out,
    past_before,
)
from transforms.recommendations.trial import Trial
from transforms.recommendations.views import faded_views, view_array, views_by_title

EMPTY = DataError(
    "gold.user_title is empty: there is nothing to learn from",
    "let events through first: python -m jobs.stream --available-now",
)


def declaration(settings: RecommendSettings) -> dict[str, Any]:
    """The settings that make a model what it is."""
    return {name: getattr(settings, name) for name in DECLARED}


def read_past(lake: Lake) -> Past:
    """Read all that gold and silver hold; the caller unpersists `user_title`.

    Raises:
        DataError: gold.user_title is missing or empty.
    """
    if not lake.has("gold.user_title"):
        raise EMPTY
    user_title = read_gold(lake, USER_TITLE).persist()
    newest = user_title.agg(F.unix_seconds(F.max("last_time"))).collect()[0][0]
    if newest is None:
        raise EMPTY
    return Past(user_title, facts({table: lake.read(table) for table in FACT_SOURCES}), newest)


def read_catalogue(lake: Lake) -> pd.DataFrame:
    """Read the catalogue as it is now; see `catalogue.current_titles`."""
    return current_titles(lake.read("silver.catalog")).toPandas()


def past_at_cut(present: Past, share: float) -> Past:
    """Cut in time, after a share of first meetings; the caller unpersists `user_title`.

    Args:
        present: what is known now.
        share: share of the first meetings of users with titles that lie before the cut.
    """
    micros = present.user_title.agg(first_meeting_quantile(share)).collect()[0][0]
    past = past_before(present, cut_after(int(micros)))
    past.user_title.persist()
    return past


def train_present(
    lake: Lake, present: Past, declared: Mapping[str, Any], *, scratch: bool
) -> TrainedModel:
    """Train the model of now; the Gram matrix in the lake is brought up to date on the way.

    Args:
        lake: lake that holds the Gram matrix.
        present: what is known now.
        declared: declaration to train by.
        scratch: whether all histories are counted anew.
    """
    if declared["algorithm"] == "als":
        return _trained_model(present, declared, _fit_factors(present, declared))
    damping = declared["damping"]
    weighting = declared_weighting(declared)
    moved = update(lake, present.user_title, weighting, damping, scratch=scratch)
    return _trained_model(present, declared, _solve(present, declared, moved.statistic))


def train_past(past: Past, declared: Mapping[str, Any]) -> TrainedModel:
    """Train the model of a past from scratch; nothing is stored."""
    if declared["algorithm"] == "als":
        return _trained_model(past, declared, _fit_factors(past, declared))
    statistic = gram_of(past.user_title, declared_weighting(declared), declared["damping"])
    return _trained_model(past, declared, _solve(past, declared, statistic))


def run_trial(
    present: Past, past: Past, contenders: Mapping[str, TrainedModel], catalogue: pd.DataFrame
) -> Trial:
    """Evaluate contenders, and popularity, on the hold-out after a cut.

    Args:
        present: all that is known, the future of the cut included.
        past: what was known at the cut.
        contenders: models trained on the past, by name; `challenger` is among them and declares
            how the views of popularity fade.
        catalogue: title_id and genres of the titles that may be listed.
    """
    arena = _read_arena(present, past, catalogue)
    challenger = contenders["challenger"].declaration
    views = _read_views(past, views_half_life_s(challenger), arena.titles)
    reading_alike: dict[Reading, dict[str, Contender]] = defaultdict(dict)
    reading_alike[declared_reading(challenger)]["popularity"] = popularity_in(arena, views)
    for name, each in contenders.items():
        contender = contender_in(arena, each.model, each.prior)
        reading_alike[declared_reading(each.declaration)][name] = contender
    evaluated = [evaluate_contenders(hold_out(present, past, reading), rivals, arena)
                 for reading, rivals in reading_alike.items()]  # fmt: skip
    rows = reduce(DataFrame.unionByName, evaluated).persist()
    try:
        counts = listed_titles(rows).collect()
        coverage = {row.contender: row["count"] / len(arena.titles) for row in counts}
        return Trial(rows.drop("listed").toPandas(), coverage, past.as_of_s)
    finally:
        rows.unpersist()


def _solve(past: Past, declared: Mapping[str, Any], statistic: Gram) -> Model:
    model = train(statistic, declared_solver(declared))
    weight = next_weight(declared)
    if not weight:
        return model
    return with_following(model, read_neighbours(past.user_title, model.titles), weight)


def _read_arena(present: Past, past: Past, catalogue: pd.DataFrame) -> Arena:
    met = present.user_title.select("title_id").distinct().toPandas()["title_id"]
    viewers = past.user_title.groupBy("title_id").count().toPandas()
    users = past.user_title.select("user_id").distinct().count()
    return arena_at_cut(met.to_numpy(np.str_), viewers, users, catalogue)


def _read_views(past: Past, half_life_s: float, titles: Titles) -> Integers:
    """Faded views of each title, in units of 2^-20."""
    views = faded_views(past.facts, as_of_s=past.as_of_s, half_life_s=half_life_s)
    return view_array(views_by_title(views).toPandas(), titles)


def _fit_factors(past: Past, declared: Mapping[str, Any]) -> Recommender:
    return fit(histories(past.user_title, declared_weighting(declared)), declared)


def _trained_model(past: Past, declared: Mapping[str, Any], model: Recommender) -> TrainedModel:
    views = _read_views(past, views_half_life_s(declared), model.titles)
    weighting = asdict(declared_weighting(declared))
    stated = {**declared, "weighting": weighting, "as_of_s": past.as_of_s}
    return TrainedModel(model, log_prior(views, declared["prior_weight"]), stated)
