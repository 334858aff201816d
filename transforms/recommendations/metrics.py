"""How good lists were, a number for each user, or for all lists together.

The accuracy metrics start from `hits`: users x k, true where the title in that place is one that
the user met in the test period. They return one value a user, so that two models can be compared
user by user. A user with nothing to hit has no accuracy: leave such users out.

References:
    K. Järvelin and J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS
        20(4), 2002, with the discount 1/log2(1 + rank) of Burges et al., ICML 2005.
    C. Manning, P. Raghavan and H. Schütze, "Introduction to Information Retrieval", 2008, ch. 8.
    T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS
        107(10), 2010 (novelty as self-information).
    C.-N. Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from transforms.recommendations.fixed_point import Floats, Integers

Hits = NDArray[np.bool_]


def hits(lists: Integers, relevant: csr_array) -> Hits:
    """Where the lists are right.

    Args:
        lists: users x k, positions of titles, best first; -1 is an empty place, never a hit.
        relevant: users x titles, non-zero where relevant.
    """
    rows = np.arange(len(lists))[:, None]
    met: Hits = relevant[rows, lists].toarray() != 0
    return met & (lists >= 0)


def precision(hits: Hits) -> Floats:
    """Share of the k places that are hits; an empty place is a miss."""
    return np.asarray(hits.mean(axis=1))


def recall(hits: Hits, relevant: Integers) -> Floats:
    """Share of each user's relevant titles (`relevant` counts them) that are in the list."""
    return np.asarray(hits.sum(axis=1) / _some(relevant))


def hit(hits: Hits) -> Floats:
    """1 for a list with a hit anywhere, else 0."""
    return np.asarray(hits.any(axis=1), np.float64)


def average_precision(hits: Hits, relevant: Integers) -> Floats:
    """Precision at each hit, summed, over the number of relevant titles.

    Its mean over users is MAP. The list is cut at k and the sum still divided by all relevant
    titles, as in Manning et al. and in the published tables of recommenders-team/recommenders.
    """
    ranks = np.arange(1, hits.shape[1] + 1)
    at_each_rank = np.cumsum(hits, axis=1) / ranks
    return np.asarray((at_each_rank * hits).sum(axis=1) / _some(relevant))


def dcg(gains: Floats) -> Floats:
    """Discounted cumulated gain of each row of gains, first rank first."""
    ranks = np.arange(1, gains.shape[-1] + 1)
    return np.asarray((gains / np.log2(1 + ranks)).sum(axis=-1))


def ndcg(hits: Hits, relevant: Integers) -> Floats:
    """DCG of the hits over that of a list which starts with all relevant titles, cut at k."""
    ideal = np.arange(hits.shape[1]) < _some(relevant)[:, None]
    return np.asarray(dcg(hits.astype(np.float64)) / dcg(ideal.astype(np.float64)))


def coverage(lists: Integers, titles: int) -> float:
    """Share of the catalogue that is in somebody's list."""
    return len(np.unique(lists[lists >= 0])) / titles


def novelty(lists: Integers, viewers: Integers, users: int) -> float:
    """Mean self-information -log2(viewers / users) of the listed titles, in bits.

    A title that nobody met counts as met once.
    """
    listed = lists[lists >= 0]
    return float(-np.log2(np.maximum(viewers[listed], 1) / users).mean())


def diversity(lists: Integers, similarity: Floats) -> float:
    """Mean over lists of the mean of 1 - similarity over pairs within the list.

    Lists of fewer than two titles have no pairs and are left out.
    """
    means = []
    for places in lists:
        listed = places[places >= 0]
        if len(listed) > 1:
            first, second = np.triu_indices(len(listed), 1)
            means.append(1 - similarity[listed[first], listed[second]].mean())
    return float(np.mean(means))


def _some(relevant: Integers) -> Integers:
    counts = np.asarray(relevant)
    if np.any(counts <= 0):
        raise ValueError("a user has no relevant titles: leave such users out")
    return counts
