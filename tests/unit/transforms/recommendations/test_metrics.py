"""Expected values are published ones where a source is named, else worked out in the comment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from transforms.recommendations import metrics


def hits(*lists: str) -> np.ndarray:
    """Lists drawn as text: x is a hit."""
    return np.array([[place == "x" for place in row] for row in lists])


def test_dcg_is_that_of_the_textbook_example() -> None:
    """Gains 3 2 3 0 1 2 and their ideal order, as worked in Wikipedia's article on DCG."""
    gains = np.array([[3, 2, 3, 0, 1, 2], [3, 3, 3, 2, 2, 2]])
    assert metrics.dcg(gains).round(3).tolist() == [6.861, 8.740]


def test_average_precision_is_that_of_the_textbook_example() -> None:
    """Croft, Metzler and Strohman, Search Engines, section 8.4: 0.78 and 0.52."""
    ranked = hits("x.xxxx...x", ".x..xxx.xx")
    printed = pytest.approx([0.78, 0.52], abs=0.0051)
    assert metrics.average_precision(ranked, np.array([6, 6])) == printed


def test_average_precision_of_a_cut_list_still_counts_all_relevant_titles() -> None:
    """Hits at ranks 1 and 3 of 3, four relevant: (1/1 + 2/3) / 4."""
    assert metrics.average_precision(hits("x.x"), np.array([4])) == pytest.approx(5 / 12)


def test_precision_and_recall_are_those_of_the_textbook_example() -> None:
    """The same, figure 8.2: precision and recall at rank 5 are 0.8 and 0.67, 0.4 and 0.33."""
    ranked = hits("x.xxx", ".x..x")
    assert metrics.precision(ranked).tolist() == [0.8, 0.4]
    assert metrics.recall(ranked, np.array([6, 6])).round(2).tolist() == [0.67, 0.33]


def test_ndcg_compares_with_the_best_list_of_that_length() -> None:
    """Hits at ranks 2 and 3: 1/log2(3) + 1/log2(4) over 1 + 1/log2(3), and over 1 alone."""
    two, three = 1 / np.log2(3), 1 / np.log2(4)
    ranked = hits(".xx", "xxx", "...", "..x")
    values = metrics.ndcg(ranked, np.array([2, 9, 5, 1]))
    np.testing.assert_allclose(values, [(two + three) / (1 + two), 1, 0, three], rtol=1e-15)


def test_hit_asks_for_one() -> None:
    assert metrics.hit(hits("...", "..x", "xxx")).tolist() == [0, 1, 1]


def test_a_user_with_nothing_to_hit_is_refused() -> None:
    with pytest.raises(ValueError, match="leave such users out"):
        metrics.recall(hits("..."), np.array([0]))


def test_hits_are_looked_up_and_empty_places_are_misses() -> None:
    relevant = csr_array(np.array([[0, 5, 0, 1], [1, 0, 0, 1]]))
    lists = np.array([[1, 0, 3], [2, -1, 0]])
    assert metrics.hits(lists, relevant).tolist() == [[True, False, True], [False, False, True]]


def test_coverage_is_the_share_of_the_catalogue_listed_to_anybody() -> None:
    assert metrics.coverage(np.array([[0, 1, 2], [2, 1, -1]]), titles=10) == 0.3


def test_novelty_is_self_information_in_bits() -> None:
    """Met by all, half and an eighth of 8 users: 0, 1 and 3 bits; by nobody: as if by one, 3."""
    viewers = np.array([8, 4, 1, 0])
    assert metrics.novelty(np.array([[0, 1], [2, -1]]), viewers, users=8) == pytest.approx(4 / 3)
    assert metrics.novelty(np.array([[3]]), viewers, users=8) == 3


def test_diversity_is_the_mean_distance_within_lists() -> None:
    """Pairs of the first list are 1, 0.5 and 0 alike, that of the second 0; the third has none."""
    similarity = np.array([[1, 1, 0.5], [1, 1, 0], [0.5, 0, 1]])
    lists = np.array([[0, 1, 2], [1, 2, -1], [0, -1, -1]])
    assert metrics.diversity(lists, similarity) == 0.75
