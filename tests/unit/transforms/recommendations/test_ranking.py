from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.recommendations.ranking import NEVER, diversify, jaccard, top_k


def test_the_best_come_first() -> None:
    assert top_k(np.array([5, 9, 7, 1]), 3).tolist() == [1, 2, 0]


def test_ties_go_to_the_smaller_position_also_at_the_cut() -> None:
    assert top_k(np.array([3, 8, 3, 3, 8]), 3).tolist() == [1, 4, 0]


def test_what_may_never_be_listed_is_not_even_in_a_short_list() -> None:
    assert top_k(np.array([NEVER, 2, NEVER, -5]), 10).tolist() == [1, 3]


def test_nothing_to_list_is_an_empty_list() -> None:
    assert top_k(np.array([], np.int64), 5).tolist() == []
    assert top_k(np.array([1, 2]), 0).tolist() == []


@given(scores=st.lists(st.integers(-3, 3), max_size=30), k=st.integers(0, 35))
def test_the_list_is_the_head_of_a_full_stable_sort(scores: list[int], k: int) -> None:
    expected = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:k]
    assert top_k(np.array(scores, np.int64), k).tolist() == expected


GENRES = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)


def test_jaccard_is_shared_over_all_features() -> None:
    assert jaccard(GENRES).tolist() == [
        [1, 1, 1 / 2, 0, 0],
        [1, 1, 1 / 2, 0, 0],
        [1 / 2, 1 / 2, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0],
    ]


def test_diversity_lets_an_unlike_title_pass_a_twin() -> None:
    """By hand, after the first: its twin is worth .45 - .5, the third .4 - .25, the fourth .2."""
    relevance = np.array([10.0, 9.0, 8.0, 4.0, 0.0])
    order = diversify(relevance, jaccard(GENRES), k=3, trade_off=0.5)
    assert order.tolist() == [0, 3, 2]


def test_without_a_trade_off_the_ranking_stays() -> None:
    order = diversify(np.array([4.0, 3.0, 3.0, 1.0]), np.ones((4, 4)), k=4, trade_off=0.0)
    assert order.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("candidates", [0, 1, 2])
def test_equal_candidates_keep_their_order(candidates: int) -> None:
    relevance = np.full(candidates, 2.0)
    order = diversify(relevance, np.eye(candidates), k=5, trade_off=0.3)
    assert order.tolist() == list(range(candidates))
