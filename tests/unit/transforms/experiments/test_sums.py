from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.experiments.sums import Sums, SumsError

observations = st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 10**9)), max_size=20)


def sums(rows: list[tuple[int, int]]) -> Sums:
    return Sums.of(x=[x for x, _ in rows], y=[y for _, y in rows])


@given(observations, observations)
def test_sums_of_two_groups_add_up_to_the_sums_of_their_union(one, other):
    assert sums(one) + sums(other) == sums(one + other)


@given(observations, observations, observations)
def test_the_order_and_grouping_of_additions_do_not_matter(a, b, c):
    assert (sums(a) + sums(b)) + sums(c) == sums(c) + (sums(b) + sums(a))


def test_moments_are_exact_where_floating_point_cancels():
    far = 10**15
    arm = Sums.of(x=[far, far + 1, far + 2], y=[1, 0, 0])

    assert arm.mean("x") == far + 1
    assert arm.covariance({"x": 1}, {"x": 1}) == 1
    assert arm.covariance({"x": 1}, {"y": 1}) == Fraction(-1, 2)


def test_the_variance_of_a_combination_is_that_of_its_values():
    x, y = [3, 1, 4, 1, 5], [2, 7, 1, 8, 2]
    values = [3 * a - 2 * b for a, b in zip(x, y, strict=True)]

    variance = Sums.of(x=x, y=y).covariance({"x": 3, "y": -2}, {"x": 3, "y": -2})

    assert float(variance) == pytest.approx(np.var(values, ddof=1), rel=1e-14)


def test_numpy_integers_do_not_overflow():
    big = np.int64(4_000_000_000)

    assert Sums.of(x=[big, big]).products["x", "x"] == 2 * 4_000_000_000**2


def test_the_order_within_a_pair_does_not_matter():
    assert Sums(2, {"a": 1, "b": 1}, {("b", "a"): 1}) == Sums(2, {"a": 1, "b": 1}, {("a", "b"): 1})


@pytest.mark.parametrize(
    ("count", "totals", "products", "message"),
    [
        (-1, {}, {}, "a count of -1 units"),
        (2, {"x": 1}, {("x", "z"): 1}, "a product of 'z', which has no total"),
        (2, {"x": 10}, {("x", "x"): 49}, "the sum of squares of 'x' is 49, too small"),
    ],
)
def test_sums_of_no_sample_are_refused(count, totals, products, message):
    with pytest.raises(SumsError, match=message):
        Sums(count, totals, products)


def test_sums_of_different_variables_do_not_add():
    with pytest.raises(ValueError, match=r"different variables .*\['x'\] and \['y'\]"):
        Sums.of(x=[1]) + Sums.of(y=[1])
