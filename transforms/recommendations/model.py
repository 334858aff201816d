"""Scores, fold-in and explanations: integer sums over a history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from transforms.recommendations.fixed_point import MODEL_ONE, Floats, Integers, Titles
from transforms.recommendations.gram import Gram, positions
from transforms.recommendations.solvers import Solver, UnsolvableError

EXACT_IN_FLOAT64 = 1 << 53


class Recommender(Protocol):
    """What a trained model offers, whatever it is made of; integers throughout."""

    @property
    def titles(self) -> Titles:
        """The titles that it has scores for, sorted, distinct."""

    def reindex(self, titles: Titles) -> Recommender:
        """Reindex the model to other titles; it is silent on those that it does not know."""

    def scores(self, histories: csr_array) -> Integers:
        """Score every title by each history (users x titles), in units of 1/SCORE_ONE."""

    def parts(self, met: Integers, weights: Integers, wanted: Integers) -> Integers:
        """The part of each title met in the score of each wanted one.

        Args:
            met: positions of the titles of a history, sorted.
            weights: weights of these titles, above 0.
            wanted: positions of the titles scored.

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
    """

    titles: Titles
    weights: NDArray[np.int32]

    def reindex(self, titles: Titles) -> Model:
        """Reindex the model to other titles; it is silent on those that it does not know."""
        if np.array_equal(titles, self.titles):
            return self
        known = positions(self.titles, titles)
        met = known >= 0
        weights = np.zeros((len(titles), len(titles)), np.int32)
        weights[np.ix_(met, met)] = self.weights[np.ix_(known[met], known[met])]
        return Model(titles, weights)

    @cached_property
    def _whole_numbers(self) -> Floats:
        """The weights in float64, which holds them exactly and multiplies fast."""
        return self.weights.astype(np.float64)

    @cached_property
    def _largest(self) -> int:
        return max(int(self.weights.max(initial=0)), -int(self.weights.min(initial=0)))

    def scores(self, histories: csr_array) -> Integers:
        """Score every title by each history.

        Args:
            histories: weights, preference x recency, as users x titles, int64; columns as in
                `titles`.

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
        return sums.astype(np.int64)

    def parts(self, met: Integers, weights: Integers, wanted: Integers) -> Integers:
        """See `Recommender`."""
        parts: Integers = self.weights[np.ix_(met, wanted)].T.astype(np.int64) * weights
        return parts

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
        """The profile after `title` got this weight in the history: a first event or a new one.

        It equals the profile of the whole history to the bit, whatever the order of events,
        because only the change of one weight is added. `weight` 0 takes the title out.
        """
        position = int(positions(self.titles, np.asarray([title]))[0])
        history = {**profile.history, title: weight}
        if position < 0:
            return Profile(history, profile.evidence)
        change = weight - profile.history.get(title, 0)
        evidence = np.multiply(self.weights[position], change, dtype=np.int64)
        evidence += profile.evidence
        return Profile(history, evidence)

    def explain(self, profile: Profile, title: str, prior: Integers) -> Explanation:
        """What each title of the history, and the prior, contribute to the score of `title`.

        Raises:
            KeyError: the model does not know `title`, so it has no score.
        """
        [position, *known] = positions(self.titles, np.asarray([title, *profile.history]))
        if position < 0:
            raise KeyError(f"the model knows no title {title!r}")
        return Explanation(
            because={
                met: weight * int(self.weights[row, position])
                for (met, weight), row in zip(profile.history.items(), known, strict=True)
                if row >= 0
            },
            prior=int(prior[position]),
        )


@dataclass(frozen=True, eq=False)
class Profile:
    """One user as the model sees them.

    Args:
        history: weight of each title met.
        evidence: what the history says for every title, in units of 1/SCORE_ONE.
    """

    history: Mapping[str, int]
    evidence: Integers


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
