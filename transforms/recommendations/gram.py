"""The sufficient statistic of all histories: an item-item Gram matrix in exact integers.

With w_u the row of preferences of user u, and n_u the number of titles in it,

    G = sum over users of  n_u^(-2a)  w_u' w_u

Everything the solvers need is in G, so histories need not be read again to train. The damping
n_u^(-2a), 0 <= a <= 1/2, keeps heavy users from drowning the others: a = 0 counts pairs, a = 1/2
gives each user the weight of one title. It is rounded once a user to a multiple of 2^-16; from
there on the arithmetic is integer, and G of disjoint sets of users is the sum of their G.

An event changes n_u and with it the whole contribution of its user, so a day's update takes the
touched users' old contribution out and puts the new one in: `update_gram` equals training from
scratch to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, vstack

from transforms.recommendations.fixed_point import DAMPING_ONE, Integers, Titles, to_fixed_point

BLOCK = 1024
"""Titles handled at once: bounds the scratch memory to BLOCK rows of G."""


class InteractionError(ValueError):
    """The interactions are not one positive weight for each (user, title)."""


@dataclass(frozen=True, eq=False)
class Interactions:
    """Histories as a sparse matrix.

    Args:
        titles: the title of each column, sorted, distinct.
        weights: users x titles, int64, the preference of each (user, title) met.
    """

    titles: Titles
    weights: csr_array

    def reindex(self, titles: Titles) -> Interactions:
        """Reindex the histories to other columns.

        Raises:
            InteractionError: a title that some history holds is not among `titles`.
        """
        columns = positions(titles, self.titles)
        used = columns[self.weights.indices]
        if np.any(used < 0):
            lost = np.unique(self.titles[self.weights.indices[used < 0]])
            raise InteractionError(f"no column for titles that histories hold: {list(lost[:3])}")
        shape = (self.weights.shape[0], len(titles))
        return Interactions(
            titles, csr_array((self.weights.data, used, self.weights.indptr), shape)
        )


@dataclass(frozen=True, eq=False)
class Gram:
    """The statistic.

    Args:
        titles: the title of each row and column, sorted, distinct.
        sums: titles x titles, int64, symmetric, in units of 1/(16 x 16 x 65536).
        damping: the exponent a.
    """

    titles: Titles
    sums: Integers
    damping: float

    def __add__(self, other: Gram) -> Gram:
        """The statistic of both sets of users, which must be disjoint.

        Raises:
            ValueError: the two were computed with different damping.
        """
        if self.damping != other.damping:
            raise ValueError(f"statistics damped by {self.damping} and {other.damping} do not add")
        titles = np.union1d(self.titles, other.titles)
        return Gram(titles, self.reindex(titles).sums + other.reindex(titles).sums, self.damping)

    def reindex(self, titles: Titles) -> Gram:
        """Reindex the statistic to other titles; zero for those that nobody met, as new releases.

        Raises:
            ValueError: a title that somebody met is not among `titles`.
        """
        if np.array_equal(titles, self.titles):
            return self
        columns = positions(titles, self.titles)
        met = self.sums.diagonal() > 0
        if np.any(columns[met] < 0):
            lost = self.titles[met & (columns < 0)]
            raise ValueError(f"the statistic holds titles that are left out: {list(lost[:3])}")
        sums = np.zeros((len(titles), len(titles)), np.int64)
        sums[np.ix_(columns[met], columns[met])] = self.sums[np.ix_(met, met)]
        return Gram(titles, sums, self.damping)

    def drop_unmet(self) -> Gram:
        """Drop the titles that nobody met, or nobody any more.

        Raises:
            InteractionError: it is not a sum over histories: some were taken out that were never
                counted.
        """
        met = self.sums.diagonal() > 0
        if np.any(self.sums.diagonal() < 0) or np.any(self.sums[~met]):
            raise InteractionError("the histories taken out are not those that were counted")
        return self.reindex(self.titles[met])


def interactions(users: Sequence[str], titles: Sequence[str], weights: Integers) -> Interactions:
    """Make a matrix, its users and titles in order, of parallel columns.

    Args:
        users: user of each (user, title) met.
        titles: title of each.
        weights: preference of each, in sixteenths.

    Raises:
        InteractionError: a (user, title) occurs twice, or a weight is not positive.
    """
    rows, _ = pd.factorize(np.asarray(users), sort=True)
    columns, vocabulary = pd.factorize(np.asarray(titles), sort=True)
    data = np.asarray(weights, np.int64)
    if np.any(data <= 0):
        raise InteractionError(f"a weight of {data.min()}: preferences are positive")
    shape = (rows.max(initial=-1) + 1, len(vocabulary))
    matrix = csr_array((data, (rows, columns)), shape)
    if matrix.nnz != len(data):
        raise InteractionError(f"{len(data) - matrix.nnz} (user, title) pairs occur more than once")
    return Interactions(np.asarray(vocabulary, np.str_), matrix)


def gram(histories: Interactions, *, damping: float = 0.3) -> Gram:
    """Sum the statistic of all these histories; titles that nobody met are left out."""
    nothing = Gram(histories.titles[:0], np.zeros((0, 0), np.int64), damping)
    nobody = Interactions(histories.titles[:0], csr_array((0, 0), dtype=np.int64))
    return update_gram(nothing, before=nobody, after=histories)


def update_gram(statistic: Gram, *, before: Interactions, after: Interactions) -> Gram:
    """Bring a statistic to changed histories; the result equals `gram` of everybody's now.

    Args:
        statistic: sums over all users, before the change.
        before: whole histories of the touched users as `statistic` counted them; a new user has
            none.
        after: whole histories of the same users now; an erased user has none.

    Raises:
        InteractionError: `before` is not what `statistic` counted.
    """
    titles = np.union1d(statistic.titles, after.titles)
    out, new = before.reindex(titles).weights, after.reindex(titles).weights
    signed = np.concatenate([-scales(out, statistic.damping), scales(new, statistic.damping)])
    sums = statistic.reindex(titles).sums.copy()
    for start, block in outer_products(vstack([out, new], format="csr"), signed):
        stop = start + len(block)
        sums[start:stop, start:] += block
        sums[stop:, start:stop] += block[:, len(block) :].T
    return Gram(titles, sums, statistic.damping).drop_unmet()


def positions(titles: Titles, wanted: Titles) -> Integers:
    """Where each wanted title stands among the sorted `titles`; -1 where it does not."""
    places = np.searchsorted(titles, wanted)
    found = places < len(titles)
    found[found] = titles[places[found]] == wanted[found]
    return np.where(found, places, -1)


def scales(weights: csr_array, damping: float) -> Integers:
    """What each history weighs in the statistic: n^(-2 damping), in units of 1/DAMPING_ONE."""
    lengths = np.maximum(np.diff(weights.indptr), 1)
    return to_fixed_point(lengths ** (-2.0 * damping), DAMPING_ONE)


def outer_products(weights: csr_array, scales: Integers) -> Iterator[tuple[int, Integers]]:
    """sum_u scales[u] w_u' w_u, its upper triangle in blocks of rows.

    Yields:
        The first row of a block, and its rows from the column of that number on.
    """
    rows = np.repeat(np.arange(len(scales)), np.diff(weights.indptr))
    scaled = csr_array(
        (weights.data * scales[rows], weights.indices, weights.indptr), weights.shape
    )
    transposed = weights.T.tocsr()
    for start in range(0, weights.shape[1], BLOCK):
        yield start, (transposed[start : start + BLOCK] @ scaled[:, start:]).toarray()
