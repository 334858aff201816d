"""Exact sufficient statistics of one arm: a count, sums and sums of products, merged by `+`."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from numbers import Integral

Exact = int | Fraction
Number = int | float | Fraction
Pair = tuple[str, str]
Weights = Mapping[str, Exact]


class SumsError(ValueError):
    """Sums that no sample can have."""


@dataclass(frozen=True)
class Sums:
    """The sums that every statistic of this package is computed from.

    Sums of two disjoint groups of units add up to the sums of their union, exactly and in any
    order. Moments are rational numbers: rounding happens once, when a result becomes a float.

    Attributes:
        count: number of units (users).
        totals: for each variable, the sum of its values over the units, in the variable's unit
            (seconds, plays, half stars). Gold holds integers; a Fraction serves where the unit is
            finer, and a float is taken for the binary fraction that it is.
        products: for each pair of variables used together, the sum of their products over the
            units; `(x, x)` is the sum of squares. The order within a pair does not matter.

    Raises:
        SumsError: a negative count, a product of an unknown variable, or a sum of squares
            too small for its sum.
    """

    count: int
    totals: Mapping[str, Exact]
    products: Mapping[Pair, Exact]

    def __post_init__(self) -> None:
        totals = {name: _exact(total) for name, total in self.totals.items()}
        products = {_pair(*pair): _exact(value) for pair, value in self.products.items()}
        object.__setattr__(self, "totals", totals)
        object.__setattr__(self, "products", products)
        self._check()

    @classmethod
    def of(cls, **observations: Iterable[Number]) -> Sums:
        """Compute the sums of observed units, all pairs of variables included.

        Args:
            observations: values of each variable, one per unit, in one order of units.

        Raises:
            ValueError: the variables have different numbers of values.
        """
        columns = {
            name: [_exact(value) for value in values] for name, values in observations.items()
        }
        return cls(
            len(list(zip(*columns.values(), strict=True))),
            {name: sum(values) for name, values in columns.items()},
            {
                (x, y): sum(map(operator.mul, columns[x], columns[y]))
                for x, y in combinations_with_replacement(columns, 2)
            },
        )

    def __add__(self, other: Sums) -> Sums:
        """The sums of both groups together.

        Raises:
            ValueError: the groups have different variables.
        """
        if (
            self.totals.keys() != other.totals.keys()
            or self.products.keys() != other.products.keys()
        ):
            raise ValueError(
                f"sums of different variables do not add: {sorted(self.totals)} "
                f"and {sorted(other.totals)}"
            )
        return Sums(
            self.count + other.count,
            {name: total + other.totals[name] for name, total in self.totals.items()},
            {pair: product + other.products[pair] for pair, product in self.products.items()},
        )

    def mean(self, name: str) -> Fraction:
        """Mean of a variable over the units, of which there must be at least one."""
        return Fraction(self.totals[name]) / self.count

    def covariance(self, left: Weights, right: Weights, *, ddof: int = 1) -> Fraction:
        """Covariance, over the units, of two linear combinations of variables.

        Args:
            left: weights of the variables in one combination, by name.
            right: weights in the other one; with equal weights the result is the variance.
            ddof: difference between the count, which must be greater, and the divisor.
        """
        terms = (
            weight * other_weight * self._centred(name, other_name)
            for name, weight in left.items()
            for other_name, other_weight in right.items()
        )
        return Fraction(sum(terms), self.count * (self.count - ddof))

    def _centred(self, x: str, y: str) -> Exact:
        """Count times Σxy, less Σx Σy."""
        return self.count * self.products[_pair(x, y)] - self.totals[x] * self.totals[y]

    def _check(self) -> None:
        """Refuse impossible sums.

        Raises:
            SumsError: see the class.
        """
        if self.count < 0:
            raise SumsError(f"a count of {self.count} units")
        for x, y in self.products:
            unknown = {x, y} - self.totals.keys()
            if unknown:
                raise SumsError(f"a product of {sorted(unknown)[0]!r}, which has no total")
            if x == y and self._centred(x, x) < 0:
                raise SumsError(
                    f"the sum of squares of {x!r} is {self.products[x, x]}, too small for a sum of "
                    f"{self.totals[x]} over {self.count} units"
                )


def _exact(value: Number) -> Exact:
    """Convert a number to an equal int or Fraction, as numpy's integers overflow in silence."""
    return int(value) if isinstance(value, Integral) else Fraction(value)


def _pair(x: str, y: str) -> Pair:
    """A pair of variables in alphabetical order."""
    return (x, y) if x <= y else (y, x)
