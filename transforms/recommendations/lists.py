"""The lists of each user, one a context, with the parts that each score is the sum of.

| context type | candidates | score |
|---|---|---|
| homepage | not met | history + views of everybody; of the region for a user without a history |
| homepage:tv, :mobile, :computer | not met | history + views on that class of devices |
| because_you_watched | not met | what the last title that was liked says, if it speaks for them |
| continue_watching | begun, never completed | as homepage + how recently it was watched |
| new_releases | not met, among the latest | as homepage |

Candidates are in the catalogue, not removed, and available in the user's region; a user of unknown
region is shown what is available everywhere. A list is in the order of scores, ties by title id;
homepage is re-ranked for diversity of genres as declared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from transforms.recommendations.audiences import ALL, regional_audience
from transforms.recommendations.columns import SCORED_COLUMNS, USER_COLUMNS, ddl_of
from transforms.recommendations.contexts import (
    BECAUSE_YOU_WATCHED,
    CONTINUE_WATCHING,
    DEVICE_CLASSES,
    HOMEPAGE,
    NEW_RELEASES,
)
from transforms.recommendations.evaluation import CHUNK, sparse_matrix
from transforms.recommendations.fixed_point import MODEL_ONE, PREFERENCE_ONE, Integers, Titles
from transforms.recommendations.gram import positions
from transforms.recommendations.model import Recommender
from transforms.recommendations.ranking import NEVER, diversify, jaccard, top_k
from transforms.recommendations.shelves import Shelf
from transforms.recommendations.weighting import recency

RESUME_HALF_LIFE_S = 7 * 86_400
LARGEST = 3
"""Contributions listed one by one; of the others, their sum."""
POOL = 2
"""Diversity chooses among so many times the length of the list."""


@dataclass(frozen=True, eq=False)
class Viewer:
    """One user as lists need them: positions and weights of the history, sorted by position."""

    user_id: str
    region: str | None
    met: Integers
    weights: Integers
    liked: NDArray[np.bool_]
    begun: NDArray[np.bool_]
    last_s: Integers
    sitting: Integers

    @property
    def has_weight(self) -> NDArray[np.bool_]:
        """Which titles of the history still weigh anything."""
        return self.weights > 0


@dataclass(frozen=True, eq=False)
class Ranking:
    """A list: positions best first, and for each the parts of its score."""

    context_type: str
    kind: str
    places: Integers
    parts: Integers
    """listed x titles of the history that weigh anything."""
    popularity: Integers
    resume: Integers


def score_lists(users: DataFrame, model: Recommender, shelf: Shelf) -> DataFrame:
    """Make all lists of these users.

    Args:
        users: rows of USER_COLUMNS; histories sorted by title.
        model: recommender over the titles of the shelf.
        shelf: titles that may be listed.

    Returns:
        SCORED_COLUMNS; because_units, others, popularity and resume sum to units exactly.
    """

    def of_task(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for start in range(0, len(batch), CHUNK):
                rows = rows_of(batch.iloc[start : start + CHUNK], model, shelf)
                yield pd.DataFrame(rows, columns=list(SCORED_COLUMNS))

    return users.select(*USER_COLUMNS).mapInPandas(of_task, ddl_of(SCORED_COLUMNS))


def rows_of(users: pd.DataFrame, model: Recommender, shelf: Shelf) -> list[tuple[Any, ...]]:
    """The lists of a few users, as rows of SCORED_COLUMNS."""
    histories, sittings = (
        sparse_matrix(shelf.titles, users["titles"], users[name]) for name in ("weights", "sitting")
    )
    evidence = model.scores(histories, sittings)
    viewers = [viewer_of(user, shelf.titles) for user in users.itertuples()]
    return [
        row
        for viewer, own in zip(viewers, evidence, strict=True)
        for ranking in rankings(viewer, own, model, shelf)
        for row in _rows(viewer, ranking, shelf)
    ]


def viewer_of(row: Any, titles: Titles) -> Viewer:
    """A row of USER_COLUMNS; titles that are not on the shelf are left out."""
    places = positions(titles, np.asarray(row.titles, np.str_))
    known = places >= 0
    return Viewer(
        user_id=str(row.user_id),
        region=None if pd.isna(row.region) else str(row.region),
        met=places[known],
        weights=np.asarray(row.weights, np.int64)[known],
        liked=np.asarray(row.liked, np.bool_)[known],
        begun=np.asarray(row.begun, np.bool_)[known],
        last_s=np.asarray(row.last_s, np.int64)[known],
        sitting=np.asarray(row.sitting, np.int64)[known],
    )


def rankings(
    viewer: Viewer, evidence: Integers, model: Recommender, shelf: Shelf
) -> Iterator[Ranking]:
    """The lists of one user; a context without candidates has none.

    Args:
        viewer: user to list for.
        evidence: score that the history alone gives each title.
        model: recommender that gave it.
        shelf: titles that may be listed.
    """
    available = shelf.available(viewer.region)
    fresh = available.copy()
    fresh[viewer.met] = False
    prior = shelf.priors[_audience_of(viewer, shelf)]
    nothing = np.zeros_like(prior)
    candidates = {HOMEPAGE: (fresh, prior)}
    for name in DEVICE_CLASSES:
        candidates[f"{HOMEPAGE}:{name}"] = (fresh, shelf.priors[name])
    candidates[NEW_RELEASES] = (fresh & shelf.new, prior)
    for context_type, (allowed, own) in candidates.items():
        spread = shelf.diversity if context_type == HOMEPAGE else 0.0
        places = _best(evidence + own, allowed, shelf, spread)
        parts = _parts(viewer, model, places)
        yield Ranking(context_type, "", places, parts, own[places], nothing[places])
    yield _continue_watching(viewer, evidence, model, shelf, prior, available)
    if np.any(viewer.liked & viewer.has_weight):
        yield _because_you_watched(viewer, model, shelf, fresh)


def _continue_watching(
    viewer: Viewer,
    evidence: Integers,
    model: Recommender,
    shelf: Shelf,
    prior: Integers,
    available: NDArray[np.bool_],
) -> Ranking:
    begun = viewer.met[viewer.begun]
    allowed = np.zeros_like(available)
    allowed[begun] = available[begun]
    resume = np.zeros_like(prior)
    left = recency(
        viewer.last_s[viewer.begun], as_of_s=shelf.as_of_s, half_life_s=RESUME_HALF_LIFE_S
    )
    resume[begun] = left * PREFERENCE_ONE * MODEL_ONE
    places = _best(evidence + prior + resume, allowed, shelf, 0.0)
    parts = _parts(viewer, model, places)
    return Ranking(CONTINUE_WATCHING, "resume", places, parts, prior[places], resume[places])


def _because_you_watched(
    viewer: Viewer, model: Recommender, shelf: Shelf, fresh: NDArray[np.bool_]
) -> Ranking:
    """What the last liked title speaks for; the other titles of the history say nothing here."""
    eligible = np.flatnonzero(viewer.liked & viewer.has_weight)
    last = eligible[np.lexsort((viewer.met[eligible], viewer.last_s[eligible]))[-1]]
    own = int(np.count_nonzero(viewer.has_weight[:last]))
    has_weight = viewer.has_weight
    evidence = model.evidence_of(viewer.met[has_weight], viewer.weights[has_weight], own)
    places = _best(evidence, fresh & (evidence > 0), shelf, 0.0)
    parts = np.zeros((len(places), np.count_nonzero(has_weight)), np.int64)
    parts[:, own] = evidence[places]
    nothing = np.zeros(len(places), np.int64)
    return Ranking(BECAUSE_YOU_WATCHED, "", places, parts, nothing, nothing)


def _audience_of(viewer: Viewer, shelf: Shelf) -> str:
    """The audience whose popularity is the prior: the region's for a cold start, else everybody."""
    own = regional_audience(viewer.region)
    return own if not len(viewer.met) and own in shelf.priors else ALL


def _best(scores: Integers, allowed: NDArray[np.bool_], shelf: Shelf, spread: float) -> Integers:
    permitted = np.where(allowed, scores, NEVER)
    if not spread:
        return top_k(permitted, shelf.length)
    pool = top_k(permitted, POOL * shelf.length)
    similarity = jaccard(shelf.genres[pool])
    relevance = permitted[pool].astype(np.float64)
    return pool[diversify(relevance, similarity, k=shelf.length, trade_off=spread)]


def _parts(viewer: Viewer, model: Recommender, places: Integers) -> Integers:
    has_weight = viewer.has_weight
    weights, sitting = viewer.weights[has_weight], viewer.sitting[has_weight]
    return model.parts(viewer.met[has_weight], weights, places, sitting)


def _rows(viewer: Viewer, ranking: Ranking, shelf: Shelf) -> Iterator[tuple[Any, ...]]:
    names = shelf.titles[viewer.met[viewer.has_weight]]
    popularity, resume = ranking.popularity, ranking.resume
    largest = np.argsort(-ranking.parts, axis=1, kind="stable")[:, :LARGEST]
    parts = np.take_along_axis(ranking.parts, largest, axis=1)
    shares = parts / np.maximum(_speaks_for(ranking), 1)[:, None]
    positive = np.where(parts > 0, parts, 0).sum(axis=1)
    sums = ranking.parts.sum(axis=1)
    lift = popularity - np.min(popularity, initial=np.iinfo(np.int64).max)
    columns = zip(
        shelf.titles[ranking.places].tolist(),
        (sums + popularity + resume).tolist(),
        names[largest].tolist(),
        parts.tolist(),
        shares.tolist(),
        (parts > 0).sum(axis=1).tolist(),
        (sums - positive).tolist(),
        popularity.tolist(),
        resume.tolist(),
        (sums >= lift).tolist(),
        strict=True,
    )
    for rank, column in enumerate(columns, start=1):
        title, units, first, part, share, count, others, views, recent, is_own = column
        yield (
            viewer.user_id,
            viewer.region,
            ranking.context_type,
            rank,
            title,
            units,
            ranking.kind or _kind(viewer, is_own=is_own and count > 0),
            first[:count],
            part[:count],
            share[:count],
            others,
            views,
            recent,
        )


def _speaks_for(ranking: Ranking) -> Integers:
    """The sum of what speaks for each title of a list; at least what its largest parts hold."""
    positive: Integers = np.where(ranking.parts > 0, ranking.parts, 0).sum(axis=1)
    return positive + np.maximum(ranking.popularity, 0) + ranking.resume


def _kind(viewer: Viewer, *, is_own: bool) -> str:
    """What sets a title apart in its list: the viewer's own history, or popularity."""
    if is_own:
        return "because"
    regional = viewer.region is not None and not len(viewer.met)
    return "regional" if regional else "popular"
