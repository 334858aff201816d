"""What is met next to what: a sparse statistic of the order of histories, in exact integers.

In the order in which a user met titles, two of them are neighbours if they are at most REACH places
apart, and count the more the nearer they are:

    N_ij = sum over users of  APART / (places between i and j)

A history of n titles has some REACH x n neighbours, where the Gram matrix has n^2 pairs: N says
what goes with what within a sitting, G what goes with what at all. N of all users is the sum of N
of any parts of them.

A sitting is the last titles of a history, the last one counting most: what comes next depends on
what came last. Its weights, like those of histories, are integers and part of the score.

Reference: M. Choi et al., "Session-aware linear item-item models for session-based recommendation",
WWW 2021, for transitions as a linear model beside that of whole histories.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array

from transforms.recommendations.fixed_point import (
    MODEL_ONE,
    PREFERENCE_ONE,
    Integers,
    Titles,
    to_fixed_point,
)
from transforms.recommendations.gram import positions

REACH = 3
"""Titles so many places apart are neighbours."""

APART = 6
"""What titles one place apart count; divisible by every number up to REACH."""

SITTING = 5
"""How many of the last titles are the sitting."""

FADE = 0.7
"""What a title of the sitting weighs of what the one met after it does."""

SHRINKAGE = 5
"""Neighbours of a title that are taken to say nothing: what is rarely met teaches little."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The statistic.

    Args:
        titles: the title of each row and column, sorted, distinct.
        counts: titles x titles, int64, symmetric, in units of 1/APART.
    """

    titles: Titles
    counts: csr_array

    def reindex(self, titles: Titles) -> Neighbours:
        """Reindex the statistic to other titles; pairs with a title that is left out go with it."""
        if np.array_equal(titles, self.titles):
            return self
        places = positions(titles, self.titles)
        pairs = self.counts.tocoo()
        rows, columns = places[pairs.row], places[pairs.col]
        kept = (rows >= 0) & (columns >= 0)
        shape = (len(titles), len(titles))
        counts = coo_array((pairs.data[kept], (rows[kept], columns[kept])), shape)
        return Neighbours(titles, counts.tocsr())


def neighbours(histories: Iterable[Integers], titles: Titles) -> Neighbours:
    """Count the neighbours of these histories.

    Args:
        histories: positions of the titles that each user met, in the order of meeting.
        titles: sorted, distinct.
    """
    each = list(histories)
    lengths = np.asarray([len(history) for history in each], np.int64)
    met = np.concatenate([np.zeros(0, np.int64), *each]).astype(np.int64)
    users = np.repeat(np.arange(len(each)), lengths)
    shape = (len(titles), len(titles))
    total = csr_array(shape, dtype=np.int64)
    for gap in range(1, REACH + 1):
        same = users[:-gap] == users[gap:]
        first, second = met[:-gap][same], met[gap:][same]
        counts = np.full(len(first), APART // gap, np.int64)
        total += coo_array((counts, (first, second)), shape).tocsr()
    return Neighbours(titles, (total + total.T).tocsr())


def next_weights(statistic: Neighbours, weight: float) -> csr_array:
    """What a title met last says for what is met next.

        C = weight  D^-1/2 N D^-1/2,   D the sums of rows of N, and SHRINKAGE more

    Args:
        statistic: counts over the titles of the model.
        weight: weight of C in a score.

    Returns:
        titles x titles, int32, in units of 2^-24.
    """
    counts = statistic.counts.astype(np.float64) / APART
    scale = diags_array(1 / np.sqrt(np.asarray(counts.sum(axis=1)) + SHRINKAGE))
    scaled = (scale @ counts @ scale).tocsr()
    whole = to_fixed_point(weight * scaled.data, MODEL_ONE).astype(np.int32)
    return csr_array((whole, scaled.indices, scaled.indptr), scaled.shape).sorted_indices()


def sitting_weights(ranks: Integers, recency: Integers) -> Integers:
    """What titles weigh as part of a sitting, in units of 1/4096.

    Args:
        ranks: how many titles of the history were met after each; 0: the last one.
        recency: recency of each, in 256ths.
    """
    faded = to_fixed_point(FADE**ranks * recency, PREFERENCE_ONE)
    return np.where(np.asarray(ranks) < SITTING, faded, 0)
