"""Score: gold and a registered model to gold.recommendations."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS, RECOMMENDATIONS
from jobs.runtime.recommendations.artifact import Trained
from jobs.runtime.recommendations.model_registry import CHAMPION, Registry
from jobs.runtime.recommendations.training import (
    WEIGHTING,
    Past,
    catalogue_of,
    genre_matrix,
    half_life_s,
    now,
    placed,
)
from jobs.runtime.settings import RecommendSettings
from transforms.gold.tables import PLAYBACK
from transforms.recommendations.candidates import DAY_S, faded_views
from transforms.recommendations.columns import LIST_COLUMNS
from transforms.recommendations.contexts import DEVICE_CLASSES, EVERYBODY
from transforms.recommendations.fixed_point import PREFERENCE_ONE, SCORE_ONE, Integers, Titles
from transforms.recommendations.histories import preference_of, recency_of
from transforms.recommendations.lists import USER_COLUMNS, Shelf, listed
from transforms.recommendations.popularity import log_prior

log = logging.getLogger(__name__)


SOURCES = ("gold.user_title", PARTIALS, "silver.playback", "silver.catalog")


SHAPE = ("list_length", "new_titles", "diversity")


UNKNOWN = "unknown"


@dataclass(frozen=True)
class Scored:
    """What a scoring came to.

    Attributes:
        model_version: that scored.
        users: with lists, the popularity lists not counted.
        rows: of gold.recommendations.
        is_new: False if the table already held these very lists.
    """

    model_version: str
    users: int
    rows: int
    is_new: bool


def score(lake: Lake, settings: RecommendSettings, version: str | None = None) -> Scored:
    """Make all lists, unless the table holds those of this model and these tables.

    Raises:
        SettingsError: no such version, or no champion.
        DataError: gold is empty, the catalogue is, or the model's files are gone.
    """
    registry = Registry(settings.model, settings.mlflow_uri, lake.root)
    version = version or registry.version_of(CHAMPION)
    if version is None:
        raise SettingsError(
            f"{settings.model} has no champion",
            "python -m jobs.train, then python -m jobs.promote; or name a --model-version",
        )
    origin = _origin(lake, settings, version)
    lake.ensure([RECOMMENDATIONS])
    if _held(lake) == origin:
        return Scored(version, *_counts(lake), is_new=False)
    trained = registry.load(version)
    known = now(lake)
    try:
        rows = lists(lake, known, trained, settings)
        stamped = rows.withColumn("built_from", _struct(origin))
        lake.replace(RECOMMENDATIONS, stamped, Transaction("score", lake.version(RECOMMENDATIONS)))
    finally:
        known.user_title.unpersist()
    return Scored(version, *_counts(lake), is_new=True)


def lists(lake: Lake, known: Past, trained: Trained, settings: RecommendSettings) -> DataFrame:
    """LIST_COLUMNS of all users, everybody and every region."""
    titles = catalogue_of(lake)
    if titles.empty:
        raise DataError(
            "silver.catalog is empty: no title may be listed",
            "publish the catalogue (ContentMetadataUpdated) and run python -m jobs.refine",
        )
    ground = shelf(known, trained, titles, settings)
    users = viewers(known, half_life_s(trained.declaration))
    everybody = popular_users(lake, ground.regions)
    scored = listed(users.unionByName(everybody), trained.model.over(ground.titles), ground)
    return told(scored, lake.spark.createDataFrame(_described(titles), _DESCRIBED))


def shelf(
    known: Past, trained: Trained, titles: pd.DataFrame, settings: RecommendSettings
) -> Shelf:
    """What may be listed now, and how popular it is."""
    names = np.union1d(trained.model.titles, titles["title_id"].to_numpy(np.str_))
    everywhere = _mask(names, titles[titles["regions"].isna()])
    some = titles[titles["regions"].notna()]
    views = _views(known, trained.declaration["views_half_life_days"])
    regions = {*views["region"], *(region for each in some["regions"] for region in each)}
    weight = trained.declaration["prior_weight"]
    return Shelf(
        titles=names,
        everywhere=everywhere,
        regions={
            region: everywhere | _mask(names, _offered_in(some, region))
            for region in sorted(regions - {UNKNOWN})
        },
        genres=genre_matrix(names, titles),
        new=_mask(names, _latest(titles, settings.new_titles)),
        priors={name: log_prior(each, weight) for name, each in _by_audience(views, names).items()},
        as_of_s=known.as_of_s,
        length=settings.list_length,
        diversity=settings.diversity,
    )


def viewers(known: Past, half_life: float) -> DataFrame:
    """USER_COLUMNS of all users of gold."""
    rows = known.user_title.select(
        "user_id",
        "title_id",
        preference_of(WEIGHTING).alias("preference"),
        recency_of(known.as_of_s, half_life).alias("recency"),
        F.unix_seconds("last_time").alias("last_s"),
        ((F.col("plays") > 0) & (F.col("completions") == 0)).alias("begun"),
    )
    met = F.sort_array(
        F.collect_list(
            F.struct(
                "title_id",
                (F.col("preference") * F.col("recency")).alias("weight"),
                (F.col("preference") >= PREFERENCE_ONE).alias("liked"),
                "begun",
                "last_s",
            )
        )
    )
    named = {"titles": "title_id", "weights": "weight", "liked": "liked", "begun": "begun"}
    columns = {"user_id": "user_id", "region": "region", **named, "last_s": "last_s"}
    region = F.max(F.struct("event_time", "event_id", "region")).alias("last")
    regions = (
        known.facts.where(f"{PLAYBACK} AND region != '{UNKNOWN}'")
        .groupBy("user_id")
        .agg(region)
        .select("user_id", F.col("last.region").alias("region"))
    )
    return (
        rows.groupBy("user_id")
        .agg(met.alias("met"))
        .join(regions, "user_id", "left")
        .select(
            *(
                F.col(name if name in ("user_id", "region") else f"met.{column}").alias(name)
                for name, column in columns.items()
            )
        )
    )


def popular_users(lake: Lake, regions: Mapping[str, Any]) -> DataFrame:
    """Everybody, and everybody of each region: users without a history."""
    schema = ", ".join(f"{name} {ddl}" for name, ddl in USER_COLUMNS.items())
    rows: list[tuple[Any, ...]] = [(EVERYBODY, None, [], [], [], [], [])]
    rows += [(f"{EVERYBODY}/{region}", region, [], [], [], [], []) for region in regions]
    return lake.spark.createDataFrame(rows, schema)


def told(scored: DataFrame, described: DataFrame) -> DataFrame:
    """Scored rows as LIST_COLUMNS: with a reason in words and the title's metadata."""
    names = F.broadcast(described)
    because = names.select(F.col("title_id").alias("first"), F.col("name").alias("first_name"))
    parts = F.expr(
        "transform(because, (title, i) -> named_struct('title_id', title, 'units', "
        "because_units[i], 'share', because_shares[i]))"
    )
    rows = (
        scored.withColumn("first", F.expr("get(because, 0)"))
        .join(F.broadcast(because), "first", "left")
        .join(names, "title_id")
    )
    return rows.select(
        "user_id",
        "context_type",
        "rank",
        "title_id",
        (F.col("units") / F.lit(float(SCORE_ONE))).alias("score"),
        "units",
        _reason().alias("reason"),
        F.struct(parts.alias("because"), "others", "popularity", "resume").alias("contributions"),
        F.struct("name", "genres", "content_type").alias("metadata"),
    ).select(*(F.col(name).cast(ddl).alias(name) for name, ddl in LIST_COLUMNS.items()))


def _reason() -> Column:
    return (
        F.when(F.col("kind") == "resume", F.lit("continue watching"))
        .when(
            F.col("kind") == "because",
            F.concat(F.lit("because you watched "), F.coalesce("first_name", "first")),
        )
        .when(F.col("kind") == "regional", F.lit("popular in your region"))
        .otherwise(F.lit("popular now"))
    )


_DESCRIBED = "title_id STRING, name STRING, genres ARRAY<STRING>, content_type STRING"


def _described(titles: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = (titles[name] for name in ("title_id", "name", "genres", "content_type"))
    return [
        (title, name, list(genres), kind)
        for title, name, genres, kind in zip(*columns, strict=True)
    ]


def _views(known: Past, half_life_days: float) -> pd.DataFrame:
    """Faded views by title, region and device type."""
    half_life = half_life_days * DAY_S
    return faded_views(known.facts, as_of_s=known.as_of_s, half_life_s=half_life).toPandas()


def _by_audience(views: pd.DataFrame, names: Titles) -> dict[str, Integers]:
    """Views of everybody, on each class of devices, and in each region."""
    audiences = {"": placed(views, names)}
    for name, device_types in DEVICE_CLASSES.items():
        audiences[name] = placed(views[views["device_type"].isin(device_types)], names)
    for region, rows in views.groupby("region"):
        audiences[f"region/{region}"] = placed(rows, names)
    return audiences


def _latest(titles: pd.DataFrame, count: int) -> pd.DataFrame:
    dated = titles[titles["release_date"].notna()]
    return dated.sort_values(["release_date", "title_id"], ascending=[False, True]).head(count)


def _offered_in(titles: pd.DataFrame, region: str) -> pd.DataFrame:
    wanted = np.fromiter((region in list(each) for each in titles["regions"]), np.bool_)
    return titles.loc[wanted]


def _mask(names: Titles, titles: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.isin(names, titles["title_id"].to_numpy(np.str_))


def _origin(lake: Lake, settings: RecommendSettings, version: str) -> dict[str, Any]:
    """What decides about the lists: model, tables and the shape of lists."""
    return {
        "model": settings.model,
        "model_version": version,
        "tables": json.dumps({t: lake.version(t) for t in SOURCES if lake.has(t)}),
        "shape": json.dumps({name: getattr(settings, name) for name in SHAPE}),
    }


def _held(lake: Lake) -> dict[str, Any] | None:
    row = lake.read(RECOMMENDATIONS).select("built_from").first()
    return None if row is None else dict(row.built_from.asDict())


def _struct(origin: Mapping[str, Any]) -> Column:
    return F.struct(*(F.lit(value).alias(name) for name, value in origin.items()))


def _counts(lake: Lake) -> tuple[int, int]:
    rows = lake.read(RECOMMENDATIONS)
    people = rows.where(~F.col("user_id").startswith(EVERYBODY))
    return people.select("user_id").distinct().count(), rows.count()
