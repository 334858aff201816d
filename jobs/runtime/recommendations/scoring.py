"""Score: gold and a registered model to gold.recommendations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS, RECOMMENDATIONS
from jobs.runtime.recommendations.artifact import TrainedModel
from jobs.runtime.recommendations.model_registry import CHAMPION, open_model_registry
from jobs.runtime.recommendations.training import read_catalogue, read_past
from jobs.runtime.settings import RecommendSettings
from transforms.recommendations.catalogue import title_metadata
from transforms.recommendations.columns import METADATA_COLUMNS, USER_COLUMNS, ddl_of
from transforms.recommendations.contexts import EVERYBODY
from transforms.recommendations.declaration import (
    declared_reading,
    views_half_life_s,
)
from transforms.recommendations.lists import score_lists
from transforms.recommendations.reasons import explain_lists
from transforms.recommendations.shelves import stock
from transforms.recommendations.temporal_split import Past
from transforms.recommendations.viewers import popularity_viewers, viewers
from transforms.recommendations.views import faded_views

SOURCES = ("gold.user_title", PARTIALS, "silver.playback", "silver.catalog")


SHAPE = ("list_length", "new_titles", "diversity")


@dataclass(frozen=True)
class ScoreResult:
    """What a call of `score` did.

    Attributes:
        model_version: version of the model that scored.
        users: number of users with lists; those who stand for everybody are not counted.
        rows: number of rows of gold.recommendations.
        is_new: False if the table already held these very lists.
    """

    model_version: str
    users: int
    rows: int
    is_new: bool


def score(lake: Lake, settings: RecommendSettings, version: str | None = None) -> ScoreResult:
    """Make all lists, unless the table holds those of this model and these tables.

    Args:
        lake: lake whose gold is scored.
        settings: section `recommend`.
        version: registered version of the model; None: the champion.

    Raises:
        SettingsError: no such version, or no champion.
        DataError: gold is empty, the catalogue is, or the model's files are gone.
    """
    registry = open_model_registry(settings, lake.root)
    version = version or registry.version_of(CHAMPION)
    if version is None:
        raise SettingsError(
            f"{settings.model} has no champion",
            "python -m jobs.train, then python -m jobs.promote; or name a --model-version",
        )
    origin = _origin(lake, settings, version)
    lake.ensure([RECOMMENDATIONS])
    if _stored_origin(lake) == origin:
        return ScoreResult(version, *_counts(lake), is_new=False)
    trained = registry.load(version)
    past = read_past(lake)
    try:
        rows = make_lists(lake, past, trained, settings)
        stamped = rows.withColumn("built_from", _struct(origin))
        lake.replace(RECOMMENDATIONS, stamped, Transaction("score", lake.version(RECOMMENDATIONS)))
    finally:
        past.user_title.unpersist()
    return ScoreResult(version, *_counts(lake), is_new=True)


def make_lists(
    lake: Lake, past: Past, trained: TrainedModel, settings: RecommendSettings
) -> DataFrame:
    """Make the lists of all users, of everybody and of every region.

    Args:
        lake: lake that holds the catalogue.
        past: what is known now.
        trained: model to score by.
        settings: section `recommend`.

    Returns:
        LIST_COLUMNS.

    Raises:
        DataError: the catalogue is empty.
    """
    catalogue = read_catalogue(lake)
    if catalogue.empty:
        raise DataError(
            "silver.catalog is empty: no title may be listed",
            "publish the catalogue (ContentMetadataUpdated) and run python -m jobs.refine",
        )
    declared = trained.declaration
    half_life_s = views_half_life_s(declared)
    views = faded_views(past.facts, as_of_s=past.as_of_s, half_life_s=half_life_s)
    shelf = stock(
        catalogue,
        views.toPandas(),
        trained.model.titles,
        prior_weight=declared["prior_weight"],
        as_of_s=past.as_of_s,
        new_titles=settings.new_titles,
        length=settings.list_length,
        diversity=settings.diversity,
    )
    frame = lake.spark.createDataFrame
    everybody = frame(popularity_viewers(shelf.regions), ddl_of(USER_COLUMNS))
    people = viewers(past, declared_reading(declared))
    users = people.unionByName(everybody)
    scored = score_lists(users, trained.model.reindex(shelf.titles), shelf)
    return explain_lists(scored, frame(title_metadata(catalogue), ddl_of(METADATA_COLUMNS)))


def _origin(lake: Lake, settings: RecommendSettings, version: str) -> dict[str, Any]:
    """What decides about the lists: model, versions of tables and the shape of lists."""
    return {
        "model": settings.model,
        "model_version": version,
        "tables": json.dumps({t: lake.version(t) for t in SOURCES if lake.has(t)}),
        "shape": json.dumps({name: getattr(settings, name) for name in SHAPE}),
    }


def _stored_origin(lake: Lake) -> dict[str, Any] | None:
    row = lake.read(RECOMMENDATIONS).select("built_from").first()
    return None if row is None else dict(row.built_from.asDict())


def _struct(origin: Mapping[str, Any]) -> Column:
    return F.struct(*(F.lit(value).alias(name) for name, value in origin.items()))


def _counts(lake: Lake) -> tuple[int, int]:
    rows = lake.read(RECOMMENDATIONS)
    people = rows.where(~F.col("user_id").startswith(EVERYBODY))
    return people.select("user_id").distinct().count(), rows.count()
