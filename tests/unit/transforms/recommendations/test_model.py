"""Scores, fold-in and explanations, exact to the bit."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tests.support.models import MODEL, ORDERED, TITLES, train_small
from transforms.recommendations.fixed_point import MODEL_ONE
from transforms.recommendations.gram import gram, interactions
from transforms.recommendations.model import Explanation, train
from transforms.recommendations.ranking import top_k
from transforms.recommendations.solvers import Ease, SquaredSpectrum, UnsolvableError

histories = st.dictionaries(st.sampled_from(TITLES), st.integers(1, 5632), max_size=12)


def row(history: dict[str, int]) -> csr_array:
    """The history as the batch path scores it."""
    dense = np.zeros((1, len(TITLES)), np.int64)
    for title, weight in history.items():
        dense[0, TITLES.index(title)] = weight
    return csr_array(dense)


@given(history=histories, order=st.randoms())
def test_folding_in_equals_scoring_with_the_event_in_the_history(
    history: dict[str, int], order: random.Random
) -> None:
    events = list(history.items())
    order.shuffle(events)
    profile = MODEL.profile({})
    for title, weight in events:
        profile = MODEL.fold_in(profile, title, weight)
    assert np.array_equal(profile.evidence, MODEL.scores(row(history))[0])


@given(history=histories, title=st.sampled_from(TITLES), weight=st.integers(0, 5632))
def test_a_second_event_on_a_title_replaces_the_first(
    history: dict[str, int], title: str, weight: int
) -> None:
    folded = MODEL.fold_in(MODEL.profile(history), title, weight)
    assert np.array_equal(folded.evidence, MODEL.scores(row({**history, title: weight}))[0])


@given(history=histories, title=st.sampled_from(TITLES))
def test_contributions_sum_to_the_score_exactly(history: dict[str, int], title: str) -> None:
    prior = np.arange(len(TITLES)) * 12_345
    profile = MODEL.profile(history)
    explanation = MODEL.explain(profile, title, prior)
    assert explanation.score == (profile.evidence + prior)[TITLES.index(title)]
    assert set(explanation.because) == set(history)


def sitting_row(history: dict[str, int]) -> csr_array:
    """The last five of a history as the batch path weighs them, all met just now."""
    dense = np.zeros((1, len(TITLES)), np.int64)
    for rank, title in enumerate(list(history)[::-1][:5]):
        dense[0, TITLES.index(title)] = round(0.7**rank * 4096)
    return csr_array(dense)


@given(history=histories, title=st.sampled_from(TITLES), weight=st.integers(1, 5632))
def test_folding_in_what_comes_next_equals_scoring_the_whole_history_in_its_order(
    history: dict[str, int], title: str, weight: int
) -> None:
    folded = ORDERED.fold_in(ORDERED.profile(history), title, weight)
    whole = {name: of for name, of in history.items() if name != title} | {title: weight}
    scores = ORDERED.scores(row(whole), sitting_row(whole))[0]
    assert np.array_equal(folded.evidence, scores)


@given(history=histories, title=st.sampled_from(TITLES))
def test_contributions_of_the_last_titles_are_part_of_the_sum(
    history: dict[str, int], title: str
) -> None:
    profile = ORDERED.profile(history)
    explanation = ORDERED.explain(profile, title, np.arange(len(TITLES)))
    place = TITLES.index(title)
    assert explanation.score == profile.evidence[place] + place
    met = np.sort([TITLES.index(each) for each in history]).astype(np.int64)
    sitting = sitting_row(history).toarray()[0, met]
    weights = row(history).toarray()[0, met]
    parts = ORDERED.parts(met, weights, np.asarray([place]), sitting)
    assert parts.sum() == profile.evidence[place]


def test_a_title_taken_out_leaves_the_sitting_too() -> None:
    profile = ORDERED.profile({"t00": 4096, "t07": 4096})
    assert np.array_equal(
        ORDERED.fold_in(profile, "t07", 0).evidence, ORDERED.profile({"t00": 4096}).evidence
    )


def test_a_model_that_hears_order_is_reindexed_as_a_whole() -> None:
    wider = np.sort([*TITLES[5:], "t00x", "zz"])
    history = dict.fromkeys(TITLES[10:16], 4096)
    known = [TITLES.index(title) for title in TITLES[5:]]
    moved = ORDERED.reindex(np.asarray(wider)).profile(history).evidence
    places = np.searchsorted(wider, TITLES[5:])
    assert moved[places].tolist() == ORDERED.profile(history).evidence[known].tolist()
    assert moved.sum() == moved[places].sum()


def test_a_neighbour_is_recommended() -> None:
    profile = MODEL.profile({"t00": 4096, "t02": 4096, "t04": 4096})
    best = [TITLES[place] for place in top_k(profile.evidence, 5)]
    assert all(int(title[1:]) % 2 == 0 for title in best)


def test_a_user_without_a_history_gets_the_prior_alone() -> None:
    prior = np.arange(len(TITLES)) * 7
    profile = MODEL.profile({})
    assert np.array_equal(profile.evidence + prior, prior)
    assert MODEL.explain(profile, "t05", prior) == Explanation({}, 35)


def test_a_title_unknown_to_the_model_is_remembered_and_says_nothing() -> None:
    profile = MODEL.profile({"t00": 4096})
    folded = MODEL.fold_in(profile, "new", 4096)
    assert np.array_equal(folded.evidence, profile.evidence)
    assert folded.history == {"t00": 4096, "new": 4096}
    explanation = MODEL.explain(folded, "t02", np.zeros(len(TITLES), np.int64))
    assert set(explanation.because) == {"t00"}


def test_a_title_unknown_to_the_model_has_no_explanation() -> None:
    with pytest.raises(KeyError, match="knows no title 'new'"):
        MODEL.explain(MODEL.profile({}), "new", np.zeros(len(TITLES), np.int64))


def test_the_largest_contributions_come_with_their_share_of_what_speaks_for_the_title() -> None:
    explanation = Explanation({"d": 30, "b": 30, "a": 10, "c": -50}, prior=30)
    assert explanation.largest(2) == [("b", 0.3), ("d", 0.3)]
    assert explanation.largest(9) == [("b", 0.3), ("d", 0.3), ("a", 0.1)]
    assert Explanation({}, prior=0).largest(3) == []


def test_float32_and_float64_recommend_the_same() -> None:
    double = train_small(np.float64)
    history = {"t00": 4096, "t07": 2048, "t21": 4096}
    assert np.array_equal(
        top_k(MODEL.profile(history).evidence, 10), top_k(double.profile(history).evidence, 10)
    )


def test_the_same_statistic_gives_the_same_bytes() -> None:
    assert train_small().weights.tobytes() == MODEL.weights.tobytes()


def test_a_history_too_heavy_to_be_exact_is_refused() -> None:
    heavy = row({"t00": 1 << 40})
    with pytest.raises(ValueError, match="too heavy"):
        MODEL.scores(heavy)


def test_nobody_to_score_is_no_error() -> None:
    assert MODEL.scores(csr_array((0, len(TITLES)), dtype=np.int64)).shape == (0, len(TITLES))


def test_an_empty_service_has_nothing_to_learn_from() -> None:
    with pytest.raises(UnsolvableError, match="nothing to learn from"):
        train(gram(interactions([], [], np.array([], np.int64))), SquaredSpectrum())


def test_one_user_and_one_title_make_a_model_that_leaves_it_to_the_prior() -> None:
    model = train(gram(interactions(["u"], ["a"], np.array([16]))), SquaredSpectrum())
    assert model.profile({"a": 4096}).evidence.tolist() == [0]


def test_diverging_weights_are_refused() -> None:
    rows = [("u", "a", 1), ("u", "b", 10_000)]
    users, titles, weights = zip(*rows, strict=True)
    statistic = gram(interactions(users, titles, np.array(weights)))
    with pytest.raises(UnsolvableError, match="diverge"):
        train(statistic, Ease(l2=1e-9), precision=np.float64)


def test_weights_are_whole_numbers_of_the_declared_unit() -> None:
    solution = SquaredSpectrum().solve(np.array([[2.0, 1.0], [1.0, 2.0]]))
    statistic = gram(
        interactions(["u", "u", "v", "w"], ["a", "b", "a", "b"], np.full(4, 16)), damping=0
    )
    model = train(statistic, SquaredSpectrum(), precision=np.float64)
    assert model.weights.tolist() == np.rint(solution * MODEL_ONE).tolist()
