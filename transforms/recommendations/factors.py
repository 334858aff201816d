"""A model of factors, for catalogues too large for a dense matrix of titles x titles.

Spark's implicit ALS finds the vectors y_i of the titles. A user is whoever their history says, so
that a user who was not there at training, or met a title since, is scored like any other:

    x_u = W_u sum over j in the history of  c_uj y_j,
    W_u = (Y'Y + sum_j (c_uj - 1) y_j y_j' + l2 n_u I)^-1
    score_ui = y_i x_u = sum over j of  (y_i' W_u y_j) c_uj

with n_u the number of known titles in the history, as Spark scales its ridge. The last sum is the
explanation: each term is rounded to an integer once, and they sum to the score.

Reference: Y. Hu, Y. Koren and C. Volinsky, "Collaborative filtering for implicit feedback
datasets", ICDM 2008, section 5 for the explanation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from transforms.recommendations.fixed_point import (
    PREFERENCE_ONE,
    RECENCY_ONE,
    SCORE_ONE,
    Floats,
    Integers,
    Titles,
    to_fixed_point,
)
from transforms.recommendations.gram import positions
from transforms.recommendations.model import Explanation, Profile


@dataclass(frozen=True, eq=False)
class FactorModel:
    """Vectors of titles, and how a history is read.

    Args:
        titles: sorted, distinct.
        factors: titles x factors, float64; zeros for a title that nobody met.
        confidence: c of a title in a history is 1 + confidence x its weight.
        l2: the ridge that the vectors were found with.
    """

    titles: Titles
    factors: Floats
    confidence: float
    l2: float

    def reindex(self, titles: Titles) -> FactorModel:
        """See `Recommender`."""
        known = positions(self.titles, titles)
        factors = np.where(known[:, None] >= 0, self.factors[known], 0.0)
        return FactorModel(titles, factors, self.confidence, self.l2)

    @cached_property
    def _squares(self) -> Floats:
        return np.asarray(self.factors.T @ self.factors)

    def _parts(self, met: Integers, weights: Integers) -> Integers:
        """Titles x history: the part of each title of a history in the score of every title."""
        vectors = self.factors[met]
        confidence = 1 + self.confidence * weights / (PREFERENCE_ONE * RECENCY_ONE)
        system = self._squares + (vectors.T * (confidence - 1)) @ vectors
        known = int(np.count_nonzero(vectors.any(axis=1)))
        system += self.l2 * max(known, 1) * np.eye(len(system))
        parts = self.factors @ np.linalg.solve(system, vectors.T) * confidence
        parts[met, np.arange(len(met))] = 0.0
        return to_fixed_point(parts, SCORE_ONE)

    def scores(self, histories: csr_array, sittings: csr_array | None = None) -> Integers:
        """See `Recommender`; a sitting says nothing."""
        scores = np.zeros(histories.shape, np.int64)
        for user in range(len(scores)):
            inside = slice(histories.indptr[user], histories.indptr[user + 1])
            met, weights = histories.indices[inside], histories.data[inside]
            above = weights > 0
            scores[user] = self._parts(met[above], weights[above]).sum(axis=1)
        return scores

    def parts(
        self, met: Integers, weights: Integers, wanted: Integers, sitting: Integers | None = None
    ) -> Integers:
        """See `Recommender`."""
        return self._parts(met, weights)[wanted]

    def evidence_of(self, met: Integers, weights: Integers, which: int) -> Integers:
        """See `Recommender`."""
        return self._parts(met, weights)[:, which]

    def profile(self, history: Mapping[str, int]) -> Profile:
        """See `Recommender`."""
        met, weights = self._positions(history)
        return Profile(dict(history), self._parts(met, weights).sum(axis=1))

    def fold_in(self, profile: Profile, title: str, weight: int) -> Profile:
        """See `Recommender`; the user's vector is found anew, exactly as from the whole history."""
        return self.profile({**profile.history, title: weight})

    def explain(self, profile: Profile, title: str, prior: Integers) -> Explanation:
        """See `Recommender`.

        Raises:
            KeyError: the model does not know `title`, so it has no score.
        """
        position = int(positions(self.titles, np.asarray([title]))[0])
        if position < 0:
            raise KeyError(f"the model knows no title {title!r}")
        met, weights = self._positions(profile.history)
        parts = self._parts(met, weights)[position]
        because = dict(zip(self.titles[met].tolist(), parts.tolist(), strict=True))
        return Explanation(because, int(prior[position]))

    def _positions(self, history: Mapping[str, int]) -> tuple[Integers, Integers]:
        """The titles of a history that the model knows, in their order, and their weights."""
        names = sorted(title for title, weight in history.items() if weight > 0)
        places = positions(self.titles, np.asarray(names, np.str_))
        weights = np.asarray([history[name] for name in names], np.int64)
        return places[places >= 0], weights[places >= 0]
