"""Judging settings in one process: what is trained on, what is judged, and what time says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from transforms.recommendations.validation import Part, fit, quality, random_part, sample_users

DAY_S = 86_400
DECLARED: dict[str, Any] = {
    "algorithm": "squared_spectrum", "l2": 1.0, "l2_per": "meeting", "dropout": 0.5,
    "popularity_exponent": 0.0, "damping": 0.3, "half_star": 1, "prior_weight": 0.0,
    "views_half_life_days": 5, "history_half_life_days": None, "next_weight": 0.0,
    "next_half_life_days": 10,
}  # fmt: skip


def part_of(users: int = 40, titles: int = 40) -> Part:
    """Even users keep to even titles, odd users to odd ones; the last fifth comes later."""
    generator = np.random.default_rng(4)
    pairs = [
        (f"u{user:02}", f"t{title:02}")
        for user in range(users)
        for title in range(titles)
        if generator.random() < (0.7 if user % 2 == title % 2 else 0.05)
    ]
    generator.shuffle(pairs)
    rows = pd.DataFrame(pairs, columns=["user_id", "title_id"])
    rows = rows.assign(plays=1, completions=1, watch_s=0, furthest_position_s=0, half_stars=None)
    rows["last_s"] = np.arange(len(rows)) * 3600
    cut = int(0.8 * len(rows))
    views = pd.DataFrame({"title_id": ["t01", "t03"], "day": [0, 1], "views": [4, 2]})
    return Part(
        np.unique(rows["title_id"].to_numpy(np.str_)),
        rows[:cut].reset_index(drop=True),
        rows.loc[cut:, ["user_id", "title_id"]],
        views,
        2 * DAY_S,
    )


PART = part_of()


def test_the_users_judged_are_those_who_met_something_later() -> None:
    values = quality(PART, fit(PART, DECLARED), DECLARED)
    assert PART.users.tolist() == sorted(set(PART.later["user_id"]))
    assert len(values) == len(PART.users)


def test_two_tastes_are_learned() -> None:
    learned = quality(PART, fit(PART, DECLARED), DECLARED).mean()
    popular = {**DECLARED, "prior_weight": 1.0, "history_half_life_days": 1e-9}
    assert learned > quality(PART, fit(PART, DECLARED), popular).mean() + 0.1


def test_what_came_later_is_not_trained_on() -> None:
    other = replace(PART, later=PART.later.assign(title_id="t00").drop_duplicates())
    assert np.array_equal(fit(other, DECLARED).weights, fit(PART, DECLARED).weights)


def test_a_model_is_silent_on_titles_that_nobody_met() -> None:
    wider = replace(PART, titles=np.append(PART.titles, "unmet"))
    assert not fit(wider, DECLARED).weights[-1].any()


def test_a_new_user_is_judged_by_popularity() -> None:
    later = pd.DataFrame({"user_id": ["new", "new"], "title_id": ["t01", "t02"]})
    part = replace(PART, later=later)
    [value] = quality(part, fit(part, DECLARED), {**DECLARED, "prior_weight": 1.0})
    assert value > 1 / (1 + 1 / np.log2(3)) - 1e-9


@pytest.mark.parametrize("setting", ["prior_weight", "history_half_life_days", "next_weight"])
def test_time_says_nothing_in_a_part_without_views(setting: str) -> None:
    random = replace(PART, views=None)
    model = fit(random, DECLARED)
    values = [quality(random, model, {**DECLARED, setting: value}) for value in (0.01, 0.3)]
    assert np.array_equal(*values)


def test_a_random_part_holds_out_a_share_of_each_title() -> None:
    held = random_part(PART, 0.75, np.random.default_rng(1))
    sizes = PART.met["title_id"].value_counts()
    kept = held.met["title_id"].value_counts()
    assert kept.to_dict() == {title: round(0.75 * size) for title, size in sizes.items()}
    both = pd.concat([held.met[["user_id", "title_id"]], held.later])
    assert not both.duplicated().any()
    assert len(both) == len(PART.met)


def test_a_random_part_does_not_depend_on_the_order_of_rows() -> None:
    shuffled = replace(PART, met=PART.met.sample(frac=1, random_state=3))
    one, other = (random_part(part, 0.9, np.random.default_rng(1)) for part in (PART, shuffled))
    pd.testing.assert_frame_equal(one.met, other.met)


def test_few_users_judge_and_all_are_trained_on() -> None:
    few = sample_users(PART, 5, np.random.default_rng(0))
    assert len(few.users) == 5
    assert np.array_equal(fit(few, DECLARED).weights, fit(PART, DECLARED).weights)
    assert sample_users(PART, 1_000, np.random.default_rng(0)) is PART
