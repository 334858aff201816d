"""How good the lists of several contenders are, user by user, on what came after a cut in time.

Contenders meet the same users, the same past and the same titles, so their values pair up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from transforms.recommendations import metrics
from transforms.recommendations.catalogue import genre_matrix
from transforms.recommendations.columns import ddl_of
from transforms.recommendations.fixed_point import Integers, Titles
from transforms.recommendations.gram import positions
from transforms.recommendations.model import Model, Recommender
from transforms.recommendations.popularity import log_prior, reindex_prior
from transforms.recommendations.ranking import NEVER, jaccard, top_lists

K = 10
CHUNK = 256
"""Users scored at once: bounds the scratch memory to CHUNK x titles."""

USER_SEGMENTS = {"new": 0, "light": 1, "regular": 20, "heavy": 100}
"""Segments of users by the least number of titles met before the cut."""

HEAD_SHARE = 0.2
"""The most viewed fifth of the titles that anybody met before the cut is the head."""

TITLE_BANDS = ("new", "tail", "head")

ACCURACY = ("ndcg", "map", "precision", "recall", "hit")

EVALUATION_COLUMNS = {
    "user_id": "STRING",
    "contender": "STRING",
    "segment": "STRING",
    **dict.fromkeys((*ACCURACY, "novelty", "diversity"), "DOUBLE"),
    **{f"{count}_{band}": "BIGINT" for band in TITLE_BANDS for count in ("hits", "relevant")},
    "listed": "ARRAY<STRING>",
}


@dataclass(frozen=True, eq=False)
class Contender:
    """What makes lists.

    Attributes:
        model: recommender over the titles of the arena.
        prior: prior of each title.
    """

    model: Recommender
    prior: Integers


@dataclass(frozen=True, eq=False)
class Arena:
    """What contenders share.

    Attributes:
        titles: titles that may be listed, sorted, distinct.
        viewers: number of users who met each title before the cut.
        users: number of users before the cut.
        genres: titles x genres, for the diversity of lists.
    """

    titles: Titles
    viewers: Integers
    users: int
    genres: NDArray[np.bool_]

    @property
    def bands(self) -> NDArray[np.str_]:
        """The band of each title: new, tail or head."""
        met = int(np.count_nonzero(self.viewers))
        head = np.argsort(-self.viewers, kind="stable")[: int(HEAD_SHARE * met)]
        bands = np.where(self.viewers > 0, "tail", "new").astype(np.str_)
        bands[head] = "head"
        return bands


def arena_at_cut(
    titles: Titles, viewers: pd.DataFrame, users: int, catalogue: pd.DataFrame
) -> Arena:
    """What contenders share at a cut.

    Args:
        titles: titles that anybody has met by now, in any order.
        viewers: title_id, and count, the number of users who met it before the cut.
        users: number of users who met anything before the cut.
        catalogue: title_id and genres of the titles that may be listed too.
    """
    names = np.unique(np.concatenate([titles, catalogue["title_id"].to_numpy(np.str_)]))
    counts = np.zeros(len(names), np.int64)
    counts[positions(names, viewers["title_id"].to_numpy(np.str_))] = viewers["count"]
    return Arena(names, counts, users, genre_matrix(names, catalogue))


def contender_in(arena: Arena, model: Recommender, prior: Integers) -> Contender:
    """A model in an arena: silent on the titles that it does not know."""
    reindexed = reindex_prior(prior, model.titles, arena.titles)
    return Contender(model.reindex(arena.titles), reindexed)


def popularity_in(arena: Arena, views: Integers) -> Contender:
    """The baseline: a model that says nothing, and the logarithm of views.

    Args:
        arena: titles to list.
        views: faded views of each title of the arena, in units of 2^-20.
    """
    silent = Model(arena.titles[:0], np.zeros((0, 0), np.int32))
    return Contender(silent.reindex(arena.titles), log_prior(views, 1.0))


def evaluate_contenders(
    users: DataFrame, contenders: Mapping[str, Contender], arena: Arena
) -> DataFrame:
    """Make a list for each user by each contender, and measure it.

    Args:
        users: user_id; titles, weights and sitting, the history at the cut as these contenders
            read it, all empty for a new user; relevant, the titles met after the cut, at least
            one.
        contenders: rivals by name.
        arena: what they share; titles outside it are passed over.

    Returns:
        EVALUATION_COLUMNS: accuracy at 10, novelty in bits, diversity by genre, and the hits and
        relevant titles in each band; null where a list has no such value.
    """

    def of_task(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for start in range(0, len(batch), CHUNK):
                chunk = batch.iloc[start : start + CHUNK]
                for name, contender in contenders.items():
                    yield _evaluate(chunk, name, contender, arena)

    columns = ddl_of(EVALUATION_COLUMNS)
    read = users.select("user_id", "titles", "weights", "sitting", "relevant")
    return read.mapInPandas(of_task, columns)


def listed_titles(evaluation: DataFrame) -> DataFrame:
    """How many titles are in somebody's list: contender, count."""
    each = evaluation.select("contender", F.explode("listed").alias("title_id")).distinct()
    return each.groupBy("contender").count()


def sparse_matrix(titles: Titles, met: pd.Series[Any], values: pd.Series[Any]) -> csr_array:
    """Lists of titles and their values as users x titles; titles outside `titles` are left out.

    Args:
        titles: title of each column, sorted, distinct.
        met: list of titles of each user.
        values: list of integers of each user, one a title.
    """
    lengths = met.map(len).to_numpy(np.int64)
    if not lengths.sum():
        return csr_array((len(met), len(titles)), dtype=np.int64)
    columns = positions(titles, np.concatenate(met.to_list()).astype(np.str_))
    data = np.concatenate(values.to_list()).astype(np.int64)
    rows = np.repeat(np.arange(len(met)), lengths)
    known = columns >= 0
    shape = (len(met), len(titles))
    return csr_array((data[known], (rows[known], columns[known])), shape, dtype=np.int64)


def _evaluate(users: pd.DataFrame, name: str, contender: Contender, arena: Arena) -> pd.DataFrame:
    history = sparse_matrix(arena.titles, users["titles"], users["weights"])
    met_later = sparse_matrix(arena.titles, users["relevant"], users["relevant"].map(_ones))
    sittings = sparse_matrix(arena.titles, users["titles"], users["sitting"])
    scores = contender.model.scores(history, sittings) + contender.prior
    met_before = sparse_matrix(arena.titles, users["titles"], users["titles"].map(_ones))
    scores[met_before.nonzero()] = NEVER
    lists = top_lists(scores, K)
    hits = metrics.hits(lists, met_later)
    relevant = np.diff(met_later.indptr)
    lengths = users["titles"].map(len).to_numpy(np.int64)
    return pd.DataFrame(
        {
            "user_id": users["user_id"],
            "contender": name,
            "segment": _segments(lengths),
            "ndcg": metrics.ndcg(hits, relevant),
            "map": metrics.average_precision(hits, relevant),
            "precision": metrics.precision(hits),
            "recall": metrics.recall(hits, relevant),
            "hit": metrics.hit(hits),
            "novelty": [metrics.novelty(row, arena.viewers, arena.users) for row in lists],
            "diversity": [_diversity(row, arena.genres) for row in lists],
            **_by_band(arena.bands, lists, hits, met_later),
            "listed": [arena.titles[row[row >= 0]].tolist() for row in lists],
        }
    )


def _ones(titles: list[str]) -> list[int]:
    return [1] * len(titles)


def _segments(lengths: Integers) -> NDArray[np.str_]:
    names, bounds = list(USER_SEGMENTS), list(USER_SEGMENTS.values())
    return np.asarray(names)[np.searchsorted(bounds, lengths, side="right") - 1]


def _diversity(listed: Integers, genres: NDArray[np.bool_]) -> float | None:
    places = listed[listed >= 0]
    if len(places) < 2:
        return None
    return metrics.diversity(np.arange(len(places))[None], jaccard(genres[places]))


def _by_band(
    bands: NDArray[np.str_], lists: Integers, hits: metrics.Hits, relevant: csr_array
) -> dict[str, Integers]:
    counts: dict[str, Integers] = {}
    for band in TITLE_BANDS:
        inside = bands == band
        counts[f"hits_{band}"] = (hits & inside[lists]).sum(axis=1)
        counts[f"relevant_{band}"] = relevant @ inside.astype(np.int64)
    return counts
