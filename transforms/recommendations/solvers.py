"""From the statistic to item-item weights B, in closed form.

All three are linear autoencoders: a user's row of preferences w is reconstructed as w B, where B
may not use a title to predict itself. G is the Gram matrix, g its diagonal, and every solver is
regularised by the same diagonal

    L = l2 typical(g)  +  dropout / (1 - dropout)  g

The first term is ridge regression. The second is what training with dropout of a title's
preferences with that probability converges to (Steck 2020): it shrinks popular titles more, in
step with how much of G they own.

`l2` is in units of typical(g), the diagonal of the title that a meeting is typically with: the mean
of g over meetings, sum(g^2) / sum(g). A long tail of titles that hardly anybody met does not move
it, so an `l2` found on one service serves another. The mean over titles, in whose units models were
trained before, does not: the longer the tail, the smaller it is, and the weaker the same number.

References:
    H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019 (EASE).
    H. Steck, "Autoencoders that don't overfit towards the Identity", NeurIPS 2020 (EDLAE).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from transforms.recommendations.fixed_point import Floats

Per = Literal["meeting", "title"]
"""What the mean of the Gram matrix's diagonal is taken over, to be the unit of `l2`."""


class UnsolvableError(ValueError):
    """The statistic and the settings have no solution in the precision asked for."""


class Solver(Protocol):
    """Turns the statistic into weights."""

    def solve(self, gram: Floats) -> Floats:
        """Item-item weights B of a Gram matrix, with a zero diagonal.

        Args:
            gram: titles x titles, symmetric, float32 or float64; it is not changed. The answer
                has the same precision.

        Raises:
            UnsolvableError: nobody met anything, or the system is singular in this precision.
        """
        ...


@dataclass(frozen=True)
class Ease:
    """EASE (Steck 2019): B = I - P / diag(P), with P = (G + L)^-1 and no dropout."""

    l2: float = 1.0
    per: Per = "meeting"

    def solve(self, gram: Floats) -> Floats:
        """See `Solver`."""
        return Edlae(l2=self.l2, dropout=0.0, per=self.per).solve(gram)


@dataclass(frozen=True)
class Edlae:
    """EDLAE of full rank (Steck 2020): EASE with the ridge L of dropout."""

    l2: float = 1.0
    dropout: float = 0.7
    per: Per = "meeting"

    def solve(self, gram: Floats) -> Floats:
        """See `Solver`."""
        penalised = gram.copy(order="F")
        unit = _typical(gram.diagonal(), self.per)
        _add_to_diagonal(penalised, _ridge(gram, unit, self.l2, self.dropout))
        weights = _inverse(penalised)
        weights /= -weights.diagonal()
        np.fill_diagonal(weights, 0.0)
        return weights


@dataclass(frozen=True)
class SquaredSpectrum:
    """The Gram matrix, normalised by the ridge, through a soft threshold on its spectrum.

        S = L^-1/2 G L^-1/2
        B = L^-1/2 [I - (I + S^2)^-1] L^1/2 diag(g^e),   then a zero diagonal

    Along an eigenvector of S with eigenvalue s, the bracket is s^2 / (1 + s^2), where ridge
    regression has s / (1 + s): strong patterns pass alike, weak ones, which are mostly noise,
    fade with the square. `popularity_exponent` e < 0 holds back titles that are met so
    often that they explain nothing; g is relative to typical(g).
    """

    l2: float = 2.0
    dropout: float = 0.5
    popularity_exponent: float = -0.1
    per: Per = "meeting"

    def solve(self, gram: Floats) -> Floats:
        """See `Solver`."""
        unit = _typical(gram.diagonal(), self.per)
        ridge = np.sqrt(_ridge(gram, unit, self.l2, self.dropout))
        normalised = gram / ridge
        normalised /= ridge[:, None]
        squared = get_blas_funcs("syrk", (normalised,))(1.0, normalised.T, lower=1)
        del normalised
        _add_to_diagonal(squared, np.ones_like(ridge))
        weights = _inverse(squared)
        weights /= -ridge[:, None]
        weights *= ridge * _popularity(gram.diagonal(), unit, self.popularity_exponent)
        np.fill_diagonal(weights, 0.0)
        return weights


def _ridge(gram: Floats, unit: float, l2: float, dropout: float) -> Floats:
    if not (l2 > 0 and 0 <= dropout < 1):
        raise UnsolvableError(f"l2 {l2} must be above 0 and dropout {dropout} in [0, 1)")
    return np.asarray(l2 * unit + dropout / (1 - dropout) * gram.diagonal())


def _popularity(own: Floats, unit: float, exponent: float) -> Floats:
    met = own > 0
    return np.asarray(np.power(own / unit, exponent, out=np.zeros_like(own), where=met))


def _typical(own: Floats, per: Per) -> float:
    """The unit of `l2`: the mean of the diagonal over meetings, or over titles."""
    met = own[own > 0].astype(np.float64)
    if not len(met):
        raise UnsolvableError("nobody has met any title: there is nothing to learn from")
    return float(met @ met / met.sum() if per == "meeting" else met.mean())


def _add_to_diagonal(matrix: Floats, values: Floats) -> None:
    matrix.flat[:: len(matrix) + 1] += values


def _inverse(matrix: Floats) -> Floats:
    """The inverse of a symmetric positive definite matrix, in its place.

    Only the lower triangle of `matrix`, which is in Fortran order, is read.
    """
    factorise, invert = get_lapack_funcs(("potrf", "potri"), (matrix,))
    inverse, failed = factorise(matrix, lower=1, overwrite_a=1)
    if not failed:
        inverse, failed = invert(inverse, lower=1, overwrite_c=1)
    if failed:
        raise UnsolvableError(f"the Gram matrix is singular in {matrix.dtype}: raise l2")
    for column in range(1, len(inverse)):
        inverse[:column, column] = inverse[column, :column]
    return np.asarray(inverse)
