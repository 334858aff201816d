from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.recommendations.fixed_point import DAMPING_ONE
from transforms.recommendations.gram import (
    Gram,
    InteractionError,
    Interactions,
    gram,
    interactions,
    update_gram,
)

Histories = dict[str, dict[str, int]]

histories = st.dictionaries(
    st.sampled_from([f"u{n}" for n in range(6)]),
    st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 22), min_size=1),
    max_size=6,
)


def matrix(of: Histories) -> Interactions:
    rows = [(user, title, weight) for user in of for title, weight in of[user].items()]
    users, titles, weights = zip(*rows, strict=True) if rows else ((), (), ())
    return interactions(users, titles, np.array(weights, np.int64))


def same(left: Gram, right: Gram) -> bool:
    return left.titles.tolist() == right.titles.tolist() and np.array_equal(left.sums, right.sums)


def test_the_statistic_is_the_damped_sum_of_outer_products() -> None:
    """Computed by hand: n^-1 with n = 1 and n = 2 titles is exact in sixteen bits."""
    statistic = gram(matrix({"u": {"a": 16, "b": 20}, "v": {"b": 10}}), damping=0.5)
    half, one = DAMPING_ONE // 2, DAMPING_ONE
    assert statistic.titles.tolist() == ["a", "b"]
    assert statistic.sums.tolist() == [
        [half * 256, half * 320],
        [half * 320, half * 400 + one * 100],
    ]


def test_the_statistic_is_that_of_plain_python_across_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transforms.recommendations.gram.BLOCK", 3)
    people = {f"u{n}": {f"t{(n * k) % 10}": 1 + k for k in range(1, n + 2)} for n in range(9)}
    statistic = gram(matrix(people), damping=0.3)
    for i, first in enumerate(statistic.titles):
        for j, second in enumerate(statistic.titles):
            expected = sum(
                round(len(row) ** -0.6 * DAMPING_ONE) * row.get(first, 0) * row.get(second, 0)
                for row in people.values()
            )
            assert statistic.sums[i, j] == expected


@given(before=histories, after=histories)
def test_an_update_equals_training_from_scratch_to_the_bit(
    before: Histories, after: Histories
) -> None:
    touched = {user for user in before.keys() | after.keys() if before.get(user) != after.get(user)}
    moved = update_gram(
        gram(matrix(before)),
        before=matrix({user: before[user] for user in touched & before.keys()}),
        after=matrix({user: after[user] for user in touched & after.keys()}),
    )
    assert same(moved, gram(matrix(after)))


@given(everybody=histories)
def test_the_statistics_of_disjoint_users_add_up(everybody: Histories) -> None:
    some = {user: row for user, row in everybody.items() if user < "u3"}
    others = {user: row for user, row in everybody.items() if user >= "u3"}
    assert same(gram(matrix(some)) + gram(matrix(others)), gram(matrix(everybody)))


def test_new_titles_stand_in_the_statistic_with_zeros() -> None:
    statistic = gram(matrix({"u": {"b": 16}})).reindex(np.array(["a", "b", "c"]))
    assert statistic.sums.tolist() == [[0, 0, 0], [0, 256 * DAMPING_ONE, 0], [0, 0, 0]]


def test_a_title_that_somebody_met_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match=r"left out: .*'b'"):
        gram(matrix({"u": {"a": 16, "b": 16}})).reindex(np.array(["a"]))


def test_taking_out_a_history_that_was_not_counted_is_refused() -> None:
    with pytest.raises(InteractionError, match="not those that were counted"):
        update_gram(
            gram(matrix({"u": {"a": 16}})),
            before=matrix({"u": {"a": 17}}),
            after=matrix({}),
        )
    with pytest.raises(InteractionError, match="no column for titles"):
        update_gram(
            gram(matrix({"u": {"a": 16}})),
            before=matrix({"u": {"z": 16}}),
            after=matrix({}),
        )


def test_statistics_of_different_damping_do_not_add() -> None:
    one = matrix({"u": {"a": 16}})
    with pytest.raises(ValueError, match="do not add"):
        gram(one, damping=0.3) + gram(one, damping=0.0)


def test_a_pair_met_twice_is_refused() -> None:
    with pytest.raises(InteractionError, match="more than once"):
        interactions(["u", "u"], ["a", "a"], np.array([16, 16]))


def test_a_weight_that_is_not_positive_is_refused() -> None:
    with pytest.raises(InteractionError, match="positive"):
        interactions(["u"], ["a"], np.array([0]))


def test_nobody_gives_an_empty_statistic() -> None:
    statistic = gram(matrix({}))
    assert (statistic.titles.tolist(), statistic.sums.shape) == ([], (0, 0))
