"""From scores to a list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.recommendations.fixed_point import Floats, Integers

NEVER = np.iinfo(np.int64).min
"""The score of what may not be listed."""


def top_k(scores: Integers, k: int) -> Integers:
    """Positions of the k best scores, best first; ties go to the smaller position.

    Positions follow the sorted titles, so a tie goes to the smaller title, everywhere and always.
    Scores of NEVER are not listed; the list is shorter where too few are left.
    """
    k = min(k, len(scores))
    if k <= 0:
        return np.zeros(0, np.int64)
    kth_best = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero((scores >= kth_best) & (scores > NEVER))
    best_first = np.argsort(-scores[candidates], kind="stable")
    return candidates[best_first[:k]]


def top_lists(scores: Integers, k: int) -> Integers:
    """The `top_k` of each row of scores, -1 in the places that a shorter list leaves."""
    lists = np.full((len(scores), k), -1, np.int64)
    for row, each in enumerate(scores):
        best = top_k(each, k)
        lists[row, : len(best)] = best
    return lists


def diversify(relevance: Floats, similarity: Floats, *, k: int, trade_off: float) -> Integers:
    """Re-rank candidates by maximal marginal relevance.

    Each place goes to the candidate with the greatest

        (1 - trade_off) relevance  -  trade_off  (its greatest similarity to those placed before)

    where relevance is scaled to 0..1 over the candidates. Ties go to the earlier candidate.

    Args:
        relevance: relevance of each candidate, in the order of a ranking.
        similarity: similarity of candidates x candidates, 0 to 1.
        k: length of the list.
        trade_off: weight of similarity: 0 keeps the ranking, 1 looks at similarity alone.

    Returns:
        Indices into the candidates, in the new order.

    Reference: J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for
    reordering documents and producing summaries", SIGIR 1998.
    """
    span = np.ptp(relevance) if len(relevance) else 0.0
    scaled = (relevance - np.min(relevance)) / span if span else np.zeros(len(relevance))
    nearest = np.zeros(len(relevance))
    free = np.ones(len(relevance), dtype=bool)
    order: list[int] = []
    for _ in range(min(k, len(relevance))):
        marginal = (1 - trade_off) * scaled - trade_off * nearest
        best = int(np.argmax(np.where(free, marginal, -np.inf)))
        order.append(best)
        free[best] = False
        nearest = np.maximum(nearest, similarity[best])
    return np.asarray(order, np.int64)


def jaccard(features: NDArray[np.bool_]) -> Floats:
    """Similarity of rows by the features they share, 0 to 1; rows without any are unlike all.

    Args:
        features: features such as genres, candidates x features.

    Returns:
        candidates x candidates: |both| / |either|.
    """
    counts = features.astype(np.int64)
    both = counts @ counts.T
    own = counts.sum(axis=1)
    either = own[:, None] + own - both
    return np.asarray(np.divide(both, either, out=np.zeros(both.shape), where=either > 0))
