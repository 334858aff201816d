"""Training: from gold.user_title to a model, and to a verdict on settings at a cut in time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.gold import read_gold
from jobs.runtime.recommendations.als import fit
from jobs.runtime.recommendations.artifact import Trained
from jobs.runtime.recommendations.gram_state import statistic_of, update
from jobs.runtime.settings import RecommendSettings
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.fold import evaluate
from transforms.gold.tables import USER_TITLE
from transforms.recommendations.candidates import DAY_S, catalogue, faded_views
from transforms.recommendations.evaluation import Arena, Contender, evaluated
from transforms.recommendations.fixed_point import Integers, Titles
from transforms.recommendations.gram import positions
from transforms.recommendations.histories import histories, weighted_histories
from transforms.recommendations.model import Model, Recommender, train
from transforms.recommendations.popularity import log_prior
from transforms.recommendations.solvers import Ease, Edlae, Solver, SquaredSpectrum
from transforms.recommendations.weighting import Weighting

WEIGHTING = Weighting()
DECLARED = (
    *("algorithm", "l2", "dropout", "popularity_exponent", "damping", "factors", "confidence"),
    "factor_l2",
    *("prior_weight", "views_half_life_days", "history_half_life_days"),
)
EMPTY = DataError(
    "gold.user_title is empty: there is nothing to learn from",
    "let events through first: python -m jobs.stream --available-now",
)


@dataclass(frozen=True, eq=False)
class Past:
    """What was known at an instant.

    Attributes:
        user_title: rows of gold.user_title, by the events until then.
        facts: the events until then, as folds read them.
        as_of_s: the instant, in seconds since the epoch, UTC.
    """

    user_title: DataFrame
    facts: DataFrame
    as_of_s: int


@dataclass(frozen=True, eq=False)
class Trial:
    """Contenders judged on what came after a cut.

    Attributes:
        by_user: a row for each user and contender, without the lists.
        coverage: share of the catalogue in somebody's list, by contender.
        cut_s: the instant of the cut, in seconds since the epoch, UTC.
    """

    by_user: pd.DataFrame
    coverage: Mapping[str, float]
    cut_s: int


def declaration(settings: RecommendSettings) -> dict[str, Any]:
    """The settings that make a model what it is."""
    return {name: getattr(settings, name) for name in DECLARED}


def half_life_s(declared: Mapping[str, Any]) -> float:
    """Of a title in a history, in seconds."""
    days = declared["history_half_life_days"]
    return math.inf if days is None else days * DAY_S


def now(lake: Lake) -> Past:
    """All that gold and silver hold.

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


def at_cut(known: Past, share: float) -> Past:
    """What was known when `share` of the first meetings of users with titles had happened."""
    micros = F.expr(f"percentile_disc({share}) WITHIN GROUP (ORDER BY unix_micros(first_time))")
    cut_us = int(known.user_title.agg(micros).collect()[0][0])
    cut_s = cut_us // 1_000_000 + 1
    until = known.facts.where(F.unix_seconds("event_time") < cut_s)
    return Past(evaluate(USER_TITLE, until).persist(), until, cut_s)


def trained(lake: Lake, known: Past, declared: Mapping[str, Any], *, scratch: bool) -> Trained:
    """The model of now; the statistic in the lake is brought up to date on the way."""
    if declared["algorithm"] == "als":
        return _trained(known, declared, None)
    moved = update(lake, known.user_title, WEIGHTING, declared["damping"], scratch=scratch)
    return _trained(known, declared, train(moved.statistic, solver(declared)))


def trained_at(known: Past, declared: Mapping[str, Any]) -> Trained:
    """The model of a past, from scratch; nothing is stored."""
    if declared["algorithm"] == "als":
        return _trained(known, declared, None)
    statistic = statistic_of(known.user_title, WEIGHTING, declared["damping"])
    return _trained(known, declared, train(statistic, solver(declared)))


def solver(declared: Mapping[str, Any]) -> Solver:
    """The solver that is declared, with its settings."""
    l2, dropout = declared["l2"], declared["dropout"]
    match declared["algorithm"]:
        case "ease":
            return Ease(l2)
        case "edlae":
            return Edlae(l2, dropout)
        case _:
            return SquaredSpectrum(l2, dropout, declared["popularity_exponent"])


def trial(
    known: Past, past: Past, contenders: Mapping[str, Trained], titles: pd.DataFrame
) -> Trial:
    """Judge contenders, and popularity, on the meetings after a cut.

    Args:
        known: all that is known, the future of the cut included.
        past: what was known at the cut.
        contenders: trained on the past, by name; `challenger` gives popularity its half-life.
        titles: the catalogue: title_id and genres.
    """
    later = known.user_title.where(F.unix_seconds("first_time") >= past.as_of_s)
    ground = arena(known, past, titles)
    fighters = {
        name: Contender(each.model.over(ground.titles), over(each.prior, each.model, ground.titles))
        for name, each in contenders.items()
    }
    of_views = contenders["challenger"].declaration
    nothing = Model(ground.titles[:0], np.zeros((0, 0), np.int32)).over(ground.titles)
    views = views_by_title(past, of_views["views_half_life_days"], ground.titles)
    fighters["popularity"] = Contender(nothing, log_prior(views, 1.0))
    users = _with_history(past, later, half_life_s(of_views))
    rows = evaluated(users, fighters, ground).persist()
    try:
        listed = rows.select("contender", F.explode("listed").alias("title_id")).distinct()
        counts = listed.groupBy("contender").count().collect()
        coverage = {row.contender: row["count"] / len(ground.titles) for row in counts}
        return Trial(rows.drop("listed").toPandas(), coverage, past.as_of_s)
    finally:
        rows.unpersist()


def arena(known: Past, past: Past, titles: pd.DataFrame) -> Arena:
    """What all contenders share: titles known now, viewers and genres."""
    met = known.user_title.select("title_id").distinct().toPandas()["title_id"]
    names = np.unique(np.concatenate([met.to_numpy(np.str_), titles["title_id"].to_numpy(np.str_)]))
    seen = past.user_title.groupBy("title_id").count().toPandas()
    viewers = np.zeros(len(names), np.int64)
    viewers[positions(names, seen["title_id"].to_numpy(np.str_))] = seen["count"]
    users = past.user_title.select("user_id").distinct().count()
    return Arena(names, viewers, users, genre_matrix(names, titles))


def genre_matrix(names: Titles, titles: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Titles x genres; a title that the catalogue does not know has none."""
    listed = zip(titles["title_id"], titles["genres"], strict=True)
    of: dict[str, set[str]] = {
        title: set(known if known is not None else ()) for title, known in listed
    }
    genres = sorted(set().union(*of.values()))
    return np.array([[g in of.get(name, ()) for g in genres] for name in names.tolist()], np.bool_)


def catalogue_of(lake: Lake) -> pd.DataFrame:
    """The catalogue as it is now; see `candidates.catalogue`."""
    return catalogue(lake.read("silver.catalog")).toPandas()


def views_by_title(known: Past, half_life_days: float, titles: Titles) -> Integers:
    """Faded views of each title, in units of 2^-20."""
    faded = faded_views(known.facts, as_of_s=known.as_of_s, half_life_s=half_life_days * DAY_S)
    rows = faded.groupBy("title_id").agg(F.sum("views").alias("views")).toPandas()
    return placed(rows, titles)


def placed(rows: pd.DataFrame, titles: Titles) -> Integers:
    """Views by title (title_id, views) in the order of `titles`; others are left out."""
    views = np.zeros(len(titles), np.int64)
    places = positions(titles, rows["title_id"].to_numpy(np.str_))
    np.add.at(views, places[places >= 0], rows["views"].to_numpy(np.int64)[places >= 0])
    return views


def over(prior: Integers, model: Recommender, titles: Titles) -> Integers:
    """A prior over other titles; zero for those that the model does not know."""
    places = positions(model.titles, titles)
    return np.where(places >= 0, prior[places], 0)


def _trained(known: Past, declared: Mapping[str, Any], model: Model | None) -> Trained:
    found: Recommender = model or fit(histories(known.user_title, WEIGHTING), declared)
    views = views_by_title(known, declared["views_half_life_days"], found.titles)
    told = {**declared, "weighting": asdict(WEIGHTING), "as_of_s": known.as_of_s}
    return Trained(found, log_prior(views, declared["prior_weight"]), told)


def _with_history(past: Past, later: DataFrame, half_life: float) -> DataFrame:
    """user_id, relevant, and the history at the cut, empty for a new user."""
    relevant = later.groupBy("user_id").agg(F.collect_list("title_id").alias("relevant"))
    met = weighted_histories(
        past.user_title, WEIGHTING, as_of_s=past.as_of_s, half_life_s=half_life
    )
    nothing = {"titles": "array<string>", "weights": "array<bigint>"}
    empty = {
        name: F.coalesce(name, F.array().cast(ddl)).alias(name) for name, ddl in nothing.items()
    }
    return relevant.join(met, "user_id", "left").select("user_id", "relevant", *empty.values())
