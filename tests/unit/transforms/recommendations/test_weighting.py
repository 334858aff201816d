from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from transforms.recommendations.weighting import Weighting, preference, recency

DAY_S = 86_400
UNRATED = None


def row(**signals: int | None) -> dict[str, int | None]:
    """A row of gold.user_title: one full-length play, unless a test says otherwise."""
    usual = {"plays": 1, "completions": 0, "watch_s": 0, "furthest_position_s": 3000}
    return {**usual, "half_stars": UNRATED, **signals}


def preferences(*rows: dict[str, int | None], weighting: Weighting | None = None) -> list[int]:
    return preference(pd.DataFrame(list(rows)), weighting or Weighting(half_star=1.6)).tolist()


@pytest.mark.parametrize(
    ("signals", "sixteenths"),
    [
        ({}, 16),
        ({"completions": 1}, 17),
        ({"completions": 9}, 18),
        ({"completions": 1, "watch_s": 3599}, 17),
        ({"completions": 1, "watch_s": 3600}, 18),
        ({"completions": 1, "watch_s": 7200}, 19),
        ({"plays": 2}, 17),
        ({"plays": 9, "completions": 9, "watch_s": 90_000}, 22),
        ({"furthest_position_s": 599}, 12),
        ({"furthest_position_s": 600}, 16),
        ({"furthest_position_s": 30, "completions": 1}, 17),
    ],
)
def test_each_implied_signal_is_worth_what_is_declared(
    signals: dict[str, int], sixteenths: int
) -> None:
    assert preferences(row(**signals)) == [sixteenths]


def test_a_rating_replaces_what_watching_implies() -> None:
    watched = {"plays": 5, "completions": 5, "watch_s": 90_000}
    assert preferences(row(**watched, half_stars=2), row(**watched, half_stars=10)) == [8, 21]


def test_a_neutral_rating_says_no_more_than_watching() -> None:
    assert preferences(row(half_stars=7)) == preferences(row())


def test_a_rating_without_playback_is_an_interaction() -> None:
    unplayed = row(plays=0, furthest_position_s=None, half_stars=8)
    assert preferences(unplayed) == [18]


def test_what_was_left_at_an_unknown_position_was_not_abandoned() -> None:
    assert preferences(row(furthest_position_s=None)) == preferences(row()) == [16]


def test_a_late_first_play_is_not_taken_for_an_abandoned_one() -> None:
    assert preferences(row(plays=0, furthest_position_s=30)) == [16]


def test_a_weighting_that_hides_an_interaction_is_refused() -> None:
    with pytest.raises(ValueError, match="keep it above 0"):
        preferences(row(half_stars=1), weighting=Weighting(half_star=3))


def test_recency_halves_every_half_life_and_never_exceeds_one() -> None:
    ages = np.array([-5, 0, 30, 60, 240, 300]) * DAY_S
    left = recency(1_000_000_000 - ages, as_of_s=1_000_000_000, half_life_s=30 * DAY_S)
    assert left.tolist() == [256, 256, 128, 64, 1, 0]


def test_an_infinite_half_life_switches_recency_off() -> None:
    left = recency(np.array([0, 10**9]), as_of_s=2 * 10**9, half_life_s=math.inf)
    assert left.tolist() == [256, 256]
