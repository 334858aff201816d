"""The harness of the benchmarks, on services small enough to check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import vstack

from jobs.runtime.recommendations.tuning import Plan
from tests.benchmarks import recommendations_scale as scale
from tests.benchmarks import recommendations_split as split
from tests.benchmarks import recommendations_temporal as temporal
from transforms.recommendations.gram import Interactions, gram, update_gram
from transforms.recommendations.model import with_following

DAY_S = 86_400


@pytest.fixture
def rows() -> pd.DataFrame:
    """Two tastes: even users keep to even titles, odd users to odd ones; one event an hour."""
    generator = np.random.default_rng(4)
    pairs = [
        (user, title)
        for user in range(30)
        for title in range(24)
        if generator.random() < (0.6 if user % 2 == title % 2 else 0.05)
    ]
    generator.shuffle(pairs)
    users, titles = zip(*pairs, strict=True)
    return pd.DataFrame(
        {
            "user": [f"u{user:02d}" for user in users],
            "title": [f"t{title:02d}" for title in titles],
            "half_stars": generator.integers(2, 11, len(pairs)),
            "time_s": np.arange(len(pairs)) * 3600 + 1_000_000_000,
        }
    )


@pytest.fixture
def catalogue(rows: pd.DataFrame) -> np.ndarray:
    return np.unique(rows["title"].to_numpy(np.str_))


def test_a_split_takes_its_share_of_every_title_halves_to_even(rows: pd.DataFrame) -> None:
    training, test = split.stratified_split(rows, seed=42, share=0.75)
    assert sorted([*training.index, *test.index]) == list(rows.index)
    sizes = rows["title"].value_counts()
    assert training["title"].value_counts().to_dict() == {
        title: round(0.75 * size) for title, size in sizes.items()
    }


def test_a_split_depends_on_the_seed_alone(rows: pd.DataFrame) -> None:
    once, _ = split.stratified_split(rows, seed=1, share=0.5)
    again, _ = split.stratified_split(rows, seed=1, share=0.5)
    other, _ = split.stratified_split(rows, seed=2, share=0.5)
    assert once.index.equals(again.index)
    assert not once.index.equals(other.index)


def test_popularity_counts_training_ratings(rows: pd.DataFrame, catalogue: np.ndarray) -> None:
    part = split.split(rows, catalogue, seed=42)
    counts = part.training["title"].value_counts()
    assert split.popularity_scores(part)[0].tolist() == [counts[title] for title in catalogue]


def test_lists_leave_out_what_was_seen(rows: pd.DataFrame, catalogue: np.ndarray) -> None:
    part = split.split(rows, catalogue, seed=42)
    listed = split.lists(part, split.model_scores(part, split.DECLARED))
    assert not part.seen.toarray()[np.arange(len(listed))[:, None], listed].any()


def test_the_model_learns_what_popularity_cannot(rows: pd.DataFrame, catalogue: np.ndarray) -> None:
    part = split.split(rows, catalogue, seed=42)
    ours, theirs = (
        split.means(split.accuracy(part, split.lists(part, scores)))
        for scores in (split.model_scores(part, split.DECLARED), split.popularity_scores(part))
    )
    assert all(ours[metric] > theirs[metric] for metric in ours)


def test_tuning_looks_at_the_training_part_alone(
    rows: pd.DataFrame, catalogue: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given nothing else, and its own parts are cut out of that."""
    monkeypatch.setattr(split, "PLAN", Plan(split="random", cuts=1, draws=2, trials=4))
    part = split.split(rows, catalogue, seed=42)
    found = split.tune(part.training, catalogue, "squared_spectrum")
    assert found.trials == 4
    assert found.value >= found.start


def test_replay_sees_nothing_of_the_future(rows: pd.DataFrame, catalogue: np.ndarray) -> None:
    """What is predicted up to an event is the same whatever comes after it."""
    half, end = len(rows) // 2, len(rows)
    changed = rows.copy()
    changed.loc[end - 20 :, "title"] = changed.loc[end - 20 :, "title"].to_numpy()[::-1]
    ranks, others = (
        temporal.replay(temporal.cut(each, catalogue, half, split.DECLARED)).ranks
        for each in (rows, changed)
    )
    assert ranks[:-20].tolist() == others[:-20].tolist()
    assert ranks.tolist() != others.tolist()


def test_replay_starts_from_what_a_model_of_the_whole_history_would_say(
    rows: pd.DataFrame, catalogue: np.ndarray
) -> None:
    declared = {**split.DECLARED, "history_half_life_days": None, "next_half_life_days": 1e9}
    part = temporal.cut(rows, catalogue, len(rows) // 2, declared)
    model = with_following(part.model, part.part.neighbours, 10.0)
    at_the_cut = temporal.profiles_at_the_cut(replace(part, model=model))
    for profile in at_the_cut.values():
        from_scratch = model.profile(profile.history)
        assert np.array_equal(profile.evidence, from_scratch.evidence)
        assert profile.sitting == from_scratch.sitting


def test_live_views_count_an_event_after_it_was_predicted(
    rows: pd.DataFrame, catalogue: np.ndarray
) -> None:
    part = temporal.cut(rows, catalogue, 20, split.DECLARED)
    first, second = (
        views.copy() for views, _ in zip(temporal.live_views(part), range(2), strict=False)
    )
    assert np.array_equal(first, part.views(20))
    assert np.flatnonzero(second - first).tolist() == [part.places[20]]


def test_popularity_alone_is_a_model_that_has_learned_nothing(
    rows: pd.DataFrame, catalogue: np.ndarray
) -> None:
    part = temporal.cut(rows, catalogue, len(rows) // 2, split.DECLARED).without_model()
    replayed = temporal.replay(part)
    frozen = temporal.replay(part, frozen=True)
    assert replayed.ranks.tolist() == frozen.ranks.tolist()


def test_the_scale_benchmark_runs_at_a_smaller_size() -> None:
    size = scale.Size(titles=300, users=500, mean_history=20, touched_users=50, folds=20)
    report = scale.measure(size)
    assert set(scale.LIMITS) <= set(report["measured"])
    assert report["measured"]["fold_in_and_top_20_p99_ms"] < 10


def test_the_update_of_a_simulated_day_equals_training_from_scratch() -> None:
    generator = np.random.default_rng(0)
    histories = scale.simulate_histories(
        generator, scale.Size(titles=80, users=120, mean_history=10)
    )
    before, after = scale.a_day(generator, histories, touched=30)
    everybody = Interactions(histories.titles, vstack([after.weights, histories.weights[30:]]))
    moved, fresh = update_gram(gram(histories), before=before, after=after), gram(everybody)
    assert moved.titles.tolist() == fresh.titles.tolist()
    assert np.array_equal(moved.sums, fresh.sums)
