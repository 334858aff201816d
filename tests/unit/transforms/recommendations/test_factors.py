"""A model of factors: what it says is what least squares says, and it folds in exactly."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tests.support.factor_models import FACTORS, MODEL, TITLES
from transforms.recommendations.fixed_point import SCORE_ONE

histories = st.dictionaries(st.sampled_from(TITLES.tolist()), st.integers(1, 9000), max_size=6)


def row(history: dict[str, int]) -> csr_array:
    dense = np.zeros((1, len(TITLES)), np.int64)
    for title, weight in history.items():
        dense[0, TITLES.tolist().index(title)] = weight
    return csr_array(dense)


@given(history=histories)
def test_scores_are_the_least_squares_of_hu_koren_and_volinsky(history: dict[str, int]) -> None:
    """The normal equations over all titles, met or not, solved directly."""
    preference = np.zeros(len(TITLES))
    confidence = np.ones(len(TITLES))
    for title, weight in history.items():
        place = TITLES.tolist().index(title)
        preference[place], confidence[place] = 1.0, 1 + 4.0 * weight / 4096
    ridge = 0.1 * max(len(history), 1) * np.eye(3)
    system = FACTORS.T @ (confidence[:, None] * FACTORS) + ridge
    user = np.linalg.solve(system, FACTORS.T @ (confidence * preference))
    expected = FACTORS @ user
    scores = MODEL.scores(row(history))[0] / SCORE_ONE
    for place, title in enumerate(TITLES.tolist()):
        if title not in history:
            assert abs(scores[place] - expected[place]) < 1e-6


@given(history=histories, title=st.sampled_from(TITLES.tolist()), weight=st.integers(1, 9000))
def test_folding_in_equals_scoring_with_the_event_in_the_history(
    history: dict[str, int], title: str, weight: int
) -> None:
    folded = MODEL.fold_in(MODEL.profile(history), title, weight)
    assert np.array_equal(folded.evidence, MODEL.scores(row({**history, title: weight}))[0])


@given(history=histories, title=st.sampled_from(TITLES.tolist()))
def test_contributions_sum_to_the_score_exactly(history: dict[str, int], title: str) -> None:
    prior = np.arange(len(TITLES)) * 99
    profile = MODEL.profile(history)
    explained = MODEL.explain(profile, title, prior)
    assert explained.score == (profile.evidence + prior)[TITLES.tolist().index(title)]


def test_over_other_titles_it_is_silent_on_those_it_does_not_know() -> None:
    wider = MODEL.reindex(np.asarray(["a", *TITLES.tolist()]))
    profile = wider.profile({"t03": 4096, "a": 4096})
    assert profile.evidence[0] == 0
    assert np.array_equal(profile.evidence[1:], MODEL.profile({"t03": 4096}).evidence)
