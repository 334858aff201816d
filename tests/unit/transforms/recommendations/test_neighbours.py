"""What is met next to what: exact sums over users, in any order and of any parts."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.recommendations.fixed_point import MODEL_ONE
from transforms.recommendations.histories import sitting
from transforms.recommendations.neighbours import (
    APART,
    REACH,
    Neighbours,
    neighbours,
    next_weights,
)

NAMES = np.asarray(list("abcdefgh"))
People = list[list[int]]
history = st.tuples(st.permutations(range(8)), st.integers(0, 8)).map(lambda of: of[0][: of[1]])
people = st.lists(history, max_size=6)


def counted(of: People) -> Neighbours:
    return neighbours([np.asarray(each, np.int64) for each in of], NAMES)


def plainly(of: People) -> list[list[int]]:
    """Every pair of every history, one by one."""
    sums = [[0] * 8 for _ in range(8)]
    for history in of:
        for (place, first), (other, second) in combinations(enumerate(history), 2):
            if other - place <= REACH:
                sums[first][second] += APART // (other - place)
                sums[second][first] += APART // (other - place)
    return sums


@given(people)
def test_neighbours_are_counted_as_one_by_one(of: People) -> None:
    assert counted(of).counts.toarray().tolist() == plainly(of)


@given(people, people)
def test_the_neighbours_of_all_are_the_sum_of_those_of_parts(one: People, other: People) -> None:
    parts = counted(one).counts.toarray() + counted(other).counts.toarray()
    assert parts.tolist() == counted([*other, *one]).counts.toarray().tolist()


def test_what_is_often_met_next_weighs_most_and_rare_pairs_little() -> None:
    often = next_weights(counted([[0, 1]] * 50 + [[2, 3]]), 1.0).toarray() / MODEL_ONE
    assert often[0, 1] == pytest.approx(50 / 55, abs=1e-6)
    assert often[2, 3] == pytest.approx(1 / 6, abs=1e-6)
    assert (often == often.T).all()
    assert not often.diagonal().any()


def test_a_sitting_is_the_last_five_titles_the_last_counting_most() -> None:
    last_s = np.asarray([60, 10, 20, 30, 40, 50])
    weights = np.full(6, 4096)
    now = {"as_of_s": 60, "half_life_s": float("inf")}
    assert sitting(last_s, weights, **now).tolist() == [4096, 0, 983, 1405, 2007, 2867]


def test_a_sitting_fades_and_a_title_that_weighs_nothing_is_silent() -> None:
    at = {"as_of_s": 110, "half_life_s": 100.0}
    assert sitting(np.asarray([10]), np.asarray([1]), **at).tolist() == [2048]
    assert sitting(np.asarray([10]), np.asarray([0]), **at).tolist() == [0]
    assert sitting(np.zeros(0, np.int64), np.zeros(0, np.int64), **at).tolist() == []


def test_of_titles_met_at_the_same_time_the_greater_one_is_the_later() -> None:
    at = {"as_of_s": 10, "half_life_s": float("inf")}
    assert sitting(np.asarray([10, 10]), np.asarray([1, 1]), **at).tolist() == [2867, 4096]
