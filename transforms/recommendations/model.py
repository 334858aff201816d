"""Scores, fold-in and explanations: integer sums over a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from transforms.recommendations.fixed_point import (
    MODEL_ONE,
    RECENCY_ONE,
    Floats,
    Integers,
    Titles,
)
from transforms.recommendations.gram import Gram, positions
from transforms.recommendations.neighbours import (
    SITTING,
    Neighbours,
    next_weights,
    sitting_weights,
)
from transforms.recommendations.solvers import Solver, UnsolvableError

EXACT_IN_FLOAT64 = 1 << 53

MAXIMUM = 128
"""A weight that an int32 in units of 2^-24 cannot hold."""


Sitting = tuple[tuple[str, int], ...]
"""The titles met last, the last one at the end, each with its recency, in 256ths."""


class Recommender(Protocol):
    """What a trained model offers, whatever it is made of; integers throughout."""

    @property
    def titles(self) -> Titles:
        """The titles that it has scores for, sorted, distinct."""

    def reindex(self, titles: Titles) -> Recommender:
        """Reindex the model to other titles; it is silent on those that it does not know."""

    def scores(self, histories: csr_array, sittings: csr_array | None = None) -> Integers:
        """Score every title by each history and sitting, in units of 1/SCORE_ONE.

        Args:
            histories: weights of users x titles.
            sittings: weights of users x titles as part of the sitting; None: nobody has one.
        """

    def parts(
        self, met: Integers, weights: Integers, wanted: Integers, sitting: Integers | None = None
    ) -> Integers:
        """The part of each title met in the score of each wanted one.

        Args:
            met: positions of the titles of a history, sorted.
            weights: weights of these titles, above 0.
            wanted: positions of the titles scored.
            sitting: weights of these titles as part of the sitting; None: it has none.

        Returns:
            wanted x met, in units of 1/SCORE_ONE; rows sum to the scores.
        """

    def evidence_of(self, met: Integers, weights: Integers, which: int) -> Integers:
        """The part of the title met at index `which` in the score of every title."""

    def profile(self, history: Mapping[str, int]) -> Profile:
        """A user's profile from title to weight."""

    def fold_in(self, profile: Profile, title: str, weight: int) -> Profile:
        """The profile after `title` got this weight, equal to that of the whole history."""

    def explain(self, profile: Profile, title: str, prior: Integers) -> Explanation:
        """The parts that the score of `title` is the sum of."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained item-item model.

    Args:
        titles: sorted, distinct; a title's position in it is its index everywhere below.
        weights: titles x titles, int32, in units of 2^-24; row j is what title j in a history
            says for every title. The diagonal is zero. Rows are contiguous (C order): scoring
            reads whole rows.
        following: titles x titles, sparse, int32, in the same units; row j is what title j, being
            of the sitting, says for every title (`neighbours.next_weights`). None: nothing.
    """

    titles: Titles
    weights: NDArray[np.int32]
    following: csr_array | None = None

    def reindex(self, titles: Titles) -> Model:
        """Reindex the model to other titles; it is silent on those that it does not know."""
        if np.array_equal(titles, self.titles):
            return self
        known = positions(self.titles, titles)
        met = known >= 0
        weights = np.zeros((len(titles), len(titles)), np.int32)
        weights[np.ix_(met, met)] = self.weights[np.ix_(known[met], known[met])]
        following = None if self.following is None else _reindexed(self.following, known)
        return Model(titles, weights, following)

    @cached_property
    def _whole_numbers(self) -> Floats:
        """The weights in float64, which holds them exactly and multiplies fast."""
        return self.weights.astype(np.float64)

    @cached_property
    def _largest(self) -> int:
        return max(int(self.weights.max(initial=0)), -int(self.weights.min(initial=0)))

    def scores(self, histories: csr_array, sittings: csr_array | None = None) -> Integers:
        """Score every title by each history.

        Args:
            histories: weights, preference x recency, as users x titles, int64; columns as in
                `titles`.
            sittings: weights of the sitting, in the same units and shape.

        Returns:
            users x titles, dense, in units of 1/SCORE_ONE. Add the prior to rank.

        Raises:
            ValueError: a sum might not fit in 53 bits (at the default scales that takes a history
                of a million titles).
        """
        longest = int(abs(histories).sum(axis=1).max()) if histories.nnz else 0
        if longest * self._largest >= EXACT_IN_FLOAT64:
            raise ValueError("a history is too heavy to be scored exactly: shorten it")
        sums: Floats = histories.astype(np.float64) @ self._whole_numbers
        scores = sums.astype(np.int64)
        if self.following is not None and sittings is not None:
            scores += (sittings @ self._following).toarray()
        return scores

    @cached_property
    def _following(self) -> csr_array:
        if self.following is None:
            return csr_array(self.weights.shape, dtype=np.int64)
        return self.following.astype(np.int64).sorted_indices()

    def parts(
        self, met: Integers, weights: Integers, wanted: Integers, sitting: Integers | None = None
    ) -> Integers:
        """See `Recommender`."""
        parts: Integers = self.weights[np.ix_(met, wanted)].T.astype(np.int64) * weights
        if self.following is not None and sitting is not None:
            for each in np.flatnonzero(sitting):
                parts[:, each] += sitting[each] * self._following_at(met[each], wanted)
        return parts

    def _following_at(self, row: int, wanted: Integers) -> Integers:
        """One row of `following` at these columns."""
        inside = slice(*self._following.indptr[row : row + 2])
        columns, data = self._following.indices[inside], self._following.data[inside]
        if not len(columns):
            return np.zeros(len(wanted), np.int64)
        places = np.minimum(np.searchsorted(columns, wanted), len(columns) - 1)
        return np.where(columns[places] == wanted, data[places], 0)

    def evidence_of(self, met: Integers, weights: Integers, which: int) -> Integers:
        """See `Recommender`."""
        part: Integers = np.multiply(self.weights[met[which]], weights[which], dtype=np.int64)
        return part

    def profile(self, history: Mapping[str, int]) -> Profile:
        """A user's profile from title to weight; the model is silent on titles it does not know."""
        profile = Profile({}, np.zeros(len(self.titles), np.int64))
        for title, weight in history.items():
            profile = self.fold_in(profile, title, weight)
        return profile

    def fold_in(self, profile: Profile, title: str, weight: int) -> Profile:
        """The profile after `title`, met just now, got this weight: a first event or a new one.

        It equals the profile of the whole history to the bit: only the change of one weight, and
        of the sitting, is added. `weight` 0 takes the title out.
        """
        sitting = tuple(each for each in profile.sitting if each[0] != title)
        if weight:
            sitting = (*sitting, (title, RECENCY_ONE))[-SITTING:]
        history = {**profile.history, title: weight}
        evidence = profile.evidence + self._change(profile, title, weight)
        if self.following is not None:
            evidence += self._said_by(sitting) - self._said_by(profile.sitting)
        return Profile(history, evidence, sitting)

    def sit_down(self, profile: Profile, met: Sequence[tuple[str, int]]) -> Profile:
        """The profile with the sitting that the last titles met make; it must have none yet.

        Args:
            profile: profile of the history alone.
            met: titles in the order in which they were met, each with its recency, in 256ths.
        """
        sitting = tuple(met[-SITTING:])
        evidence = profile.evidence + self._said_by(sitting)
        return Profile(profile.history, evidence, sitting)

    def _change(self, profile: Profile, title: str, weight: int) -> Integers:
        """What the change of one title's weight says for every title."""
        position = int(positions(self.titles, np.asarray([title]))[0])
        if position < 0:
            return np.zeros(len(self.titles), np.int64)
        change = weight - profile.history.get(title, 0)
        part: Integers = np.multiply(self.weights[position], change, dtype=np.int64)
        return part

    def _said_by(self, sitting: Sitting) -> Integers:
        """What a sitting says for every title."""
        said = np.zeros(len(self.titles), np.int64)
        for position, weight in self._positions_of(sitting):
            inside = slice(*self._following.indptr[position : position + 2])
            said[self._following.indices[inside]] += weight * self._following.data[inside]
        return said

    def _positions_of(self, sitting: Sitting) -> list[tuple[int, int]]:
        """The titles of a sitting that the model knows, with their weights."""
        places = positions(self.titles, np.asarray([title for title, _ in sitting], np.str_))
        left = np.asarray([recency for _, recency in sitting], np.int64)
        weights = sitting_weights(np.arange(len(sitting))[::-1], left)
        return [(int(p), int(w)) for p, w in zip(places, weights, strict=True) if p >= 0]

    def explain(self, profile: Profile, title: str, prior: Integers) -> Explanation:
        """What each title of the history, and the prior, contribute to the score of `title`.

        Raises:
            KeyError: the model does not know `title`, so it has no score.
        """
        [position, *known] = positions(self.titles, np.asarray([title, *profile.history]))
        if position < 0:
            raise KeyError(f"the model knows no title {title!r}")
        because = {
            met: weight * int(self.weights[row, position])
            for (met, weight), row in zip(profile.history.items(), known, strict=True)
            if row >= 0
        }
        for row, weight in self._positions_of(profile.sitting):
            because[str(self.titles[row])] += weight * int(self._following[row, position])
        return Explanation(because, prior=int(prior[position]))


@dataclass(frozen=True, eq=False)
class Profile:
    """One user as the model sees them.

    Args:
        history: weight of each title met.
        evidence: what the history and the sitting say for every title, in units of 1/SCORE_ONE.
        sitting: titles met last, the last one at the end, each with its recency, in 256ths.
    """

    history: Mapping[str, int]
    evidence: Integers
    sitting: Sitting = ()


@dataclass(frozen=True)
class Explanation:
    """The parts of one score, in units of 1/SCORE_ONE; they sum to it exactly.

    Args:
        because: the contribution of each title of the history; it may be negative.
        prior: the contribution of popularity.
    """

    because: Mapping[str, int]
    prior: int

    @property
    def score(self) -> int:
        """The score that the parts sum to."""
        return sum(self.because.values()) + self.prior

    def largest(self, count: int) -> list[tuple[str, float]]:
        """The titles that speak most for this one, with their share in all that speaks for it.

        Ties are broken by title; titles that speak against it, or not at all, are left out.
        """
        speaks_for = {title: part for title, part in self.because.items() if part > 0}
        total = sum(speaks_for.values()) + max(self.prior, 0)
        ordered = sorted(speaks_for, key=lambda title: (-speaks_for[title], title))
        return [(title, speaks_for[title] / total) for title in ordered[:count]]


def train(statistic: Gram, solver: Solver, *, precision: type[np.floating] = np.float32) -> Model:
    """Solve for the weights and round them to multiples of 2^-24.

    Args:
        statistic: sums over the titles that may be recommended (`Gram.reindex` adds new ones).
        solver: solver with its settings.
        precision: floating-point type; float32 halves memory and time, and its rounding is far
            below what ranks.

    Raises:
        UnsolvableError: see `Solver`; or a weight is 128 or more.
    """
    solution = solver.solve(statistic.sums.astype(precision))
    solution *= MODEL_ONE
    if not max(solution.max(), -solution.min()) < 1 << 31:
        raise UnsolvableError("the weights diverge: raise l2")
    whole = np.rint(solution, out=solution).astype(np.int32, order="C")
    return Model(statistic.titles, whole)


def with_following(model: Model, statistic: Neighbours, weight: float) -> Model:
    """The model, with what titles say for what is met next to them.

    Args:
        model: trained item-item model.
        statistic: what was met next to what; titles that the model does not know are left out.
        weight: weight of it in a score; 0: none of it.

    Raises:
        UnsolvableError: a weight is 128 or more.
    """
    if not weight:
        return model
    if weight >= MAXIMUM:
        raise UnsolvableError(f"next_weight {weight} must be below {MAXIMUM}")
    following = next_weights(statistic.reindex(model.titles), weight)
    return Model(model.titles, model.weights, following)


def _reindexed(following: csr_array, known: Integers) -> csr_array:
    """Rows and columns of `following` at these positions; zeros at -1."""
    places = np.full(following.shape[0], -1, np.int64)
    places[known[known >= 0]] = np.flatnonzero(known >= 0)
    pairs = following.tocoo()
    rows, columns = places[pairs.row], places[pairs.col]
    kept = (rows >= 0) & (columns >= 0)
    shape = (len(known), len(known))
    return coo_array((pairs.data[kept], (rows[kept], columns[kept])), shape).tocsr()
